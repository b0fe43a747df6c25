"""Addresses of callers, and the networks that settings name."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """`185.234.113.1`, `10.0.0.0/8`. Raises `ValueError` for what is neither."""
    return tuple(ip_network(text) for text in texts)


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """None for what is no address. One of version 4 in the clothes of version 6 is one of version 4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_among(text: str | None, networks: Iterable[Network]) -> bool:
    """Whether the address is in one of the networks; what is no address is in none."""
    address = parse_address(text or "")
    return address is not None and any(address in network for network in networks)
