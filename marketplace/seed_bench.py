"""Fill a running system with a benchmark's data, and write the fixture that the load scripts read.

It writes into the databases what the services themselves would have written, events included: the running relays carry
these on, so the copies that other services keep come to be as they always do.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx
from sqlalchemy import ARRAY, Uuid, any_, func, literal, select, text
from sqlmodel import col
from sqlmodel import select as select_models

from marketplace.beside import NOBODY_TO_TELL
from marketplace.errors import CannotStart
from marketplace.registry import service_settings
from services.accounts.config import AccountsSettings
from services.accounts.domain import Language, Role
from services.accounts.keys import Signer, WrongKeysSecret
from services.accounts.models import RefreshFamily, User
from services.accounts.service.workers import open_profile
from services.catalog.domain import PriceType, Status
from services.catalog.models import UNINDEXED, Category, Service, Worker
from services.catalog.service.services import CURRENCY
from services.notifications.models import Person as Addressee
from services.orders.models import Offer, Person
from shared.contracts import Event
from shared.contracts.accounts import UserRegistered, UserState
from shared.contracts.catalog import ServiceState, ServiceUpdated
from shared.db import Database
from shared.db.base import utcnow
from shared.errors import Unavailable
from shared.ids import new_id
from shared.messaging import outbox
from shared.messaging.relay import backlog

TRADES = [
    *("Plumbing", "Electrical", "Cleaning", "Painting", "Carpentry", "Moving", "Gardening", "Tutoring", "Photography"),
    *("Catering", "Tailoring", "Hairdressing", "Massage", "Appliances", "Computers", "Locksmith", "Roofing", "Tiling"),
    *("Driving", "Translation"),
]
KINDS = ["repair", "installation", "consultation", "maintenance", "express", "weekend", "premium", "basic"]
PLACES = ["Tashkent", "Samarkand", "Bukhara", "Andijan", "Namangan", "Fergana", "Nukus", "Khiva"]
USERS = {Role.CLIENT: 200, Role.WORKER: 200, Role.ADMIN: 1}
OFFERS = 5000

DOMAIN = "@bench.example"
NO_PASSWORD = "!"  # noqa: S105 - the hash of none
BATCH = 500
"""Rows a transaction."""
PATIENCE = 300.0
"""Seconds that the events may take to arrive."""

Row = TypeVar("Row", User, Service)
Databases = Mapping[str, Database]


def seed_bench(
    out: Path, url: str, databases: Mapping[str, str], keys_secret: str | None = None, token_days: int = 30
) -> None:
    """Seed the system whose gateway is at `url`, and wait until it has settled. Raises `CannotStart`.

    `keys_secret` is accounts' `KEYS_SECRET`; without one it is the environment's.
    """
    try:
        out.touch(mode=0o600)  # it will hold an admin's token
    except OSError as error:
        raise CannotStart(f"{out} can't be written: {error.strerror}.") from None
    given = {"keys_secret": keys_secret} if keys_secret else {}
    # `development`, because production's rules are for processes that serve.
    settings = service_settings("accounts", env="development", access_token_ttl=timedelta(days=token_days), **given)
    assert isinstance(settings, AccountsSettings)  # noqa: S101
    try:
        began = time.monotonic()
        fixture = asyncio.run(_seed(url.rstrip("/"), databases, settings))
        out.write_text(json.dumps(fixture, indent=1))
        seconds = time.monotonic() - began
        people = f"{USERS[Role.CLIENT]} clients, {USERS[Role.WORKER]} workers"
        print(f"{OFFERS} services, {people} -> {out} ({seconds:.0f} s)", flush=True)
    except Unavailable as error:
        raise CannotStart(f"The system's databases can't be used: {_first_line(error.__cause__)}") from None
    except TimeoutError:
        line = f"Not every event arrived within {PATIENCE:g} s: do all services run, and the broker between them?"
        raise CannotStart(line) from None


async def _seed(url: str, urls: Mapping[str, str], settings: AccountsSettings) -> dict[str, Any]:
    """Returns the fixture."""
    async with _opened(urls) as databases, asyncio.timeout(PATIENCE):
        accounts, catalog = databases["accounts"], databases["catalog"]
        signer = Signer(accounts, settings)
        await _check(url, signer, accounts)

        # Drawn in one fixed order, so that every implementation that draws like this gets the very same data.
        rng, now = random.Random(1), utcnow()  # noqa: S311
        clients, workers, admins = (_users(rng, now, role, count) for role, count in USERS.items())
        categories = [_category(position, trade) for position, trade in enumerate(TRADES)]
        offers = [_offer(rng, now, categories, workers) for _ in range(OFFERS)]
        sampled = rng.sample(offers, 500)

        users = [*clients, *workers, *admins]
        await _insert(accounts, users, lambda user: UserRegistered(user=UserState.model_validate(user)))
        admin_session = new_id()
        async with accounts.session() as session:
            for worker in workers:
                await open_profile(session, worker)
            # Accounts is asked whether an admin who changes something is logged in.
            login = RefreshFamily(id=admin_session, user_id=admins[0].id, created_at=now, last_used_at=now)
            session.add(login)
        # Waited for before the services: catalog would write each of these anew when it hears of their worker later.
        everyone, named = [user.id for user in users], [user.id for user in workers]
        people = ("orders", Person, everyone), ("notifications", Addressee, everyone)
        await _arrived(databases, ("catalog", Worker, named), *people)
        async with catalog.session() as session:
            session.add_all(categories)
        await _insert(catalog, offers, lambda offer: ServiceUpdated(service=ServiceState.model_validate(offer)))
        await _arrived(databases, ("orders", Offer, [offer.id for offer in offers]))
        await _searched(catalog)
        for database in databases.values():
            async with database.engine.begin() as connection:
                await connection.execute(text("ANALYZE"))

        return {
            "base_url": url,
            "ws_url": url.replace("http", "ws", 1),
            "service_ids": [str(offer.id) for offer in sampled],
            "category_ids": [str(category.id) for category in categories],
            "search_terms": [word.lower() for word in TRADES + KINDS + PLACES],
            "client_tokens": [await signer.access_token(user, new_id()) for user in clients[:50]],
            "worker_tokens": [await signer.access_token(user, new_id()) for user in workers[:10]],
            "admin_token": await signer.access_token(admins[0], admin_session),
        }


@asynccontextmanager
async def _opened(urls: Mapping[str, str]) -> AsyncIterator[Databases]:
    """The databases, for sessions such as the services themselves have."""
    databases = {}
    for service, url in urls.items():
        settings = service_settings(service, env="development", database_url=url, db_pool_size=1)
        databases[service] = Database(settings)
        databases[service].session_info |= {"service": service, **NOBODY_TO_TELL}
    try:
        yield databases
    finally:
        for database in databases.values():
            await database.close()


async def _check(url: str, signer: Signer, accounts: Database) -> None:
    """Raise `CannotStart` unless the system at `url` runs on these databases, by this secret, and has no such data."""
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
            published = (await http.get(url + "/.well-known/jwks.json")).raise_for_status().json()["keys"]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
        raise CannotStart(f"No marketplace answers at {url}: {_first_line(error)}") from None
    own = (await signer.public_keys())["keys"]
    if {key["kid"] for key in own} != {key["kid"] for key in published}:
        raise CannotStart(f"The system at {url} runs on other databases than these.")
    async with accounts.session() as session:
        seeded = select_models(User).where(col(User.email_key).endswith(DOMAIN)).limit(1)
        first = (await session.exec(seeded)).first()
    if first:
        raise CannotStart(f"Users of {DOMAIN} are there already: nothing seeded. Seed a fresh system.")
    try:
        await signer.access_token(_users(random.Random(), utcnow(), Role.ADMIN, 1)[0], new_id())  # noqa: S311
    except WrongKeysSecret as error:
        raise CannotStart(str(error)) from None


def _first_line(error: BaseException | None) -> str:
    return (str(error) or repr(error)).strip().splitlines()[0]


def _users(rng: random.Random, now: datetime, role: Role, count: int) -> list[User]:
    users = []
    for i in range(count):
        rng.uniform(3, 5)  # a rating, which accounts does not keep
        created_at = now - timedelta(minutes=rng.randrange(525_600))
        email = f"{role}{i}{DOMAIN}"
        users.append(
            User(
                id=new_id(),
                email=email,
                email_key=email,
                password_hash=NO_PASSWORD,
                full_name=f"{role.title()} {i}",
                role=role,
                language=Language.EN,
                created_at=created_at,
                updated_at=created_at,
            )
        )
    return users


def _category(position: int, trade: str) -> Category:
    """One of our own, behind those that are there: some of the same trades are among them."""
    slug, names = f"bench-{trade.lower()}", {language.value: trade for language in Language}
    return Category(id=new_id(), slug=slug, names=names, position=1000 + position)


def _offer(rng: random.Random, now: datetime, categories: Sequence[Category], workers: Sequence[User]) -> Service:
    category, kind, place = rng.choice(categories), rng.choice(KINDS), rng.choice(PLACES)
    trade = category.names[Language.EN]
    description = (
        f"{kind.title()} {trade.lower()} service for homes and offices. "
        f"Visits anywhere in {place}, {rng.randrange(1, 15)} years of experience, tools included."
    )
    worker = rng.choice(workers)
    price, rating = Decimal(rng.randrange(50_000, 2_000_000, 5_000)), Decimal(str(round(rng.uniform(3, 5), 2)))
    created_at = now - timedelta(seconds=rng.randrange(31_536_000))
    return Service(
        id=new_id(),
        worker_id=worker.id,
        worker_name=worker.full_name,
        category_id=category.id,
        title=f"{trade} {kind} in {place}",
        description=description,
        price=price,
        currency=CURRENCY,
        price_type=PriceType.FIXED,
        city=place,
        rating=rating,
        status=Status.ACTIVE,
        created_at=created_at,
        updated_at=created_at,
    )


async def _insert(database: Database, rows: Sequence[Row], event: Callable[[Row], Event]) -> None:
    """Write the rows, each with its event, as a use case does."""
    for start in range(0, len(rows), BATCH):
        async with database.session() as session:
            for row in rows[start : start + BATCH]:
                session.add(row)
                outbox.add(session, event(row))


async def _arrived(databases: Databases, *copies: tuple[str, Any, Sequence[UUID]]) -> None:
    """Return when no outbox holds anything back, and each copy, of a service, has all of the ids."""
    while True:
        waiting = [(await backlog(database)).waiting for database in databases.values()]
        missing = [await _missing(databases[service], copy, ids) for service, copy, ids in copies]
        if not any(waiting + missing):
            return
        await asyncio.sleep(0.5)


async def _searched(catalog: Database) -> None:
    """Return when catalog has let its searches find every service."""
    waiting = select(func.count()).select_from(Service).where(UNINDEXED)
    while True:
        async with catalog.session() as session:
            if not await session.scalar(waiting):
                return
        await asyncio.sleep(0.5)


async def _missing(database: Database, copy: Any, ids: Sequence[UUID]) -> int:
    there = select(func.count()).where(copy.id == any_(literal(ids, ARRAY(Uuid))))
    async with database.session() as session:
        return len(ids) - ((await session.scalar(there)) or 0)
