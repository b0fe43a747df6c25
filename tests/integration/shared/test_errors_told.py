"""What is told of an error helps to find it, and names nobody: in lines of log, in dead letters, in answers."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from io import StringIO
from typing import Any, NamedTuple

import httpx
import orjson
import pytest
import structlog
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import delete, text
from sqlmodel import col, select

from marketplace.registry import service_settings
from shared.contracts import Envelope, Event
from shared.contracts.accounts import UserRegistered, UserState
from shared.db import Session
from shared.http.server import Server, listen, server_config
from shared.http.service import DbSession, create_service
from shared.messaging import outbox
from shared.messaging.bus import Subscriptions
from shared.messaging.local import LocalBus, LocalHub
from shared.messaging.tables import InboxRow
from shared.observability.logging import configure_logging
from shared.platform import Platform
from tests.integration.conftest import SETTINGS
from tests.support.events import someone
from tests.support.logs import logging_restored
from tests.support.waiting import eventually

PERSON = {
    "email": "dilnoza@example.com",
    "name": "Dilnoza Karimova\n(née Aliyeva)",
    "phone": "+998901234567",
    "address": "Amir Temur 42",
}
PRIVATE = ("dilnoza@", "Dilnoza", "Karimova", "Aliyeva", "998901234567", "Amir Temur")

PEOPLE = """
    CREATE TEMP TABLE people (
        email text CONSTRAINT one_email UNIQUE,
        name text NOT NULL,
        phone text CONSTRAINT local_phone CHECK (phone LIKE '+%'),
        address text NOT NULL
    ) ON COMMIT DROP
"""
WRITE = "INSERT INTO people VALUES (:email, :name, :phone, :address)"


async def _write(session: Session, *people: dict[str, str | None]) -> None:
    await session.exec(text(PEOPLE))
    for person in people:
        await session.exec(text(WRITE).bindparams(**person))


async def unique(session: Session) -> None:
    await _write(session, PERSON, PERSON)


async def check(session: Session) -> None:
    await _write(session, PERSON | {"phone": PERSON["phone"].removeprefix("+")})


async def not_null(session: Session) -> None:
    await _write(session, PERSON | {"address": None})


async def no_uuid(session: Session) -> None:
    await session.exec(text("SELECT CAST(:email AS uuid)").bindparams(email=PERSON["email"]))


async def no_contract(_: Session) -> None:
    UserState.model_validate({"id": PERSON["email"], "full_name": [PERSON["name"]], "version": PERSON["phone"]})


class Row(BaseModel):
    email: int


async def no_model(_: Session) -> None:
    Row.model_validate(PERSON)


FAULTS: dict[str, tuple[Callable[[Session], Any], tuple[str, ...]]] = {
    "unique": (unique, ("UniqueViolation", "23505", "people", "one_email")),
    "check": (check, ("CheckViolation", "23514", "people", "local_phone")),
    "not_null": (not_null, ("NotNullViolation", "23502", "people", "address")),
    "no_uuid": (no_uuid, ("InvalidTextRepresentation", "22P02", "uuid")),
    "no_contract": (no_contract, ("validation error", "UserState", "full_name", "string_type")),
    "no_model": (no_model, ("validation error", "Row", "email", "int_parsing")),
}
"""What fails, and what must be told of it."""


class Catalog(NamedTuple):
    """A service that fails in its route and in its handler, both by the one `fault`."""

    platform: Platform
    fault: list[str]
    told: list[Envelope]
    address: str


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What a deployed process has written until now."""
    out = StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with logging_restored():
        configure_logging("INFO", "json")
        structlog.configure(cache_logger_on_first_use=False)  # loggers of modules outlive this test
        yield lambda: [orjson.loads(line) for line in out.getvalue().splitlines()]


def _routes(fault: list[str], told: list[Envelope]) -> APIRouter:
    router = APIRouter()

    @router.post("/api/fail/", status_code=201)
    async def fail(session: DbSession) -> None:
        """Fail as the test wants it."""
        await FAULTS[fault[0]][0](session)

    @router.post("/api/tell/", status_code=201)
    async def tell(session: DbSession) -> None:
        """Tell of somebody, in an event whose handler fails as the test wants it."""
        told.append(_envelope(session, someone()))

    @router.post("/api/misshape/", status_code=201)
    async def misshape(session: DbSession) -> Row:
        """Answer what is no answer."""
        return PERSON  # type: ignore[return-value]

    @router.post("/api/take/", status_code=201)
    async def take(row: Row) -> None:
        """Take what is none."""

    return router


@pytest.fixture
async def catalog(databases: dict[str, str], lines: object) -> AsyncIterator[Catalog]:
    fault, told = ["unique"], list[Envelope]()

    async def handle(session: Session, _: Event) -> None:
        await FAULTS[fault[0]][0](session)

    def subscribe(subscriptions: Subscriptions) -> None:
        subscriptions.subscribe(UserRegistered, handle)

    app = create_service(
        "catalog",
        service_settings("catalog", **SETTINGS, database_url=databases["catalog"]),
        description="",
        routers=[_routes(fault, told)],
        subscribe=subscribe,
        bus=LocalBus(LocalHub(), "catalog"),
    )
    with listen("127.0.0.1", 0) as sock:
        server = Server(server_config(app))
        task = asyncio.create_task(server.serve([sock]))
        await server.started_up(task)
        yield Catalog(app.state.platform, fault, told, f"http://127.0.0.1:{sock.getsockname()[1]}")
        async with app.state.platform.database.session() as session:
            await session.exec(delete(InboxRow).where(col(InboxRow.state) == "dead"))
        server.should_exit = True
        await task


def _envelope(session: Session, user: UserState) -> Envelope:
    """The event as the outbox writes it. It is taken out again: the test carries it itself."""
    outbox.add(session, UserRegistered(user=user))
    (row,) = session.new
    session.expunge(row)
    return Envelope.model_validate_json(row.envelope)


async def _post(address: str, path: str, request_id: str, body: object = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
        return await http.post(path, json=body, headers={"X-Request-ID": request_id})


async def _joined(lines: Callable[[], list[dict[str, Any]]], request_id: str) -> dict[str, dict[str, Any]]:
    """All lines that the id joins, by what they tell; the request's own is written after its answer."""

    async def found() -> dict[str, dict[str, Any]] | None:
        joined = {line["event"]: line for line in lines() if line.get("request_id") == request_id}
        return joined if "request" in joined else None

    joined = await eventually(found, within=5)
    assert joined
    return joined


def _names_nobody(told: object) -> None:
    assert [word for word in PRIVATE if word in str(told)] == []


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_request_that_fails_names_nobody(
    catalog: Catalog, lines: Callable[[], list[dict[str, Any]]], kind: str
) -> None:
    catalog.fault[0] = kind

    answer = await _post(catalog.address, "/api/fail/", f"req-{kind}")

    assert (answer.status_code, answer.json()["request_id"]) == (500, f"req-{kind}")
    _names_nobody(answer.text)
    joined = await _joined(lines, f"req-{kind}")
    assert joined["request"]["status"] == 500
    for sign in FAULTS[kind][1]:
        assert sign in joined["unexpected_error"]["exception"]
    _names_nobody(lines())


@pytest.mark.parametrize("kind", FAULTS)
async def test_an_event_that_fails_names_nobody(
    catalog: Catalog, lines: Callable[[], list[dict[str, Any]]], kind: str
) -> None:
    catalog.fault[0] = kind

    answer = await _post(catalog.address, "/api/tell/", f"req-{kind}")
    assert answer.status_code == 201
    dead = await _dead_letter(catalog.platform, catalog.told[0])

    for sign in FAULTS[kind][1]:
        assert sign in dead
    _names_nobody(dead)
    joined = await _joined(lines, f"req-{kind}")
    assert joined.keys() >= {"request", "event_is_retried", "event_is_dead"}
    for sign in FAULTS[kind][1]:
        assert sign in joined["event_is_dead"]["exception"]
    _names_nobody(lines())


async def test_an_event_that_does_not_hold_what_it_should_names_nobody(
    catalog: Catalog, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    user = someone().model_copy(update={"role": PERSON["name"], "version": PERSON["phone"] + "x"})
    async with catalog.platform.database.session() as session:
        dead = await _dead_letter(catalog.platform, _envelope(session, user))

    for sign in ("Undeliverable", "user.registered", "user.role", "literal_error", "user.version", "int_parsing"):
        assert sign in dead
    _names_nobody(dead)
    (line,) = [line for line in lines() if line["event"] == "event_is_dead"]
    assert "user.version" in line["exception"]
    _names_nobody(lines())


async def test_an_answer_that_is_none_names_nobody(catalog: Catalog, lines: Callable[[], list[dict[str, Any]]]) -> None:
    answer = await _post(catalog.address, "/api/misshape/", "req-answer")

    assert answer.status_code == 500
    _names_nobody(answer.text)
    joined = await _joined(lines, "req-answer")
    assert "response.email: int_parsing" in joined["unexpected_error"]["exception"]
    _names_nobody(lines())


async def test_a_body_that_is_none_names_nobody(catalog: Catalog, lines: Callable[[], list[dict[str, Any]]]) -> None:
    answer = await _post(catalog.address, "/api/take/", "req-body", PERSON)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "email")
    _names_nobody(answer.text)
    assert (await _joined(lines, "req-body"))["request"]["status"] == 422
    _names_nobody(lines())


async def _dead_letter(platform: Platform, envelope: Envelope) -> str:
    """Carry the event to the service; what its inbox keeps of the error, once it has given up."""
    await platform.inbox.receive(envelope)

    async def error() -> str | None:
        async with platform.database.session() as session:
            dead = select(InboxRow.error).where(InboxRow.event_id == envelope.id, InboxRow.state == "dead")
            return (await session.exec(dead)).first()

    found = await eventually(error, within=5)
    assert found
    return found
