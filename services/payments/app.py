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
from services.payments.providers.click import account_of
from services.payments.providers.click.merchant import URL as CLICK_API_URL
from services.payments.providers.click.merchant import ClickMerchantApi
from services.payments.providers.click.provider import ClickProvider
from services.payments.providers.fake import FakeGateway
from services.payments.providers.payme import PaymeAccount
from services.payments.providers.payme.merchant import PaymeMerchant
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
        # Before those with an id in the path: `refunds` is none.
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
    platform.database.session_info |= {"wake_timers": money_moved.set, "wake_refunds": refund_opened.set}
    app.state.payme_account = payme_account(settings)
    app.state.providers = payment_providers(platform.database, settings)
    app.state.payment_flows = PaymentFlows(platform.database, platform.internal)
    app.state.refund_flows = RefundFlows(platform.database)
    return app


def payment_providers(database: Database, settings: PaymentsSettings) -> Providers:
    """Of every gateway, whichever new attempts are opened under: older ones stay with theirs."""
    fake = FakeGateway(database, settings.fake_gateway_success_rate, settings.fake_gateway_seed)
    of_methods: dict[tuple[str, str], AnyProvider] = {(Gateway.FAKE, method): fake for method in Method}
    connections: list[Connections] = []
    desk = payme_account(settings)
    if desk.merchant_id and desk.keys:
        of_methods[Gateway.LIVE, Method.PAYME] = PaymeMerchant(desk)
    if account := account_of(settings):
        merchant_api = ClickMerchantApi(account, url=settings.click_api_url or CLICK_API_URL)
        of_methods[Gateway.LIVE, Method.CLICK] = ClickProvider(account, merchant_api)
        connections.append(merchant_api)
    return Providers(of_methods, connections)


def payme_account(settings: PaymentsSettings) -> PaymeAccount:
    """The cash desk as it is set; without keys Payme is believed nothing. Production has no test key: it would not
    have started."""
    keys = (key.get_secret_value() for key in (settings.payme_key, settings.payme_test_key))
    return PaymeAccount(
        settings.payme_merchant_id,
        tuple(filter(None, keys)),
        settings.payme_login,
        settings.payme_checkout_url,
        settings.payme_busy_code,
    )
