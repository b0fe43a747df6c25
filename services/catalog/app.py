"""Composition root of catalog."""

from fastapi import FastAPI

from services.catalog import api, events
from services.catalog.config import CatalogSettings
from shared.http.service import create_service
from shared.messaging.bus import Bus


def create_app(settings: CatalogSettings, bus: Bus | None = None) -> FastAPI:
    return create_service(
        "catalog",
        settings,
        description="What can be ordered, and at what price.",
        routers=[api.categories, api.services, api.internal],
        subscribe=events.register,
        bus=bus,
    )
