"""What the routes that providers call have in common."""

from starlette.requests import ClientDisconnect, Request

from services.payments.providers.addresses import may_call, parse_networks

BODY_LIMIT = 64 * 1024
"""Bytes. The largest call that is documented has less than two thousand."""


def comes_from(request: Request, allowed: tuple[str, ...]) -> bool:
    """Whether the caller's address is allowed. Only the gateway reaches a service, and it writes the header anew."""
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    address = forwarded or (request.client.host if request.client else None)
    return may_call(address, parse_networks(allowed))


async def read_body(request: Request) -> bytes:
    """The body; nothing where it is larger than any call, or does not come whole."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_LIMIT:
                return b""
    except ClientDisconnect:
        return b""
    return bytes(body)
