"""Pictures of a service: sent, shown, served, removed, forgotten."""

import asyncio
import json
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from PIL import Image
from sqlalchemy import text
from sqlmodel import col, func, select

from marketplace.system import System
from services.catalog.api.images import MAX_BYTES
from services.catalog.flows import ImageFlows
from services.catalog.models import Image as ImageRow
from services.catalog.pictures import to_picture
from services.catalog.service import images
from shared.errors import Unavailable
from tests.support.events import erased, events_of, heard, someone_waits_for_a_lock, tell, told, updated
from tests.support.people import Person, expect, register
from tests.support.pictures import BOMBS, NO_PICTURES, encoded, exif, halves
from tests.support.waiting import eventually

JPEG = encoded(halves(), "JPEG")


@pytest.fixture
async def service(worker: Person) -> dict[str, Any]:
    return await worker.offer()


@pytest.fixture
def flows(system: System) -> ImageFlows:
    found: ImageFlows = system.apps["catalog"].state.image_flows
    return found


async def send(worker: Person, service: dict[str, Any], content: bytes = JPEG) -> httpx.Response:
    return await worker.add_image(service["id"], content)


async def add(worker: Person, service: dict[str, Any], content: bytes = JPEG) -> dict[str, Any]:
    image: dict[str, Any] = expect(await send(worker, service, content), 201)
    return image


async def remove(worker: Person, service: dict[str, Any], image: dict[str, Any]) -> httpx.Response:
    path = f"/api/services/{service['id']}/images/{image['id']}/"
    return await worker.http.delete(path, headers=worker.headers)


async def read(http: httpx.AsyncClient, service: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = expect(await http.get(f"/api/services/{service['id']}/"), 200)
    return found


def files_of(media: Path, image: dict[str, Any]) -> list[Path]:
    return [path for path in (media / url.removeprefix("/media/") for url in image["urls"].values()) if path.exists()]


def everything(media: Path) -> set[Path]:
    return {path for path in media.rglob("*") if path.is_file()}


async def rows(system: System) -> int:
    async with system.apps["catalog"].state.platform.database.session() as session:
        return (await session.exec(select(func.count(col(ImageRow.id))))).one()


async def test_a_picture_is_shown_on_its_service_and_in_lists_and_served_in_three_sizes(
    http: httpx.AsyncClient, worker: Person, service: dict[str, Any]
) -> None:
    image = await add(worker, service, encoded(halves(2000, 1000), "PNG"))

    seen = await read(http, service)
    listed = expect(await http.get("/api/services/", params={"worker": worker.id}), 200)["results"]
    assert seen["images"] == [image] == listed[0]["images"]
    assert (image["width"], image["height"]) == (1600, 800)
    for size, pixels in {"small": (320, 160), "medium": (800, 400), "large": (1600, 800)}.items():
        answer = await http.get(image["urls"][size])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
        assert Image.open(BytesIO(answer.content)).size == pixels


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_what_a_camera_notes_beside_a_picture_is_not_served(
    http: httpx.AsyncClient, worker: Person, service: dict[str, Any], kind: str
) -> None:
    image = await add(worker, service, encoded(halves(), kind, exif=exif(orientation=6)))

    served = Image.open(BytesIO((await http.get(image["urls"]["large"])).content))
    assert dict(served.getexif()) == {}
    assert served.size == (40, 60) == (image["width"], image["height"])


async def test_pictures_are_served_to_be_kept_forever(
    http: httpx.AsyncClient, worker: Person, service: dict[str, Any]
) -> None:
    url = (await add(worker, service))["urls"]["small"]

    first = await http.get(url)
    again = await http.get(url, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})

    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert first.headers.get_list("x-content-type-options") == ["nosniff"]
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == first.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        f"/media/services/{'0' * 32}-small.webp",
        f"/media/services/{'0' * 32}-small.png",
        f"/media/services/{'0' * 32}-huge.webp",
        "/media/services/..%2f..%2fsecrets.json",
        "/media/services/%2e%2e%2fsecrets.json",
        "/media/services/x",
        "/media/services/",
        "/media/",
        "/media",
    ],
)
async def test_what_is_no_picture_is_404(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)

    assert expect(answer, 404)["type"] == "not-found"
    assert "immutable" not in answer.headers.get("cache-control", "")


@pytest.mark.parametrize("content", [*NO_PICTURES.values(), *BOMBS.values()], ids=[*NO_PICTURES, *BOMBS])
async def test_of_what_is_no_picture_nothing_is_kept(
    system: System, media: Path, worker: Person, service: dict[str, Any], content: bytes
) -> None:
    files, count = everything(media), await rows(system)

    problem = expect(await send(worker, service, content), 422)

    assert [error["field"] for error in problem["errors"]] == ["image"]
    assert everything(media) <= files
    assert await rows(system) <= count
    assert await read(worker.http, service) == service


async def test_what_a_file_is_is_told_by_itself_and_never_by_name_or_type(
    http: httpx.AsyncClient, worker: Person, service: dict[str, Any]
) -> None:
    path = f"/api/services/{service['id']}/images/"
    png = {"image": ("../../x.html", encoded(halves()), "text/html")}

    image = expect(await http.post(path, files=png, headers=worker.headers), 201)

    assert (await http.get(image["urls"]["small"])).headers["content-type"] == "image/webp"


async def test_what_was_hidden_behind_a_picture_is_not_served(
    http: httpx.AsyncClient, worker: Person, service: dict[str, Any]
) -> None:
    image = await add(worker, service, JPEG + b"<script>alert(1)</script>")

    assert b"script" not in (await http.get(image["urls"]["large"])).content


async def test_any_other_form_is_refused(http: httpx.AsyncClient, worker: Person, service: dict[str, Any]) -> None:
    path, by = f"/api/services/{service['id']}/images/", worker.headers

    for answer in (
        await http.post(path, headers=by),
        await http.post(path, json={"image": "x"}, headers=by),
        await http.post(path, content=JPEG, headers={**by, "Content-Type": "image/jpeg"}),
        await http.post(path, data={"image": "text"}, headers=by),
        await http.post(path, files=[("image", JPEG), ("image", JPEG)], headers=by),
    ):
        assert [error["field"] for error in expect(answer, 422)["errors"]] == ["image"]
    surplus = expect(await worker.add_image(service["id"], JPEG, field="picture"), 422)
    assert [error["field"] for error in surplus["errors"]] == ["picture"]
    many = await http.post(path, files=[("image", JPEG)] * 9, headers=by)
    broken = await http.post(path, content=b"x", headers={**by, "Content-Type": "multipart/form-data; boundary=b"})
    assert expect(many, 400)["type"] == expect(broken, 400)["type"] == "bad-request"


@pytest.mark.parametrize(
    ("length", "chunk", "sent"),
    [
        pytest.param(f"Content-Length: {100 * 2**20}", b"%b", 1, id="told beforehand"),
        pytest.param("Transfer-Encoding: chunked", b"900000\r\n%b\r\n", 9 * 2**20, id="in chunks"),
    ],
)
async def test_more_than_8_mebibytes_are_refused_before_the_rest_of_them_comes(
    http: httpx.AsyncClient, worker: Person, service: dict[str, Any], length: str, chunk: bytes, sent: int
) -> None:
    head = [
        f"POST /api/services/{service['id']}/images/ HTTP/1.1",
        "Host: localhost",
        f"Authorization: {worker.headers['Authorization']}",
        "Content-Type: multipart/form-data; boundary=b",
        f"{length}\r\n\r\n",
    ]
    begin = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'.ljust(sent)
    reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
    try:
        writer.write("\r\n".join(head).encode() + chunk % begin)
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    finally:
        writer.close()


async def test_a_picture_of_8_mebibytes_is_taken_and_one_byte_more_is_not(
    worker: Person, service: dict[str, Any]
) -> None:
    full = JPEG + bytes(MAX_BYTES - len(JPEG))

    assert expect(await send(worker, service, full + b"\0"), 413)["type"] == "content-too-large"
    await add(worker, service, full)


async def test_who_may_not_is_told_before_a_file_is_read(
    client: Person, worker: Person, service: dict[str, Any]
) -> None:
    stranger = await register(worker.http, "worker")
    path = f"/api/services/{service['id']}/images/"
    image = await add(worker, service)

    assert expect(await worker.http.post(path, files={"image": b"x"}), 401)["type"] == "unauthenticated"
    assert expect(await send(client, service, b"x"), 403)["type"] == "forbidden"
    assert expect(await send(stranger, service, b"x"), 404)["type"] == "not-found"
    assert expect(await send(worker, {"id": str(uuid4())}, b"x"), 404)["type"] == "not-found"
    assert expect(await remove(stranger, service, image), 404)["type"] == "not-found"
    assert expect(await remove(worker, await worker.offer(), image), 404)["type"] == "not-found"
    assert (await read(worker.http, service))["images"] == [image]


async def test_pictures_stand_in_the_order_they_came_also_after_one_is_removed(
    worker: Person, service: dict[str, Any]
) -> None:
    first, second, third = [await add(worker, service) for _ in range(3)]
    assert (await remove(worker, service, second)).status_code == 204
    fourth = await add(worker, service)

    assert (await read(worker.http, service))["images"] == [first, third, fourth]
    assert len({image["urls"]["small"] for image in (first, second, third, fourth)}) == 4


async def test_each_change_is_a_version_and_an_event(system: System, worker: Person, service: dict[str, Any]) -> None:
    image = await add(worker, service)
    with_it = await read(worker.http, service)
    await remove(worker, service, image)
    without = await read(worker.http, service)

    told_of = [
        json.loads(event)["data"]["service"]
        for event in await events_of(system, "catalog", "service.updated", service["id"])
    ]
    assert [service["version"], with_it["version"], without["version"]] == [1, 2, 3]
    assert [state["version"] for state in told_of] == [1, 2, 3]
    assert service["updated_at"] < with_it["updated_at"] < without["updated_at"]


async def test_a_ninth_picture_is_refused_until_one_is_removed(
    system: System, media: Path, worker: Person, service: dict[str, Any]
) -> None:
    first, *_ = [await add(worker, service) for _ in range(8)]
    files, count = everything(media), await rows(system)

    assert expect(await send(worker, service), 409)["type"] == "too-many-images"
    assert everything(media) <= files
    assert await rows(system) <= count
    await remove(worker, service, first)
    await add(worker, service)


async def test_of_two_pictures_at_once_for_the_last_place_one_gets_it(
    system: System, media: Path, worker: Person, service: dict[str, Any], flows: ImageFlows
) -> None:
    for _ in range(7):
        await add(worker, service)
    storage, both = flows.storage, asyncio.Barrier(2)

    class Meeting:
        """Lets nobody write a large file before both want to: then each has seen a free place."""

        async def put(self, key: str, content: bytes) -> None:
            if "large" in key:
                await both.wait()
            await storage.put(key, content)

        read, delete = storage.read, storage.delete

    flows.storage = Meeting()
    try:
        answers = await asyncio.gather(send(worker, service), send(worker, service))
    finally:
        flows.storage = storage

    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len((await read(worker.http, service))["images"]) == 8
    await a_day_passes(system)

    async def swept() -> bool:
        await flows.sweep()
        return len(everything(media)) == 3 * await rows(system)

    await eventually(swept)


async def a_day_passes(system: System) -> None:
    async with system.apps["catalog"].state.platform.database.session() as session:
        await session.exec(text("UPDATE images SET delete_after = delete_after - interval '25 hours'"))


async def test_the_files_of_a_removed_picture_go(
    media: Path, http: httpx.AsyncClient, worker: Person, service: dict[str, Any]
) -> None:
    image, other = await add(worker, service), await add(worker, service)
    assert len(files_of(media, image)) == 3

    await remove(worker, service, image)

    assert expect(await http.get(image["urls"]["small"]), 404)

    async def gone() -> bool:
        return not files_of(media, image)

    await eventually(gone)
    assert len(files_of(media, other)) == 3


async def test_files_of_an_upload_that_was_interrupted_are_swept_after_a_day_and_not_before(
    system: System, media: Path, worker: Person, service: dict[str, Any], flows: ImageFlows
) -> None:
    shown = await add(worker, service)
    before = everything(media)
    storage = flows.storage

    class Broken:
        async def put(self, key: str, content: bytes) -> None:
            if "small" in key:
                raise Unavailable("The disk is full.")
            await storage.put(key, content)

        read, delete = storage.read, storage.delete

    flows.storage = Broken()
    try:
        assert expect(await send(worker, service), 503)
    finally:
        flows.storage = storage

    async def two_more() -> bool:
        return len(everything(media) - before) == 2

    await eventually(two_more)
    await flows.sweep()
    assert len(everything(media) - before) == 2
    await a_day_passes(system)

    async def swept() -> bool:
        await flows.sweep()
        return everything(media) <= before

    await eventually(swept)
    assert len(files_of(media, shown)) == 3
    assert (await read(worker.http, service))["images"] == [shown]


async def test_a_sweep_that_fails_halfway_is_ended_by_the_next(
    system: System, media: Path, worker: Person, service: dict[str, Any], flows: ImageFlows
) -> None:
    image, storage = await add(worker, service), flows.storage
    asked = []

    class Broken:
        async def delete(self, key: str) -> None:
            asked.append(key)
            raise Unavailable("The bucket is away.")

        put, read = storage.put, storage.read

    async def failed() -> bool:
        return bool(asked)

    flows.storage = Broken()
    try:
        await remove(worker, service, image)
        await eventually(failed)
    finally:
        flows.storage = storage
    assert len(files_of(media, image)) == 3

    async def swept() -> bool:
        await flows.sweep()
        return not files_of(media, image)

    await eventually(swept)


async def test_of_an_erased_worker_no_picture_is_left(
    system: System, media: Path, http: httpx.AsyncClient, worker: Person, service: dict[str, Any]
) -> None:
    mine = [await add(worker, service), await add(worker, await worker.offer())]
    other = await register(http, "worker")
    theirs = await add(other, await other.offer())

    await told(system, erased(worker, 2), "catalog")

    async def gone() -> bool:
        return not [file for image in mine for file in files_of(media, image)]

    await eventually(gone)
    assert expect(await http.get(mine[0]["urls"]["small"]), 404)
    assert len(files_of(media, theirs)) == 3
    async with system.apps["catalog"].state.platform.database.session() as session:
        kept = await session.exec(text("SELECT images FROM services WHERE id = :id").bindparams(id=UUID(service["id"])))
        assert kept.scalar_one() == []
    assert expect(await send(worker, service), 404)


async def test_a_picture_that_comes_at_the_moment_of_an_erasure_is_found_by_it(
    system: System, worker: Person, service: dict[str, Any]
) -> None:
    database = system.apps["catalog"].state.platform.database
    picture = to_picture(JPEG)
    async with database.session() as session:
        image = images.note(session, picture)
    async with database.session() as session:
        await images.show(session, image, UUID(service["id"]), UUID(worker.id), moderated=False)
        event_id = await tell(system, erased(worker, 2))
        await eventually(lambda: someone_waits_for_a_lock(system, "catalog"))
    await heard(system, "catalog", event_id)

    async with database.session() as session:
        left = await session.get(ImageRow, image.id)
    assert left is None or left.service_id is None


async def test_pictures_of_a_worker_who_is_banned_and_of_a_hidden_service_are_not_served(
    system: System, http: httpx.AsyncClient, worker: Person, service: dict[str, Any]
) -> None:
    url = (await add(worker, service))["urls"]["small"]

    await told(system, updated(worker, 2, is_active=False), "catalog")
    assert expect(await http.get(url), 404)
    await told(system, updated(worker, 3, is_active=True), "catalog")
    assert (await http.get(url)).status_code == 200

    async with system.apps["catalog"].state.platform.database.session() as session:
        hide = text("UPDATE services SET status = 'hidden' WHERE id = :id")
        await session.exec(hide.bindparams(id=UUID(service["id"])))
    assert expect(await http.get(url), 404)


async def test_an_archived_service_keeps_its_pictures_and_takes_no_more(
    system: System, http: httpx.AsyncClient, worker: Person, service: dict[str, Any]
) -> None:
    image = await add(worker, service)
    async with system.apps["catalog"].state.platform.database.session() as session:
        archive = text("UPDATE services SET status = 'archived' WHERE id = :id")
        await session.exec(archive.bindparams(id=UUID(service["id"])))

    assert expect(await send(worker, service), 404)
    assert expect(await remove(worker, service, image), 404)
    assert (await http.get(image["urls"]["small"])).status_code == 200
