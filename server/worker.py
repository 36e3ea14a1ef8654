"""One recogniser process: Redis on one side, the weights on the other.

Owns: putting a worker together and telling the others that it is there. Never does: the work (`transcription.worker`).
Called by: `parley worker`, which `parley serve` starts as a child process for each core it may use.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress

import structlog
from threadpoolctl import threadpool_limits

from deliberation.errors import Unavailable
from server.work_streams import RedisWorkSource, WorkerInfo
from transcription.settings import TranscriptionSettings
from transcription.whisper import WhisperEngine
from transcription.worker import WorkerStats, work_until

_log = structlog.get_logger(__name__)
_ANNOUNCE_SECONDS = 2.0
_NICENESS = 2
"""Media must not wait for speech recognition on the same cores."""


async def run_worker(redis_url: str, settings: TranscriptionSettings, stop: asyncio.Event, *, name: str = "") -> None:
    """Load the weights, then work until `stop` is set; the item in hand is finished first.

    Raises ParleyError where the weights cannot be loaded. A Redis that is away is waited for.
    """
    with suppress(OSError):
        os.nice(_NICENESS)
    threadpool_limits(settings.threads_per_worker)  # BLAS threads with nothing to do spin: a third more CPU for nothing
    engine = await asyncio.to_thread(WhisperEngine, settings)
    stats = WorkerStats()
    async with RedisWorkSource(redis_url, settings, name) as source, asyncio.TaskGroup() as group:
        _log.info("recogniser ready", worker=source.worker, model=engine.name, device=engine.device)
        presence = group.create_task(_announce(source, engine, stats))
        await work_until(
            stop,
            source,
            engine,
            settings,
            small_engine=lambda: WhisperEngine(settings, settings.small_model),
            worker=source.worker,
            stats=stats,
        )
        presence.cancel()


async def _announce(source: RedisWorkSource, engine: WhisperEngine, stats: WorkerStats) -> None:
    while True:
        info = WorkerInfo(
            source.worker,
            engine.name,
            engine.device,
            stats.read,
            stats.expired,
            stats.given_up,
            stats.failed,
            round(stats.audio_seconds, 3),
            round(stats.decode_seconds, 3),
        )
        with suppress(Unavailable):
            await source.announce(info)
        await asyncio.sleep(_ANNOUNCE_SECONDS)
