"""Which page a browser's `Origin` speaks of."""

import pytest

from shared.origins import origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://shop.uz", ("http", "shop.uz", 80)),
        ("https://shop.uz:443", ("https", "shop.uz", 443)),
        ("https://SHOP.uz/pages?x=1#y", ("https", "shop.uz", 443)),
        ("http://[::1]:3000", ("http", "::1", 3000)),
    ],
)
def test_an_address_has_the_origin_of_its_page(url: str, origin: tuple[str, str, int]) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("url", ["null", "", "shop.uz", "file:///x", "http://", "http://a@shop.uz", "http://shop.uz:x"])
def test_what_is_no_address_of_a_page_has_none(url: str) -> None:
    assert origin_of(url) is None
