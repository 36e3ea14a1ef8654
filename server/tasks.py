"""Ending a task that runs for ever. Called by whoever started it."""

from __future__ import annotations

import asyncio

AGAIN_SECONDS = 2.0


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended; raises what it raised, if it was not the cancellation.

    A cancellation that something below swallowed, as when it meets the end of a read, is asked for again after `AGAIN_SECONDS`.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_SECONDS)
    if not task.cancelled():
        task.result()
