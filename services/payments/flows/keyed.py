"""An idempotency key over two transactions: the first keeps it with what the call began, the last saves the answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

from pydantic import BaseModel

from services.payments.models import KeyedCall
from services.payments.repo import keyed_calls as repo
from shared.db import Session, release, saved_answers
from shared.db.base import utcnow
from shared.db.saved_answers import Call
from shared.http.idempotency import LOOK_AGAIN, PATIENCE, InProgress, check_same

GIVEN_UP = timedelta(seconds=15)
"""Age at which a call without an answer is taken to have died, and its answer is made from what it began."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    is_replay: bool = False


@dataclass(frozen=True)
class Keyed:
    """One call; `call` is None where it has no key, and then nothing is kept. `asked` is the hash of its body."""

    call: Call | None
    asked: str

    async def first_answer(
        self, session: Session, read: Callable[[Session, UUID], Awaitable[BaseModel]]
    ) -> Answer | None:
        """The answer of the first call with this key, made by `read` from its thing if it has died without one; None
        if this is the first.

        The session must not have been written to. Raises `KeyReused`, and `InProgress` where the first is at work.
        """
        if self.call is None:
            return None
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while True:
            if await saved_answers.take_turn(session, self.call):
                if saved := await saved_answers.find(session, self.call):
                    check_same(saved.asked, self.asked)
                    return Answer(saved.status, saved.body, is_replay=True)
                begun = await repo.find(session, self.call)
                if begun is None:
                    return None
                check_same(begun.asked, self.asked)
                if begun.begun_at <= utcnow() - GIVEN_UP:
                    return await self._rebuilt(session, begun, read)
            # Without a connection: repeats that wait must not use up the pool.
            await release(session)
            if time.monotonic() > deadline:
                raise InProgress
            await asyncio.sleep(LOOK_AGAIN.total_seconds())

    async def _rebuilt(
        self, session: Session, begun: KeyedCall, read: Callable[[Session, UUID], Awaitable[BaseModel]]
    ) -> Answer:
        answer = await self.answer(session, HTTPStatus.CREATED, await read(session, begun.thing_id))
        return Answer(answer.status, answer.body, is_replay=True)

    async def begin(self, session: Session, thing_id: UUID) -> None:
        """Keep the key in the transaction that begins its effect. Raises `InProgress`, and with it undoes that, where
        another call has begun under it meanwhile."""
        if self.call is not None and not await repo.begin(session, self.call, self.asked, thing_id):
            raise InProgress

    async def answer(self, session: Session, status: int, shown: BaseModel) -> Answer:
        """Save the answer in the transaction of the outcome."""
        body = shown.model_dump_json()
        if self.call is not None:
            await saved_answers.save(session, self.call, asked=self.asked, status=status, body=body)
        return Answer(status, body)
