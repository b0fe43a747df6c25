"""The people and things that the calls of the table are about."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlmodel import col, select

from marketplace.admins import ensure_admin
from marketplace.system import System
from services.accounts.domain import Purpose
from services.accounts.models import OneTimeLink, RefreshFamily, RefreshToken, User
from shared.ids import new_id
from tests.support.people import PASSWORD, Person, expect, register
from tests.support.pictures import encoded, halves
from tests.support.waiting import eventually

ANONYMOUS, CLIENT, WORKER, ADMIN, BANNED, OTHER = "anonymous", "client", "worker", "admin", "banned", "other"
CALLERS = (ANONYMOUS, CLIENT, WORKER, ADMIN, BANNED, OTHER)
"""`client` and `worker` are the two sides of the order, `other` is a stranger to it, `banned` has a closed account."""

Look = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class World:
    """What all cells share; nobody changes it."""

    system: System
    http: httpx.AsyncClient
    admin: Person
    people: Mapping[str, Person]
    """Everybody else; strangers and banned ones are there in both roles."""
    ids: Mapping[str, str]
    """The things, by the names that paths and bodies have for them. Services are the worker's, and all else is the
    client's."""
    mark: str
    """A word in the name of everybody, and of the service."""

    def person(self, caller: str, role: str) -> Person | None:
        """The caller of that kind; `role` is that of a stranger, and of who is banned."""
        match caller:
            case "anonymous":
                return None
            case "admin":
                return self.admin
            case "client" | "worker":
                return self.people[caller]
            case _:
                return self.people[f"{caller} {role}"]

    async def newcomer(self, role: str) -> Person:
        if role != ADMIN:
            return await register(self.http, role)
        new = {"email": f"{uuid4()}@example.com", "password": PASSWORD}
        await ensure_admin(self.system.apps["accounts"].state, **new, full_name="An admin")
        return Person(self.http, expect(await self.http.post("/api/auth/login/", json=new), 200))

    def account(self, person: Person) -> Look:
        """Everything that accounts keeps of someone's identity."""
        of = UUID(person.id)
        everything = (
            select(User).where(User.id == of),
            select(RefreshFamily).where(RefreshFamily.user_id == of).order_by(col(RefreshFamily.id)),
            select(RefreshToken)
            .join(RefreshFamily)
            .where(RefreshFamily.user_id == of)
            .order_by(col(RefreshToken.hash)),
            select(OneTimeLink).where(OneTimeLink.user_id == of).order_by(col(OneTimeLink.id)),
        )

        async def look() -> Any:
            async with self.system.apps["accounts"].state.platform.database.session() as session:
                return [row.model_dump() for rows in everything for row in (await session.exec(rows)).all()]

        return look

    def thing(self, path: str) -> Look:
        """As an admin sees it."""

        async def look() -> Any:
            return expect(await self.admin.get(path), 200)

        return look

    def newest(self, path: str) -> Look:
        """The newest thing of a list, as an admin sees it."""

        async def look() -> Any:
            return expect(await self.admin.get(path, limit=1), 200)["results"]

        return look

    async def link_token(self, person: Person | None, purpose: Purpose) -> str:
        """What the newest mail of this purpose says; without one, what a link that was never mailed would say."""
        accounts = self.system.apps["accounts"].state
        async with accounts.platform.database.session() as session:
            mailed = select(OneTimeLink.id).where(
                OneTimeLink.user_id == (UUID(person.id) if person else new_id()), OneTimeLink.purpose == purpose
            )
            newest = (await session.exec(mailed.order_by(col(OneTimeLink.id).desc()))).first()
        token: str = accounts.identity.link_token(newest or new_id())
        return token


async def prepared(system: System, http: httpx.AsyncClient, admin: Person) -> World:
    mark = f"mark{uuid4().hex}"
    people = {}
    for who, role in [
        *((role, role) for role in (CLIENT, WORKER)),
        *((f"{who} {role}", role) for who in (OTHER, BANNED) for role in (CLIENT, WORKER)),
    ]:
        phone = f"+99890{uuid4().int % 10**7:07d}"
        people[who] = await register(http, role, full_name=f"A {role} {mark}", phone=phone)
    client, worker = people[CLIENT], people[WORKER]
    service = await worker.offer(title=f"Leaking tap repair {mark}")
    hidden = await worker.offer(title=f"Blocked drain {mark}")
    expect(await admin.post(f"/api/services/{hidden['id']}/moderate/", {"action": "hide", "reason": "Why"}), 200)
    expect(await worker.add_image(service["id"], encoded(halves())), 201)
    order = await client.order(service["id"], contact_phone=client.login["user"]["phone"])
    payment = expect(await client.pay(order["id"]), 201)

    async def told() -> list[dict[str, Any]]:
        seen = expect(await client.get(f"/api/orders/{order['id']}/"), 200)
        return await client.notifications() if seen["payment_status"] == "paid" else []

    ids = {
        "user_id": client.id,
        "session_id": expect(await client.get("/api/auth/sessions/"), 200)["results"][0]["id"],
        "worker_id": worker.id,
        "category_id": service["category_id"],
        "parent_id": service["category_id"],
        "service_id": service["id"],
        "hidden_id": hidden["id"],
        "order_id": order["id"],
        "payment_id": payment["id"],
        "notification_id": (await eventually(told))[0]["id"],
    }
    for role in (CLIENT, WORKER):
        await _ban(admin, people[f"{BANNED} {role}"])
    return World(system, http, admin, people, ids, mark)


async def _ban(admin: Person, person: Person) -> None:
    """Close the account, when a link for a forgotten password is under way, and wait until every service knows."""
    http = admin.http
    await http.post("/api/auth/password/reset/", json={"email": person.email})
    path = f"/api/users/{person.id}/"
    expect(await http.patch(path, json={"is_active": False}, headers=admin.headers), 200)

    async def out() -> bool:
        paths = ("/api/users/me/", "/api/orders/", "/api/payments/", "/api/notifications/")
        answers = [await person.get(path) for path in paths]
        return {answer.status_code for answer in (*answers, await person.post("/api/services/", {}))} == {401}

    await eventually(out)
