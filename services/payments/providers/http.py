"""Calling a provider: how long, how often, and what it means when no answer comes."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import aiohttp
import httpx
import structlog
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient

from services.payments.providers import OutcomeUnknown

CONNECT, TOTAL = 1.0, 10.0
"""Seconds to connect, and for a call with all its tries."""
TRIES = 3
"""Of a call that changes nothing."""

log = structlog.get_logger("payments")


class Refused(Exception):
    """The provider answered that it did not do it; `code` is its own."""

    def __init__(self, code: int, note: str = "") -> None:
        super().__init__(f"{code} {note}".rstrip())
        self.code, self.note = code, note


class ProviderHttp:
    """Connections to one provider. Anything but an answer that can be read raises `OutcomeUnknown`."""

    def __init__(self, base_url: str, *, total: float = TOTAL) -> None:
        self._base_url, self._total = base_url.rstrip("/"), total
        self._http = HttpxAiohttpClient(transport=_Transport(), timeout=httpx.Timeout(total, connect=CONNECT))

    async def ask(
        self, method: str, path: str, *, safe: bool, headers: Mapping[str, str], json: Any = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer. A `safe` call, which changes nothing, is tried again where that may help."""
        try:
            async with asyncio.timeout(self._total):
                for tries_left in reversed(range(TRIES if safe else 1)):
                    try:
                        return await self._ask_once(method, path, headers, json)
                    except OutcomeUnknown:
                        if not tries_left:
                            raise
                    await asyncio.sleep(random.uniform(0.1, 0.3))  # noqa: S311 - jitter, no secret
        except TimeoutError as error:
            raise OutcomeUnknown(f"no answer within {self._total:g} s") from error
        raise AssertionError("the last try returns or raises")

    async def _ask_once(
        self, method: str, path: str, headers: Mapping[str, str], json: Any
    ) -> tuple[int, dict[str, Any]]:
        try:
            answer = await self._http.request(method, self._base_url + path, headers=dict(headers), json=json)
            body = answer.json()
        except (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError) as error:
            # Also where the connection failed: the transport does not tell that from one that broke in the middle.
            log.warning("provider_gave_no_answer", url=self._base_url, error=type(error).__name__)
            raise OutcomeUnknown(f"no answer that can be read: {type(error).__name__}") from error
        if answer.is_server_error or not isinstance(body, dict):
            log.warning("provider_gave_no_answer", url=self._base_url, status=answer.status_code)
            raise OutcomeUnknown(f"no answer that can be read: status {answer.status_code}")
        return answer.status_code, body

    async def close(self) -> None:
        await self._http.aclose()


class _Transport(AiohttpTransport):
    def get_client(self) -> aiohttp.ClientSession:
        session = super().get_client()
        # aiohttp by itself would send a DELETE again when a kept connection breaks: two reversals.
        session._retry_connection = False
        return session
