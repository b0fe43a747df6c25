"""Composition root of payments."""

import structlog
from fastapi import FastAPI

from services.payments import api, events
from services.payments.config import PaymentsSettings
from services.payments.flows import PaymentFlows
from services.payments.providers.fake import FakeGateway
from shared.http.service import create_service
from shared.messaging.bus import Bus
from shared.platform import Platform

log = structlog.get_logger("payments")


def create_app(settings: PaymentsSettings, bus: Bus | None = None) -> FastAPI:
    async def reconcile(_: Platform) -> None:
        await app.state.flows.reconcile_forever(settings.reconcile_every, settings.reconcile_after, settings.void_after)

    app = create_service(
        "payments",
        settings,
        description="What was paid, exactly once.",
        routers=[api.payments, api.internal],
        subscribe=events.register,
        background=[reconcile],
        bus=bus,
    )
    if settings.env == "production" and settings.payment_gateway == "fake":
        log.warning("fake_payments_are_allowed", why="ALLOW_FAKE_PAYMENTS is true: no money moves")
    platform = app.state.platform
    gateway = FakeGateway(platform.database, settings.fake_gateway_success_rate, settings.fake_gateway_seed)
    app.state.flows = PaymentFlows(platform.database, platform.internal, gateway)
    return app
