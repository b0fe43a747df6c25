import asyncio

from shared.background import woken


async def test_who_waits_for_work_is_woken_by_it_and_by_the_time_that_is_up() -> None:
    work = asyncio.Event()

    assert not await woken(work, 0.01)
    waiting = asyncio.create_task(woken(work, 60))
    await asyncio.sleep(0)
    work.set()

    assert await waiting


async def test_who_is_cancelled_while_waiting_stays_cancelled() -> None:
    waiting = asyncio.create_task(woken(asyncio.Event(), 60))
    await asyncio.sleep(0)
    waiting.cancel()

    assert [type(outcome) for outcome in await asyncio.gather(waiting, return_exceptions=True)] == [
        asyncio.CancelledError
    ]
