"""A service as the gateway sees it: an address, connections of its own, and the ways in which it can fail."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiohttp
import httpx
import structlog
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream
from multidict import CIMultiDict
from websockets.exceptions import InvalidHandshake, InvalidStatus
from yarl import URL

from gateway.config import GatewaySettings
from gateway.headers import Header
from shared.errors import MarketplaceError, Unavailable

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

log = structlog.get_logger()


class BadGateway(MarketplaceError):
    status = 502
    slug, title = "bad-gateway", "Bad gateway"


class GatewayTimeout(MarketplaceError):
    status = 504
    slug, title = "gateway-timeout", "Gateway time-out"


class Upstream:
    """One service. At most `upstream_connections` requests are with it at once, so a slow one takes only its own."""

    def __init__(self, service: str, settings: GatewaySettings) -> None:
        self.service, self.url = service, settings.upstream_url(service)
        self._url = httpx.URL(self.url)
        self._connect_timeout = settings.upstream_connect_timeout.total_seconds()
        self._slots = asyncio.Semaphore(settings.upstream_connections)
        self._transport = ProxyTransport(keep_alive=settings.upstream_keep_alive.total_seconds())

    def request(
        self, method: str, target: bytes, headers: list[Header], body: httpx.AsyncByteStream | None = None
    ) -> httpx.Request:
        """A request for exactly `target`, the path and query as they stand on the wire."""
        extensions = {"target": target, "timeout": {"connect": self._connect_timeout}}
        return httpx.Request(method, self._url, headers=headers, stream=body, extensions=extensions)

    @asynccontextmanager
    async def exchange(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """Send `request`, and give the response as soon as it begins; its body is still to be read.

        Raises Unavailable, BadGateway or GatewayTimeout if it does not begin.
        """
        async with self._slot():
            response = await self._begin(request)
            try:
                yield response
            finally:
                await response.aclose()

    async def close(self) -> None:
        await self._transport.aclose()

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._slots.acquire()
        except TimeoutError:
            log.warning("upstream_busy", upstream=self.service)
            raise Unavailable(f"The {self.service} service has all it can do.") from None
        try:
            yield
        finally:
            self._slots.release()

    async def _begin(self, request: httpx.Request) -> httpx.Response:
        with self.failures():
            try:
                return await self._transport.handle_async_request(request)
            except httpx.TransportError as error:
                if not _may_be_sent_again(request, error):
                    raise
                return await self._transport.handle_async_request(request)

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Turn the ways in which an exchange can fail to begin into what the client is told."""
        try:
            yield
        except InvalidStatus:
            raise  # a refused handshake is an answer
        except (httpx.TimeoutException, TimeoutError) as error:
            log.warning("upstream_timed_out", upstream=self.service, error=repr(error))
            raise GatewayTimeout(f"The {self.service} service did not answer in time.") from error
        except (httpx.ConnectError, OSError) as error:
            log.warning("upstream_away", upstream=self.service, error=repr(error))
            raise Unavailable(f"The {self.service} service is away for now.") from error
        except (httpx.TransportError, InvalidHandshake) as error:
            log.warning("upstream_broke", upstream=self.service, error=repr(error))
            raise BadGateway(f"The {self.service} service gave no valid answer.") from error


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
        with _as_httpx_errors():
            response = await self.client.request(
                request.method,
                URL(origin + target.decode("ascii"), encoded=True),
                headers=CIMultiDict(request.headers.multi_items()),
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


def _may_be_sent_again(request: httpx.Request, error: httpx.TransportError) -> bool:
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
