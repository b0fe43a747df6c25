"""Routes of orders."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.orders.config import OrdersSettings
from services.orders.domain import table_of_moves
from services.orders.models import Dispute, Order
from services.orders.repo import orders as repo
from services.orders.schemas import (
    AssignIn,
    DecisionIn,
    DisputeIn,
    DisputeOut,
    OrderBy,
    OrderFilters,
    OrderIn,
    OrderOut,
    StatusIn,
    WholeOrderOut,
)
from services.orders.service import copies, disputes, users
from services.orders.service import orders as service
from shared.auth.users import ActingAdmin, ActingUser, ActingWorkerOrAdmin, CallingService, Client, CurrentUser, User
from shared.contracts.orders import OrderState
from shared.errors import Forbidden
from shared.http import idempotency
from shared.http.idempotency import IdempotencyKey
from shared.http.pagination import Page, Paging
from shared.http.problems import problems
from shared.http.responses import RowsResponse
from shared.http.service import DbSession, Internal, ReadsFrom, Snapshot

orders = APIRouter(prefix="/api/orders", tags=["orders"])
internal = APIRouter(prefix="/internal", include_in_schema=False)


@orders.post(
    "/create/", status_code=201, response_model=OrderOut, responses=problems(403, 404, 409) | idempotency.DOCUMENTED
)
async def create_order(
    body: OrderIn, by: Client, key: IdempotencyKey, request: Request, session: DbSession, internal: Internal
) -> Response:
    """Order a service, at the price it has at this moment."""

    async def create() -> Order:
        return await service.create(
            session,
            internal,
            by,
            service_id=body.service_id,
            quantity=body.quantity,
            description=body.description,
            address=body.address,
            scheduled_at=body.scheduled_at,
            contact_phone=body.contact_phone,
            confirmed_only=request.app.state.settings.require_confirmed_email,
            accept_timeout=request.app.state.settings.order_accept_timeout,
        )

    return await key.once(session, by.id, body, create, OrderOut)


@orders.get("/", response_model=Page[OrderOut], responses=problems(403))
async def list_orders(
    filters: Annotated[OrderFilters, Query()], page: Paging, by: CurrentUser, database: ReadsFrom
) -> Response:
    """A client's own orders; a worker's assigned and waiting ones; all for an admin."""
    if filters.attention and not by.is_admin:
        raise Forbidden("What needs attention is for an admin to see.")
    async with database.reading() as session:
        rows = await repo.orders(
            session,
            by,
            page,
            descending=filters.ordering == OrderBy.NEWEST,
            status=filters.status,
            payment_status=filters.payment_status,
            begin=filters.begin,
            end=filters.end,
            attention=filters.attention,
            disputed=filters.disputed,
        )
    results = [_without_phone_unless_theirs(row, by) for row in rows]
    return RowsResponse(page.page(results, key=lambda row: (row["created_at"], row["id"])))


@orders.get("/{order_id:uuid}/", response_model=WholeOrderOut, responses=problems(404))
async def read_order(
    order_id: UUID, by: CurrentUser, session: Snapshot, internal: Internal, response: Response
) -> dict[str, Any]:
    """One order, with its history and its last dispute."""
    order, history, dispute = await service.whole_order(session, order_id, by)
    response.headers["Cache-Control"] = "no-store"
    phone = await copies.worker_phone(session, internal, order, by)
    return {**_seen_by(order, by), "history": history, "dispute": dispute, "worker_phone": phone}


@orders.post("/{order_id:uuid}/assign/", response_model=OrderOut, responses=problems(403, 404, 409))
async def assign_order(
    order_id: UUID, body: AssignIn, by: ActingWorkerOrAdmin, session: DbSession, internal: Internal
) -> dict[str, Any]:
    """Accept an order (its worker), or assign a worker to it (admin)."""
    return _seen_by(await service.assign(session, internal, order_id, by, body.worker_id), by)


@orders.post(
    "/{order_id:uuid}/status/",
    response_model=OrderOut,
    responses=problems(404, 409),
    description=f"Move an order on.\n\n{table_of_moves()}\n\nClient: ordered it. Owner: offers the service. Worker: "
    "was assigned to it. A forbidden move is 409 and names the allowed ones; assigning has a call of its own.",
)
async def change_status(
    order_id: UUID, body: StatusIn, by: ActingUser, request: Request, session: DbSession
) -> dict[str, Any]:
    settings: OrdersSettings = request.app.state.settings
    moved = await service.change_status(
        session,
        order_id,
        by,
        to=body.status,
        note=body.note,
        payment_first=settings.require_payment_before_start,
        accept_timeout=settings.order_accept_timeout,
    )
    return _seen_by(moved, by)


@orders.post("/{order_id:uuid}/dispute/", status_code=201, response_model=DisputeOut, responses=problems(403, 404, 409))
async def open_dispute(order_id: UUID, body: DisputeIn, by: Client, request: Request, session: DbSession) -> Dispute:
    """Complain of an order, from the beginning of its work until the worker has the money: an admin decides then."""
    settings: OrdersSettings = request.app.state.settings
    return await disputes.open_dispute(session, order_id, by, body.reason, settings.escrow_hold)


@orders.post("/{order_id:uuid}/dispute/resolve/", response_model=DisputeOut, responses=problems(403, 404, 409))
async def resolve_dispute(order_id: UUID, body: DecisionIn, by: ActingAdmin, session: DbSession) -> Dispute:
    """Decide a dispute: how much of what is held goes back to the client, which payments then sends."""
    return await disputes.resolve(session, order_id, by, body.refund_amount, body.note)


@internal.get("/orders/{order_id}/", response_model=OrderState)
async def order_state(order_id: UUID, database: ReadsFrom, _: CallingService) -> OrderState:
    async with database.reading() as session:
        return await service.order_state(session, order_id)


@internal.get("/orders/by-number/{number}/", response_model=OrderState)
async def order_state_by_number(number: str, session: DbSession, _: CallingService) -> OrderState:
    return await service.order_state_by_number(session, number)


@internal.get("/users/{user_id}/export/")
async def export(user_id: UUID, session: Snapshot, _: CallingService) -> Response:
    return RowsResponse({"orders": await users.export(session, user_id)})


@internal.get("/users/{user_id}/open/")
async def count_open(user_id: UUID, session: DbSession, _: CallingService) -> dict[str, int]:
    return {"open_orders": await repo.count_open(session, user_id)}


def _seen_by(order: Order, user: User) -> dict[str, Any]:
    return _without_phone_unless_theirs(order.model_dump(), user)


def _without_phone_unless_theirs(order: dict[str, Any], user: User) -> dict[str, Any]:
    """The client's phone is for the client, an admin, and the worker who was assigned."""
    if not user.is_admin and str(user.id) not in (str(order["client_id"]), str(order["worker_id"])):
        order["contact_phone"] = None
    return order
