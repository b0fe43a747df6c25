"""From where a provider may call, if anyone has said so."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """`185.234.113.1`, `10.0.0.0/8`. Raises `ValueError` for what is neither."""
    return tuple(ip_network(text) for text in texts)


def may_call(address: str | None, networks: tuple[Network, ...]) -> bool:
    """Whether `address` is in one of the `networks`; where there are none, anyone may."""
    if not networks:
        return True
    try:
        caller = ip_address(address or "")
    except ValueError:
        return False
    if isinstance(caller, IPv6Address) and caller.ipv4_mapped:
        caller = caller.ipv4_mapped
    return any(caller in network for network in networks)
