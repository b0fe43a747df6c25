"""What routes of accounts depend on."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from services.accounts.service.identity import Device, Identity


async def _identity(request: Request) -> Identity:
    identity: Identity = request.app.state.identity
    return identity


async def _device(request: Request) -> Device:
    """Only the gateway reaches a service, and it writes this header anew."""
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    address = forwarded or (request.client.host if request.client else None)
    return Device(address, request.headers.get("user-agent", "")[:300])


async def _room(identity: Annotated[Identity, Depends(_identity)]) -> AsyncIterator[None]:
    with identity.passwords.room():
        yield


Credentials = Annotated[Identity, Depends(_identity)]
FromDevice = Annotated[Device, Depends(_device)]
hashes_a_password = Depends(_room)
"""For routes that run Argon2: so many at once, and no more."""
