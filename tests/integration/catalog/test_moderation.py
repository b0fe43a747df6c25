"""What moderators decide about services, and who sees what of it."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import col, select

from marketplace.system import System
from services.catalog.domain import Decision
from services.catalog.models import ModerationEntry
from services.catalog.service import moderation as service
from shared.http.preconditions import Precondition
from shared.messaging.bus import OutgoingMessage
from shared.messaging.local import LocalBus
from tests.support.events import erased, settings_changed, someone_waits_for_a_lock, states_told, tables_with, told
from tests.support.people import Person, expect, register
from tests.support.pictures import encoded, halves
from tests.support.waiting import eventually

Json = dict[str, Any]

PNG = encoded(halves())


@pytest.fixture
def moderated(system: System) -> Iterator[None]:
    with settings_changed(system, "catalog", moderate_new_services=True):
        yield


@pytest.fixture
def no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events stay in the outboxes for as long as the test goes on."""

    async def take_nothing(bus: LocalBus, messages: Sequence[OutgoingMessage]) -> set[str]:
        raise ConnectionError

    monkeypatch.setattr(LocalBus, "publish", take_nothing)


async def decide(
    admin: Person, offered: Json, action: str, reason: str | None = None, **headers: str
) -> httpx.Response:
    path, body = f"/api/services/{offered['id']}/moderate/", {"action": action, "reason": reason}
    return await admin.http.post(path, json=body, headers=admin.headers | headers)


async def hidden(admin: Person, worker: Person, reason: str = "No phone numbers in titles.") -> Json:
    decided: Json = expect(await decide(admin, await worker.offer(), "hide", reason), 200)
    return decided


async def change(worker: Person, offered: Json, **changes: Any) -> Json:
    path = f"/api/services/{offered['id']}/"
    changed: Json = expect(await worker.http.patch(path, json=changes, headers=worker.headers), 200)
    return changed


async def read(by: Person, offered: Json) -> Json:
    found: Json = expect(await by.get(f"/api/services/{offered['id']}/"), 200)
    return found


async def waiting(admin: Person, status: str = "pending") -> list[Json]:
    """All of the queue, page by page."""
    found: list[Json] = []
    following = f"/api/services/moderation/?status={status}&limit=3"
    while following:
        page = expect(await admin.http.get(following, headers=admin.headers), 200)
        found, following = found + page["results"], page["next"]
    return found


async def log_of(system: System, offered: Json) -> list[tuple[str, str | None, str]]:
    entries = select(ModerationEntry).where(ModerationEntry.service_id == UUID(offered["id"]))
    async with system.apps["catalog"].state.platform.database.session() as session:
        rows = (await session.exec(entries.order_by(col(ModerationEntry.seq)))).all()
    return [(row.decision, row.reason, str(row.moderator_id)) for row in rows]


async def assert_out_of_sight(offered: Json, worker: Person, admin: Person, others: Sequence[Person]) -> None:
    """Its worker and an admin see it by its id, and nobody sees it in a public list, not even they."""
    http = worker.http
    for by in (None, *others, worker, admin):
        headers = by.headers if by else {}
        listed = expect(await http.get("/api/services/", params={"worker": worker.id}, headers=headers), 200)
        assert listed["results"] == []
        answer = await http.get(f"/api/services/{offered['id']}/", headers=headers)
        if by in (worker, admin):
            assert expect(answer, 200)["status"] == offered["status"]
            assert answer.headers["cache-control"].startswith("private")
        else:
            assert expect(answer, 404)["type"] == "not-found"
    mine = expect(await worker.get("/api/services/mine/"), 200)["results"]
    assert offered["id"] in [each["id"] for each in mine]
    for other in others:
        if other.login["user"]["role"] == "worker":
            assert expect(await other.get("/api/services/mine/"), 200)["results"] == []


@pytest.mark.usefixtures("moderated")
async def test_a_new_service_waits_for_a_moderator_out_of_everyones_sight(
    http: httpx.AsyncClient, worker: Person, client: Person, admin: Person
) -> None:
    offered = await worker.offer()

    assert offered["status"] == "pending"
    await assert_out_of_sight(offered, worker, admin, [client, await register(http, "worker")])

    approved = expect(await decide(admin, offered, "approve"), 200)
    assert (approved["status"], approved["version"]) == ("active", 2)
    (listed,) = expect(await http.get("/api/services/", params={"worker": worker.id}), 200)["results"]
    assert listed["id"] == offered["id"]
    assert (await http.get(f"/api/services/{offered['id']}/")).status_code == 200


async def test_what_is_hidden_is_seen_by_its_worker_and_admins_with_the_reason(
    http: httpx.AsyncClient, worker: Person, client: Person, admin: Person
) -> None:
    offered = await hidden(admin, worker, "Not your own picture.")

    await assert_out_of_sight(offered, worker, admin, [client, await register(http, "worker")])
    for by in (worker, admin):
        assert (await read(by, offered))["moderation_reason"] == "Not your own picture."


async def test_a_reason_is_for_nobody_else_also_once_the_service_is_seen_again(
    http: httpx.AsyncClient, worker: Person, admin: Person
) -> None:
    offered = await hidden(admin, worker)
    expect(await decide(admin, offered, "approve", "A word about the title: keep it short."), 200)

    (listed,) = expect(await http.get("/api/services/", params={"worker": worker.id}), 200)["results"]
    assert "moderation_reason" not in listed
    assert "moderation_reason" not in expect(await http.get(f"/api/services/{offered['id']}/"), 200)
    (mine,) = expect(await worker.get("/api/services/mine/"), 200)["results"]
    assert mine["moderation_reason"] == "A word about the title: keep it short."


async def test_what_is_hidden_counts_in_no_category(http: httpx.AsyncClient, worker: Person, admin: Person) -> None:
    async def count() -> int:
        tree = expect(await http.get("/api/services/categories/"), 200)["results"]
        return int(tree[0]["service_count"])

    before = await count()
    offered = await worker.offer()
    assert await count() == before + 1

    expect(await decide(admin, offered, "hide", "Why"), 200)
    assert await count() == before


async def test_a_token_is_looked_at_only_where_it_matters(
    http: httpx.AsyncClient, worker: Person, admin: Person
) -> None:
    seen, unseen = await worker.offer(), await hidden(admin, worker)
    forged = {"Authorization": "Bearer forged"}

    assert (await http.get(f"/api/services/{seen['id']}/", headers=forged)).status_code == 200
    assert expect(await http.get(f"/api/services/{unseen['id']}/", headers=forged), 401)["type"] == "invalid-token"


@pytest.mark.parametrize("reason", [None, "", "  ", "\x00"])
async def test_nothing_is_hidden_without_a_reason(
    system: System, worker: Person, admin: Person, reason: str | None
) -> None:
    offered = await worker.offer()

    assert expect(await decide(admin, offered, "hide", reason), 422)["errors"][0]["field"] == "reason"
    assert await read(worker, offered) == offered
    assert await log_of(system, offered) == []


async def test_what_moderators_did_is_kept_and_told(system: System, worker: Person, admin: Person) -> None:
    offered = await hidden(admin, worker, "Why")
    expect(await decide(admin, offered, "approve"), 200)

    assert await log_of(system, offered) == [("hide", "Why", admin.id), ("approve", None, admin.id)]
    states = await states_told(system, offered["id"])
    assert [(state["status"], state["version"]) for state in states] == [("active", 1), ("hidden", 2), ("active", 3)]


async def test_a_decision_that_changes_nothing_is_refused(system: System, worker: Person, admin: Person) -> None:
    offered = await worker.offer()

    refused = expect(await decide(admin, offered, "approve"), 409)

    assert (refused["type"], refused["allowed"]) == ("move-not-allowed", ["hidden", "archived"])
    assert await log_of(system, offered) == []


async def test_what_is_archived_is_out_of_a_moderators_hands(worker: Person, admin: Person) -> None:
    offered = await worker.offer()
    await worker.http.delete(f"/api/services/{offered['id']}/", headers=worker.headers)

    for action in ("approve", "hide"):
        assert expect(await decide(admin, offered, action, "Why"), 409)["allowed"] == []


async def test_of_two_moderators_who_decide_the_same_at_once_one_is_noted(
    system: System, worker: Person, admin: Person
) -> None:
    offered, first = await worker.offer(), uuid4()
    async with system.apps["catalog"].state.platform.database.session() as session:
        await service.moderate(session, UUID(offered["id"]), first, Decision.HIDE, "Why", Precondition(None))
        second = asyncio.create_task(decide(admin, offered, "hide", "Because"))
        await eventually(lambda: someone_waits_for_a_lock(system, "catalog"))

    assert expect(await second, 409)["type"] == "move-not-allowed"
    assert await log_of(system, offered) == [("hide", "Why", str(first))]


@pytest.mark.usefixtures("moderated")
async def test_a_moderator_approves_nothing_that_was_changed_since_they_read_it(worker: Person, admin: Person) -> None:
    offered = await worker.offer()
    await change(worker, offered, title="Something else altogether")

    refused = await decide(admin, offered, "approve", **{"If-Match": f'"{offered["version"]}"'})

    assert expect(refused, 412)["version"] == 2
    assert (await read(worker, offered))["status"] == "pending"


@pytest.mark.parametrize("changes", [{"title": "Without a number"}, {"price": "7.00"}])
async def test_what_a_worker_makes_of_a_hidden_service_waits_with_the_reason_beside_it(
    worker: Person, admin: Person, changes: Json
) -> None:
    offered = await hidden(admin, worker, "Why")

    changed = await change(worker, offered, **changes)

    assert (changed["status"], changed["moderation_reason"]) == ("pending", "Why")
    assert changed in await waiting(admin)
    assert expect(await decide(admin, offered, "approve"), 200)["moderation_reason"] is None


@pytest.mark.usefixtures("moderated")
async def test_new_words_for_an_approved_service_wait_and_a_new_price_does_not(worker: Person, admin: Person) -> None:
    offered = await worker.offer()
    expect(await decide(admin, offered, "approve"), 200)

    assert (await change(worker, offered, price="7.00"))["status"] == "active"
    assert (await change(admin, offered, description="Tidied up."))["status"] == "active"
    assert (await change(worker, offered, description="Call 90 123 45 67"))["status"] == "pending"


async def test_where_new_services_are_not_moderated_new_words_are_not_either(worker: Person) -> None:
    assert (await change(worker, await worker.offer(), description="New."))["status"] == "active"


@pytest.mark.usefixtures("moderated")
async def test_a_new_picture_of_an_approved_service_waits(worker: Person, admin: Person) -> None:
    offered = await worker.offer()
    expect(await decide(admin, offered, "approve"), 200)

    image = expect(await worker.add_image(offered["id"], PNG), 201)
    assert (await read(worker, offered))["status"] == "pending"

    expect(await decide(admin, offered, "approve"), 200)
    path = f"/api/services/{offered['id']}/images/{image['id']}/"
    assert (await worker.http.delete(path, headers=worker.headers)).status_code == 204
    assert (await read(worker, offered))["status"] == "active"


async def test_a_picture_taken_from_a_hidden_service_lets_it_wait(worker: Person, admin: Person) -> None:
    offered = await worker.offer()
    image = expect(await worker.add_image(offered["id"], PNG), 201)
    expect(await decide(admin, offered, "hide", "Whose face is that?"), 200)

    path = f"/api/services/{offered['id']}/images/{image['id']}/"
    assert (await worker.http.delete(path, headers=worker.headers)).status_code == 204

    assert (await read(worker, offered))["status"] == "pending"


async def test_an_admin_who_edits_a_hidden_service_has_not_approved_it(worker: Person, admin: Person) -> None:
    assert (await change(admin, await hidden(admin, worker), title="Tidied up"))["status"] == "hidden"


@pytest.mark.usefixtures("moderated")
async def test_the_queue_is_oldest_first_over_all_its_pages(http: httpx.AsyncClient, admin: Person) -> None:
    offered = [await (await register(http, "worker")).offer() for _ in range(5)]

    queue = await waiting(admin)

    ids = [each["id"] for each in offered]
    assert [each["id"] for each in queue if each["id"] in ids] == ids
    assert [each["created_at"] for each in queue] == sorted(each["created_at"] for each in queue)
    assert {each["status"] for each in queue} == {"pending"}


async def test_the_queue_shows_what_is_hidden_too_for_who_asks(worker: Person, admin: Person) -> None:
    offered = await hidden(admin, worker)

    assert offered in await waiting(admin, "hidden")
    assert offered["id"] not in [each["id"] for each in await waiting(admin)]


async def test_a_workers_own_list_has_everything_newest_first_and_by_status(worker: Person, admin: Person) -> None:
    first, second, third = [await worker.offer() for _ in range(3)]
    expect(await decide(admin, second, "hide", "Why"), 200)
    await worker.http.delete(f"/api/services/{first['id']}/", headers=worker.headers)

    async def mine(**query: Any) -> list[str]:
        return [each["id"] for each in expect(await worker.get("/api/services/mine/", **query), 200)["results"]]

    assert await mine() == [third["id"], second["id"], first["id"]]
    assert [await mine(status=status) for status in ("active", "hidden", "archived", "pending")] == [
        [third["id"]],
        [second["id"]],
        [first["id"]],
        [],
    ]
    page = expect(await worker.get("/api/services/mine/", limit=2), 200)
    assert [each["id"] for each in expect(await worker.get(page["next"]), 200)["results"]] == [first["id"]]


@pytest.mark.usefixtures("moderated", "no_events")
async def test_orders_takes_none_that_waits_and_at_once_what_was_approved_by_asking(
    client: Person, worker: Person, admin: Person
) -> None:
    offered = await worker.offer()

    assert expect(await client.try_order(offered["id"]), 409)["type"] == "service-not-available"
    expect(await decide(admin, offered, "approve"), 200)
    await client.order(offered["id"])


async def test_orders_takes_none_that_is_hidden_and_leaves_those_that_it_took(
    client: Person, worker: Person, admin: Person
) -> None:
    offered = await worker.offer()
    order = await client.order(offered["id"])

    expect(await decide(admin, offered, "hide", "Why"), 200)

    async def refused() -> bool:
        answer = await client.try_order(offered["id"])
        return answer.status_code == 409 and answer.json()["type"] == "service-not-available"

    await eventually(refused)
    expect(await worker.accept(order["id"]), 200)


async def test_nothing_that_is_not_there_is_moderated(admin: Person) -> None:
    assert expect(await decide(admin, {"id": uuid4()}, "approve"), 404)["type"] == "not-found"


async def test_of_an_erased_worker_no_word_of_a_moderator_is_left(
    system: System, worker: Person, admin: Person
) -> None:
    words = f"secret{uuid4().hex}"
    offered = await hidden(admin, worker, f"You are {words}, aren't you?")
    assert await tables_with(system, "catalog", words) == {"moderation_log"}

    await told(system, erased(worker, 2), "catalog")

    assert await tables_with(system, "catalog", words) == set()
    assert await log_of(system, offered) == [("hide", None, admin.id)]
