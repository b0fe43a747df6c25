"""What of the headers goes on to the next hop."""

from typing import Any

from gateway.headers import request_headers, response_headers
from shared.observability.context import in_trace, set_request_id


def scope(*headers: tuple[bytes, bytes], client: tuple[str, int] | None = ("10.0.0.7", 5), scheme: str = "http") -> Any:
    return {"headers": [(b"host", b"shop.example"), *headers], "client": client, "scheme": scheme}


def test_headers_of_the_hop_stay_behind_with_those_that_connection_names() -> None:
    kept = dict(
        request_headers(
            scope(
                (b"connection", b"keep-alive, X-Secret"),
                (b"connection", b"x-other"),
                (b"keep-alive", b"timeout=5"),
                (b"x-secret", b"1"),
                (b"x-other", b"1"),
                (b"te", b"trailers"),
                (b"upgrade", b"h2c"),
                (b"expect", b"100-continue"),
                (b"accept", b"*/*"),
            )
        )
    )
    assert kept.keys() == {
        b"accept",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-request-id",
    }


def test_who_asked_is_said_anew_and_never_taken_over() -> None:
    set_request_id("id-1")
    kept = request_headers(
        scope(
            (b"x-forwarded-for", b"6.6.6.6"),
            (b"x-forwarded-port", b"1"),
            (b"forwarded", b"for=6.6.6.6"),
            (b"x-real-ip", b"6.6.6.6"),
            (b"x-user-id", b"admin"),
            (b"x-request-id", b"other"),
            scheme="wss",
        )
    )
    assert kept == [
        (b"x-forwarded-for", b"10.0.0.7"),
        (b"x-forwarded-host", b"shop.example"),
        (b"x-forwarded-proto", b"https"),
        (b"forwarded", b'for=10.0.0.7;host="shop.example";proto=https'),
        (b"x-request-id", b"id-1"),
    ]


def test_an_address_of_version_6_and_none_at_all_can_be_said_too() -> None:
    assert dict(request_headers(scope(client=("::1", 5))))[b"forwarded"].startswith(b'for="[::1]";')
    assert dict(request_headers(scope(client=None)))[b"x-forwarded-for"] == b"unknown"


def test_a_length_beside_chunks_is_dropped_and_one_named_by_connection_is_not() -> None:
    length = (b"content-length", b"5")
    assert length not in request_headers(scope(length, (b"transfer-encoding", b"chunked")))
    assert length in request_headers(scope(length, (b"connection", b"content-length")))


def test_a_response_keeps_its_duplicates_and_loses_what_our_own_server_says() -> None:
    upstream = [
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
        (b"Server", b"x"),
        (b"Date", b"x"),
        (b"Connection", b"close"),
        (b"X-Request-ID", b"x"),
        (b"Content-Length", b"3"),
    ]
    kept = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    assert response_headers(200, upstream) == [*kept, (b"content-length", b"3")]
    assert response_headers(304, upstream) == kept


def test_a_place_in_a_trace_goes_on_as_the_one_that_is_worked_on() -> None:
    given, own = f"00-{'a' * 32}-{'b' * 16}-01".encode(), f"00-{'a' * 32}-{'c' * 16}-01"
    with in_trace(own):
        assert [value for name, value in request_headers(scope((b"traceparent", given))) if name == b"traceparent"] == [
            own.encode()
        ]
    assert b"traceparent" not in dict(request_headers(scope((b"traceparent", given))))
