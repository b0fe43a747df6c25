"""A WebSocket as pages open it: from an origin of ours it serves, from any other it does not."""

from typing import Any

from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from marketplace.system import System
from tests.contract.test_asyncapi import payload
from tests.support.asgi import serving_app
from tests.support.people import Person
from tests.web.conftest import Tab

OPEN = """
([address, token]) => {
  window.messages = []
  window.closedWith = null
  const socket = new WebSocket(address)
  socket.onopen = () => socket.send(JSON.stringify({type: "auth", token}))
  socket.onmessage = ({data}) => messages.push(JSON.parse(data))
  socket.onclose = ({code}) => { closedWith = code }
}
"""


async def open_socket(page: Page, system: System, person: Person) -> None:
    address = system.address.replace("http", "ws", 1) + "/ws/notifications/"
    await page.evaluate(OPEN, [address, person.login["access"]])


async def hears(page: Page, kind: str) -> dict[str, Any]:
    """The first message of that type, as soon as it is there."""
    found = await page.wait_for_function("kind => messages.find(({type}) => type === kind)", arg=kind)
    message: dict[str, Any] = await found.json_value()
    return message


async def test_a_page_of_ours_says_who_it_is_first_and_hears_of_an_order_when_it_is_made(
    system: System, tab: Tab, client: Person, worker: Person
) -> None:
    service = await worker.offer()
    await tab.page.goto(f"{system.address}/api/schema/swagger-ui/")
    await open_socket(tab.page, system, client)
    ready = await hears(tab.page, "ready")
    assert ready["last_seq"] == 0

    order = await client.order(service["id"])

    created = await hears(tab.page, "order_created")
    assert (created["seq"], created["data"]["order_id"]) == (1, order["id"])
    document = (await client.get("/api/schema/notifications/events/")).json()
    payload(document, "ready").validate(ready)
    payload(document, "notification").validate(created)
    assert tab.complaints == []


async def test_a_page_of_another_origin_gets_no_socket(system: System, tab: Tab, client: Person) -> None:
    async def foreign(_: Any) -> HTMLResponse:
        return HTMLResponse("<!doctype html><link rel=icon href=data:,><title>Elsewhere</title>")

    async with serving_app(Starlette(routes=[Route("/", foreign)])) as elsewhere:
        await tab.page.goto(elsewhere)
        await open_socket(tab.page, system, client)
        await tab.page.wait_for_function("closedWith !== null || messages.length > 0")

    assert await tab.page.evaluate("[closedWith, messages.length]") == [1006, 0]
    (complaint,) = tab.complaints
    assert "403" in complaint
