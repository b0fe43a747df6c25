"""An nginx of our own: one worker, as each of our processes is one, nothing logged, all of its files in one folder."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.process import free_port

CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {http}
  server {{
    listen 127.0.0.1:{port};
    {server}
  }}
}}
"""


@contextmanager
def nginx(server: str, http: str = "") -> Iterator[str | None]:
    """The address of one with these directives in its blocks `server` and `http`; None where nginx is not installed."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or shutil.which("nginx")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as folder:
        port, config = free_port(), Path(folder, "nginx.conf")
        config.write_text(CONFIG.format(folder=folder, port=port, http=http, server=server))
        process = subprocess.Popen([program, "-p", folder, "-e", f"{folder}/error.log", "-c", str(config)])
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()
