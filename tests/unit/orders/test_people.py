"""Who someone is to an order, and what of it they see."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from services.orders.api import _seen_by
from services.orders.domain import Actor
from services.orders.models import Order
from services.orders.service.moves import actors_of
from shared.auth.users import User
from shared.ids import new_id
from tests.unit import factories

CLIENT, OWNER, ASSIGNED, STRANGER = (new_id() for _ in range(4))
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def order(worker_id: UUID | None) -> Order:
    return Order(
        id=new_id(),
        number="2026-000001",
        service_id=new_id(),
        service_title="Leaking tap repair",
        client_id=CLIENT,
        owner_id=OWNER,
        worker_id=worker_id,
        status="assigned" if worker_id else "pending",
        payment_status="unpaid",
        price=Decimal("150000.00"),
        quantity=1,
        total=Decimal("150000.00"),
        currency="UZS",
        description="",
        address="1 Navoi St",
        contact_phone="+998901234567",
        created_at=NOW,
        updated_at=NOW,
    )


def user(id_: UUID, role: str) -> User:
    return factories.user(role, id_)


@pytest.mark.parametrize(
    ("someone", "worker_id", "expected"),
    [
        (user(CLIENT, "client"), None, {Actor.CLIENT}),
        (user(OWNER, "worker"), None, {Actor.OWNER}),
        (user(OWNER, "worker"), OWNER, {Actor.OWNER, Actor.WORKER}),
        (user(OWNER, "worker"), ASSIGNED, {Actor.OWNER}),
        (user(ASSIGNED, "worker"), ASSIGNED, {Actor.WORKER}),
        (user(STRANGER, "worker"), ASSIGNED, set()),
        (user(STRANGER, "client"), None, set()),
        (user(STRANGER, "admin"), None, {Actor.ADMIN}),
    ],
)
def test_someone_is_to_an_order_what_the_order_says_and_not_what_their_role_says(
    someone: User, worker_id: UUID | None, expected: set[Actor]
) -> None:
    assert actors_of(order(worker_id), someone) == expected


@pytest.mark.parametrize(
    ("someone", "worker_id"),
    [
        (user(CLIENT, "client"), None),
        (user(ASSIGNED, "worker"), ASSIGNED),
        (user(OWNER, "worker"), OWNER),
        (user(STRANGER, "admin"), None),
    ],
)
def test_the_contact_phone_is_for_client_assigned_worker_and_admin(someone: User, worker_id: UUID | None) -> None:
    assert _seen_by(order(worker_id), someone)["contact_phone"] == "+998901234567"


@pytest.mark.parametrize(("someone", "worker_id"), [(user(OWNER, "worker"), None), (user(OWNER, "worker"), ASSIGNED)])
def test_the_contact_phone_is_not_for_an_owner_who_was_not_assigned(someone: User, worker_id: UUID | None) -> None:
    seen = _seen_by(order(worker_id), someone)

    assert seen["contact_phone"] is None
    assert seen["address"] == "1 Navoi St"
