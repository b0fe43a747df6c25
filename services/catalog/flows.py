"""A picture in three steps: note it, write its files outside any transaction, show it; and back, in as many.

A process that dies between two steps leaves a row without a service, and perhaps files. Whoever sweeps next deletes
the files first and the row last.
"""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from services.catalog.pictures import Decoder, Size
from services.catalog.repo import images as repo
from services.catalog.service import images as service
from services.catalog.service.images import storage_key
from services.catalog.storage import Storage
from shared.background import woken
from shared.db import Database

EVERY = timedelta(minutes=1)
STEP = 20

log = structlog.get_logger("catalog")


class ImageFlows:
    def __init__(self, database: Database, storage: Storage) -> None:
        self._database, self.storage = database, storage
        self._decoder = Decoder()
        self._work = asyncio.Event()

    async def add(self, service_id: UUID, worker_id: UUID, content: bytes, *, moderated: bool) -> dict[str, Any]:
        """Show the picture on the worker's service, which waits for a moderator again where it is `moderated`.

        Raises what `Decoder.picture`, `service.show` and `Storage` do.
        """
        picture = await self._decoder.picture(content)
        async with self._database.session() as session:
            image = service.note(session, picture)
        await asyncio.gather(
            *(self.storage.put(storage_key(image, size), file) for size, file in picture.files.items())
        )
        async with self._database.session() as session:
            return await service.show(session, image, service_id, worker_id, moderated=moderated)

    def wake(self) -> None:
        """There are files to delete: called after each commit that took a picture from its service."""
        self._work.set()

    async def sweep(self) -> int:
        """Delete the files of some pictures that are on no service; returns of how many. Safe to run at once."""
        async with self._database.session() as session:
            images = await repo.to_go(session, STEP)
        for image in images:
            for size in Size:
                await self.storage.delete(storage_key(image, size))
        async with self._database.session() as session:
            await repo.forget(session, images)
        return len(images)

    async def sweep_forever(self) -> None:
        """Sweep when woken and every minute, until cancelled."""
        while True:
            self._work.clear()
            try:
                while await self.sweep() == STEP:
                    pass
            except Exception as error:
                log.warning("image_sweep_waits", error=repr(error))
            await woken(self._work, EVERY.total_seconds())
