"""Composition root of accounts."""

from fastapi import FastAPI

from services.accounts import events
from services.accounts.api import auth
from services.accounts.api.workers import workers
from services.accounts.config import AccountsSettings
from services.accounts.keys import Signer
from services.accounts.passwords import Passwords
from services.accounts.service.categories import Categories
from services.accounts.service.logins import Identity
from shared.http.service import create_service
from shared.messaging.bus import Bus


def create_app(settings: AccountsSettings, bus: Bus | None = None) -> FastAPI:
    app = create_service(
        "accounts",
        settings,
        description="Users, logins, and the keys that tokens verify by.",
        routers=[auth.auth, auth.users, auth.keys, auth.internal, workers],
        subscribe=events.register,
        bus=bus,
    )
    database = app.state.platform.database
    secret = settings.keys_secret.get_secret_value()
    app.state.identity = Identity(
        passwords=Passwords(),
        signer=Signer(database, secret, settings.token_issuer, settings.access_token_ttl),
        refresh_secret=settings.refresh_secret.get_secret_value().encode(),
        demo_password_allowed=settings.env != "production",
    )
    app.state.categories = Categories(app.state.platform.internal)
    return app
