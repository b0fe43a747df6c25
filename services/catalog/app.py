"""Composition root of catalog."""

from fastapi import FastAPI

from services.catalog import events
from services.catalog.api import categories, internal, services
from services.catalog.config import CatalogSettings
from services.catalog.service.indexing import keep_indexed
from shared.http.service import create_service
from shared.messaging.bus import Bus


def create_app(settings: CatalogSettings, bus: Bus | None = None) -> FastAPI:
    return create_service(
        "catalog",
        settings,
        description="What can be ordered, and at what price.",
        routers=[categories.categories, services.services, internal.internal],
        subscribe=events.register,
        background=[keep_indexed],
        bus=bus,
    )
