"""Headers by which browsers treat our answers as what they are: data, unless the answer says otherwise itself."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.headers import Header

_ALWAYS: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_HSTS: Header = (b"strict-transport-security", b"max-age=31536000")
_OURS_ALONE: Header = (b"cross-origin-resource-policy", b"same-origin")  # answers to CORS are not touched by it
_FOR_ANY_PAGE: Header = (b"cross-origin-resource-policy", b"cross-origin")
_NO_STORE: Header = (b"cache-control", b"no-store")


class SecurityHeaders:
    """Plain ASGI: adds to each answer what it does not say itself, and takes the server's name out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_secured(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = [header for header in message.get("headers", ()) if header[0] != b"server"]
                said = {name for name, _ in headers}
                headers += [header for header in _defaults(scope) if header[0] not in said]
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send if scope["type"] == "lifespan" else send_secured)


def _of(own: Header, *more: Header) -> tuple[tuple[Header, ...], tuple[Header, ...]]:
    """Without and with TLS."""
    headers = (*_ALWAYS, own, *more)
    return headers, (*headers, _HSTS)


_PICTURES, _SECRETS, _OTHERS = _of(_FOR_ANY_PAGE), _of(_OURS_ALONE, _NO_STORE), _of(_OURS_ALONE)


def _defaults(scope: Scope) -> tuple[Header, ...]:
    path: str = scope["path"]
    if path.startswith("/media/"):
        defaults = _PICTURES
    elif path.startswith(("/api/auth/", "/api/payments/")):
        defaults = _SECRETS
    else:
        defaults = _OTHERS
    return defaults[scope["scheme"] in ("https", "wss")]
