"""What calls of providers have in common, before their protocols differ."""

from fastapi import Request
from starlette.requests import ClientDisconnect

LONGEST = 64 * 1024
"""Bytes of a body; what providers send is a hundredth of it."""


def caller(request: Request) -> str | None:
    """The address that called. Only the gateway reaches a service, and it writes this header anew."""
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    return forwarded or (request.client.host if request.client else None)


async def read_body(request: Request) -> bytes:
    """The body; empty, which no protocol takes, where it is too long or breaks off."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST:
                return b""
    except ClientDisconnect:
        return b""
    return bytes(body)
