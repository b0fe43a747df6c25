"""Where a provider's page may send a payer back to."""

import pytest

from services.payments.api.payments import may_return_to
from shared.origins import origins_of

OURS = ("https://shop.uz", "http://localhost:8000")


@pytest.mark.parametrize("url", ["https://shop.uz/orders/1?x=2#y", "https://shop.uz:443/", "HTTPS://Shop.uz", *OURS])
def test_a_payer_may_return_to_our_own_pages(url: str) -> None:
    assert may_return_to(url, origins_of(*OURS))


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.uz.evil.com/",
        "https://evil.com/https://shop.uz",
        "https://shop.uz@evil.com/",
        "https://user@shop.uz/",
        "https://evil.com\\@shop.uz/",
        "http://shop.uz/",
        "https://shop.uz:8443/",
        "http://localhost/",
        "//shop.uz/",
        "/orders/1",
        "javascript:alert(1)",
        "ftp://shop.uz/",
        "https://shop.uz/;a=1",
        "https://shop.uz/\nx",
        "https://shop.uz:port/",
        "https://[::1/",
        "",
    ],
)
def test_a_payer_is_sent_nowhere_else(url: str) -> None:
    assert not may_return_to(url, origins_of(*OURS))
