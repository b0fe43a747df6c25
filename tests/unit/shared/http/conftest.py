"""A service as every service is made, with routes that answer in every way there is; called in memory."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from shared.auth.users import ActingWorkerOrAdmin, Caller, CurrentUser, User
from shared.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable
from shared.http.pagination import Paging
from shared.http.problems import problems
from shared.http.service import create_service
from shared.http.types import Input, Line, Price
from shared.messaging.local import LocalBus, LocalHub
from tests.unit.factories import settings, user


class OfferIn(Input):
    title: Line
    price: Price
    password: Annotated[str, Query(min_length=8)] = "not said"


class DomainRefusal(Exception):
    """As a service's `domain.py` raises one."""


things = APIRouter(prefix="/api/things", tags=["things"])


@things.get("/", responses=problems(404))
async def list_things() -> list[str]:
    """All things."""
    return []


@things.post("/")
async def offer_thing(body: OfferIn) -> dict[str, str]:
    """Offer a thing."""
    return {"title": body.title}


@things.get("/error/{kind}/")
async def fail(kind: str) -> None:
    """Fail in a way."""
    raise {
        "unauthenticated": Unauthenticated("Log in first."),
        "forbidden": Forbidden("Not for you."),
        "not-found": NotFound("There is no such thing."),
        "conflict": Conflict("It is sold.", slug="already-sold", buyer="someone"),
        "unavailable": Unavailable("Come again.", retry_after=7),
        "framework": HTTPException(429, "Slow down.", headers={"Retry-After": "5"}),
        "domain": DomainRefusal("the domain says no"),
        "unexpected": RuntimeError("the password is hunter2"),
    }[kind]


@things.get("/torn/")
async def torn() -> StreamingResponse:
    """Begin an answer and fail."""

    async def body() -> AsyncIterator[bytes]:
        yield b"half of"
        raise RuntimeError("torn")

    return StreamingResponse(body())


@things.get("/mine/")
async def mine(page: Paging, by: CurrentUser) -> str:
    """For whoever is logged in."""
    return by.role


@things.get("/staff/")
async def staff(by: Annotated[User, Depends(Caller("worker", "admin"))]) -> str:
    """For workers and admins."""
    return by.role


@things.post("/moves/")
async def move(by: ActingWorkerOrAdmin) -> str:
    """Change something, as a worker or an admin."""
    return by.role


@things.get("/all/")
async def everything(by: Annotated[User, Depends(Caller("admin"))]) -> str:
    """For admins."""
    return by.role


@pytest.fixture(scope="session")
def app() -> FastAPI:
    """Made once, for making one takes its time: leave it as it was."""
    return create_service(
        "orders",
        settings(internal_secret="q8Zr1vW5xN0sT3uY7pK2mB6dF9gH4jLc"),
        description="Things.",
        routers=[things],
        subscribe=lambda subscriptions: None,
        refusals={DomainRefusal: lambda error: Conflict(str(error), slug="refused")},
        bus=LocalBus(LocalHub(), "orders"),
    )


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        yield client


@pytest.fixture
def log_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make every caller a user of that role."""

    def log_in(role: str) -> None:
        async def one(*_: object) -> User:
            return user(role)

        monkeypatch.setattr("shared.auth.users.user_of", one)

    return log_in
