"""What each call of the table sends, by whom, and where to look for what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import uuid4

from services.accounts.domain import Purpose
from tests.integration.notifications.mailboxes import notified, tickets_of
from tests.integration.payments.books import completed, known, manual_refund, release, untouched_attempt
from tests.integration.world import ADMIN, CLIENT, OTHER, WORKER, Look, World
from tests.support.people import ALWAYS_PAYS, PASSWORD, Person, expect, log_in
from tests.support.pictures import encoded, halves

NEW_PASSWORD = "battery staple"
PNG = encoded(halves())


@dataclass(frozen=True)
class Scene:
    """One cell of the table, before its call is made."""

    world: World
    caller: str
    whose: str
    """`CLIENT` or `WORKER`: which of the two owns what the call is about."""
    changes: bool
    """Whether the call will change something: then it is about something new and not about what all share."""

    @property
    def by(self) -> Person | None:
        return self.world.person(self.caller, self.whose)

    @property
    def client(self) -> Person:
        return self.world.people[CLIENT]

    async def oneself(self) -> Person | None:
        """The caller, or a newcomer in their place."""
        if not self.changes or self.by is None:
            return self.by
        return await self.world.newcomer(self.caller if self.caller in (CLIENT, WORKER, ADMIN) else self.whose)

    async def owner_and_caller(self) -> tuple[Person, Person | None]:
        owner = await self.world.newcomer(self.whose) if self.changes else self.world.people[self.whose]
        return owner, owner if self.caller == self.whose else self.by

    async def order_id(self) -> str:
        order = await self.client.order(self.world.ids["service_id"]) if self.changes else None
        return str(order["id"]) if order else self.world.ids["order_id"]


async def _nothing() -> None:
    """Of a read there is nothing to see afterwards."""


@dataclass(frozen=True)
class Request:
    """What one cell sends."""

    by: Person | None
    ids: Mapping[str, str] = field(default_factory=dict)
    """Of the path, where they are not the world's."""
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    files: Mapping[str, Any] | None = None
    """Of a multipart form, where the call takes one."""
    look: Look = _nothing
    """At what the call changes, or must leave alone."""


async def read(scene: Scene) -> Request:
    return Request(scene.by)


async def whole_page(scene: Scene) -> Request:
    return Request(scene.by, query={"limit": 100})


async def search(scene: Scene) -> Request:
    return Request(scene.by, query={"search": scene.world.mark, "limit": 100})


async def registration(scene: Scene) -> Request:
    new = {"email": f"{uuid4()}@example.com", "password": PASSWORD, "full_name": "Someone", "role": CLIENT}
    return Request(scene.by, body=new, look=scene.world.newest("/api/users/"))


async def login(scene: Scene) -> Request:
    """Everyone as themselves; who is nobody and who is a stranger try the client's address."""
    user = None if scene.caller == OTHER else scene.by
    body = {"email": (user or scene.client).email, "password": PASSWORD if user else "a guess"}
    return Request(scene.by, body=body, look=scene.world.account(user or scene.client))


async def refresh_token(scene: Scene) -> Request:
    """One of a device of its own; who is nobody has none that is known."""
    by = await log_in(scene.by) if scene.by and scene.changes else scene.by
    body = {"refresh": by.login["refresh"] if by else "nobody's"}
    return Request(by, body=body, look=scene.world.account(by or scene.client))


async def a_session(scene: Scene) -> Request:
    owner, by = await scene.owner_and_caller()
    (session, *_) = expect(await owner.get("/api/auth/sessions/"), 200)["results"]
    return Request(by, {"session_id": session["id"]}, look=scene.world.account(owner))


async def new_password(scene: Scene) -> Request:
    by = await scene.oneself()
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    return Request(by, body=body, look=scene.world.account(by or scene.client))


async def forgotten_password(scene: Scene) -> Request:
    """Everyone their own; who is nobody, the client's."""
    by = await scene.oneself()
    user = by or scene.client
    return Request(by, body={"email": user.email}, look=scene.world.account(user))


async def reset_link(scene: Scene) -> Request:
    by = await scene.oneself()
    if by and scene.changes:
        await by.http.post("/api/auth/password/reset/", json={"email": by.email})
    token = await scene.world.link_token(by, Purpose.RESET_PASSWORD)
    body = {"token": token, "new_password": NEW_PASSWORD}
    return Request(by, body=body, look=scene.world.account(by or scene.client))


async def confirmation_link(scene: Scene) -> Request:
    """From the mail of the registration; an admin, who never registered, asks for one."""
    by = await scene.oneself()
    if by and scene.changes and scene.caller == ADMIN:
        await by.post("/api/auth/email/resend/")
    token = await scene.world.link_token(by, Purpose.CONFIRM_EMAIL)
    return Request(by, body={"token": token}, look=scene.world.account(by or scene.client))


async def own_account(scene: Scene) -> Request:
    by = await scene.oneself()
    return Request(by, look=scene.world.account(by or scene.client))


async def other_name(scene: Scene) -> Request:
    owner, by = await scene.owner_and_caller()
    return Request(by, {"user_id": owner.id}, body={"full_name": "Other"}, look=scene.world.account(owner))


async def other_profile(scene: Scene) -> Request:
    owner, by = await scene.owner_and_caller()
    look = scene.world.thing(f"/api/workers/{owner.id}/")
    return Request(by, {"worker_id": owner.id}, body={"bio": "Thirty years of taps."}, look=look)


async def new_category(scene: Scene) -> Request:
    return Request(scene.by, body={"name": "Roofing"}, look=scene.world.thing("/api/services/categories/"))


async def other_category(scene: Scene) -> Request:
    return replace(await a_category(scene), body={"name": "Tiling"})


async def a_category(scene: Scene) -> Request:
    """One that nothing is in, where it will be changed."""
    category_id = scene.world.ids["category_id"]
    if scene.changes:
        new = await scene.world.admin.post("/api/services/categories/", {"name": "Roofing"})
        category_id = expect(new, 201)["id"]
    look = scene.world.thing("/api/services/categories/")
    return Request(scene.by, {"category_id": category_id}, look=look)


async def new_service(scene: Scene) -> Request:
    category = expect(await scene.world.http.get("/api/services/categories/"), 200)["results"][0]["id"]
    body = {"title": "Piano", "description": "Tuned.", "category_id": category, "price": "1.00"}
    return Request(scene.by, body=body, look=scene.world.newest("/api/services/"))


async def other_service(scene: Scene) -> Request:
    body = {"title": "Tuning", "description": "By ear.", "category_id": scene.world.ids["category_id"], "price": "2.00"}
    return replace(await a_service(scene), body=body)


async def a_verdict(scene: Scene) -> Request:
    return replace(await a_service(scene), body={"action": "hide", "reason": "Why"})


async def a_service(scene: Scene) -> Request:
    """One of the worker's, which is new where it will be changed."""
    worker = scene.world.people[WORKER]
    service_id = (await worker.offer())["id"] if scene.changes else scene.world.ids["service_id"]
    look = scene.world.thing(f"/api/services/{service_id}/")
    return Request(scene.by, {"service_id": service_id}, look=look)


async def hidden_ones(scene: Scene) -> Request:
    return Request(scene.by, query={"status": "hidden", "limit": 100})


async def a_picture(scene: Scene) -> Request:
    by, service = await _an_illustrated_service(scene)
    look = scene.world.thing(f"/api/services/{service['id']}/")
    return Request(by, {"service_id": service["id"]}, files={"image": ("p.png", PNG)}, look=look)


async def picture_of_a_service(scene: Scene) -> Request:
    by, service = await _an_illustrated_service(scene)
    look = scene.world.thing(f"/api/services/{service['id']}/")
    return Request(by, {"service_id": service["id"], "image_id": service["images"][0]["id"]}, look=look)


async def _an_illustrated_service(scene: Scene) -> tuple[Person | None, Any]:
    """One of the worker's that shows a picture."""
    worker = scene.world.people[WORKER]
    service_id = (await worker.offer())["id"] if scene.changes else scene.world.ids["service_id"]
    if scene.changes:
        expect(await worker.add_image(service_id, PNG), 201)
    return scene.by, expect(await scene.world.http.get(f"/api/services/{service_id}/"), 200)


async def new_order(scene: Scene) -> Request:
    body = {"service_id": scene.world.ids["service_id"], "address": "1 Navoi St"}
    return Request(scene.by, body=body, look=scene.world.newest("/api/orders/"))


async def acceptance(scene: Scene) -> Request:
    return await _on_an_order(scene, {})


async def cancellation(scene: Scene) -> Request:
    return await _on_an_order(scene, {"status": "cancelled"})


async def complaint(scene: Scene) -> Request:
    request = await _on_an_order(scene, {"reason": "It still leaks."})
    if scene.changes:
        await _begin(scene, request)
    return request


async def decision(scene: Scene) -> Request:
    request = await _on_an_order(scene, {"refund_amount": "0.00", "note": "It does not."})
    if scene.changes:
        await _begin(scene, request)
        path = f"/api/orders/{request.ids['order_id']}/dispute/"
        expect(await scene.client.post(path, {"reason": "It still leaks."}), 201)
    return request


async def _begin(scene: Scene, request: Request) -> None:
    """The work on the order."""
    worker, order_id = scene.world.people[WORKER], request.ids["order_id"]
    expect(await worker.accept(order_id), 200)
    expect(await worker.move(order_id, "in_progress"), 200)


async def _on_an_order(scene: Scene, body: Any) -> Request:
    order_id = await scene.order_id()
    return Request(scene.by, {"order_id": order_id}, body=body, look=scene.world.thing(f"/api/orders/{order_id}/"))


async def card(scene: Scene) -> Request:
    body = {"method": "card", "card": ALWAYS_PAYS}
    look = scene.world.newest("/api/payments/")
    return Request(scene.by, {"order_id": await scene.order_id()}, body=body, look=look)


async def attempt(scene: Scene) -> Request:
    """One that nobody has touched: such are opened by providers with a page of their own."""
    payment_id = scene.world.ids["payment_id"]
    if scene.changes:
        order_id = await scene.order_id()
        await known(scene.world.system, {"id": order_id}, "pending")
        payment_id = await untouched_attempt(scene.world.system, order_id)
    look = scene.world.thing(f"/api/payments/{payment_id}/")
    return Request(scene.by, {"payment_id": payment_id}, look=look)


async def refund(scene: Scene) -> Request:
    payment_id = await _a_payment(scene)
    look = scene.world.thing(f"/api/payments/{payment_id}/")
    return Request(scene.by, {"payment_id": payment_id}, body={"reason": "Came late."}, look=look)


async def refund_by_hand(scene: Scene) -> Request:
    refund_id = str(uuid4())
    if scene.changes:
        refund_id = await manual_refund(scene.world.system, await _a_payment(scene))
    return Request(scene.by, {"refund_id": refund_id}, look=scene.world.newest("/api/payments/refunds/"))


async def payout(scene: Scene) -> Request:
    worker = scene.world.people[WORKER]
    if scene.changes:
        order = await scene.client.order(scene.world.ids["service_id"])
        expect(await scene.client.pay(order["id"]), 201)
        await completed(worker, order)
        await known(scene.world.system, order, "completed")
        await release(scene.world.system)

    async def look() -> Any:
        return expect(await worker.get("/api/payments/balance/"), 200)

    body = {"worker_id": worker.id, "amount": "10.00", "reference": str(uuid4())}
    return Request(scene.by, body=body, look=look)


async def _a_payment(scene: Scene) -> str:
    if not scene.changes:
        return scene.world.ids["payment_id"]
    paid = expect(await scene.client.pay(await scene.order_id()), 201)
    return str(paid["id"])


async def preferences(scene: Scene) -> Request:
    by = await scene.oneself()
    body = {"preferences": {"order_created": {"email": False}}}
    return Request(by, body=body, look=_as_seen_by(_reader(scene, by), "/api/notifications/preferences/"))


async def socket_ticket(scene: Scene) -> Request:
    by = await scene.oneself()
    return Request(by, look=partial(tickets_of, scene.world.system, by or scene.client))


async def unread_notifications(scene: Scene) -> Request:
    by = await scene.oneself()
    if by and scene.changes:
        await notified(scene.world.system, by)
    return Request(by, look=_as_seen_by(_reader(scene, by), "/api/notifications/"))


async def a_notification(scene: Scene) -> Request:
    owner, by = await scene.owner_and_caller()
    if scene.changes:
        await notified(scene.world.system, owner)
    look = _as_seen_by(owner, "/api/notifications/")
    return Request(by, {"notification_id": (await look())["results"][0]["id"]}, look=look)


def _reader(scene: Scene, by: Person | None) -> Person:
    """Who is banned can't look any more."""
    return by if by and scene.changes else scene.client


def _as_seen_by(person: Person, path: str) -> Look:
    async def look() -> Any:
        return expect(await person.get(path), 200)

    return look
