"""The API's documents in a real browser: they open, they work, and nothing in them comes from elsewhere."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from marketplace.system import System
from tests.support.people import Person
from tests.web.conftest import Tab


@pytest.mark.parametrize(
    ("page", "shows"),
    [
        ("swagger-ui/", "Register"),
        ("redoc/", "Create order"),
        ("orders/swagger-ui/", "Create order"),
        ("orders/redoc/", "Create order"),
        ("orders/events/", "order.status_changed"),
        ("notifications/events/", "4401"),
    ],
)
async def test_a_page_opens_without_a_complaint_and_asks_nobody_else(
    system: System, tab: Tab, page: str, shows: str
) -> None:
    await tab.page.goto(f"{system.address}/api/schema/{page}")

    await expect(tab.page.get_by_text(shows).locator("visible=true").first).to_be_visible()
    assert tab.complaints == []
    assert tab.hosts == {urlsplit(system.address).netloc}


async def test_authorize_logs_in_and_a_call_made_from_the_page_is_answered(
    system: System, tab: Tab, client: Person
) -> None:
    page = tab.page
    await page.goto(f"{system.address}/api/schema/swagger-ui/#/accounts/me")
    await page.get_by_role("button", name="Authorize").click()
    await page.get_by_label("auth-bearer-value").fill(client.login["access"])
    await page.get_by_role("button", name="Apply credentials").click()
    await page.get_by_role("button", name="Close").click()

    operation = page.locator("#operations-accounts-me")
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()

    answer = operation.locator(".live-responses-table")
    await expect(answer.locator("tr.response td.response-col_status")).to_contain_text("200")
    await expect(answer).to_contain_text(client.email)
    assert tab.complaints == []
