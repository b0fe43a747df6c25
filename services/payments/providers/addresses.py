"""From where a provider may call, if anyone has said so."""

from shared.addresses import Network, is_among


def may_call(address: str | None, networks: tuple[Network, ...]) -> bool:
    """Whether `address` is in one of the `networks`; where there are none, anyone may."""
    return not networks or is_among(address, networks)
