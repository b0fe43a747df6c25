"""`Idempotency-Key`: a call that is sent again takes effect once, and is given the first answer again."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from pydantic import AfterValidator, BaseModel

from shared.db import Session, abandon, release, saved_answers, write_new
from shared.db.saved_answers import Call, SavedAnswer
from shared.errors import Conflict, Invalid
from shared.http.cards import without_card

REPLAYED = "Idempotent-Replayed"
PATIENCE = timedelta(seconds=2)
"""For which a repeat waits for the answer of the first call."""
LOOK_AGAIN = timedelta(milliseconds=50)

DOCUMENTED: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {
            REPLAYED: {
                "description": "`true` where this is the saved answer of an earlier call with the same key",
                "schema": {"type": "string", "enum": ["true"]},
            }
        }
    }
}
"""Of the `responses=` of a route that takes a key."""


class InProgress(Conflict):
    slug, title = "in-progress", "Still in progress"

    def __init__(self) -> None:
        super().__init__("The first call with this key has no answer yet.", headers={"Retry-After": "1"})


class KeyReused(Invalid):
    slug, title = "idempotency-key-reused", "Idempotency key reused"


class Idempotency:
    """What a call says of its key, if it has one."""

    def __init__(self, path: str, key: str | None) -> None:
        self._path, self._key = path, key

    def call_by(self, user_id: UUID) -> Call | None:
        """The call that this key names of all that the user sends."""
        return None if self._key is None else Call(user_id, self._path, self._key)

    async def once(
        self,
        session: Session,
        user_id: UUID,
        body: BaseModel,
        effect: Callable[[], Awaitable[Any]],
        answer: type[BaseModel],
    ) -> Response:
        """The 201 of `effect`, whose result reads as `answer`; for the user's repeat the saved one, and no effect.

        The session must not have been written to. Raises `KeyReused` for another body under the same key, and
        `InProgress` where the first call takes longer than a repeat can wait.
        """
        call = self.call_by(user_id)
        if call is None:
            return _created(answer.model_validate(await effect()).model_dump_json())
        asked = hash_of(body)
        await self._wait_for_turn(session, call)
        if saved := await saved_answers.find(session, call):
            return _replayed(saved, asked)
        made = answer.model_validate(await effect()).model_dump_json()
        await write_new(session)
        if await saved_answers.save(session, call, asked=asked, status=HTTPStatus.CREATED, body=made):
            return _created(made)
        # An effect that asks another service ends its transaction for that while, and with it its turn. So it is not
        # the turn but the row, of which there can be one only, that lets one call take effect.
        await abandon(session)
        first = await saved_answers.find(session, call)
        if first is None:
            raise InProgress
        return _replayed(first, asked)

    async def _wait_for_turn(self, session: Session, call: Call) -> None:
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while not await saved_answers.take_turn(session, call):
            # Without a connection: repeats that wait must not use up the pool.
            await release(session)
            if time.monotonic() > deadline:
                raise InProgress
            await asyncio.sleep(LOOK_AGAIN.total_seconds())


async def _idempotency(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern=r"^[ -~]+$",
            description="Any text of your choice: the same key and body within 24 hours take effect once, and get "
            "the first answer again. Without it a repeat is another call.",
            examples=["5f0c2a1e-7d0b-4c57-9b53-3c1f6e0d1a44"],
        ),
        AfterValidator(without_card),
    ] = None,
) -> Idempotency:
    return Idempotency(request.scope["path"], key)


IdempotencyKey = Annotated[Idempotency, Depends(_idempotency)]


def _created(body: str) -> Response:
    return Response(body, HTTPStatus.CREATED, media_type="application/json")


def hash_of(body: BaseModel, *, without: set[str] | None = None) -> str:
    """Of what was asked; `without` names fields that must not even be kept as a hash."""
    return hashlib.sha256(body.model_dump_json(exclude_defaults=True, exclude=without).encode()).hexdigest()


def check_same(before: str, asked: str) -> None:
    """Raise `KeyReused` unless the two hashes are of one body."""
    if before != asked:
        raise KeyReused(
            "This key was sent before, with another body.",
            errors=[{"field": "Idempotency-Key", "message": "Was sent with another body", "code": "reused"}],
        )


def _replayed(saved: SavedAnswer, asked: str) -> Response:
    check_same(saved.asked, asked)
    return Response(saved.body, saved.status, {REPLAYED: "true"}, "application/json")
