"""A service as the gateway sees it: an address, connections of its own, and the ways in which it can fail."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final, TypeVar

import aiohttp
import httpx
import orjson
import structlog
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream
from multidict import CIMultiDict
from websockets.exceptions import InvalidStatus
from yarl import URL

from gateway.config import GatewaySettings
from gateway.discovery import keep_finding
from gateway.headers import Header
from gateway.pool import FAILURES, Instance, Kind, Pool, attempt
from shared.errors import MarketplaceError, Unavailable
from shared.observability.context import current_request_id

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_NO_INSTANCE_YET: Final = httpx.URL("http://instance")
_SAYS_WITHIN: Final = 3.0
"""Seconds that a service has to say something of itself."""
NOT_HAD: Final = (MarketplaceError, httpx.HTTPError, TimeoutError, ValueError)
"""Why something that a service says of itself could not be had."""
T = TypeVar("T")

log = structlog.get_logger()


class BadGateway(MarketplaceError):
    status = 502
    slug, title = "bad-gateway", "Bad gateway"


class GatewayTimeout(MarketplaceError):
    status = 504
    slug, title = "gateway-timeout", "Gateway time-out"


class Upstream:
    """One service. At most `upstream_connections` requests are with it at once, so a slow one takes only its own; of
    these at most a fifth have bodies that are still coming, so that slow clients leave the others room."""

    def __init__(self, service: str, settings: GatewaySettings) -> None:
        self.service = service
        self._urls = settings.upstream_urls(service)
        self._pool = Pool(service, self._urls, settings.breaker)
        self._refresh, self._failed = settings.upstream_refresh.total_seconds(), asyncio.Event()
        self._connect_timeout = settings.upstream_connect_timeout.total_seconds()
        self._slots = asyncio.Semaphore(settings.upstream_connections)
        self._uploads = asyncio.Semaphore(max(1, settings.upstream_connections // 5))
        self._sockets, self._most_sockets = 0, settings.upstream_sockets
        self._transport = ProxyTransport(keep_alive=settings.upstream_keep_alive.total_seconds())

    def request(
        self, method: str, target: bytes, headers: list[Header], body: httpx.AsyncByteStream | None = None
    ) -> httpx.Request:
        """A request for exactly `target`, the path and query as they stand on the wire."""
        extensions = {"target": target, "timeout": {"connect": self._connect_timeout}}
        return httpx.Request(method, _NO_INSTANCE_YET, headers=headers, stream=body, extensions=extensions)

    @asynccontextmanager
    async def exchange(
        self, request: httpx.Request, timed_out: Callable[[], bool] = lambda: False, *, uploading: bool = False
    ) -> AsyncIterator[httpx.Response]:
        """Send `request`, and give the response as soon as it begins; its body is still to be read.

        `timed_out` says of a cancellation whether it came because the service took too long, `uploading` that the body
        is still coming. Raises Unavailable, BadGateway or GatewayTimeout if the response does not begin.
        """

        async def send(instance: Instance) -> httpx.Response:
            request.url = instance.url
            return await self._transport.handle_async_request(request)

        async with AsyncExitStack() as places:
            if uploading:
                await places.enter_async_context(self._place(self._uploads))
            await places.enter_async_context(self._place(self._slots))
            response, instance = await self._ask("exchanges", send, partial(_may_be_sent_again, request), timed_out)
            try:
                yield response
            finally:
                instance.load["exchanges"] -= 1
                await response.aclose()

    @asynccontextmanager
    async def socket(self, connect: Callable[[Instance], Awaitable[T]]) -> AsyncIterator[T]:
        """The connection that `connect` makes to an instance. There are at most `upstream_sockets`.

        Raises Unavailable, BadGateway or GatewayTimeout if there is none, and InvalidStatus if it was refused.
        """
        if self._sockets >= self._most_sockets:
            raise self._full()
        self._sockets += 1
        try:
            connection, instance = await self._ask("sockets", connect, _never_reached)
            try:
                yield connection
            finally:
                instance.load["sockets"] -= 1
        finally:
            self._sockets -= 1

    async def said_at(self, path: bytes) -> Any:
        """The JSON that the service itself says at `path`. Raises one of `NOT_HAD`."""
        request = self.request("GET", path, [(b"x-request-id", current_request_id().encode())])
        async with asyncio.timeout(_SAYS_WITHIN), self.exchange(request) as response:
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"status {response.status_code}")
            return orjson.loads(await response.aread())

    async def keep_finding(self) -> None:
        """Keep its instances those that its names lead to; runs until cancelled."""
        await keep_finding(self._pool, self._urls, self._refresh, self._failed)

    async def close(self) -> None:
        await self._transport.aclose()

    @asynccontextmanager
    async def _place(self, places: asyncio.Semaphore) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._connect_timeout):
                await places.acquire()
        except TimeoutError:
            raise self._full() from None
        try:
            yield
        finally:
            places.release()

    def _full(self) -> Unavailable:
        log.warning("upstream_busy", upstream=self.service)
        return Unavailable(f"The {self.service} service has all it can do.")

    async def _ask(
        self,
        kind: Kind,
        ask: Callable[[Instance], Awaitable[T]],
        may_be_repeated: Callable[[Exception], bool],
        timed_out: Callable[[], bool] = lambda: False,
    ) -> tuple[T, Instance]:
        """What `ask` got, and of which instance; of another one, once, where it failed and may be repeated."""
        instance = self._pool.choose(kind)
        try:
            try:
                return await attempt(instance, kind, ask, timed_out), instance
            except FAILURES as error:
                self._failed.set()
                if not may_be_repeated(error):
                    raise
            instance = self._pool.choose(kind, instead_of=instance)
            return await attempt(instance, kind, ask, timed_out), instance
        except InvalidStatus:
            raise  # a refused handshake is an answer
        except FAILURES as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> MarketplaceError:
        """What the client is told of the way in which an exchange failed to begin."""
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            log.warning("upstream_timed_out", upstream=self.service, error=repr(error))
            return GatewayTimeout(f"The {self.service} service did not answer in time.")
        if isinstance(error, httpx.ConnectError | OSError):
            log.warning("upstream_away", upstream=self.service, error=repr(error))
            return Unavailable(f"The {self.service} service is away for now.")
        log.warning("upstream_broke", upstream=self.service, error=repr(error))
        return BadGateway(f"The {self.service} service gave no valid answer.")


class ProxyTransport(AiohttpTransport):
    """httpx-aiohttp's transport with what a proxy needs beside.

    It honours httpx's request extension `target`, where the original lets yarl rewrite escapes in the URL; it adds no
    header, keeps no cookie and repeats nothing by itself; and it tells a server that hung up (RemoteProtocolError, the
    request may have been worked on) from one that was never reached (ConnectError, ConnectTimeout).
    """

    def __init__(self, *, keep_alive: float) -> None:
        # The session has a TLS context of its own; the one that is made here by default would take 40 ms, unused.
        super().__init__(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), client=lambda: _session(keep_alive))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = self.get_client()  # here, because it wants the running loop
        timeout = request.extensions.get("timeout", {})
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        target: bytes = request.extensions.get("target", request.url.raw_path)
        headers = CIMultiDict(request.headers.multi_items())
        headers.pop("Host", None)  # httpx's; aiohttp says the one of the URL
        with _as_httpx_errors():
            response = await self.client.request(
                request.method,
                URL(origin + target.decode("ascii"), encoded=True),
                headers=headers,
                data=_body(request),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=timeout.get("connect"), sock_read=timeout.get("read")),
            )
        if response.status < httpx.codes.OK:
            response.close()
            raise httpx.RemoteProtocolError(f"status {response.status}, which nobody asked for")
        return httpx.Response(response.status, headers=response.raw_headers, stream=AiohttpResponseStream(response))


def _session(keep_alive: float) -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=keep_alive),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        auto_decompress=False,
    )
    # What is sent twice is decided in one place, `_may_be_sent_again`; aiohttp would also repeat a PUT or DELETE.
    session._retry_connection = False
    return session


def _body(request: httpx.Request) -> httpx.AsyncByteStream | bytes | None:
    if isinstance(request.stream, httpx.AsyncByteStream) and not isinstance(request.stream, httpx.ByteStream):
        return request.stream
    return request.content or None


def _never_reached(error: Exception) -> bool:
    return isinstance(error, OSError) and not isinstance(error, TimeoutError)


def _may_be_sent_again(request: httpx.Request, error: Exception) -> bool:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return True  # nothing of it was sent
    return request.method in SAFE_METHODS and isinstance(request.stream, httpx.ByteStream)


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except aiohttp.ServerTimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(str(error)) from error
    except aiohttp.ClientOSError as error:
        raise httpx.NetworkError(str(error)) from error
    except aiohttp.ClientError as error:  # hung up, or said what is not HTTP
        raise httpx.RemoteProtocolError(repr(error)) from error
