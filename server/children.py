"""Child processes: nodes, recogniser workers and practice partners, started, watched and ended with the server.

A child gets a pipe as its standard input that nobody writes to: when the server dies, however suddenly, the pipe closes and the child ends (see
`ends_with_parent`). Secrets travel in the environment, never on a command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from server import metrics

log = structlog.get_logger()

RESTART_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)  # waits before a crashed worker is started again; the last repeats
STEADY_SECONDS = 60.0  # a worker that lived this long starts over with the first wait
END_SECONDS = 3.0  # between a polite request to end and the end


async def start(
    arguments: Sequence[str], environment: Mapping[str, str], *, inherit: Sequence[int] = ()
) -> asyncio.subprocess.Process:
    """Start `python -m arguments…` as a child; it keeps the file descriptors in `inherit`."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        env={**os.environ, **environment, "PARLEY_CHILD": "1"},
        pass_fds=inherit,
        start_new_session=True,  # Ctrl-C in the terminal reaches the server only, which ends its children in order
    )


async def end(process: asyncio.subprocess.Process, seconds: float = END_SECONDS) -> None:
    """End a child: politely first, by force after so many seconds."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def keep_running(arguments: Sequence[str], environment: Mapping[str, str], count: int) -> None:
    """Keep `count` workers running until cancelled; a crashed one is started again after a moment."""

    async def run_one() -> int:
        process = await start(arguments, environment)
        metrics.WORKERS.inc()
        try:
            return await process.wait()
        finally:
            metrics.WORKERS.dec()
            await asyncio.shield(end(process))

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(again_and_again(run_one, "worker"))


async def again_and_again(run_one: Callable[[], Awaitable[int]], part: str) -> None:
    """Run a child, and another one each time it has ended, until cancelled. `run_one` returns the exit code."""
    attempt = 0
    while True:
        started = asyncio.get_running_loop().time()
        try:
            code = await run_one()
        except OSError as error:  # no process to be had just now
            log.error("a child process could not be started", part=part, error=error.strerror)
            code = -1
        metrics.FAILURES.labels(part=part).inc()
        if asyncio.get_running_loop().time() - started > STEADY_SECONDS:
            attempt = 0
        log.warning("a child process ended; starting another", part=part, exit_code=code)
        await asyncio.sleep(RESTART_SECONDS[min(attempt, len(RESTART_SECONDS) - 1)])
        attempt += 1


class Companions:
    """Short-lived children (practice partners), at most `limit` at a time; all are ended by `close`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._processes: set[asyncio.subprocess.Process] = set()

    async def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Start one; False when there are too many already."""
        self._processes = {process for process in self._processes if process.returncode is None}
        if len(self._processes) >= self._limit:
            return False
        self._processes.add(await start(arguments, environment))
        return True

    async def close(self) -> None:
        """End all of them."""
        for process in self._processes:
            await end(process)


async def ends_with_parent(stop: Callable[[], None]) -> None:
    """In a child: call `stop` when the parent is gone. Returns at once in a process that is nobody's child."""
    if os.environ.get("PARLEY_CHILD") != "1":
        return
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass
    stop()
