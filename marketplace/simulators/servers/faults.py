"""What can go wrong with a provider's answers, to be set while it serves."""

import asyncio
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


@dataclass
class Faults:
    lose: int = 0
    """So many answers to come are lost, after what they tell of is booked."""
    lose_every_other: bool = False
    """So is every other one: of a charge that takes two calls, now the first and now the second."""
    delay: float = 0.0
    """Seconds that every answer is late."""
    refuse: int | None = None
    """The code with which everything is refused; nothing is booked."""
    _given: int = 0

    async def deliver(self, answer: Response) -> Response:
        """The answer, late or lost where that is due."""
        await asyncio.sleep(self.delay)
        self._given += 1
        if self.lose_every_other and self._given % 2 == 0:
            return _LostAnswer()
        if self.lose > 0:
            self.lose -= 1
            return _LostAnswer()
        return answer


class _LostAnswer(Response):
    """Begins and never ends, upon which the server drops the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
