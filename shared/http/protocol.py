"""What uvicorn leaves open: how long, how large and how slow a client may be before it is refused.

llhttp, which reads for us, is strict where requests are smuggled (lengths that differ or stand beside chunks, folded
lines, bare line feeds, control characters: 400); what it lets pass and no honest client sends is refused here.
"""

import asyncio
from functools import partial
from typing import Any

import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.http.limits import FULL, INVALID, LARGE, LARGE_BODY, LEAVING, SLOW, Limits, Refusal, answer, bad_request

log = structlog.get_logger()


class _Refused(Exception):
    """Ends the parser's work in the middle of a feed."""


# What is awaited from the client: a head, the rest of a body, nothing (an answer is being made, or the connection is
# idle); or it is no longer listened to: for what it sent, or because its answer is out and the connection ends.
_HEAD, _BODY, _NOTHING, _DEAF, _LINGERING = range(5)


class _Flow(FlowControl):
    """Knows for how long reading was held back by us: the client can't be blamed for that time."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport)
        self._loop, self._paused_at, self.paused = loop, 0.0, 0.0

    def pause_reading(self) -> None:
        if not self.read_paused:
            self._paused_at = self._loop.time()
        super().pause_reading()

    def resume_reading(self) -> None:
        if self.read_paused:
            self.paused += self._loop.time() - self._paused_at
        super().resume_reading()


class _GentleTransport:
    """Lets the connection of a request with a body end so that an answer before the body's end can be read."""

    def __init__(self, protocol: "BoundedProtocol") -> None:
        self._protocol = protocol
        self.write, self.is_closing = protocol.transport.write, protocol.transport.is_closing

    def close(self) -> None:
        self._protocol.close_gently()


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with `Limits`. One timer a connection, armed at most once a request."""

    def __init__(self, *, limits: Limits, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._awaited = _HEAD
        self._since = self.loop.time()
        self._paused_before = 0.0
        self._unframed = 0  # bytes since the last of a body's content: of a head, of chunks' extensions, of trailers
        self._fed = self._body_size = self._seen_size = self._drained = 0
        self._hosts = 0
        self._length = self._coding = b""
        self._refusal: Refusal | None = None
        self._was_closing = self._is_last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = self._flow = _Flow(transport, self.loop)
        if len(self.connections) > self._limits.connections:
            self._awaited = _DEAF
            self.transport.write(answer(FULL))
            self.transport.close()
        else:
            self._timer = self.loop.call_later(self._limits.head_time, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_timer()

    def data_received(self, data: bytes) -> None:
        if self._awaited >= _DEAF:
            if self._awaited == _LINGERING:  # a client that pours must not keep the loop busy with what is thrown away
                self.flow.pause_reading()
                self.loop.call_later(self._limits.linger_pace, self._read_on)
            return
        if self._awaited == _NOTHING:
            self._await(_HEAD)
        self._fed = len(data)
        self._unframed += self._fed
        super().data_received(data)
        if self._awaited <= _BODY:
            if self._unframed > self._limits.head_size:
                self._refuse(LARGE)
            elif self._timer is None:
                self._timer = self.loop.call_later(self._patience(), self._look)

    def handle_websocket_upgrade(self) -> None:
        if self._is_last:
            self._refuse(LEAVING)
            return
        self._stop_timer()
        super().handle_websocket_upgrade()

    def timeout_keep_alive_handler(self) -> None:
        # A client that has not taken its answer by now would keep a closing connection for ever.
        self.transport.abort() if self.transport.get_write_buffer_size() else self.transport.close()

    def shutdown(self) -> None:
        """End after the request that is under way, or that the client may have sent before it could know of the end."""
        self._is_last = True
        if self._is_answering():
            super().shutdown()
        else:
            self.loop.call_later(self._limits.farewell, self._leave)

    def _leave(self) -> None:
        head_comes = self._awaited == _HEAD and self._unframed > 0
        if not (head_comes or self._is_answering()):
            self.close_gently()

    # The parser's callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._awaited == _NOTHING:  # a pipelined one
            self._await(_HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._awaited != _HEAD:
            return  # a trailer, which must not come to stand among the headers
        name, value = name.lower(), value.rstrip(b" \t")
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length":
            self._length = value
        elif name == b"transfer-encoding":
            self._coding = value
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._awaited >= _DEAF:
            raise _Refused
        has_body = bool(self._coding or self._length.strip(b"0"))
        if refusal := self._wrong_with_head(has_body):
            self._refusal = refusal
            raise _Refused
        super().on_headers_complete()
        if self._is_last and self.cycle:
            self.cycle.keep_alive = False
        self._unframed = self._hosts = 0
        self._awaited = _BODY
        if has_body:
            self._await(_BODY)
            self._length = self._coding = b""
            self._body_size = self._drained = 0
            self._seen_size = -1
            if self.cycle:
                self.cycle.transport = _GentleTransport(self)  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        self._unframed = 0
        self._body_size += len(body)
        if self._body_size > self._limits.body_size and not self.cycle.response_complete:
            if self._awaited == _BODY:
                self._refuse(LARGE_BODY)
            return
        if self.cycle.response_complete:
            self._drained += len(body)
            if self._awaited == _BODY and self._drained > self._limits.drain:
                self.close_gently()
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._awaited == _BODY:
            self._awaited = _NOTHING
        self._unframed = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self._awaited == _DEAF and not self.pipeline:
            self.transport.close()
        if self._awaited != _LINGERING:
            super().on_response_complete()

    def _wrong_with_head(self, has_body: bool) -> Refusal | None:
        limit = self._limits.head_size
        if self._unframed + self._fed > limit and self._head_size() > limit:
            return LARGE
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            return bad_request("This version of HTTP is not spoken here.")
        if self._hosts > 1 or (not self._hosts and version == "1.1"):
            return bad_request("There must be one Host header.")
        if self._coding and (self._coding.lower() != b"chunked" or version == "1.0"):
            return bad_request("The only transfer coding is chunked, in HTTP/1.1.")
        if self.parser.should_upgrade() and (has_body or self._is_answering()):
            # The parser would take the body for what the connection is upgraded to, or the next request.
            return bad_request("A request to upgrade has no body, and follows an answer.")
        return None

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    # Ends

    def send_400_response(self, msg: str) -> None:
        if self._awaited < _DEAF:
            self._refuse(self._refusal or INVALID)

    def close_gently(self) -> None:
        """Close; while a body still arrives, only for writing at first: a reset would overtake the answer."""
        if self._awaited not in (_BODY, _DEAF) or self.transport.is_closing() or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._awaited = _LINGERING
        self.flow.resume_reading()
        self.transport.write_eof()
        self._stop_timer()
        self._timer = self.loop.call_later(self._limits.linger, self.timeout_keep_alive_handler)

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _refuse(self, refusal: Refusal) -> None:
        """End the connection, with an answer if it is the turn of one; requests before this one still get theirs."""
        in_body, self._awaited = self._awaited == _BODY, _DEAF
        cycle = self.cycle if in_body else None
        if cycle:
            cycle.disconnected = True
            cycle.message_event.set()
            if self.pipeline and self.pipeline[0][0] is cycle:
                self.pipeline.popleft()
                return
        elif self._is_answering():
            return
        if cycle and cycle.response_started:
            self.transport.close()
            return
        log.info("request_refused", status=refusal.status, detail=refusal.detail)
        self.transport.write(answer(refusal))
        self.close_gently()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # The clock

    def _await(self, what: int) -> None:
        self._awaited, self._since, self._paused_before = what, self.loop.time(), self._flow.paused

    def _patience(self) -> float:
        return self._limits.head_time if self._awaited == _HEAD else self._limits.body_grace

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Refuse a client that takes too long; else look again when it could."""
        self._timer = None
        if self.transport.is_closing():
            if self._was_closing:  # it takes nothing of what is left for it
                self.transport.abort()
                return
            self._was_closing = True
        if self._awaited >= _NOTHING or self._was_closing:
            if self._was_closing or self._is_answering():
                self._timer = self.loop.call_later(self._limits.head_time, self._look)
            return
        if self._flow.read_paused or (self._awaited == _BODY and self.cycle.waiting_for_100_continue):
            self._await(self._awaited)  # it waits for us
            left = self._patience()
        else:
            left = self._time_left()
        if left > 0:
            self._timer = self.loop.call_later(left, self._look)
        elif self._awaited == _HEAD and not self._unframed:
            self.transport.close()
        else:
            self._refuse(SLOW)

    def _time_left(self) -> float:
        limits = self._limits
        spent = self.loop.time() - self._since - (self._flow.paused - self._paused_before)
        if self._awaited == _HEAD:
            return limits.head_time - spent
        if self._body_size == self._seen_size:
            return 0  # not a byte since the last look
        self._seen_size = self._body_size
        # What came quickly is no credit for a long silence.
        return min(limits.body_grace, limits.body_grace + self._body_size / limits.body_rate - spent)


def http_protocol(limits: Limits) -> Any:
    """What uvicorn makes a protocol of for each connection."""
    return partial(BoundedProtocol, limits=limits)
