"""Where the instances of a service are: each address that its name has, looked up again and again.

That is what Docker's DNS and a headless service of Kubernetes tell: an address for each container that runs.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

import httpx
import structlog

from gateway.pool import Pool
from shared.background import woken

_AT_LEAST: Final = 0.25
"""Seconds between two looks, however many requests fail meanwhile."""

log = structlog.get_logger()


async def keep_finding(pool: Pool, urls: Sequence[str], every: float, failed: asyncio.Event) -> None:
    """Tell `pool` of all addresses of `urls`, every so many seconds and soon after `failed`; runs until cancelled.

    A name that has none at the moment, or whose look-up fails or takes too long, keeps those it had.
    """
    known = {url: [url] for url in urls}
    while True:
        for url in urls:
            try:
                async with asyncio.timeout(every):
                    known[url] = await _addresses(httpx.URL(url))
            except (OSError, UnicodeError) as error:
                log.warning("upstream_not_found", upstream=url, error=repr(error))
        pool.renew([instance for found in known.values() for instance in found])
        await asyncio.sleep(_AT_LEAST)
        await woken(failed, every)
        failed.clear()


async def _addresses(url: httpx.URL) -> list[str]:
    if url.scheme != "http":
        return [str(url)]  # its certificate is of the name
    found = await asyncio.get_running_loop().getaddrinfo(url.host, url.port or 80, type=socket.SOCK_STREAM)
    # One family: an instance that has an address of each would count twice.
    family = min((family for family, *_ in found), key=lambda family: family != socket.AF_INET)
    hosts = sorted({str(address[0]) for of, *_, address in found if of == family})
    return [str(url.copy_with(host=host)) for host in hosts]
