"""What payments holds of a user, tells of them, and forgets."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from marketplace.system import System
from services.payments.providers import CannotRefund, OutcomeUnknown
from services.payments.providers.fake import FakeGateway
from services.payments.service.refunds import mark_done
from tests.support.events import asked, erased, settings_changed, told
from tests.support.people import Person, expect, register
from tests.support.waiting import eventually


@pytest.fixture
async def order(client: Person, worker: Person) -> dict[str, Any]:
    return await client.order((await worker.offer())["id"])


@pytest.fixture
async def payment(client: Person, order: dict[str, Any]) -> dict[str, Any]:
    paid: dict[str, Any] = expect(await client.pay(order["id"]), 201)
    return paid


async def held(system: System, person: Person) -> int:
    found: int = (await asked(system, "payments", f"/internal/users/{person.id}/held/"))["held"]
    return found


async def test_of_an_erased_client_the_money_stays_and_the_card_does_not(
    system: System, admin: Person, client: Person, payment: dict[str, Any]
) -> None:
    path = f"/api/payments/{payment['id']}/"
    before = expect(await admin.get(path), 200)
    assert (before["card_brand"], before["card_last4"]) == ("visa", "4242")

    await told(system, erased(client, 2), "payments")

    assert expect(await admin.get(path), 200) == before | {"card_brand": None, "card_last4": None}


async def test_an_erased_worker_takes_no_clients_card_along(
    system: System, client: Person, worker: Person, payment: dict[str, Any]
) -> None:
    await told(system, erased(worker, 2), "payments")

    assert expect(await client.get(f"/api/payments/{payment['id']}/"), 200)["card_last4"] == "4242"


async def test_an_export_holds_the_payments_of_both_sides_and_the_card_for_its_own(
    system: System, client: Person, worker: Person, payment: dict[str, Any]
) -> None:
    stranger = await register(client.http, "client")

    (of_client,) = (await asked(system, "payments", f"/internal/users/{client.id}/export/"))["payments"]
    (of_worker,) = (await asked(system, "payments", f"/internal/users/{worker.id}/export/"))["payments"]
    of_stranger = await asked(system, "payments", f"/internal/users/{stranger.id}/export/")

    assert (of_client["id"], of_client["amount"], of_client["card_last4"]) == (payment["id"], "150000.00", "4242")
    assert of_worker == of_client | {"card_brand": None, "card_last4": None}
    assert "4242" not in json.dumps(of_worker)
    assert of_stranger == {"payments": [], "payouts": []}


async def test_money_is_held_until_it_is_released(
    system: System, client: Person, worker: Person, order: dict[str, Any], payment: dict[str, Any]
) -> None:
    expect(await worker.accept(order["id"]), 200)
    expect(await worker.move(order["id"], "in_progress"), 200)
    expect(await worker.move(order["id"], "completed"), 200)
    assert (await held(system, client), await held(system, worker)) == (1, 1)

    async def released() -> bool:
        return await held(system, client) == 0

    with settings_changed(system, "payments", escrow_hold=timedelta(0)):
        await eventually(released)
    assert await held(system, worker) == 0


async def test_money_is_held_until_its_refund_is_made(
    system: System, client: Person, order: dict[str, Any], payment: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cannot(*_: Any) -> None:
        raise CannotRefund("in-the-cabinet")

    monkeypatch.setattr(FakeGateway, "refund", cannot)
    expect(await client.move(order["id"], "cancelled"), 200)

    async def refunds(status: str) -> Any:
        whole = expect(await client.get(f"/api/payments/{payment['id']}/"), 200)
        return [refund["id"] for refund in whole["refunds"] if refund["status"] == status]

    (waiting,) = await eventually(lambda: refunds("manual"))
    assert await held(system, client) == 1
    async with system.apps["payments"].state.platform.database.session() as session:
        await mark_done(session, UUID(waiting))
    assert await held(system, client) == 0


async def test_an_attempt_without_an_outcome_is_held(
    system: System, client: Person, order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: Any) -> None:
        raise OutcomeUnknown

    monkeypatch.setattr(FakeGateway, "charge", unknown)
    monkeypatch.setattr(FakeGateway, "find", unknown)
    expect(await client.pay(order["id"]), 201)

    assert await held(system, client) == 1


@pytest.mark.parametrize("what", ["export", "held"])
async def test_what_is_held_of_a_user_is_for_services_alone(system: System, client: Person, what: str) -> None:
    async with httpx.AsyncClient(base_url=system.urls["payments"], trust_env=False) as direct:
        answer = await direct.get(f"/internal/users/{client.id}/{what}/", headers=client.headers)

    assert answer.status_code == 401
