"""Composition root of catalog."""

from fastapi import FastAPI

from services.catalog import events
from services.catalog.api import categories, editing, editions, images, internal, moderation, services
from services.catalog.config import CatalogSettings
from services.catalog.domain import MoveNotAllowed
from services.catalog.flows import ImageFlows
from services.catalog.repo.statistics import Statistics
from services.catalog.service.indexing import keep_indexed
from services.catalog.storage import Storage
from services.catalog.storage.folder import FolderStorage
from shared.errors import Conflict
from shared.http.service import create_service
from shared.messaging.bus import Bus
from shared.platform import Platform


def create_app(settings: CatalogSettings, bus: Bus | None = None) -> FastAPI:
    async def index(platform: Platform) -> None:
        await keep_indexed(platform.database, settings.index_every)

    async def sweep_images(_: Platform) -> None:
        await app.state.image_flows.sweep_forever()

    app = create_service(
        "catalog",
        settings,
        description="What can be ordered, and at what price.",
        # Before the services: what has a name of its own there is no id.
        routers=[
            categories.categories,
            moderation.moderation,
            editing.editing,
            services.services,
            images.images,
            images.media,
            editions.editions,
            internal.internal,
        ],
        subscribe=events.register,
        refusals={MoveNotAllowed: _not_allowed},
        background=[index, sweep_images],
        bus=bus,
    )
    database = app.state.platform.database
    app.state.image_flows = ImageFlows(database, choose_storage(settings))
    database.session_info |= {"wake_image_sweep": app.state.image_flows.wake, "statistics": Statistics()}
    return app


def _not_allowed(error: MoveNotAllowed) -> Conflict:
    return Conflict(str(error), slug="move-not-allowed", status_now=error.status, allowed=error.allowed)


def choose_storage(settings: CatalogSettings) -> Storage:
    """The bucket where one is named, else files."""
    if bucket := settings.bucket:
        from services.catalog.storage.s3 import S3Storage  # boto3 takes a second and 40 MB: only where it is used

        return S3Storage(bucket)
    return FolderStorage(settings.media_dir)
