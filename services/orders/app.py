"""Composition root of orders."""

from fastapi import FastAPI

from services.orders import api, events
from services.orders.config import OrdersSettings
from services.orders.domain import MoveNotAllowed
from shared.errors import Conflict
from shared.http.service import create_service
from shared.messaging.bus import Bus


def create_app(settings: OrdersSettings, bus: Bus | None = None) -> FastAPI:
    return create_service(
        "orders",
        settings,
        description="What was agreed, and where it stands.",
        routers=[api.orders, api.internal],
        subscribe=events.register,
        refusals={MoveNotAllowed: _not_allowed},
        bus=bus,
    )


def _not_allowed(error: MoveNotAllowed) -> Conflict:
    return Conflict(str(error), slug="move-not-allowed", status_now=error.status, allowed=error.allowed)
