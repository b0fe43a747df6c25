"""Payme's side of a conversation: what it knows of a transaction, what it sends, what it expects."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from marketplace.simulators.calls import PaymeDesk
from marketplace.simulators.delivery import Delivery
from marketplace.simulators.orders import PlayOrder
from marketplace.simulators.report import Report, Row
from marketplace.simulators.sender import Request, Sender

ACCOUNT_ERRORS = range(-31099, -31049)
LANGUAGES = {"ru", "uz", "en"}

Answer = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """In words, and as a test of the answer."""

    words: str
    test: Callable[[Answer], bool]

    def holds(self, answer: Answer) -> bool:
        try:
            return self.test(answer)
        except (KeyError, TypeError, AttributeError):  # the answer lacks what is looked at
            return False


def error(*codes: int, words: str | None = None, data: str | None = None) -> Expected:
    def holds(answer: Answer) -> bool:
        said = answer.get("error") or {}
        code, messages = said.get("code"), said.get("message")
        localized = isinstance(messages, dict) and set(messages) >= LANGUAGES and all(messages.values())
        return (
            code in codes and (localized or code not in ACCOUNT_ERRORS) and (data is None or said.get("data") == data)
        )

    return Expected(words or " or ".join(map(str, codes)), holds)


def result(**members: Any) -> Expected:
    words = ", ".join(f"{name} {value}" for name, value in members.items())
    return Expected(words, lambda answer: members.items() <= (answer.get("result") or {}).items())


class Play:
    """One script on one order, with every call delivered the same way."""

    def __init__(self, desk: PaymeDesk, sender: Sender, report: Report, script: str, delivery: Delivery) -> None:
        self.desk, self._sender, self._report = desk, sender, report
        self._script, self._delivery = script, delivery

    async def call(
        self, step: str, method: str, params: Mapping[str, Any], expected: Expected, *, key: str | None = None
    ) -> Answer:
        return await self.send(step, self.desk.call(method, params, key=key), expected)

    async def send(self, step: str, request: Request, expected: Expected) -> Answer:
        """The answer; a copy has to be answered exactly the same."""
        try:
            answers = await self._sender.send(request, self._delivery)
        except (httpx.HTTPError, OSError) as failure:
            self._add(step, expected, repr(failure), ok=False)
            return {}
        found = [_read(answer, request) for answer in answers]
        problems = [problem for _, problem in found if problem]
        first = found[0][0]
        if any(answer != first for answer, _ in found):
            problems.append(f"the copy was answered otherwise: {found[1][0]}")
        ok = not problems and expected.holds(first)
        self._add(step, expected, "; ".join([_short(first), *problems]), ok=ok)
        return first

    async def race(self, step: str, calls: Sequence[Request], *outcomes: tuple[Expected, ...]) -> list[Answer]:
        """The answers to different calls of the same moment; all of them as one of the `outcomes` has it."""
        words = Expected(" or ".join(", ".join(one.words for one in outcome) for outcome in outcomes), lambda _: True)
        try:
            sent = await asyncio.gather(*(self._sender.send(call) for call in calls))
        except (httpx.HTTPError, OSError) as failure:
            self._add(step, words, repr(failure), ok=False)
            return [{} for _ in calls]
        found = [_read(answer, call) for [answer], call in zip(sent, calls, strict=True)]
        answers = [answer for answer, _ in found]
        problems = [problem for _, problem in found if problem]
        fits = any(all(one.holds(said) for one, said in zip(outcome, answers, strict=True)) for outcome in outcomes)
        got = "; ".join([*map(_short, answers), *problems])
        self._add(step, words, got, ok=fits and not problems)
        return answers

    def _add(self, step: str, expected: Expected, got: str, *, ok: bool) -> None:
        self._report.add(Row(self._script, self._delivery, step, expected.words, got, ok))


def _read(answer: httpx.Response, request: Request) -> tuple[Answer, str | None]:
    """The answer, and what is wrong with its form."""
    said, sent = _json(answer.content), _json(request.body)
    sent_id = sent.get("id") if isinstance(sent, dict) else None
    if answer.status_code != httpx.codes.OK:
        return {}, f"HTTP {answer.status_code}: any but 200 is an error to Payme"
    if not isinstance(said, dict):
        return {}, f"no JSON object: {answer.text[:100]}"
    members = [said[name] for name in ("result", "error") if said.get(name) is not None]
    if len(members) != 1 or not isinstance(members[0], dict):
        return {}, f"neither a result nor an error, or both: {answer.text[:100]}"
    if said.get("id") != sent_id:
        return said, f"id {said.get('id')} instead of {sent_id}"
    return said, None


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _short(answer: Answer) -> str:
    if (said := answer.get("error")) is not None:
        return f"error {said.get('code')} {said.get('data') or ''}".rstrip()
    return json.dumps(answer.get("result")).strip("{}").replace('"', "")


def now() -> int:
    return int(time.time() * 1000)


def new_id() -> str:
    return secrets.token_hex(12)


@dataclass(frozen=True)
class Transaction:
    """What Payme itself knows of a transaction."""

    id: str
    time: int
    order: PlayOrder

    def create(self, desk: PaymeDesk) -> dict[str, Any]:
        return {"id": self.id, "time": self.time, **self.check(desk)}

    def check(self, desk: PaymeDesk) -> dict[str, Any]:
        return {"amount": self.order.tiyin, "account": desk.account(self.order.number)}
