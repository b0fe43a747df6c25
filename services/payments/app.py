"""Composition root of payments."""

import asyncio

import structlog
from fastapi import FastAPI

from services.payments import events
from services.payments.api import balances, internal, payments, refunds
from services.payments.config import PaymentsSettings
from services.payments.domain import Gateway, Method
from services.payments.flows import timers
from services.payments.flows.payments import PaymentFlows
from services.payments.flows.refunds import RefundFlows
from services.payments.providers import Providers
from services.payments.providers.fake import FakeGateway
from shared.db import Database
from shared.http.service import create_service
from shared.messaging.bus import Bus
from shared.observability.logging import also_log_to
from shared.platform import Platform

log = structlog.get_logger("payments")


def create_app(settings: PaymentsSettings, bus: Bus | None = None) -> FastAPI:
    money_moved, refund_opened = asyncio.Event(), asyncio.Event()

    async def pass_time(platform: Platform) -> None:
        await timers.forever(
            lambda: timers.pass_time(platform.database, app.state.settings), money_moved, settings.timers_every
        )

    async def reconcile(_: Platform) -> None:
        await timers.forever(
            lambda: timers.reconcile(
                app.state.payment_flows, app.state.refund_flows, app.state.settings, app.state.providers
            ),
            refund_opened,
            settings.reconcile_every,
        )

    app = create_service(
        "payments",
        settings,
        description="What was paid, exactly once.",
        routers=[refunds.router, balances.router, payments.router, internal.router],
        subscribe=events.register,
        background=[pass_time, reconcile],
        bus=bus,
    )
    if settings.payments_log_file:
        also_log_to(settings.payments_log_file, "payments")
    if settings.env == "production" and settings.payment_gateway == "fake":
        log.warning("fake_payments_are_allowed", why="ALLOW_FAKE_PAYMENTS is true: no money moves")
    platform = app.state.platform
    platform.database.session_info |= {"wake_timers": money_moved.set, "wake_refunds": refund_opened.set}
    app.state.providers = payment_providers(platform.database, settings)
    app.state.payment_flows = PaymentFlows(platform.database, platform.internal)
    app.state.refund_flows = RefundFlows(platform.database)
    return app


def payment_providers(database: Database, settings: PaymentsSettings) -> Providers:
    """Of every gateway, whichever new attempts are opened under: older ones stay with theirs."""
    fake = FakeGateway(database, settings.fake_gateway_success_rate, settings.fake_gateway_seed)
    return Providers({(Gateway.FAKE, method): fake for method in Method})
