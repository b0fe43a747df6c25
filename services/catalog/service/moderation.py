"""What moderators do with services: a decision, and a note of who made it, when and why."""

from typing import Any
from uuid import UUID

import structlog

from services.catalog.domain import OUTCOMES, Actor, Decision, Status, check_move
from services.catalog.models import ModerationEntry
from services.catalog.service.editing import change, current_service, own_service
from shared.db import Session
from shared.db.base import utcnow
from shared.errors import invalid_field
from shared.http.preconditions import Precondition

log = structlog.get_logger()


async def moderate(
    session: Session,
    service_id: UUID,
    moderator_id: UUID,
    decision: Decision,
    reason: str | None,
    if_match: Precondition,
) -> dict[str, Any]:
    """Approve a service, or hide it from everyone but its worker, who is told the reason. Orders of it stay as they
    are. Returns it as its worker and admins see it.

    Raises `Invalid` for hiding without a reason, `NotFound`, `PreconditionFailed` and `MoveNotAllowed`.
    """
    if decision == Decision.HIDE and not reason:
        raise invalid_field("reason", "Its worker has to know why.", "missing")
    while True:
        found = await current_service(session, service_id)
        if_match.check(found.version)
        check_move(Status(found.status), OUTCOMES[decision], Actor.ADMIN)
        if await change(session, found, {"status": OUTCOMES[decision]}):
            break
    session.add(
        ModerationEntry(service_id=service_id, decision=decision, reason=reason, moderator_id=moderator_id, at=utcnow())
    )
    await session.flush()
    log.info("service_moderated", service_id=str(service_id), by=str(moderator_id), decision=decision)
    return await own_service(session, service_id)
