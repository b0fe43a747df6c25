"""Which requests and answers a shared cache may put together (RFC 9111), for services and readers like ours."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from starlette.types import Scope

from gateway.headers import Header
from gateway.proxy import request_target
from shared.http.language import preferred_language
from shared.http.preconditions import ANYTHING, entity_tags

_NEVER_WITH = frozenset(
    {b"authorization", b"range", b"if-range", b"if-match", b"if-unmodified-since", b"if-modified-since"}
    | {b"transfer-encoding"}
)
_VARY = frozenset({"accept-language", "accept-encoding", "authorization", ""})
"""What an answer may vary by: the key has the first two, and a request with the third is not for a cache."""
_CODINGS = re.compile(r"\b(br|gzip|zstd)\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))")

Key = tuple[bytes, str, str]


class Wish(NamedTuple):
    """A request that can be answered from a cache."""

    key: Key
    known: bytes
    """Its `If-None-Match`."""
    afresh: bool
    """Whether what is kept has to be asked about first."""


def storable_for(status: int, headers: Iterable[Header]) -> float:
    """Seconds for which a shared cache may answer with this; 0 if it may not (RFC 9111, 3 and 4.2)."""
    said = joined(headers)
    directives = _directives(said.get(b"cache-control", ""))
    vary = {name.strip().lower() for name in said.get(b"vary", "").split(",")}
    if (
        status != 200
        or "public" not in directives
        or not directives.keys().isdisjoint({"private", "no-store", "no-cache"})
        or b"set-cookie" in said
        or not vary <= _VARY
    ):
        return 0
    try:
        lifetime = int(directives.get("s-maxage", directives.get("max-age", "0")))
    except ValueError:
        return 0
    return lifetime if lifetime > age_of(said) else 0


def joined(headers: Iterable[Header]) -> dict[bytes, str]:
    """Each header once, as what several lines of it mean."""
    said: dict[bytes, str] = {}
    for name, value in headers:
        text = value.decode("latin-1")
        said[name] = f"{said[name]}, {text}" if name in said else text
    return said


def age_of(said: Mapping[bytes, str]) -> int:
    """Seconds for which caches before us have kept it."""
    text = said.get(b"age", "")
    return int(text) if text.isdecimal() else 0


def wish_of(scope: Scope) -> Wish | None:
    if scope["method"] not in ("GET", "HEAD"):
        return None
    headers: dict[bytes, bytes] = dict(scope["headers"])
    # A header that comes twice is not worth a cache's while.
    if len(headers) != len(scope["headers"]) or not _NEVER_WITH.isdisjoint(headers):
        return None
    if headers.get(b"content-length", b"0") != b"0":
        return None
    afresh = False
    if asked := headers.get(b"cache-control") or headers.get(b"pragma"):
        directives = _directives(asked.decode("latin-1"))
        if "no-store" in directives:
            return None
        afresh = "no-cache" in directives or directives.get("max-age") == "0"
    language, codings = _normal(headers.get(b"accept-language", b""), headers.get(b"accept-encoding", b""))
    return Wish((request_target(scope), language, codings), headers.get(b"if-none-match", b""), afresh)


@lru_cache(maxsize=1024)
def _normal(accept_language: bytes, accept_encoding: bytes) -> tuple[str, str]:
    """The few kinds of reader that these headers tell apart; else the same could be asked for in any number of ways."""
    codings = sorted(set(_CODINGS.findall(accept_encoding.decode("latin-1").lower())))
    return preferred_language(accept_language.decode("latin-1")), ",".join(codings)


@lru_cache(maxsize=256)
def _directives(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.lower().split(","))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def unconditional(scope: Scope, etag: bytes) -> Scope:
    """The request without the asker's own condition, and with ours where something is kept."""
    headers = [header for header in scope["headers"] if header[0] != b"if-none-match"]
    if etag:
        headers.append((b"if-none-match", etag))
    return {**scope, "headers": headers}


def is_known(known: bytes, etag: bytes) -> bool:
    if known == etag:
        return True
    tags = entity_tags([known.decode("latin-1")], weak=True)
    return ANYTHING in tags or etag.decode("latin-1").removeprefix("W/") in tags
