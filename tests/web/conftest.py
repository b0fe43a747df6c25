"""A real browser, and the whole system in this process for it to look at."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from marketplace.system import System, serving
from shared.http.server import listen
from tests.integration.conftest import SETTINGS, client, databases, http, postgres, worker
from tests.support.browser import program

__all__ = ["client", "databases", "http", "postgres", "worker"]


@pytest.fixture(scope="module")
async def system(databases: dict[str, str]) -> AsyncIterator[System]:
    """Its own pages are of the origin that clients know it by."""
    with listen("127.0.0.1", 0) as public:
        settings = {**SETTINGS, "public_url": f"http://localhost:{public.getsockname()[1]}"}
        async with serving(public, databases.__getitem__, settings) as running:
            yield running


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; its sandbox is not for root."""
    if (path := program()) is None:
        pytest.fail("there is no browser: install the package chromium", pytrace=False)
    arguments = ["--no-proxy-server", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


@dataclass
class Tab:
    """A page of a browser that has nothing in it, and what went on in it."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    """That something was asked of."""
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of the console, and exceptions that nobody caught."""

    def __post_init__(self) -> None:
        self.page.on("request", self._note_request)
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note_request(self, request: Request) -> None:
        if request.url.startswith(("http", "ws")):
            self.hosts.add(urlsplit(request.url).netloc)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Tab]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    yield Tab(await context.new_page())
    await context.close()
