"""Composition root of notifications."""

import structlog
from fastapi import FastAPI

from services.notifications import api, asyncapi, events
from services.notifications.config import NotificationsSettings
from services.notifications.domain import MailPace
from services.notifications.mail_queue.digests import DigestQueue
from services.notifications.mail_queue.links import LinkQueue
from services.notifications.mailers import Mailer
from services.notifications.mailers.folder import FolderMailer
from services.notifications.mailers.smtp import SmtpMailer
from services.notifications.sockets import endpoint, tickets
from services.notifications.sockets.hub import Sockets
from shared.http.service import create_service
from shared.messaging.bus import Bus
from shared.platform import Platform

log = structlog.get_logger("notifications")


def create_app(settings: NotificationsSettings, bus: Bus | None = None) -> FastAPI:
    async def send_mails(_: Platform) -> None:
        await app.state.mail_queue.run()

    async def send_digests(_: Platform) -> None:
        await app.state.digest_queue.run()

    async def read_for_sockets(_: Platform) -> None:
        await app.state.sockets.read_forever()

    async def sweep_sockets(_: Platform) -> None:
        await app.state.sockets.sweep_forever()

    async def sweep_tickets(platform: Platform) -> None:
        await tickets.sweep_forever(platform.database)

    app = create_service(
        "notifications",
        settings,
        description="Who hears what, live or later.",
        routers=[api.notifications, endpoint.router, api.internal],
        subscribe=events.register,
        background=[send_mails, send_digests, read_for_sockets, sweep_sockets, sweep_tickets],
        bus=bus,
        channels=asyncapi.CHANNELS,
    )
    platform = app.state.platform
    revocations = platform.authenticator.revocations
    app.state.sockets = Sockets(platform.database, platform.bus, revocations, settings)
    mailer = choose_mailer(settings)
    app.state.mail_queue = LinkQueue(platform.database, platform.internal, mailer, settings)
    app.state.digest_queue = DigestQueue(platform.database, platform.internal, mailer, settings)
    platform.database.session_info |= {
        "wake_sockets": app.state.sockets.wake,
        "wake_mail_queue": app.state.mail_queue.wake,
        "mail_pace": MailPace(settings.email_delay, settings.email_interval),
    }
    return app


def choose_mailer(settings: NotificationsSettings) -> Mailer:
    """The SMTP server where one is named, else files."""
    if server := settings.smtp_server:
        return SmtpMailer(server, settings.mail_from)
    if settings.env == "production":
        log.warning("mails_are_written_to_mail_dir", why="SMTP_URL is not set: nobody gets them")
    return FolderMailer(settings.mail_dir, settings.mail_from)
