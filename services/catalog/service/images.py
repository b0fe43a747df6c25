"""What a service shows: up to eight pictures in their order."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from secrets import token_hex
from typing import Any
from uuid import UUID

from sqlmodel import col

from services.catalog.domain import Actor, Status, status_when_edited
from services.catalog.models import Image, Service
from services.catalog.pictures import Picture, Size
from services.catalog.repo import images as repo
from shared.contracts.catalog import ServiceState, ServiceUpdated
from shared.db import Session, after_commit
from shared.db.base import utcnow
from shared.errors import Conflict, NotFound, Unavailable
from shared.ids import new_id
from shared.messaging import outbox

MAX_IMAGES = 8
TIME_TO_SHOW = timedelta(days=1)
"""After which the files of a picture that is on no service are an interrupted upload's."""
_FILE = re.compile(r"([0-9a-f]{32})-(?:small|medium|large)\.webp")


def storage_key(image: Image, size: Size) -> str:
    return f"services/{image.key}-{size}.webp"


async def check_room(session: Session, service_id: UUID, worker_id: UUID) -> None:
    """Raise `NotFound` unless it is a service of this worker, and `Conflict` where no picture more may be added."""
    if await repo.own_service(session, service_id, worker_id) is None:
        raise _no_service()
    _check_count(await repo.images_of(session, service_id))


def note(session: Session, picture: Picture) -> Image:
    """A picture that no service shows yet: its files may now be written."""
    image = Image(
        id=new_id(),
        key=token_hex(16),
        width=picture.width,
        height=picture.height,
        delete_after=utcnow() + TIME_TO_SHOW,
    )
    session.add(image)
    return image


async def show(session: Session, image: Image, service_id: UUID, worker_id: UUID, *, moderated: bool) -> dict[str, Any]:
    """Let the service show the picture after its others; `moderated` is whether new ones wait for a moderator.

    Raises what `check_room` raises.
    """
    service = await repo.hold_own_service(session, service_id, worker_id)
    if service is None:
        raise _no_service()
    images = await repo.images_of(session, service_id)
    _check_count(images)
    shown = await repo.show(session, image.id, service_id, position=images[-1].position + 1 if images else 0)
    if shown is None:
        raise Unavailable("This took too long; please send the picture again.")
    service.status = status_when_edited(Status(service.status), Actor.WORKER, {"images"}, moderated=moderated)
    _update(session, service, [*images, shown])
    return service.images[-1]


async def remove(session: Session, service_id: UUID, image_id: UUID, worker_id: UUID) -> None:
    """Take a picture from a service of the worker. Raises `NotFound`."""
    service = await repo.hold_own_service(session, service_id, worker_id)
    if service is None:
        raise _no_service()
    images = await repo.images_of(session, service_id)
    left = [image for image in images if image.id != image_id]
    if len(left) == len(images):
        raise NotFound("There is no such picture.")
    await repo.hide(session, col(Image.id) == image_id)
    service.status = status_when_edited(Status(service.status), Actor.WORKER, frozenset(), moderated=False)
    _update(session, service, left)
    _sweep_soon(session)


async def forget_images(session: Session, service_ids: Sequence[UUID]) -> None:
    """Take all pictures from these services, which show none any more."""
    if await repo.hide(session, col(Image.service_id).in_(service_ids)):
        _sweep_soon(session)


async def key_of(session: Session, file: str) -> str:
    """Under which key the file of that name is stored. Raises `NotFound`, also for one that may not be seen now."""
    name = _FILE.fullmatch(file)
    if name is None or not await repo.may_be_seen(session, name[1]):
        raise NotFound("There is no such picture.")
    return f"services/{file}"


def _no_service() -> NotFound:
    return NotFound("There is no such service.")


def _check_count(images: Sequence[Image]) -> None:
    if len(images) >= MAX_IMAGES:
        raise Conflict(f"A service shows at most {MAX_IMAGES} pictures: remove one first.", slug="too-many-images")


def _update(session: Session, service: Service, images: Sequence[Image]) -> None:
    service.images = [
        {
            "id": str(image.id),
            "width": image.width,
            "height": image.height,
            "urls": {size.value: f"/media/{storage_key(image, size)}" for size in Size},
        }
        for image in images
    ]
    service.version += 1
    service.updated_at = utcnow()
    outbox.add(session, ServiceUpdated(service=ServiceState.model_validate(service)))


def _sweep_soon(session: Session) -> None:
    wake: Callable[[], None] = session.info["wake_image_sweep"]
    after_commit(session, wake)
