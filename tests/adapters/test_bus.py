"""What both buses promise: nothing that was taken is lost, whatever stops, fails or dies on either side of it."""

import asyncio
import random
from collections import Counter
from functools import partial

import pytest

from shared.contracts import EVERYONE, LISTENERS, Envelope
from shared.contracts.accounts import UserRegistered
from shared.errors import Unavailable
from shared.messaging.bus import Note
from tests.adapters.carriers import (
    AT_ONCE,
    Carrier,
    RabbitCarrier,
    Receiver,
    arrived,
    carry,
    connected,
    everyone,
    ids,
    registrations,
    running,
)
from tests.support.rabbitmq import OwnRabbit
from tests.support.waiting import eventually

SEED = 20261127
HEARD_BY = LISTENERS[UserRegistered]


async def test_an_event_reaches_every_service_that_listens_and_no_other(carrier: Carrier) -> None:
    members = everyone(carrier)
    told, last = registrations(20), registrations(1)
    async with running(*members.values()):
        await carry(members["accounts"][0], told)
        await carry(members["accounts"][0], last)
        for service in HEARD_BY:
            await arrived(members[service][1], told + last)

    taken = {service: sorted(receiver.taken) for service, (_, receiver) in members.items()}
    assert taken == {service: ids(told + last) if service in HEARD_BY else [] for service in EVERYONE}


async def test_what_is_told_before_a_listener_first_starts_waits_for_it(carrier: Carrier) -> None:
    members = everyone(carrier)
    late, told = members.pop("orders"), registrations(5)
    async with running(*members.values()):
        carrying = asyncio.create_task(carry(members["accounts"][0], told))
        await asyncio.wait([carrying], timeout=0.5)
        async with running(late):
            await carrying
            await arrived(late[1], told)


@pytest.mark.parametrize("error", [Unavailable("the database is away"), RuntimeError("nobody thought of this")])
async def test_what_a_receiver_could_not_take_comes_again_and_holds_up_nothing_else(
    carrier: Carrier, error: Exception
) -> None:
    tries: Counter[str] = Counter()
    poison, good = registrations(1), registrations(30)

    async def fail_thrice(envelope: Envelope) -> None:
        tries[str(envelope.id)] += 1
        if str(envelope.id) == poison[0].event_id and tries[poison[0].event_id] < 4:
            raise error

    receiver = Receiver(fail_thrice)
    members = everyone(carrier, catalog=receiver)
    bus = members["accounts"][0]
    async with running(*members.values()):
        await asyncio.gather(*(carry(bus, [message]) for message in poison + good))
        await arrived(receiver, poison + good)

    assert sorted({*receiver.taken}) == ids(poison + good)
    assert tries[poison[0].event_id] >= 4  # a busy machine's publisher may have repeated any of them


async def test_what_a_receiver_had_not_taken_when_it_stopped_comes_to_its_successor(carrier: Carrier) -> None:
    """The taking is cut short, as the end of a process would, and nobody was told that it was done."""
    given = asyncio.Event()

    async def never_end(_: Envelope) -> None:
        given.set()
        raise Unavailable("the database is away, and stays so")

    members = everyone(carrier, orders=Receiver(never_end))
    told, successor = registrations(10), (carrier.bus("orders"), Receiver())
    accounts = members.pop("accounts")
    async with running(accounts):
        async with running(*members.values()):
            carrying = asyncio.create_task(carry(accounts[0], told))
            await asyncio.wait_for(given.wait(), 20)
        members["orders"] = successor
        async with running(*members.values()):
            await carrying
            await arrived(successor[1], told)


async def test_while_the_carrier_is_away_nothing_is_taken_and_all_of_it_arrives_afterwards(carrier: Carrier) -> None:
    members, gaps = everyone(carrier), Counter[str]()
    before, during, after = registrations(30), registrations(30), registrations(30)
    bus = members["accounts"][0]
    for service, (each, _) in members.items():
        each.on_gap(partial(gaps.update, [service]))
    async with running(*members.values()):
        # Of what may be lost at a connection, everybody is told, a moment after it is there; one process loses nothing.
        everybody = set(EVERYONE) if carrier.may_lose_notes else set()
        await eventually(lambda: _truth({*gaps} == everybody))
        gaps_at_first = Counter(gaps)
        await carry(bus, before)
        await carrier.go([*members.values()])
        try:
            with pytest.raises(Exception):  # noqa: B017 - the port does not say which
                await asyncio.wait_for(bus.publish(during), 5)
            carrying = asyncio.create_task(carry(bus, during))
            await asyncio.sleep(0)
        finally:
            await carrier.come_back([*members.values()])
        await carrying
        await carry(bus, after)
        for service in HEARD_BY:
            await arrived(members[service][1], before + during + after)
        await connected(*members.values())
        await eventually(lambda: _truth({*(gaps - gaps_at_first)} == everybody))


async def test_what_is_said_to_be_taken_amid_a_stop_arrives_all_the_same(carrier: Carrier) -> None:
    members = everyone(carrier)
    told, taken = registrations(200), set[str]()
    bus = members["accounts"][0]

    async def publish(position: int) -> None:
        await asyncio.sleep(position / 1000)
        taken.update(await bus.publish([told[position]]))

    async with running(*members.values()):
        publishing = [asyncio.create_task(publish(position)) for position in range(len(told))]
        await eventually(lambda: _truth(len(taken) > 20))
        async with asyncio.timeout(20):
            await bus.stop()
            await asyncio.gather(*publishing, return_exceptions=True)
        for service in HEARD_BY:
            await arrived(members[service][1], [message for message in told if message.event_id in taken])


async def test_a_bus_stops_twice_and_before_it_has_started_or_connected(carrier: Carrier) -> None:
    async with asyncio.timeout(20):
        for starts in (False, True):
            bus = carrier.bus("orders")
            if starts:
                await bus.start(Receiver())
            await asyncio.gather(bus.stop(), bus.stop())
            await bus.stop()
            assert not bus.connected


async def test_a_bus_stops_while_its_broker_hangs(rabbitmq: OwnRabbit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.messaging.rabbit.STOPS_WITHIN", 0.5)
    bus = RabbitCarrier(rabbitmq).bus("orders")
    await bus.start(Receiver())
    await connected((bus, Receiver()))
    with rabbitmq.frozen():
        async with asyncio.timeout(3):
            await bus.stop()


async def test_a_bus_stops_while_a_receiver_can_take_nothing(carrier: Carrier) -> None:
    async def away(_: Envelope) -> None:
        given.set()
        raise Unavailable("the database is away")

    given = asyncio.Event()
    members = everyone(carrier, notifications=Receiver(away))
    async with running(*members.values()):
        carrying = asyncio.create_task(carry(members["accounts"][0], registrations(3)))
        await asyncio.wait_for(given.wait(), 20)
        async with asyncio.timeout(3):
            await members["notifications"][0].stop()
        carrying.cancel()


async def test_a_thousand_publishers_and_three_thousand_takings_at_once(carrier: Carrier) -> None:
    """Every listener is at a thousand events at once, a fifth of which fail at first; each is taken once by each."""
    chance = random.Random(SEED)

    def crowded() -> Receiver:
        there, inside, failed = asyncio.Event(), 0, set[str]()

        async def wait_for_all(envelope: Envelope) -> None:
            nonlocal inside
            inside += 1
            if inside == AT_ONCE:
                there.set()
            await there.wait()
            if str(envelope.id) in unlucky and envelope.id not in failed:
                failed.add(envelope.id)
                raise Unavailable("not now")

        return Receiver(wait_for_all)

    told = registrations(AT_ONCE)
    unlucky = {message.event_id for message in chance.sample(told, AT_ONCE // 5)}
    members = everyone(carrier, **{service: crowded() for service in HEARD_BY})
    bus = members["accounts"][0]
    async with running(*members.values()):
        await asyncio.gather(*(carry(bus, [message]) for message in told))
        for service in HEARD_BY:
            await arrived(members[service][1], told)

    assert {service: sorted({*members[service][1].taken}) for service in HEARD_BY} == dict.fromkeys(HEARD_BY, ids(told))


async def test_a_note_reaches_every_instance_of_its_own_service_and_no_other(carrier: Carrier) -> None:
    heard: dict[str, list[Note]] = {}
    members = [(carrier.bus("orders"), Receiver()) for _ in range(carrier.instances)]
    stranger = (carrier.bus("payments"), Receiver())
    for name, (bus, _) in [*((f"orders {n}", member) for n, member in enumerate(members)), ("payments", stranger)]:
        bus.listen("mail", heard.setdefault(name, []).append)
    async with running(*members, stranger):
        for bus, _ in members:
            await bus.broadcast("mail", {"of": "this kind"})
            await bus.broadcast("another", {"of": "that kind"})
        await eventually(lambda: _truth(sum(map(len, heard.values())) >= len(members) ** 2))

    assert heard.pop("payments") == []
    assert [*heard.values()] == [[{"of": "this kind"}] * len(members)] * len(members)


async def _truth(value: object) -> bool:
    return bool(value)
