"""HTTP through the gateway: streamed both ways, nothing held back, nothing kept."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

import httpx
import structlog
from starlette.types import Message, Receive, Scope, Send

from gateway.config import GatewaySettings
from gateway.headers import header, request_headers, response_headers
from gateway.upstream import GatewayTimeout, Upstream
from shared.errors import MarketplaceError
from shared.http.problems import problem_of

METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
READ_AHEAD: Final = 64 * 1024
"""Bytes of a body that are awaited before an upstream is asked: whoever drips a small one keeps nobody's place."""

log = structlog.get_logger()


class MethodNotAllowed(MarketplaceError):
    status = 405
    slug, title = "method-not-allowed", "Method Not Allowed"


class ContentTooLarge(MarketplaceError):
    status = 413
    slug, title = "content-too-large", "Content too large"


class Proxy:
    """Plain ASGI: passes a request on to the upstream of `scope["route"]`, and its response back as it arrives."""

    def __init__(self, upstreams: Mapping[str, Upstream], settings: GatewaySettings) -> None:
        self._upstreams, self._settings = upstreams, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in METHODS:  # CONNECT and TRACE speak to the hop itself
            error = MethodNotAllowed(f"{scope['method']} is not passed on.", headers={"Allow": ", ".join(METHODS)})
            return await problem_of(error, scope["path"])(scope, receive, send)
        upstream = self._upstreams[scope["route"].service]
        client = _Client(receive, self._settings)
        length = header(scope["headers"], b"content-length") or b"0"
        if int(length) > self._settings.max_body_size:
            return await self._too_large(scope, receive, send)
        body = client if int(length) or header(scope["headers"], b"transfer-encoding") else None
        if body and not await client.begins():
            return None
        request = upstream.request(scope["method"], request_target(scope), request_headers(scope), body)
        begun = False
        watch = asyncio.create_task(client.watch(after_body=body is not None))
        try:
            exchange = upstream.exchange(request, client.kept_waiting, uploading=client.is_uploading)
            async with client.deadline, exchange as response:
                headers = response_headers(response.status_code, response.headers.raw)
                begun = True
                await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
                async for chunk in response.aiter_raw():
                    await client.take(send, chunk)
            watch.cancel()  # before the end: after it, servers say that the client has left
            await send({"type": "http.response.body"})
        except (MarketplaceError, TimeoutError, httpx.TransportError) as error:
            if client.is_to_blame:
                log.info("client_left", upstream=upstream.service, taking=begun)
            elif begun:
                # Returning in mid-response makes the server end the connection, so the client sees that it was cut.
                log.warning("upstream_broke_off", upstream=upstream.service, error=repr(error))
            elif client.sent_too_much:
                await self._too_large(scope, receive, send)
            else:
                await problem_of(_refusal(error, upstream), scope["path"])(scope, receive, send)
        finally:
            watch.cancel()

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, and end the connection: what is still to come of the body would have to be read to its end."""
        detail = f"A body has at most {self._settings.max_body_size} bytes."
        error = ContentTooLarge(detail, headers={"Connection": "close"})
        await problem_of(error, scope["path"])(scope, receive, send)


class _Client(httpx.AsyncByteStream):
    """The client's end of an exchange: the body that it sends, and then the news that it has left.

    `deadline` runs only while the upstream is awaited, or the client's taking of what it was sent; it also ends the
    exchange of a client that has left, or has sent more than it may: the upstream sees no whole body then.
    """

    def __init__(self, receive: Receive, settings: GatewaySettings) -> None:
        self._receive = receive
        self._patience = settings.upstream_timeout.total_seconds()
        self._send_timeout = settings.client_send_timeout.total_seconds()
        self._most = settings.max_body_size
        self._ahead: list[Message] = []
        self._body_ended = asyncio.Event()
        self.deadline = asyncio.timeout(self._patience)
        self._left = self._taking = False
        self.sent_too_much = False

    async def begins(self) -> bool:
        """Wait for the body, or for much of it, so that no place is taken before. False if the client leaves."""
        size, more = 0, True
        while more and size < READ_AHEAD:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return False
            self._ahead.append(message)
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        self.deadline = asyncio.timeout(self._patience)  # the service's time, of which the client has spent none
        return True

    @property
    def is_uploading(self) -> bool:
        """Whether there is more of the body than has been read ahead."""
        return bool(self._ahead and self._ahead[-1].get("more_body"))

    @property
    def is_to_blame(self) -> bool:
        """Whether it left, or took nothing of the answer for too long."""
        return self._left or self._taking

    def kept_waiting(self) -> bool:
        """Whether the exchange was ended because the upstream took too long."""
        return self.deadline.expired() and not (self.is_to_blame or self.sent_too_much)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, more = 0, True
        ahead = iter(self._ahead)
        self._ahead = []
        while more:
            if (message := next(ahead, None)) is None:
                self._await_at_most(None)
                message = await self._receive()
                self._await_at_most(self._patience)
            size += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or size > self._most:
                self._end(too_much=size > self._most)
                await asyncio.Event().wait()  # until the exchange is cancelled
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
        self._end()

    async def take(self, send: Send, chunk: bytes) -> None:
        self._await_at_most(self._send_timeout)
        self._taking = True
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._taking = False
        self._await_at_most(self._patience)

    def _end(self, *, too_much: bool = False) -> None:
        self._await_at_most(0)
        self.sent_too_much, self._left = too_much, not too_much

    def _await_at_most(self, seconds: float | None) -> None:
        if not (self._left or self.sent_too_much or self.deadline.expired()):
            self.deadline.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)


def request_target(scope: Scope) -> bytes:
    """Path and query exactly as the client wrote them."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _refusal(error: Exception, upstream: Upstream) -> MarketplaceError:
    if isinstance(error, MarketplaceError):
        return error
    log.warning("upstream_timed_out", upstream=upstream.service)
    return GatewayTimeout(f"The {upstream.service} service did not answer in time.")
