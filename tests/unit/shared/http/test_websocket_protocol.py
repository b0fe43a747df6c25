"""Who is pinged."""

from types import SimpleNamespace

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from shared.http.websocket_protocol import BoundedWebSocketProtocol

INTERVAL = 20


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What uvicorn was left to do."""
    names: list[str] = []
    for name in ("send_keepalive_ping", "schedule_ping", "handle_ping"):
        monkeypatch.setattr(WebSocketsSansIOProtocol, name, lambda self, name=name: names.append(name))
    return names


def protocol_at(clock: SimpleNamespace) -> BoundedWebSocketProtocol:
    protocol = BoundedWebSocketProtocol.__new__(BoundedWebSocketProtocol)
    protocol.loop, protocol.ping_interval = clock, INTERVAL
    return protocol


def test_who_is_silent_is_pinged(done: list[str]) -> None:
    protocol_at(SimpleNamespace(time=lambda: 1000.0)).send_keepalive_ping()
    assert done == ["send_keepalive_ping"]


@pytest.mark.parametrize(("later", "is_pinged"), [(0, False), (INTERVAL, False), (2 * INTERVAL, True)])
def test_who_has_just_pinged_us_is_not_and_later_is_again(done: list[str], later: float, is_pinged: bool) -> None:
    clock = SimpleNamespace(now=1000.0, time=lambda: clock.now)
    protocol = protocol_at(clock)
    protocol.handle_ping()
    clock.now += later
    protocol.send_keepalive_ping()
    assert done == ["handle_ping", "send_keepalive_ping" if is_pinged else "schedule_ping"]
