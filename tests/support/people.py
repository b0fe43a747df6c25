"""Users of a running system, as tests speak through them."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

PASSWORD = "correct horse"
ALWAYS_PAYS = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2099, "cvc": "123"}


@dataclass
class Person:
    """One user, logged in."""

    http: httpx.AsyncClient
    login: dict[str, Any]

    @property
    def id(self) -> str:
        user_id: str = self.login["user"]["id"]
        return user_id

    @property
    def email(self) -> str:
        email: str = self.login["user"]["email"]
        return email

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.login['access']}"}

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(path, params=query or None, headers=self.headers)

    async def post(self, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        keyed = {} if key is None else {"Idempotency-Key": key}
        return await self.http.post(path, json=body, headers=self.headers | keyed)

    async def offer(self, price: str = "150000.00", title: str = "Leaking tap repair") -> dict[str, Any]:
        """A new service of this worker."""
        category = (await self.http.get("/api/services/categories/")).json()["results"][0]["id"]
        body = {"title": title, "description": "Same day.", "category_id": category, "price": price}
        return expect(await self.post("/api/services/", body), 201)

    async def add_image(self, service_id: str, content: bytes, field: str = "image") -> httpx.Response:
        files = {field: ("picture.jpg", content, "image/jpeg")}
        return await self.http.post(f"/api/services/{service_id}/images/", files=files, headers=self.headers)

    async def order(self, service_id: str, **more: Any) -> dict[str, Any]:
        """A new order of this client."""
        return expect(await self.try_order(service_id, **more), 201)

    async def try_order(self, service_id: str, **more: Any) -> httpx.Response:
        return await self.post("/api/orders/create/", {"service_id": service_id, "address": "1 Navoi St", **more})

    async def accept(self, order_id: str) -> httpx.Response:
        return await self.post(f"/api/orders/{order_id}/assign/", {})

    async def move(self, order_id: str, status: str) -> httpx.Response:
        return await self.post(f"/api/orders/{order_id}/status/", {"status": status})

    async def pay(self, order_id: str, **card: Any) -> httpx.Response:
        body = {"method": "card", "card": ALWAYS_PAYS | card}
        return await self.post(f"/api/payments/order/{order_id}/pay/", body)

    async def notifications(self) -> list[dict[str, Any]]:
        """Oldest first."""
        results: list[dict[str, Any]] = expect(await self.get("/api/notifications/", limit=100), 200)["results"]
        return results[::-1]


def expect(answer: httpx.Response, status: int) -> Any:
    """The JSON of an answer with that status; anything else fails the test with what was said instead."""
    assert answer.status_code == status, (
        f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    )
    return answer.json()


async def register(http: httpx.AsyncClient, role: str, **more: Any) -> Person:
    body = {
        "email": f"{uuid4()}@example.com",
        "password": PASSWORD,
        "full_name": f"A {role}",
        "role": role,
        **more,
    }
    return Person(http, expect(await http.post("/api/auth/register/", json=body), 201))


async def log_in(person: Person) -> Person:
    """The same user on another device."""
    body = {"email": person.email, "password": PASSWORD}
    return Person(person.http, expect(await person.http.post("/api/auth/login/", json=body), 200))
