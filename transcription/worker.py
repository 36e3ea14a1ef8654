"""A worker: takes work items, returns what was said.

Owns: the loop of one recogniser process: claim, decode in a thread, extend the claims meanwhile, finish; and its
response to a queue that is away (wait, try again) or an engine that fails (say so, go on). Any number of workers, on
any machines, may join and leave at any time, also by SIGKILL.
Never does: Redis (`server.work_streams` gives it a `WorkSource`), deciding what matters (`transcription.scheduler`).
Called by: `parley worker` and the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from deliberation.errors import Unavailable
from transcription.engine import Engine
from transcription.recognise import recognise
from transcription.scheduler import Effort, batch_limit, plan
from transcription.settings import TranscriptionSettings
from transcription.work import KINDS, Claim, Outcome, WorkResult, WorkSource

_log = structlog.get_logger(__name__)
_WAIT_SECONDS = 1.0
_AWAY_SECONDS = 0.5


@dataclass(slots=True)
class WorkerStats:
    """What a worker has done since it started."""

    read: int = 0
    expired: int = 0
    given_up: int = 0
    failed: int = 0
    audio_seconds: float = 0.0
    decode_seconds: float = 0.0


async def work_until(
    stop: asyncio.Event,
    source: WorkSource,
    engine: Engine,
    settings: TranscriptionSettings,
    *,
    small_engine: Callable[[], Engine] | None = None,
    worker: str = "",
    stats: WorkerStats | None = None,
) -> None:
    """Work until `stop` is set; the item in hand is finished first.

    `small_engine` loads the smaller model when it is first needed; it is called in a thread.
    """
    self = _Worker(source, engine, settings, small_engine, worker, stats or WorkerStats())
    while not stop.is_set():
        try:
            await self.once()
        except Unavailable:
            _log.warning("work queue is away", worker=worker)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _AWAY_SECONDS)


class _Worker:
    def __init__(
        self,
        source: WorkSource,
        engine: Engine,
        settings: TranscriptionSettings,
        small_engine: Callable[[], Engine] | None,
        worker: str,
        stats: WorkerStats,
    ) -> None:
        self._source = source
        self._engine = engine
        self._settings = settings
        self._load_small = small_engine
        self._small: Engine | None = None
        self._worker = worker
        self._stats = stats

    async def once(self) -> None:
        """Take what there is, if anything, and see it through."""
        limit = batch_limit(self._engine.device, self._settings)
        claims = await self._source.take(KINDS, limit, _WAIT_SECONDS)
        if claims and self._engine.device == "cuda" and len(claims) < limit and claims[0].item.kind != "refine":
            await asyncio.sleep(self._settings.gpu_wait_seconds)
            claims += await self._source.take((claims[0].item.kind,), limit - len(claims), 0.0)
        todo = plan(claims, self._settings)
        for claim in todo.expired:
            await self._source.finish(claim, self._without_text(claim, "expired"))
        for claim in todo.given_up:
            _log.error("work item given up", item=claim.item.item_id, deliveries=claim.deliveries)
            await self._source.finish(claim, self._without_text(claim, "failed"))
        self._stats.expired += len(todo.expired)
        self._stats.given_up += len(todo.given_up)
        for small in (False, True):
            batch = [(claim, effort) for claim, effort in todo.read if effort.small_model is small]
            if batch:
                await self._see_through(batch, small)

    async def _see_through(self, batch: Sequence[tuple[Claim, Effort]], small: bool) -> None:
        claims = [claim for claim, _ in batch]
        beams = [effort.beam_size for _, effort in batch]
        async with asyncio.TaskGroup() as group:
            heartbeat = group.create_task(self._extend(claims))
            try:
                results = await asyncio.to_thread(self._read, claims, beams, small)
            finally:
                heartbeat.cancel()
        for claim, result in zip(claims, results, strict=True):
            await self._source.finish(claim, result)

    def _read(self, claims: Sequence[Claim], beams: Sequence[int], small: bool) -> list[WorkResult]:
        """Read in this thread; an engine that fails on the batch is tried on each item alone."""
        engine = self._engine_for(small)
        try:
            results = recognise(engine, [claim.item for claim in claims], beams, self._worker)
        except Exception as error:
            if len(claims) > 1:
                return [self._read([claim], [beam], small)[0] for claim, beam in zip(claims, beams, strict=True)]
            _log.error("reading failed", item=claims[0].item.item_id, kind=claims[0].item.kind, error=repr(error))
            self._stats.failed += 1
            return [self._without_text(claims[0], "failed")]
        self._stats.read += len(results)
        self._stats.audio_seconds += sum(claim.item.seconds for claim in claims)
        self._stats.decode_seconds += sum(result.decode_seconds for result in results)
        return results

    def _engine_for(self, small: bool) -> Engine:
        if not small or self._load_small is None:
            return self._engine
        if self._small is None:
            self._small = self._load_small()
        return self._small

    async def _extend(self, claims: Sequence[Claim]) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            with contextlib.suppress(Unavailable):
                await self._source.extend(claims)

    def _without_text(self, claim: Claim, outcome: Outcome) -> WorkResult:
        item = claim.item
        return WorkResult(item.item_id, item.room_id, item.kind, outcome, model=self._engine.name, worker=self._worker)
