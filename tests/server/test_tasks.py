"""A task that runs for ever ends when it is told to, whatever happens to the first word."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from server import tasks


async def begun(work: object) -> asyncio.Task[None]:
    task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return task


async def test_a_task_is_ended() -> None:
    task = await begun(asyncio.Event().wait())
    await tasks.end(task)
    assert task.cancelled()


async def test_a_swallowed_cancellation_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.01)

    async def deaf() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = await begun(deaf())
    async with asyncio.timeout(5):
        await tasks.end(task)
    assert task.cancelled()


async def test_what_a_task_died_of_is_raised() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await tasks.end(await begun(broken()))


async def test_who_waits_for_the_end_can_be_cancelled() -> None:
    going = asyncio.Event()

    async def stubborn() -> None:
        while not going.is_set():
            with suppress(asyncio.CancelledError):
                await going.wait()

    task = await begun(stubborn())
    waiting = asyncio.ensure_future(tasks.end(task))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    going.set()
    await task
