"""What of a message's headers goes on to the next hop, in both directions."""

from collections.abc import Iterable, Iterator

from starlette.types import Scope

from shared.observability.context import current_request_id, current_traceparent

Header = tuple[bytes, bytes]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Made anew on each hop, or only to be believed when a hop of ours said it.
_NOT_FROM_CLIENTS = frozenset({b"expect", b"forwarded", b"host", b"traceparent", b"x-real-ip", b"x-request-id"})
_NOT_FROM_CLIENTS_PREFIXES = (b"x-forwarded-", b"x-user-")
# Our own server and RequestMiddleware say these.
_NOT_FROM_UPSTREAMS = frozenset({b"date", b"server", b"x-content-type-options", b"x-request-id"})


def header(headers: Iterable[Header], name: bytes) -> bytes | None:
    return next((value for key, value in headers if key == name), None)


def request_headers(scope: Scope) -> list[Header]:
    """What an upstream is told: the client's end-to-end headers, and who asked by which way."""
    kept = [
        (name, value)
        for name, value in _end_to_end(scope["headers"])
        if name not in _NOT_FROM_CLIENTS and not name.startswith(_NOT_FROM_CLIENTS_PREFIXES)
    ]
    return [*kept, *_forwarded(scope), *_named()]


def response_headers(status: int, headers: Iterable[Header]) -> list[Header]:
    """What a client is told. Duplicates stay (`Set-Cookie`)."""
    dropped = _NOT_FROM_UPSTREAMS | ({b"content-length"} if status in (204, 304) else set())  # these have no body
    return [(name, value) for name, value in _end_to_end(headers) if name not in dropped]


def _end_to_end(headers: Iterable[Header]) -> Iterator[Header]:
    lowered = [(name.lower(), value) for name, value in headers]
    named = {token.strip().lower() for name, value in lowered if name == b"connection" for token in value.split(b",")}
    # A length beside chunks is how requests are smuggled; and no one may make us forget a length by naming it.
    chunked = any(name == b"transfer-encoding" for name, _ in lowered)
    dropped = HOP_BY_HOP | (named - {b"content-length"}) | ({b"content-length"} if chunked else set())
    return ((name, value) for name, value in lowered if name not in dropped)


def _named() -> Iterator[Header]:
    """The request, and its place in its trace."""
    yield b"x-request-id", current_request_id().encode()
    if traceparent := current_traceparent():
        yield b"traceparent", traceparent.encode()


def _forwarded(scope: Scope) -> Iterator[Header]:
    client = scope["client"][0].encode() if scope.get("client") else b"unknown"
    scheme = b"https" if scope["scheme"] in ("https", "wss") else b"http"
    host = header(scope["headers"], b"host") or b""
    node = b'"[%b]"' % client if b":" in client else client
    quoted = host.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    yield b"x-forwarded-for", client
    yield b"x-forwarded-host", host
    yield b"x-forwarded-proto", scheme
    yield b"forwarded", b'for=%b;host="%b";proto=%b' % (node, quoted, scheme)
