"""Which handler an envelope reaches, and which envelope reaches none."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from shared.contracts import Envelope, Event
from shared.ids import new_id
from shared.messaging.bus import Received, Subscriptions, Undeliverable

SESSION: Any = object()


class ThingSold(Event):
    event_name: ClassVar[str] = "thing.sold"

    price: int


class ThingSoldAgain(Event):
    event_name: ClassVar[str] = "thing.sold"
    event_version: ClassVar[int] = 2

    price: str


@pytest.fixture
def handled() -> list[tuple[Any, Event]]:
    return []


@pytest.fixture
def subscriptions(handled: list[tuple[Any, Event]]) -> Subscriptions:
    async def handle(session: Any, event: Event) -> None:
        handled.append((session, event))

    subscriptions = Subscriptions()
    subscriptions.subscribe(ThingSold, handle)
    subscriptions.subscribe(ThingSoldAgain, handle)
    return subscriptions


def envelope(name: str = "thing.sold", version: int = 1, **data: Any) -> Envelope:
    return Envelope(
        id=new_id(),
        name=name,
        version=version,
        occurred_at="2026-01-02T03:04:05Z",  # type: ignore[arg-type]
        producer="catalog",
        correlation_id="req-1",
        data=data,
    )


async def test_an_event_reaches_its_handler_in_the_given_transaction(
    subscriptions: Subscriptions, handled: list[tuple[Any, Event]]
) -> None:
    await subscriptions.handle(SESSION, envelope(price=3))
    assert handled == [(SESSION, ThingSold(price=3))]


async def test_two_versions_of_an_event_go_their_own_ways(
    subscriptions: Subscriptions, handled: list[tuple[Any, Event]]
) -> None:
    await subscriptions.handle(SESSION, envelope(version=2, price="3.00"))

    assert [event for _, event in handled] == [ThingSoldAgain(price="3.00")]
    assert subscriptions.names() == {"thing.sold"}


async def test_fields_that_nobody_knows_are_ignored(
    subscriptions: Subscriptions, handled: list[tuple[Any, Event]]
) -> None:
    await subscriptions.handle(SESSION, envelope(price=3, colour="red"))
    assert [event for _, event in handled] == [ThingSold(price=3)]


@pytest.mark.parametrize(
    "strange", [envelope("thing.lost", price=3), envelope(version=3, price=3), envelope(price="much"), envelope()]
)
async def test_what_no_handler_can_ever_take_is_undeliverable(
    subscriptions: Subscriptions, handled: list[tuple[Any, Event]], strange: Envelope
) -> None:
    with pytest.raises(Undeliverable):
        await subscriptions.handle(SESSION, strange)
    assert handled == []


async def test_what_a_handler_raises_comes_through_as_it_is() -> None:
    async def fail(session: Any, event: Event) -> None:
        raise LookupError("not yet")

    subscriptions = Subscriptions()
    subscriptions.subscribe(ThingSold, fail)

    with pytest.raises(LookupError):
        await subscriptions.handle(SESSION, envelope(price=3))


@pytest.fixture
def batches() -> list[list[Event]]:
    return []


@pytest.fixture
def batched(batches: list[list[Event]]) -> Subscriptions:
    async def handle(session: Any, received: Sequence[Received]) -> None:
        batches.append([event for event, _ in received])

    subscriptions = Subscriptions()
    subscriptions.subscribe_batch(handle, ThingSold, ThingSoldAgain)
    return subscriptions


async def test_a_batch_reaches_its_handler_whole_and_in_order(
    batched: Subscriptions, batches: list[list[Event]]
) -> None:
    await batched.handle_batch(SESSION, [envelope(price=3), envelope(version=2, price="4")])
    assert batches == [[ThingSold(price=3), ThingSoldAgain(price="4")]]
    assert batched.batched == batched.names() == {"thing.sold"}


async def test_one_event_is_a_batch_of_its_own(batched: Subscriptions, batches: list[list[Event]]) -> None:
    await batched.handle(SESSION, envelope(price=3))
    assert batches == [[ThingSold(price=3)]]


async def test_one_strange_event_keeps_its_batch_from_the_handler(
    batched: Subscriptions, batches: list[list[Event]]
) -> None:
    with pytest.raises(Undeliverable):
        await batched.handle_batch(SESSION, [envelope(price=3), envelope(price="much")])
    assert batches == []


def test_a_second_batch_handler_is_refused(batched: Subscriptions) -> None:
    async def handle(session: Any, received: Sequence[Received]) -> None:
        """Never reached."""

    with pytest.raises(RuntimeError):
        batched.subscribe_batch(handle, ThingSold)


async def test_a_strange_event_is_told_of_by_its_fields_and_not_by_what_they_hold(batched: Subscriptions) -> None:
    with pytest.raises(Undeliverable, match=r"(?s)thing\.sold.*price.*int_parsing") as refused:
        await batched.handle(SESSION, envelope(price="much"))
    assert "much" not in str(refused.value)
