"""A line of log says what happened, under which request, and no secret."""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from pydantic import BaseModel, ValidationError

from shared.observability.context import set_request_id
from shared.observability.logging import MASK, also_log_to, configure_logging, redact, said_of
from tests.support.logs import logging_restored

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


Lines = Callable[[Callable[[], object]], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """What a deployed process would write while it does some work."""

    def written(work: Callable[[], object]) -> list[dict[str, Any]]:
        configure_logging("INFO", "json")
        copy_context().run(work)
        return [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]

    with logging_restored():
        yield written


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "new_password",
        "PASSWORD",
        "authorization",
        "Authorization",
        "cookie",
        "Set-Cookie",
        "token",
        "access",
        "refresh",
        "refresh_token",
        "ticket",
        "internal_secret",
        "card",
        "card_number",
        "cvc",
        "api_key",
        "apikey",
    ],
)
def test_a_value_is_masked_where_its_name_says_so(name: str) -> None:
    assert redact({name: "hush", "order": "2026-000001"}) == {name: MASK, "order": "2026-000001"}
    assert redact({"body": [{name: {"number": "hush"}}]}) == {"body": [{name: MASK}]}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"got {JWT}!", "got ***!"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("bearer abc", "bearer ***"),
        ("BEARER abc", "BEARER ***"),
        ("postgresql://orders:hush@db/orders is away", "postgresql://***@db/orders is away"),
        ("amqp://marketplace:hu:sh@mq/", "amqp://***@mq/"),
        ("GET /ws/notifications/?token=hush&since=3", "GET /ws/notifications/?token=***&since=3"),
        ("GET /ws/notifications/?since=3&ticket=hush", "GET /ws/notifications/?since=3&ticket=***"),
        ("card 4242424242424242 declined", "card *** declined"),
        ("card 4242 4242 4242 4242 declined", "card *** declined"),
        ("card 4242-4242-4242-4242", "card ***"),
        ("1234567890123", "***"),
        ("1234567890123456789", "***"),
    ],
)
def test_a_secret_is_masked_where_its_shape_says_so(text: str, clean: str) -> None:
    assert redact(text) == clean
    assert redact({"detail": [text]}) == {"detail": [clean]}


@pytest.mark.parametrize(
    "text",
    [
        "/api/orders/0199b6d1-ab11-7222-8c33-4444a5556666/",
        "2026-000042",
        "150000.00 UZS",
        "2026-01-02T03:04:05.678901Z",
        "+998901234567",
        "http://localhost:8001/internal/",
        "order_created",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert redact({"said": text, "again": [text]}) == {"said": text, "again": [text]}


def test_an_id_stays_readable_also_where_its_end_is_all_digits() -> None:
    id_ = "0199b6d1-ab11-7222-8333-444455556666"
    assert redact(id_) == id_


@pytest.mark.parametrize("value", [None, 5, 1.5, True])
def test_numbers_and_nothing_stay_what_they_are(value: object) -> None:
    assert redact({"seen": value}) == {"seen": value}


def test_redacting_leaves_the_original_as_it_was() -> None:
    original = {"password": "hush", "inner": {"token": "hush"}}
    redact(original)
    assert original == {"password": "hush", "inner": {"token": "hush"}}


def test_a_line_is_one_json_object_with_time_level_and_the_requests_id(lines: Lines) -> None:
    def work() -> None:
        set_request_id("req-1")
        structlog.get_logger("test").info("order_moved", order="2026-000042", amount=3)

    (line,) = lines(work)

    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "order_moved", "level": "info", "request_id": "req-1", "order": "2026-000042", "amount": 3}


def test_a_line_that_names_a_request_keeps_that_name(lines: Lines) -> None:
    def work() -> None:
        set_request_id("req-1")
        structlog.get_logger("test").info("x", request_id="req-0")

    assert [line["request_id"] for line in lines(work)] == ["req-0"]


def test_secrets_of_a_line_are_masked(lines: Lines) -> None:
    secrets = {"url": "amqp://a:hush@mq/", "headers": {"authorization": "hush"}}

    (line,) = lines(lambda: structlog.get_logger("test").warning("x", **secrets))

    assert (line["url"], line["headers"]) == ("amqp://***@mq/", {"authorization": MASK})


def test_secrets_of_an_exception_are_masked_in_its_trace_too(lines: Lines) -> None:
    def work() -> None:
        try:
            raise ConnectionError("postgresql://orders:hush@db/orders")
        except ConnectionError:
            structlog.get_logger("test").exception("database_away")

    (line,) = lines(work)

    assert "ConnectionError: postgresql://***@db/orders" in line["exception"]


def test_lines_of_libraries_have_the_same_form_and_are_masked_too(lines: Lines) -> None:
    library = logging.getLogger("some.library")

    (line,) = lines(lambda: library.warning("connecting to %s", "amqp://a:hush@mq/", extra={"token": "hush"}))

    assert (line["event"], line["level"], line["token"]) == ("connecting to amqp://***@mq/", "warning", MASK)


def test_exceptions_of_libraries_are_masked_too(lines: Lines) -> None:
    def work() -> None:
        try:
            raise ConnectionError("amqp://a:hush@mq/")
        except ConnectionError:
            logging.getLogger("some.library").exception("it failed")

    (line,) = lines(work)

    assert "ConnectionError: amqp://***@mq/" in line["exception"]


@dataclasses.dataclass
class Credentials:
    user: str
    password: str


@pytest.mark.parametrize("thing", [ConnectionError("amqp://a:hush@mq/"), Credentials("a", "hush")], ids=type)
def test_secrets_in_things_that_are_no_text_are_masked_too(lines: Lines, thing: object) -> None:
    (line,) = lines(lambda: structlog.get_logger("test").warning("x", error=thing))

    assert "hush" not in str(line)


def test_the_level_is_kept_and_chatty_libraries_are_quiet(lines: Lines) -> None:
    def work() -> None:
        structlog.get_logger("test").debug("too much")
        logging.getLogger("httpx").info("HTTP Request: GET /?token=hush")
        logging.getLogger("uvicorn.error").info("started")
        structlog.get_logger("test").info("enough")

    assert [line["event"] for line in lines(work)] == ["enough"]


@pytest.mark.usefixtures("lines")
def test_the_form_for_people_masks_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "console")
    structlog.get_logger("test").info("order_moved", password="hush")

    shown = capsys.readouterr().out
    assert "order_moved" in shown
    assert "hush" not in shown


def test_the_lines_of_one_logger_go_to_a_file_too_and_no_secret_with_them(lines: Lines, tmp_path: Path) -> None:
    file = tmp_path / "payments.log"

    def work() -> None:
        also_log_to(file, "payments")
        structlog.get_logger("payments").info("payment_closed", amount="150000.00", note="paid by 4242424242424242")
        structlog.get_logger("other").info("request")

    printed = lines(work)
    logging.getLogger("payments").handlers = []

    kept = [orjson.loads(line) for line in file.read_text().splitlines()]
    assert kept == printed[:1]
    assert (kept[0]["event"], kept[0]["amount"], kept[0]["note"]) == ("payment_closed", "150000.00", "paid by ***")


class Person(BaseModel):
    age: int


@pytest.mark.parametrize("name", ["Dilnoza", "Dilnoza\n(née Aliyeva)", 'Dilnoza\'s, "D"'])
def test_what_a_model_was_given_is_masked_wherever_its_error_is_told(lines: Lines, name: str) -> None:
    def work() -> None:
        try:
            Person.model_validate({"age": name})
        except ValidationError as error:
            told.append(said_of(error))
            structlog.get_logger("test").exception("x", error=error, said=f"no person: {error!r}")

    told: list[str] = []
    (line,) = lines(work)

    for text in (*told, line["error"], line["said"], line["exception"]):
        assert "Dilnoza" not in text
        assert "Aliyeva" not in text
        assert "Person\nage" in text
        assert "type=int_parsing, input_value=***, input_type=str" in text
