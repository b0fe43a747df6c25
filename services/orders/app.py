"""Composition root of orders."""

from fastapi import FastAPI

from services.orders import api, events
from services.orders.config import OrdersSettings
from services.orders.domain import MoveNotAllowed
from services.orders.service.timers import expire_forever
from services.orders.service.totals import watch_totals
from shared.errors import Conflict
from shared.http.service import create_service
from shared.messaging.bus import Bus
from shared.platform import Platform


def create_app(settings: OrdersSettings, bus: Bus | None = None) -> FastAPI:
    async def expire(platform: Platform) -> None:
        await expire_forever(platform.database, settings.expire_every)

    async def count_orders(platform: Platform) -> None:
        await watch_totals(platform.database)

    return create_service(
        "orders",
        settings,
        description="What was agreed, and where it stands.",
        routers=[api.orders, api.internal],
        subscribe=events.register,
        refusals={MoveNotAllowed: _not_allowed},
        background=[expire, count_orders],
        bus=bus,
    )


def _not_allowed(error: MoveNotAllowed) -> Conflict:
    return Conflict(str(error), slug="move-not-allowed", status_now=error.status, allowed=error.allowed)
