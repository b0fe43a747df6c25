"""HTTP through the gateway: streamed both ways, nothing held back, nothing kept."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

import httpx
import structlog
from starlette.types import Receive, Scope, Send

from gateway.config import GatewaySettings
from gateway.headers import header, request_headers, response_headers
from gateway.upstream import GatewayTimeout, Upstream
from shared.errors import MarketplaceError
from shared.http.problems import problem_of, problem_response

METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

log = structlog.get_logger()


class Proxy:
    """Plain ASGI: passes a request on to the upstream of `scope["route"]`, and its response back as it arrives."""

    def __init__(self, upstreams: Mapping[str, Upstream], settings: GatewaySettings) -> None:
        self._upstreams = upstreams
        self._patience = settings.upstream_timeout.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in METHODS:  # CONNECT and TRACE speak to the hop itself
            return await _method_not_allowed(scope, receive, send)
        upstream = self._upstreams[scope["route"].service]
        client = _Client(receive, self._patience)
        body = client if _has_body(scope) else None
        request = upstream.request(scope["method"], request_target(scope), request_headers(scope), body)
        begun = False
        watch = asyncio.create_task(client.watch(after_body=body is not None))
        try:
            async with client.deadline, upstream.exchange(request) as response:
                headers = response_headers(response.status_code, response.headers.raw)
                begun = True
                await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
                async for chunk in response.aiter_raw():
                    await client.take(send, chunk)
            watch.cancel()  # before the end: after it, servers say that the client has left
            await send({"type": "http.response.body"})
        except (MarketplaceError, TimeoutError, httpx.TransportError) as error:
            if client.left:
                log.info("client_left", upstream=upstream.service)
            elif begun:
                # Returning in mid-response makes the server end the connection, so the client sees that it was cut.
                log.warning("upstream_broke_off", upstream=upstream.service, error=repr(error))
            else:
                await problem_of(_refusal(error, upstream), scope["path"])(scope, receive, send)
        finally:
            watch.cancel()


class _Client(httpx.AsyncByteStream):
    """The client's end of an exchange: the body that it sends, and then the news that it has left.

    `deadline` runs only while the upstream is awaited, never while the client is; it also ends the exchange of a
    client that has left.
    """

    def __init__(self, receive: Receive, patience: float) -> None:
        self._receive, self._patience = receive, patience
        self._body_ended = asyncio.Event()
        self.deadline = asyncio.timeout(patience)
        self.left = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            self._await_at_most(None)
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._leave()
                await asyncio.Event().wait()  # until the exchange is cancelled: what came is no whole body
            self._await_at_most(self._patience)
            more = message.get("more_body", False)
            if chunk := message.get("body"):
                yield chunk
        self._body_ended.set()

    async def watch(self, *, after_body: bool) -> None:
        """End the exchange when the client leaves."""
        if after_body:
            await self._body_ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    async def take(self, send: Send, chunk: bytes) -> None:
        self._await_at_most(None)
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._await_at_most(self._patience)

    def _await_at_most(self, seconds: float | None) -> None:
        if not self.deadline.expired():
            self.deadline.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)

    def _leave(self) -> None:
        self.left = True
        self._await_at_most(0)


def request_target(scope: Scope) -> bytes:
    """Path and query exactly as the client wrote them."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _has_body(scope: Scope) -> bool:
    length = header(scope["headers"], b"content-length")
    return header(scope["headers"], b"transfer-encoding") is not None or length not in (None, b"0")


def _refusal(error: Exception, upstream: Upstream) -> MarketplaceError:
    if isinstance(error, MarketplaceError):
        return error
    log.warning("upstream_timed_out", upstream=upstream.service)
    return GatewayTimeout(f"The {upstream.service} service did not answer in time.")


async def _method_not_allowed(scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem_response(
        405,
        slug="method-not-allowed",
        title="Method Not Allowed",
        detail=f"{scope['method']} is not passed on.",
        path=scope["path"],
        headers={"Allow": ", ".join(METHODS)},
    )
    await answer(scope, receive, send)
