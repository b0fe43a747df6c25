"""`marketplace simulate payme|click`: play a provider against a running system, and print what came of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from marketplace.errors import CannotStart
from marketplace.simulators import click, payme
from marketplace.simulators.calls import CLICK_COMPLETE_PATH, CLICK_PREPARE_PATH, PAYME_PATH, ClickShop, PaymeDesk
from marketplace.simulators.delivery import Delivery
from marketplace.simulators.orders import NextOrder, given_orders, new_orders, parse_order
from marketplace.simulators.report import Report
from marketplace.simulators.sender import Sender


@dataclass(frozen=True)
class Game:
    """Where to play, with what, and how."""

    url: str
    orders: Sequence[str]
    """As `2026-000001:150000.00`; without any, the client orders new ones."""
    email: str
    password: str
    delivery: Sequence[str]
    """Names; without any, each of them."""
    pause: float

    @property
    def deliveries(self) -> list[Delivery]:
        """Raises `CannotStart`."""
        try:
            return [Delivery(name) for name in self.delivery] or list(Delivery)
        except ValueError as error:
            raise CannotStart(f"{error}: {', '.join(Delivery)}", 2) from None


async def play_payme(game: Game, key: str) -> None:
    """Raises `CannotStart` where anything differs."""
    desk = PaymeDesk(game.url.rstrip("/") + PAYME_PATH, key)
    deliveries = game.deliveries
    await _play(game, len(deliveries), lambda sender, orders: payme.simulate(desk, sender, orders, deliveries))


async def play_click(game: Game, service_id: int, secret_key: str) -> None:
    """Raises `CannotStart` where anything differs."""
    base = game.url.rstrip("/")
    shop = ClickShop(base + CLICK_PREPARE_PATH, base + CLICK_COMPLETE_PATH, service_id, secret_key)
    deliveries = game.deliveries
    await _play(game, 3 * len(deliveries), lambda sender, orders: click.simulate(shop, sender, orders, deliveries))


async def _play(game: Game, needed: int, simulate: Callable[[Sender, NextOrder], Awaitable[Report]]) -> None:
    sender = Sender(pause=game.pause)
    try:
        async with _orders(game, needed) as next_order:
            report = await simulate(sender, next_order)
    except httpx.HTTPError as error:
        raise CannotStart(f"{game.url} can't be reached: {error!r}") from error
    finally:
        await sender.close()
    print(report.table())
    if report.wrong:
        raise CannotStart(f"{len(report.wrong)} of {len(report.rows)} calls were answered otherwise than expected.")
    print(f"\nAll {len(report.rows)} calls were answered as expected.")


@asynccontextmanager
async def _orders(game: Game, needed: int) -> AsyncIterator[NextOrder]:
    if game.orders:
        yield given_orders([parse_order(text) for text in game.orders], needed)
        return
    async with httpx.AsyncClient(base_url=game.url, timeout=15, trust_env=False) as http:
        yield await new_orders(http, game.email, game.password)
