"""Payme and Click as servers of this machine: the APIs that we call, and the pages on which a person pays.

Their books are in memory; their money is not real.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.routing import Mount

from marketplace.simulators.calls import ClickShop, PaymeDesk
from marketplace.simulators.sender import Sender
from marketplace.simulators.servers.checkout import click_checkout, payme_cabinet, payme_checkout
from marketplace.simulators.servers.click_api import ClickBooks, click_api
from marketplace.simulators.servers.faults import Faults
from marketplace.simulators.servers.payme_api import PaymeBooks, payme_api


@dataclass
class PaymeSide:
    merchant_id: str
    desk: PaymeDesk
    books: PaymeBooks = field(default_factory=PaymeBooks)
    faults: Faults = field(default_factory=Faults)


@dataclass
class ClickSide:
    merchant_user_id: int
    shop: ClickShop
    books: ClickBooks = field(default_factory=ClickBooks)
    faults: Faults = field(default_factory=Faults)


def provider_app(payme: PaymeSide, click: ClickSide) -> Starlette:
    """Payme under `/payme` (pages, `api`, `cabinet/`), Click under `/click` (`services/pay`, `v2/merchant`).

    So `PAYME_CHECKOUT_URL` is `<address>/payme` and `CLICK_CHECKOUT_URL` is `<address>/click/services/pay`.
    """
    sender = Sender()
    merchant_api = click_api(click.books, click.shop, click.merchant_user_id, click.faults)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await sender.close()

    return Starlette(
        lifespan=lifespan,
        routes=[
            payme_api("/payme/api", payme.books, payme.merchant_id, payme.desk.key, payme.faults),
            *payme_cabinet("/payme/cabinet/", payme.books, payme.desk, sender),
            payme_checkout("/payme/{said:path}", payme.books, payme.desk, payme.merchant_id, sender),
            click_checkout("/click/services/pay", click.books, click.shop, sender),
            Mount("/click/v2/merchant", routes=merchant_api),
        ],
    )
