"""Only a proxy of ours is believed in what it says of who asks."""

import pytest
from starlette.types import Receive, Scope, Send

from gateway.forwarding import TrustedProxies
from tests.unit.gateway.asgi import call, scope_of

PROXIES = ("10.0.0.0/8", "2001:db8:ffff::/48")


async def told(*headers: tuple[str, str], peer: str = "10.0.0.1", kind: str = "http") -> tuple[str, str, str]:
    """Client, scheme and host as the app behind sees them."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    await call(TrustedProxies(app, PROXIES), scope_of("/", *headers, client=peer, type=kind))
    (host,) = (value.decode() for name, value in seen[0]["headers"] if name == b"host")
    return seen[0]["client"][0], seen[0]["scheme"], host


SAID = [
    ("x-forwarded-for", "203.0.113.9"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "shop.example"),
    ("forwarded", "for=203.0.113.9;proto=https;host=shop.example"),
]


async def test_a_stranger_is_not_believed() -> None:
    assert await told(*SAID, peer="192.0.2.1") == ("192.0.2.1", "http", "localhost")


@pytest.mark.parametrize("headers", [SAID, SAID[:3], SAID[3:]])
async def test_a_proxy_of_ours_is_believed_by_either_header(headers: list[tuple[str, str]]) -> None:
    assert await told(*headers) == ("203.0.113.9", "https", "shop.example")


async def test_to_a_websocket_https_is_wss() -> None:
    assert (await told(*SAID, kind="websocket"))[1] == "wss"


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("6.6.6.6, unknown, 10.2.2.2", "10.2.2.2"),
        ("6.6.6.6, nonsense", "10.0.0.1"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:db8::1, 2001:db8:ffff::5", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("", "10.0.0.1"),
    ],
)
async def test_the_client_is_the_nearest_hop_that_is_not_ours(chain: str, client: str) -> None:
    assert (await told(("x-forwarded-for", chain)))[0] == client


async def test_several_lines_are_one_list() -> None:
    assert (await told(("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.9")))[0] == "203.0.113.9"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ('for="[2001:db8::1]:80";proto=https', "2001:db8::1"),
        ("For=6.6.6.6, FOR=203.0.113.9; proto=https", "203.0.113.9"),
        ('for="203.0.113.9:80";host="a\\"b"', "203.0.113.9"),
        ("for=203.0.113.9 for=6.6.6.6", "10.0.0.1"),
        ('for="203.0.113.9', "10.0.0.1"),
        ("proto=https", "10.0.0.1"),
    ],
)
async def test_forwarded_is_read_by_its_grammar_or_not_at_all(forwarded: str, client: str) -> None:
    assert (await told(("forwarded", forwarded)))[0] == client


async def test_scheme_and_host_are_those_of_the_hop_that_is_believed() -> None:
    chain = "for=6.6.6.6;proto=http;host=evil.example, for=203.0.113.9;proto=https;host=shop.example, for=10.2.2.2"
    assert await told(("forwarded", chain)) == ("203.0.113.9", "https", "shop.example")
    lists = [("x-forwarded-for", "203.0.113.9, 10.2.2.2"), ("x-forwarded-proto", "https, http")]
    assert (await told(*lists))[1] == "https"


async def test_of_two_headers_that_differ_neither_counts() -> None:
    """A proxy writes one of them; the other came from the client."""
    assert (await told(("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=6.6.6.6")))[0] == "10.0.0.1"


async def test_a_host_or_scheme_that_is_none_is_not_taken_over() -> None:
    said = [SAID[0], ("x-forwarded-host", "a b\r\n"), ("x-forwarded-proto", "gopher")]
    assert await told(*said) == ("203.0.113.9", "http", "localhost")
