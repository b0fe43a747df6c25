import pytest

from services.payments.providers.addresses import may_call
from shared.addresses import parse_networks

PAYME = parse_networks(["185.234.113.1", "10.0.0.0/8"])


@pytest.mark.parametrize("address", ["185.234.113.1", "10.1.2.3", "::ffff:10.1.2.3"])
def test_who_is_listed_may_call(address: str) -> None:
    assert may_call(address, PAYME)


@pytest.mark.parametrize("address", ["185.234.113.2", "::1", "", None, "unknown", "10.1.2.3, 1.1.1.1"])
def test_who_is_not_listed_may_not(address: str | None) -> None:
    assert not may_call(address, PAYME)


def test_without_a_list_anyone_may() -> None:
    assert may_call(None, ())


@pytest.mark.parametrize("text", ["10.0.0.1/8", "payme.uz", ""])
def test_what_is_no_address_is_no_setting(text: str) -> None:
    with pytest.raises(ValueError):
        parse_networks([text])
