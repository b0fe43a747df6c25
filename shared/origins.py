"""Origins of web pages (RFC 6454): scheme, host and port."""

from functools import lru_cache
from urllib.parse import urlsplit

Origin = tuple[str, str, int]

_USUAL_PORTS = {"http": 80, "https": 443}


@lru_cache(maxsize=256)
def origins_of(*urls: str) -> frozenset[Origin]:
    """Those that the addresses have."""
    return frozenset(origin for url in urls if (origin := origin_of(url)))


def origin_of(url: str) -> Origin | None:
    """Of an http(s) address or of an `Origin` header; None for anything else, `null` too."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in _USUAL_PORTS or not parts.hostname or parts.username is not None:
            return None
        return parts.scheme, parts.hostname, parts.port or _USUAL_PORTS[parts.scheme]
    except ValueError:
        return None
