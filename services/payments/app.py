"""Composition root of payments."""

from fastapi import FastAPI

from services.payments import api, events
from services.payments.config import PaymentsSettings
from services.payments.flows import PaymentFlows
from services.payments.providers.fake import FakeGateway
from shared.http.service import create_service
from shared.messaging.bus import Bus


def create_app(settings: PaymentsSettings, bus: Bus | None = None) -> FastAPI:
    app = create_service(
        "payments",
        settings,
        description="What was paid, exactly once.",
        routers=[api.payments],
        subscribe=events.register,
        background=[
            lambda _: app.state.flows.reconcile_forever(settings.reconcile_every, settings.reconcile_after),
        ],
        bus=bus,
    )
    platform = app.state.platform
    gateway = FakeGateway(platform.database, settings.fake_gateway_success_rate, settings.fake_gateway_seed)
    app.state.flows = PaymentFlows(platform.database, platform.internal, gateway)
    return app
