"""`marketplace simulate` as a person runs it: a table, and an exit code."""

import asyncio
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from marketplace.cli import app
from tests.integration.simulators.reference import CLICK, PAYME, ReferenceShop
from tests.support.asgi import serving_app

CREDENTIALS = {
    "PAYME_TEST_KEY": PAYME.keys[0],
    "CLICK_SERVICE_ID": str(CLICK.service_id),
    "CLICK_SECRET_KEY": CLICK.secret_key,
}


async def simulate(shop: ReferenceShop, provider: str, orders: int, *more: str) -> Result:
    named: list[str] = []
    for _ in range(orders):
        order = shop.order()
        named += ["--order", f"{order.number}:{order.total}"]
    async with serving_app(shop.app()) as url:
        arguments = ["simulate", provider, "--url", url, "--delivery", "twice", *named, *more]
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=CREDENTIALS)


@pytest.mark.parametrize(("provider", "orders"), [("payme", 1), ("click", 3)])
async def test_what_answers_by_the_rules_passes(provider: str, orders: int) -> None:
    result = await simulate(ReferenceShop(), provider, orders)

    assert result.exit_code == 0, result.output
    assert "answered as expected" in result.output
    assert "✗" not in result.output


@pytest.mark.parametrize(("provider", "orders"), [("payme", 1), ("click", 3)])
async def test_what_answers_otherwise_is_shown_and_fails(provider: str, orders: int) -> None:
    result = await simulate(ReferenceShop("second answer differs"), provider, orders)

    assert result.exit_code == 1
    assert "✗" in result.output
    assert "answered otherwise" in str(result.exception)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((), "3 orders are needed"),
        (("--order", "1"), "is no order"),
        (("--delivery", "never"), "not a valid Delivery"),
    ],
)
async def test_what_can_not_be_played_with_is_told_in_a_line(wrong: Any, words: str) -> None:
    result = await simulate(ReferenceShop(), "click", 1, *wrong)

    assert result.exit_code == 1
    assert words in str(result.exception)
