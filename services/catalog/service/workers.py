"""What catalog knows of workers, and what becomes of their services."""

from uuid import UUID

from services.catalog.models import Worker
from services.catalog.repo import workers as repo
from services.catalog.repo.search import index_services_of
from services.catalog.service.images import forget_images
from shared.auth.tokens import invalid_token
from shared.contracts.accounts import UserState, WorkerState
from shared.contracts.catalog import ServiceState, ServiceUpdated
from shared.db import Session
from shared.errors import Conflict
from shared.http.internal import InternalClient, OwnerAway
from shared.messaging import outbox


async def hold_worker(
    session: Session, internal: InternalClient, worker_id: UUID, confirmed_only: bool
) -> Worker | None:
    """Our copy of who offers; where it is missing or would refuse, as accounts says; else none yet, and accounts'
    event brings it. Until the service is written they are not erased here: who does that waits, and finds it.

    Raises `Unauthenticated` for one who is banned or erased, `Conflict` where they have to confirm their e-mail first,
    and `OwnerAway` where nobody can tell whether they have.
    """

    def may_offer(worker: Worker) -> bool:
        return worker.is_active and (worker.is_confirmed or not confirmed_only)

    worker = await repo.hold_worker(session, worker_id)
    if worker is None or not may_offer(worker):
        try:
            found = await internal.ask_owner(session, "accounts", f"/internal/users/{worker_id}/", copy=worker)
        except OwnerAway:
            if confirmed_only:
                raise
            return None
        if found:
            await keep_worker(session, UserState.model_validate(found))
        worker = await repo.hold_worker(session, worker_id)
    if worker is None or not worker.is_active:
        raise invalid_token("This login has been ended.")
    if not may_offer(worker):
        raise Conflict("Confirm your e-mail address before you offer a service.", slug="email-not-confirmed")
    return worker


async def keep_worker(session: Session, user: UserState) -> None:
    """Keep what accounts says of a worker, if it is newer than what we know, and copy it to their services.

    Who was a worker once, and is none now, offers nothing.
    """
    is_worker = user.role == "worker"
    if not is_worker and await repo.worker(session, user.id) is None:
        return
    values = user.model_dump(include={"id", "full_name", "is_confirmed", "version"})
    is_active = user.is_active and is_worker
    if await repo.keep_worker(session, values | {"is_active": is_active}):
        await repo.update_services(session, user.id, worker_name=user.full_name, worker_is_active=is_active)
        await index_services_of(session, user.id)


async def keep_profile(session: Session, profile: WorkerState) -> None:
    values = profile.model_dump(include={"id", "city", "service_radius_km", "is_available", "skills", "version"})
    place = profile.location.model_dump() if profile.location else {"lat": None, "lng": None}
    await repo.keep_profile(session, values | place)


async def forget_worker(session: Session, user_id: UUID, version: int) -> None:
    """Archive their services and forget what these said and showed; tell everyone who copied it."""
    await repo.bury_worker(session, user_id, version)
    services = await repo.forget_services(session, user_id)
    await forget_images(session, [service.id for service in services])
    for service in services:
        outbox.add(session, ServiceUpdated(service=ServiceState.model_validate(service)))
