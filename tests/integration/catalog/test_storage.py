"""Both ways of keeping files keep the same promises; S3 is a server of the protocol on loopback."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import boto3
import pytest
from moto.server import ThreadedMotoServer

from services.catalog.config import S3Bucket
from services.catalog.storage import Storage
from services.catalog.storage.folder import FolderStorage
from services.catalog.storage.s3 import S3Storage
from shared.errors import Unavailable
from tests.support.process import free_port


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def bucket_at(endpoint: str, name: str = "pictures") -> S3Bucket:
    return S3Bucket(name, "access", "secret", "us-east-1", endpoint)


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return FolderStorage(tmp_path / "var" / "media")
    bucket = bucket_at(request.getfixturevalue("s3"))
    keys = {"aws_access_key_id": bucket.access_key, "aws_secret_access_key": bucket.secret_key}
    client = boto3.client("s3", endpoint_url=bucket.endpoint, region_name=bucket.region, **keys)
    client.create_bucket(Bucket=bucket.name)
    return S3Storage(bucket)


@pytest.fixture
def key() -> str:
    return f"services/{token_hex(16)}-large.webp"


async def test_what_is_put_can_be_read_until_it_is_deleted(storage: Storage, key: str) -> None:
    content = bytes(range(256)) * 1000

    assert await storage.read(key) is None
    await storage.put(key, content)
    assert await storage.read(key) == content
    await storage.delete(key)
    assert await storage.read(key) is None


async def test_putting_twice_and_deleting_twice_is_as_once(storage: Storage, key: str) -> None:
    await storage.put(key, b"first")
    await storage.put(key, b"second")
    assert await storage.read(key) == b"second"

    await storage.delete(key)
    await storage.delete(key)


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "../secrets.json", "services/../../secrets.json", "services/x.webp", f"s/{'a' * 32}-l.webp\n"],
)
async def test_what_is_no_key_is_refused(storage: Storage, key: str) -> None:
    for work in (storage.read(key), storage.delete(key), storage.put(key, b"")):
        with pytest.raises(ValueError, match="no key"):
            await work


async def test_a_file_is_for_its_owner_and_an_interrupted_one_is_never_read_and_deleted_too(
    tmp_path: Path, key: str
) -> None:
    storage = FolderStorage(tmp_path / "media")
    await storage.put(key, b"whole")
    unfinished = (tmp_path / "media" / key).with_suffix(".part")

    assert (tmp_path / "media" / "services").stat().st_mode & 0o077 == 0
    assert not unfinished.exists()
    unfinished.write_bytes(b"ha")
    assert await storage.read(key) == b"whole"
    await storage.delete(key)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


async def test_a_folder_that_can_not_be_written_is_unavailable(tmp_path: Path, key: str) -> None:
    (tmp_path / "media").write_text("a file where the folder should be")

    for work in (FolderStorage(tmp_path / "media").put(key, b""), FolderStorage(tmp_path / "media").read(key)):
        with pytest.raises(Unavailable):
            await work


async def test_a_server_that_is_away_and_a_bucket_that_is_not_there_are_unavailable(s3: str, key: str) -> None:
    away = S3Storage(bucket_at(f"http://127.0.0.1:{free_port()}"))
    missing = S3Storage(bucket_at(s3, "no-such-bucket"))

    for work in (away.read(key), away.put(key, b""), away.delete(key), missing.read(key), missing.put(key, b"")):
        with pytest.raises(Unavailable):
            await work
