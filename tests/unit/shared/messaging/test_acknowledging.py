"""Many acknowledgements in one frame, and never one too many."""

import asyncio
import random

import pytest

from shared.messaging.acknowledging import Acknowledgements


class Channel:
    """A broker's end: what is outstanding there, and a refusal of what is not (RabbitMQ: PRECONDITION_FAILED)."""

    def __init__(self, delivered: int) -> None:
        self.outstanding = set(range(1, delivered + 1))
        self.frames: list[tuple[int, bool]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, tag: int, multiple: bool) -> None:
        await self.open.wait()
        if tag not in self.outstanding:
            raise ConnectionError(f"unknown delivery tag {tag}")
        self.frames.append((tag, multiple))
        self.outstanding -= {other for other in self.outstanding if other <= tag} if multiple else {tag}


async def test_what_ends_together_is_acknowledged_in_one_frame() -> None:
    channel = Channel(100)
    acks = Acknowledgements(channel.send)
    await asyncio.gather(*(acks.acknowledge(tag) for tag in random.sample(range(1, 101), 100)))
    assert channel.frames == [(100, True)]
    assert not channel.outstanding


async def test_what_is_still_at_work_is_not_acknowledged_by_what_came_after_it() -> None:
    channel = Channel(5)
    acks = Acknowledgements(channel.send)
    await asyncio.gather(*map(acks.acknowledge, (1, 2, 4, 5)))
    assert channel.outstanding == {3}
    assert sorted(channel.frames) == [(2, True), (4, False), (5, False)]
    await acks.acknowledge(3)
    assert not channel.outstanding


async def test_what_was_dealt_with_another_way_is_passed_over() -> None:
    channel = Channel(4)
    acks = Acknowledgements(channel.send)
    channel.outstanding -= {1, 3}  # rejected, or acknowledged by who took them
    acks.settle(1)
    acks.settle(3)
    await asyncio.gather(*map(acks.acknowledge, (2, 4)))
    assert channel.frames == [(4, True)]


async def test_what_ends_while_a_frame_is_on_its_way_waits_for_the_next() -> None:
    channel = Channel(8)
    acks = Acknowledgements(channel.send)
    channel.open.clear()
    first = [asyncio.create_task(acks.acknowledge(tag)) for tag in (1, 2, 7)]
    await asyncio.sleep(0.01)
    second = [asyncio.create_task(acks.acknowledge(tag)) for tag in (3, 4, 5, 6, 8)]
    await asyncio.sleep(0.01)
    channel.open.set()
    await asyncio.gather(*first, *second)
    assert channel.frames == [(2, True), (7, False), (8, True)]


@pytest.mark.parametrize("seed", range(20))
async def test_in_any_order_each_is_acknowledged_once_it_is_done_and_not_before(seed: int) -> None:
    rng = random.Random(seed)
    channel = Channel(60)
    acks = Acknowledgements(channel.send)
    done: set[int] = set()
    checked = channel.send

    async def send(tag: int, multiple: bool) -> None:
        await asyncio.sleep(rng.choice((0, 0.001)))
        before = set(channel.outstanding)
        await checked(tag, multiple)
        assert before - channel.outstanding <= done

    acks = Acknowledgements(send)

    async def handle(tag: int) -> None:
        await asyncio.sleep(rng.random() * 0.02)
        done.add(tag)
        await acks.acknowledge(tag)

    await asyncio.gather(*map(handle, range(1, 61)))
    assert not channel.outstanding


async def test_a_channel_that_is_lost_is_told_to_all_who_wait_and_not_to_the_next() -> None:
    async def send(tag: int, multiple: bool) -> None:
        raise ConnectionError("closed")

    acks = Acknowledgements(send)
    for _ in range(2):
        outcomes = await asyncio.gather(*map(acks.acknowledge, (1, 2)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ConnectionError, ConnectionError]
