"""Composition root of notifications."""

from fastapi import FastAPI

from services.notifications import api, events
from services.notifications.config import NotificationsSettings
from services.notifications.sockets import Sockets
from shared.http.service import create_service
from shared.messaging.bus import Bus


def create_app(settings: NotificationsSettings, bus: Bus | None = None) -> FastAPI:
    app = create_service(
        "notifications",
        settings,
        description="Who hears what, live or later.",
        routers=[api.notifications, api.sockets],
        subscribe=events.register,
        bus=bus,
    )
    platform = app.state.platform
    revocations = platform.authenticator.revocations
    app.state.sockets = Sockets(platform.database, platform.bus, revocations, settings.socket_sweep)
    platform.database.session_info["wake_sockets"] = app.state.sockets.wake
    return app
