"""Asking another service's `/internal/`: one short call, where a copy is missing or would make us refuse."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import structlog
from httpx_aiohttp import HttpxAiohttpClient

from shared.auth.service_tokens import issue_service_token
from shared.config import ServiceSettings
from shared.db import Session, release
from shared.errors import Unavailable
from shared.http.limits import IDLE
from shared.observability.context import current_request_id, current_traceparent

log = structlog.get_logger()


class OwnerAway(Unavailable):
    """The owner could not say in time. A copy that is there decides; where there is none, nobody can tell."""


class InternalClient:
    """Asks with a token of its own for each target."""

    def __init__(self, service: str, settings: ServiceSettings) -> None:
        self._service = service
        self._secret = settings.internal_secret.get_secret_value()
        urls = {
            "accounts": settings.accounts_url,
            "catalog": settings.catalog_url,
            "orders": settings.orders_url,
            "payments": settings.payments_url,
            "notifications": settings.notifications_url,
        }
        self._urls = {owner: [url.strip() for url in several.split(",")] for owner, several in urls.items()}
        self._http = HttpxAiohttpClient(
            timeout=settings.internal_timeout.total_seconds(), limits=httpx.Limits(keepalive_expiry=IDLE)
        )

    async def find(self, target: str, path: str, *, patience: timedelta | None = None) -> dict[str, Any] | None:
        """The JSON at `path` of service `target`; None where it has no such thing. Raises `OwnerAway`.

        It is given `patience` to answer, else the half second of `INTERNAL_TIMEOUT`.
        """
        timeout = httpx.USE_CLIENT_DEFAULT if patience is None else httpx.Timeout(patience.total_seconds())
        token = issue_service_token(self._secret, self._service, target)
        headers = {"Authorization": f"Bearer {token}", "X-Request-ID": current_request_id()}
        if traceparent := current_traceparent():
            headers["traceparent"] = traceparent
        try:
            answer = await self._get(target, path, headers=headers, timeout=timeout)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return None
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning("owner_is_away", target=target, path=path, error=repr(error))
            raise OwnerAway("This can't be looked up for the moment: please try again.") from error
        return found

    async def ask_owner(
        self, session: Session, target: str, path: str, *, copy: object | None
    ) -> dict[str, Any] | None:
        """What the owner says of a thing of which our `copy` is missing or would make us refuse.

        None where it has no such thing, or is away and the copy has to decide. Raises `OwnerAway` where there is no
        copy either. The session's connection is given back first: a slow owner must not use up the pool.
        """
        await release(session)
        try:
            return await self.find(target, path)
        except OwnerAway:
            if copy is None:
                raise
            return None

    async def key_set(self) -> dict[str, Any]:
        """Accounts' public keys. Raises `httpx.HTTPError`."""
        answer = await self._get("accounts", "/.well-known/jwks.json", timeout=2)
        answer.raise_for_status()
        keys: dict[str, Any] = answer.json()
        return keys

    async def _get(self, target: str, path: str, **options: Any) -> httpx.Response:
        """By the first instance that there is a connection to."""
        *before, last = self._urls[target]
        for url in before:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._http.get(url + path, **options)
        return await self._http.get(last + path, **options)

    async def close(self) -> None:
        await self._http.aclose()
