"""Composition root of catalog."""

from fastapi import FastAPI

from services.catalog import events
from services.catalog.api import categories, editing, internal, moderation, services
from services.catalog.config import CatalogSettings
from services.catalog.domain import MoveNotAllowed
from shared.errors import Conflict
from shared.http.service import create_service
from shared.messaging.bus import Bus


def create_app(settings: CatalogSettings, bus: Bus | None = None) -> FastAPI:
    return create_service(
        "catalog",
        settings,
        description="What can be ordered, and at what price.",
        # Before the services: what has a name of its own there is no id.
        routers=[categories.categories, moderation.moderation, editing.editing, services.services, internal.internal],
        subscribe=events.register,
        refusals={MoveNotAllowed: _not_allowed},
        bus=bus,
    )


def _not_allowed(error: MoveNotAllowed) -> Conflict:
    return Conflict(str(error), slug="move-not-allowed", status_now=error.status, allowed=error.allowed)
