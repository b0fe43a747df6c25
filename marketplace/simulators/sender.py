"""Sending one call in each of those ways."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from marketplace.simulators.delivery import Delivery

PATIENCE = 30.0
"""Seconds that an answer may take."""


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


class Sender:
    """Sends requests; `pause` is the delay, in seconds, of what is slow."""

    def __init__(self, *, pause: float = 1.0) -> None:
        self._pause = pause
        # No environment proxies: the address is the one that was given.
        self._http = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)

    async def send(self, request: Request, delivery: Delivery = Delivery.ONCE) -> list[httpx.Response]:
        """The answers that arrived, in the order of the calls."""
        match delivery:
            case Delivery.ONCE:
                return [await self._send(request)]
            case Delivery.TWICE:
                return [await self._send(request), await self._send(request)]
            case Delivery.LOST | Delivery.DROPPED:
                await _hang_up(request, wait=delivery is Delivery.LOST)
                return [await self._send(request)]
            case Delivery.SLOW:
                return [await self._send_slowly(request)]
            case Delivery.PARALLEL:
                return list(await asyncio.gather(self._send(request), self._send(request)))

    async def close(self) -> None:
        await self._http.aclose()

    async def _send(self, request: Request) -> httpx.Response:
        return await self._http.request(
            request.method, request.url, headers=dict(request.headers), content=request.body
        )

    async def _send_slowly(self, request: Request) -> httpx.Response:
        middle = len(request.body) // 2

        async def halves() -> AsyncIterator[bytes]:
            yield request.body[:middle]
            await asyncio.sleep(self._pause)
            yield request.body[middle:]

        headers = {**request.headers, "Content-Length": str(len(request.body))}
        return await self._http.request(request.method, request.url, headers=headers, content=halves())


async def _hang_up(request: Request, *, wait: bool) -> None:
    """Send the request and read no answer; `wait` for its first byte: then it was worked on, and its effect is kept."""
    url = urlsplit(request.url)
    tls = ssl.create_default_context() if url.scheme == "https" else None
    port = url.port or (443 if tls else 80)
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(url.hostname, port, ssl=tls)
        try:
            headers = {**request.headers, "Host": url.netloc, "Content-Length": str(len(request.body))}
            target = f"{url.path}?{url.query}" if url.query else url.path
            head = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
            writer.write("\r\n".join([*head, "", ""]).encode() + request.body)
            await writer.drain()
            if wait:
                await reader.read(1)
        finally:
            writer.close()
