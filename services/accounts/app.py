"""Composition root of accounts."""

from fastapi import FastAPI

from services.accounts import events
from services.accounts.api import auth, internal, users
from services.accounts.api.workers import workers
from services.accounts.config import AccountsSettings
from services.accounts.keys import Signer
from services.accounts.passwords import Passwords
from services.accounts.service.categories import Categories
from services.accounts.service.identity import Identity
from services.accounts.service.sweep import sweep_forever
from services.accounts.throttle import Throttle
from shared.db import Database
from shared.http.service import create_service
from shared.messaging.bus import Bus
from shared.platform import Platform


def create_app(settings: AccountsSettings, bus: Bus | None = None) -> FastAPI:
    async def follow_keys(_: Platform) -> None:
        await identity.signer.keep()

    async def sweep(platform: Platform) -> None:
        await sweep_forever(platform.database, identity.throttle)

    app = create_service(
        "accounts",
        settings,
        description="Users, workers, logins, and the keys that tokens verify by.",
        routers=[auth.auth, users.users, workers, auth.keys, internal.internal],
        subscribe=events.register,
        background=[follow_keys, sweep],
        bus=bus,
    )
    identity = new_identity(settings, app.state.platform.database)
    app.state.identity = identity
    app.state.categories = Categories(app.state.platform.internal)
    return app


def new_identity(settings: AccountsSettings, database: Database) -> Identity:
    """What makes and checks credentials, for the service and for the command line."""
    return Identity(
        passwords=Passwords(),
        signer=Signer(database, settings),
        throttle=Throttle(database, settings.rate_limit_scale),
        refresh_secret=settings.refresh_secret.get_secret_value().encode(),
        public_url=settings.public_url,
        demo_password_allowed=settings.env != "production",
    )
