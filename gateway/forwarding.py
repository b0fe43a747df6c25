"""Who asked by which way, where a proxy of ours stands in front: `Forwarded` (RFC 7239) and `X-Forwarded-*`."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.headers import Header
from shared.addresses import is_among, parse_address, parse_networks

_PAIR = re.compile(r'\s*([\w!#$%&\'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))\s*(;|,|$)')
_NODE = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d+)?|([0-9.]+)(?::\d+)?|([0-9a-fA-F:.]+)")
_HOST = re.compile(r"[\w.:\[\]-]+", re.ASCII)


class Hop(NamedTuple):
    """What one proxy says of whom it had before it."""

    client: str
    scheme: str
    host: str


class TrustedProxies:
    """Plain ASGI: where the peer is a proxy of ours, the scope tells of the client behind it instead.

    The client is the nearest hop that is none of ours: what stands before it, anyone could have written.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str]) -> None:
        self._app, self._networks = app, parse_networks(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and scope.get("client") and self._trusts(scope["client"][0]):
            hop = nearest_stranger(hops(scope["headers"]), self._trusts)
            if hop is not None:
                _tell(scope, hop)
        await self._app(scope, receive, send)

    def _trusts(self, address: str) -> bool:
        return is_among(address, self._networks)


def hops(headers: Sequence[Header]) -> list[Hop]:
    """The ways that a trusted peer names, the farthest first.

    Most proxies write one of the two kinds of header and pass the other on as the client wrote it. So where both are
    there, they count only if they agree on the client.
    """
    x_forwarded, forwarded = _x_forwarded(headers), _forwarded(_joined(headers, b"forwarded"))
    if x_forwarded and forwarded and x_forwarded[-1].client != forwarded[-1].client:
        return []
    return x_forwarded or forwarded


def nearest_stranger(ways: Sequence[Hop], trusts: Callable[[str], bool]) -> Hop | None:
    """The last hop that is no trusted proxy; the farthest one that has an address if all are trusted."""
    found = None
    for hop in reversed(ways):
        if parse_address(hop.client) is None:  # `unknown`, or made up
            break
        found = hop
        if not trusts(hop.client):
            break
    return found


def _tell(scope: Scope, hop: Hop) -> None:
    scope["client"] = (str(parse_address(hop.client)), 0)
    if hop.scheme in ("http", "https"):
        scope["scheme"] = hop.scheme if scope["type"] == "http" else hop.scheme.replace("http", "ws")
    if _HOST.fullmatch(hop.host):
        others = [header for header in scope["headers"] if header[0] != b"host"]
        scope["headers"] = [(b"host", hop.host.encode()), *others]


def _x_forwarded(headers: Sequence[Header]) -> list[Hop]:
    clients, schemes, names = (_listed(headers, b"x-forwarded-" + part) for part in (b"for", b"proto", b"host"))

    def beside(values: list[str], position: int) -> str:
        """Few proxies make a list of these: then the nearest one's word is for all."""
        return values[position] if len(values) == len(clients) else (values or [""])[-1]

    return [
        Hop(_node(client), beside(schemes, position).lower(), beside(names, position))
        for position, client in enumerate(clients)
    ]


def _forwarded(text: str) -> list[Hop]:
    """The elements of a `Forwarded` header; none of one that is malformed."""
    elements: list[dict[str, str]] = [{}]
    position = 0
    while position < len(text):
        if not (pair := _PAIR.match(text, position)):
            return []
        name, quoted, token, separator = pair.groups()
        elements[-1][name.lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        if separator == ",":
            elements.append({})
        position = pair.end()
    return [
        Hop(_node(element["for"]), element.get("proto", "").lower(), element.get("host", ""))
        for element in elements
        if "for" in element
    ]


def _joined(headers: Sequence[Header], name: bytes) -> str:
    return b",".join(value for key, value in headers if key == name).decode("latin-1")


def _listed(headers: Sequence[Header], name: bytes) -> list[str]:
    return [part for text in _joined(headers, name).split(",") if (part := text.strip())]


def _node(text: str) -> str:
    """An address without its port and brackets; anything else as it is."""
    match = _NODE.fullmatch(text)
    return (match[1] or match[2] or match[3]) if match else text
