"""Composition root of payments."""

import asyncio

import structlog
from fastapi import FastAPI

from services.payments import events
from services.payments.api import balances, click, internal, payme, payments, refunds
from services.payments.config import PaymentsSettings
from services.payments.domain import Gateway, Method
from services.payments.flows import timers
from services.payments.flows.payments import PaymentFlows
from services.payments.flows.refunds import RefundFlows
from services.payments.providers import AnyProvider, Connections, Providers
from services.payments.providers.click import account_of as click_account_of
from services.payments.providers.click.merchant import URL as CLICK_API_URL
from services.payments.providers.click.merchant import ClickMerchantApi
from services.payments.providers.click.provider import ClickProvider
from services.payments.providers.fake import FakeGateway
from services.payments.providers.payme import account_of as payme_account_of
from services.payments.providers.payme.cards import PaymeCards
from services.payments.providers.payme.merchant import PaymeMerchant
from services.payments.providers.payme.subscribe import PaymeSubscribeApi
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
        try:
            await timers.forever(
                lambda: timers.reconcile(
                    app.state.payment_flows, app.state.refund_flows, app.state.settings, app.state.providers
                ),
                refund_opened,
                settings.reconcile_every,
            )
        finally:
            await app.state.providers.close()

    app = create_service(
        "payments",
        settings,
        description="What was paid, exactly once.",
        routers=[refunds.router, balances.router, payme.router, click.router, payments.router, internal.router],
        subscribe=events.register,
        background=[pass_time, reconcile],
        bus=bus,
    )
    if settings.payments_log_file:
        also_log_to(settings.payments_log_file, "payments")
    if settings.env == "production" and settings.payment_gateway == "fake":
        log.warning("fake_payments_are_allowed", why="ALLOW_FAKE_PAYMENTS is true: no money moves")
    platform = app.state.platform
    # Of what was earned or paid just now nothing is due within the hold; where that is longer than the time between two
    # looks, those find it.
    is_soon = settings.escrow_hold < settings.timers_every
    platform.database.session_info |= {
        "wake_timers": money_moved.set,
        "wake_timers_if_due": money_moved.set if is_soon else lambda: None,
        "wake_refunds": refund_opened.set,
    }
    app.state.providers = payment_providers(platform.database, settings)
    app.state.payment_flows = PaymentFlows(platform.database, platform.internal)
    app.state.refund_flows = RefundFlows(platform.database)
    return app


def payment_providers(database: Database, settings: PaymentsSettings) -> Providers:
    """Of every gateway, whichever new attempts are opened under: older ones stay with theirs."""
    fake = FakeGateway(database, settings.fake_gateway_success_rate, settings.fake_gateway_seed)
    of_methods: dict[tuple[str, str], AnyProvider] = {(Gateway.FAKE, method): fake for method in Method}
    connections: list[Connections] = []
    payme_account = payme_account_of(settings)
    if payme_account.is_complete:
        subscribe_api = PaymeSubscribeApi(payme_account, url=f"{payme_account.checkout_url.rstrip('/')}/api")
        of_methods[Gateway.LIVE, Method.PAYME] = PaymeMerchant(payme_account)
        of_methods[Gateway.LIVE, Method.CARD] = PaymeCards(database, subscribe_api)
        connections.append(subscribe_api)
    if click_account := click_account_of(settings):
        merchant_api = ClickMerchantApi(click_account, url=settings.click_api_url or CLICK_API_URL)
        of_methods[Gateway.LIVE, Method.CLICK] = ClickProvider(click_account, merchant_api)
        connections.append(merchant_api)
    return Providers(of_methods, connections)
