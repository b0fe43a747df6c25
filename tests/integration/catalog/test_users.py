"""What becomes of services when their worker is renamed, banned, comes back, confirms their e-mail, or is erased."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from marketplace.system import System
from services.catalog.models import Worker, WorkerProfile
from services.catalog.service import services as catalog
from services.orders.models import Offer
from shared.contracts.accounts import Location, WorkerState, WorkerUpdated
from tests.support.events import (
    asked,
    erased,
    events_of,
    heard,
    settings_changed,
    someone_waits_for_a_lock,
    tables_with,
    tell,
    told,
    updated,
)
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually


@pytest.fixture
def confirmed_only(system: System) -> Iterator[None]:
    with settings_changed(system, "catalog", require_confirmed_email=True):
        yield


async def try_offer(worker: Person, **more: Any) -> httpx.Response:
    category = expect(await worker.get("/api/services/categories/"), 200)["results"][0]["id"]
    body = {"title": "T", "description": "D", "category_id": category, "price": "1.00", **more}
    return await worker.post("/api/services/", body)


async def seen(http: httpx.AsyncClient, worker: Person, service: dict[str, Any]) -> tuple[int, int, int]:
    """How often the worker is in the list; the status of the detail; the count of the service's category."""
    listed = expect(await http.get("/api/services/", params={"worker": worker.id}), 200)["results"]
    detail = (await http.get(f"/api/services/{service['id']}/")).status_code
    tree = expect(await http.get("/api/services/categories/"), 200)["results"]
    (count,) = [category["service_count"] for category in tree if category["id"] == service["category_id"]]
    return len(listed), detail, count


async def copies(system: System, worker: Person) -> tuple[Worker | None, WorkerProfile | None]:
    async with system.apps["catalog"].state.platform.database.session() as session:
        return await session.get(Worker, UUID(worker.id)), await session.get(WorkerProfile, UUID(worker.id))


def profile(worker: Person, version: int, **changed: Any) -> WorkerUpdated:
    values = {
        "id": worker.id,
        "full_name": "A worker",
        "city": "Tashkent",
        "location": Location(lat=41.3, lng=69.25),
        "service_radius_km": 15,
        "is_available": True,
        "skills": ["pipes", "taps"],
        "version": version,
    }
    return WorkerUpdated(worker=WorkerState(**values | changed))


async def test_a_ban_hides_a_workers_services_and_its_end_brings_them_back(
    system: System, http: httpx.AsyncClient, worker: Person
) -> None:
    service = await worker.offer()
    listed, detail, count = await seen(http, worker, service)

    await told(system, updated(worker, 2, is_active=False), "catalog")
    assert await seen(http, worker, service) == (listed - 1, 404, count - 1)

    await told(system, updated(worker, 3, is_active=True), "catalog")
    assert await seen(http, worker, service) == (listed, detail, count) == (1, 200, count)


async def test_what_is_older_than_what_is_known_changes_nothing(
    system: System, http: httpx.AsyncClient, worker: Person
) -> None:
    service = await worker.offer()
    await told(system, updated(worker, 3, full_name="Their new name"), "catalog")

    await told(system, updated(worker, 2, full_name="A typing mistake", is_active=False), "catalog")

    read = expect(await http.get(f"/api/services/{service['id']}/"), 200)
    assert read["worker_name"] == "Their new name"


async def test_who_is_a_worker_no_longer_offers_nothing(
    system: System, http: httpx.AsyncClient, worker: Person
) -> None:
    service = await worker.offer()

    await told(system, updated(worker, 2, role="client"), "catalog")

    assert (await http.get(f"/api/services/{service['id']}/")).status_code == 404


async def test_of_users_who_offer_nothing_no_copy_is_kept(system: System, client: Person) -> None:
    await told(system, updated(client, 2, full_name="Somebody else"), "catalog")

    assert await copies(system, client) == (None, None)


@pytest.mark.parametrize("how", ["banned", "erased"])
async def test_who_is_banned_or_erased_offers_nothing_although_their_token_still_holds(
    system: System, worker: Person, how: str
) -> None:
    await told(system, erased(worker, 2) if how == "erased" else updated(worker, 2, is_active=False), "catalog")

    assert expect(await try_offer(worker), 401)["type"] == "invalid-token"


@pytest.mark.usefixtures("confirmed_only")
async def test_where_it_is_required_offering_waits_for_a_confirmed_e_mail(system: System, worker: Person) -> None:
    refused = await try_offer(worker)
    await told(system, updated(worker, 2, is_confirmed=True), "catalog")

    assert expect(refused, 409)["type"] == "email-not-confirmed"
    assert (await try_offer(worker)).status_code == 201


@pytest.mark.usefixtures("confirmed_only")
async def test_an_e_mail_that_was_just_confirmed_counts_before_catalog_has_heard_of_it(
    system: System, worker: Person
) -> None:
    async with system.apps["accounts"].state.platform.database.session() as session:
        confirm = text("UPDATE users SET version = 2, email_confirmed_at = now() WHERE id = :id")
        await session.exec(confirm.bindparams(id=UUID(worker.id)))

    assert (await try_offer(worker)).status_code == 201


async def test_a_profile_is_kept_by_its_own_version(system: System, worker: Person) -> None:
    await told(system, updated(worker, 9), "catalog")
    await told(system, profile(worker, 3), "catalog")
    await told(system, profile(worker, 2, city="Bukhara", location=None), "catalog")

    _, kept = await copies(system, worker)
    assert kept is not None
    assert (kept.city, kept.lat, kept.lng, kept.service_radius_km) == ("Tashkent", 41.3, 69.25, 15)
    assert (kept.is_available, kept.skills, kept.version) == (True, ["pipes", "taps"], 3)


async def test_of_an_erased_worker_no_word_is_left(system: System, http: httpx.AsyncClient, worker: Person) -> None:
    words = f"secret{uuid4().hex}"
    await told(system, updated(worker, 2, full_name=words), "catalog")
    await told(system, profile(worker, 7, full_name=words, city=words, skills=[words]), "catalog")
    service = expect(await try_offer(worker, title=words, description=words, city=words), 201)
    assert await tables_with(system, "catalog", words) == {"workers", "worker_profiles", "services"}

    await told(system, erased(worker, 3), "catalog")

    assert await tables_with(system, "catalog", words) == set()
    assert (await http.get(f"/api/services/{service['id']}/")).status_code == 404
    last = json.loads((await events_of(system, "catalog", "service.updated", service["id"]))[-1])["data"]["service"]
    assert (last["title"], last["city"], last["status"], last["version"]) == ("—", None, "archived", 2)

    async def forgotten_by_orders() -> bool:
        async with system.apps["orders"].state.platform.database.session() as session:
            copy = await session.get(Offer, UUID(service["id"]))
            return copy is not None and (copy.title, copy.status) == ("—", "archived")

    await eventually(forgotten_by_orders)


async def test_a_worker_who_is_erased_does_not_come_back(system: System, worker: Person) -> None:
    await told(system, erased(worker, 3), "catalog")

    await told(system, updated(worker, 2, full_name="A ghost"), "catalog")
    await told(system, profile(worker, 12), "catalog")

    account, place = await copies(system, worker)
    assert account is not None
    assert place is not None
    assert (account.full_name, account.is_active, account.version) == (None, False, 3)
    assert (place.city, place.lat, place.skills, place.is_available) == (None, None, [], False)


async def test_an_erasure_leaves_the_services_of_others(
    system: System, http: httpx.AsyncClient, worker: Person
) -> None:
    other = await register(http, "worker")
    service = await other.offer()

    await told(system, erased(worker, 2), "catalog")

    assert expect(await http.get(f"/api/services/{service['id']}/"), 200) == service


async def test_a_service_that_is_offered_at_the_moment_of_an_erasure_is_found_by_it(
    system: System, worker: Person
) -> None:
    first = await worker.offer()  # brings the copy along
    platform, words = system.apps["catalog"].state.platform, f"secret{uuid4().hex}"
    async with platform.database.session() as session:
        await catalog.offer(
            session,
            platform.internal,
            UUID(worker.id),
            title=words,
            description=words,
            category_id=UUID(first["category_id"]),
            price=Decimal("1.00"),
            confirmed_only=False,
        )
        event_id = await tell(system, erased(worker, 2))
        await eventually(lambda: someone_waits_for_a_lock(system, "catalog"))
    await heard(system, "catalog", event_id)

    assert await tables_with(system, "catalog", words) == set()


async def test_an_export_holds_all_of_ones_services_and_nobody_elses(system: System, worker: Person) -> None:
    service = await worker.offer()
    await (await register(worker.http, "worker")).offer()

    found = await asked(system, "catalog", f"/internal/users/{worker.id}/export/")

    assert found == {"services": [service | {"moderation_reason": None}]}


async def test_a_category_is_told_with_all_below_it(system: System, http: httpx.AsyncClient) -> None:
    tree = expect(await http.get("/api/services/categories/"), 200)["results"]
    parent = next(category for category in tree if category["slug"] == "home-repair")
    family = {category["id"] for category in tree if parent["id"] in (category["id"], category["parent_id"])}

    by_slug = await asked(system, "catalog", "/internal/categories/home-repair/")
    by_id = await asked(system, "catalog", f"/internal/categories/{parent['id']}/")

    assert by_slug == by_id
    assert {*by_slug["ids"]} == family
    assert len(family) > 1
    assert await asked(system, "catalog", "/internal/categories/no-such-trade/") is None


@pytest.mark.parametrize("path", ["/internal/users/{id}/export/", "/internal/categories/cleaning/"])
async def test_what_is_for_services_is_not_for_users(system: System, worker: Person, path: str) -> None:
    async with httpx.AsyncClient(base_url=system.urls["catalog"], trust_env=False) as direct:
        answer = await direct.get(path.format(id=worker.id), headers=worker.headers)

    assert answer.status_code == 401
