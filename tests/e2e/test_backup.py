"""What was backed up comes back, with the events that the broker held at that moment, and nothing happens twice."""

import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from marketplace.backup import DATABASES, back_up_server
from marketplace.basebackup import Damaged, verify
from marketplace.events import tell_everything
from marketplace.registry import SERVICES, service_settings
from shared.db import Database
from tests.e2e.journeys import Journeys, assert_all_is_well, one
from tests.support.embedded import marketplace, running
from tests.support.people import expect, register
from tests.support.pictures import encoded, halves
from tests.support.postgres import OwnPostgres
from tests.support.process import free_port
from tests.support.rabbitmq import OwnRabbit
from tests.support.stack import Stack
from tests.support.waiting import eventually


@pytest.mark.timeout(240)
async def test_with_the_brokers_data_gone_too_every_event_arrives_once(
    stack: Stack, http: httpx.AsyncClient, postgres: OwnPostgres, rabbitmq: OwnRabbit, tmp_path: Path
) -> None:
    client, worker = await register(http, "client"), await register(http, "worker")
    journeys = Journeys(client, worker, (await worker.offer())["id"])
    order_ids = await journeys.run(3)
    await assert_all_is_well(stack, journeys, order_ids)
    stack.stop("notifications")  # so that the broker holds its events at the moment of the backup
    order_ids += await journeys.run(2)
    await _all_told(stack)
    back_up_server(tmp_path / "backup", postgres.url)
    lost = await client.order(journeys.service_id)
    stack.stop()
    postgres.restore(tmp_path / "backup" / DATABASES)
    rabbitmq.wipe()
    for service in SERVICES:
        await _tell_again(stack, service)
    stack.start()

    await assert_all_is_well(stack, journeys, order_ids)
    assert (await client.get(f"/api/orders/{lost['id']}/")).status_code == 404
    await assert_all_is_well(stack, journeys, await journeys.run(1))


async def _tell_again(stack: Stack, service: str) -> None:
    """What `marketplace outbox republish --restored` does."""
    given = {key.lower(): value for key, value in stack.environment(service).items()}
    database = Database(service_settings(service, **given))
    await tell_everything(database)
    await database.close()


async def _all_told(stack: Stack) -> None:
    """Return once the broker has all events."""

    async def told() -> bool:
        waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
        return not any(one(stack, service, waiting) for service in SERVICES)

    await eventually(told)


@dataclass(frozen=True)
class Saved:
    """A `marketplace run` that went on while it was backed up, and what could be read from it."""

    data: Path
    backup: Path
    reads: Mapping[str, Any]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    folder = tmp_path_factory.mktemp("backups")
    data, backup = folder / "var", folder / "backup"
    with _running(data) as http:
        demo = marketplace("demo", "--url", str(http.base_url))
        assert demo.returncode == 0, demo.stdout + demo.stderr
        worker = _login(http, "worker@example.com")
        service = expect(http.get("/api/services/mine/", headers=worker), 200)["results"][0]["id"]
        picture = {"image": ("picture.jpg", encoded(halves()), "image/jpeg")}
        expect(http.post(f"/api/services/{service}/images/", files=picture, headers=worker), 201)
        reads = _reads(http)
        made = marketplace("backup", str(backup), "--data", str(data), "--secrets")
    assert made.returncode == 0, made.stderr
    return Saved(data, backup, reads)


@contextmanager
def _running(data: Path) -> Iterator[httpx.Client]:
    port = free_port()
    with running(data, port), httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        yield http


def _login(http: httpx.Client, email: str) -> dict[str, str]:
    login = {"email": email, "password": "marketplace-demo"}
    return {"Authorization": f"Bearer {expect(http.post('/api/auth/login/', json=login), 200)['access']}"}


def _reads(http: httpx.Client) -> dict[str, Any]:
    """What admin and worker see, and a picture."""
    seen: dict[str, Any] = {}
    admin, worker = _login(http, "admin@example.com"), _login(http, "worker@example.com")
    for path in ("/api/users/", "/api/orders/", "/api/payments/"):
        seen[path] = expect(http.get(path, headers=admin), 200)["results"]
    for path in ("/api/services/mine/", "/api/notifications/"):
        seen[path] = expect(http.get(path, headers=worker), 200)["results"]
    (image,) = next(service["images"] for service in seen["/api/services/mine/"] if service["images"])
    seen["picture"] = hashlib.sha256(
        http.get(urlsplit(image["urls"]["small"]).path).raise_for_status().content
    ).hexdigest()
    return seen


def test_what_make_run_had_is_there_again_once(saved: Saved, tmp_path: Path) -> None:
    restored = marketplace("restore", str(saved.backup), "--data", str(tmp_path / "var"))
    assert restored.returncode == 0, restored.stderr
    with _running(tmp_path / "var") as http:
        reads = _reads(http)
        demo = marketplace("demo", "--url", str(http.base_url))

    assert reads == saved.reads
    assert len(reads["/api/orders/"]) == 1
    assert demo.returncode == 0, demo.stdout + demo.stderr


def test_where_there_is_data_nothing_is_restored(saved: Saved) -> None:
    refused = marketplace("restore", str(saved.backup), "--data", str(saved.data))

    assert refused.returncode == 1
    assert "There is data in" in refused.stderr


def test_a_backup_takes_a_new_folder_and_leaves_no_half_one(saved: Saved, tmp_path: Path) -> None:
    there = marketplace("backup", str(saved.backup), "--data", str(saved.data))
    nowhere = marketplace("backup", str(tmp_path / "backup"), "--url", "postgresql://postgres@127.0.0.1:9/postgres")

    assert (there.returncode, nowhere.returncode) == (1, 1)
    assert "is there already" in there.stderr
    assert "could not be saved" in nowhere.stderr
    assert not (tmp_path / "backup").exists()


def test_without_the_secrets_nothing_is_restored(saved: Saved, tmp_path: Path) -> None:
    """Saved from a data folder at rest, this time."""
    made = marketplace("backup", str(tmp_path / "backup"), "--data", str(saved.data))
    refused = marketplace("restore", str(tmp_path / "backup"), "--data", str(tmp_path / "var"))
    (tmp_path / "var").mkdir(exist_ok=True)
    shutil.copy2(saved.data / "secrets.json", tmp_path / "var")
    restored = marketplace("restore", str(tmp_path / "backup"), "--data", str(tmp_path / "var"))

    assert "NOT inside" in made.stdout
    assert "secrets.json" in refused.stderr
    assert restored.returncode == 0, restored.stderr


def _cut(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-20_000])


def _without(name: str) -> Callable[[Path], None]:
    def rewrite(archive: Path) -> None:
        _rewrite(archive, lambda member, content: None if member.name.startswith(name) else content)

    return rewrite


def _with_one_byte_changed(archive: Path) -> None:
    def change(member: tarfile.TarInfo, content: bytes) -> bytes:
        return content[:-1] + bytes([content[-1] ^ 1]) if member.name == "global/pg_control" else content

    _rewrite(archive, change)


def _rewrite(archive: Path, change: Callable[[tarfile.TarInfo, bytes], bytes | None]) -> None:
    """The archive, its files changed or, where nothing comes back, left out."""
    with tarfile.open(archive) as old, tarfile.open(archive.with_suffix(".new"), "w:gz", compresslevel=1) as new:
        for member in old:
            file = old.extractfile(member)
            if file is None:
                new.addfile(member)
            elif (content := change(member, file.read())) is not None:
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))
    archive.with_suffix(".new").rename(archive)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_cut, "can't be read to its end"),
        (_with_one_byte_changed, "global/pg_control is not as it was"),
        (_without("global/pg_control"), "global/pg_control is missing"),
        (_without("backup_manifest"), "its manifest is missing"),
        (_without("pg_wal/0"), "it holds no WAL"),
    ],
)
def test_a_damaged_backup_is_refused(saved: Saved, tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    archive = tmp_path / DATABASES
    shutil.copyfile(saved.backup / DATABASES, archive)
    damage(archive)

    with pytest.raises(Damaged, match=said):
        verify(archive)
