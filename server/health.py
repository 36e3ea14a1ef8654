"""What is not right at the moment, and how speech recognition fares: for `/readyz`, the monitors and the metrics.

Owns: one look every two seconds at the live bus, at the recognisers (on this machine or others) and at what this node's rooms
wait for; answers come from memory. Never does: repairing anything. Called by: `server.app`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from deliberation.errors import ParleyError
from server import metrics
from server.bus import Bus
from server.clock import now
from server.signalling.messages import Recognition, Trouble
from server.work_streams import RedisWorkQueue, WorkerInfo
from transcription.stream import RoomSpeechStats

LOOK_SECONDS = 2.0
TOLD_SECONDS = 60.0  # how long monitors are told that a recogniser ended or that words were lost
_DEVICES = ("cpu", "cuda")


class Health:
    """`rooms` returns the figures of each room that runs on this node."""

    def __init__(
        self,
        bus: Bus,
        work: RedisWorkQueue,
        rooms: Callable[[], Sequence[RoomSpeechStats]],
        clock: Callable[[], float] = now,
    ) -> None:
        self._bus = bus
        self._work = work
        self._rooms = rooms
        self._clock = clock
        self._problems: dict[str, str] = {}
        self._recognition: Recognition | None = None
        self._names: frozenset[str] = frozenset()
        self._ended_at = float("-inf")
        self._lost_at = float("-inf")

    def problems(self) -> dict[str, str]:
        """Return the parts that are not ready, each with why."""
        return dict(self._problems)

    def recognition(self) -> Recognition | None:
        """Return what monitors are told; None before the first look."""
        return self._recognition

    def lost(self, finals: int) -> None:
        """Take note that a room ended before so many of its last words had been read."""
        if finals:
            metrics.FINALS_LOST.inc(finals)
            self._lost_at = self._clock()

    async def watch(self) -> None:
        """Look every two seconds, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once; a check that breaks is itself a problem and never ends the server."""
        problems: dict[str, str] = {}
        workers: Sequence[WorkerInfo] | None = None
        try:
            await self._bus.ping()
            workers = await self._work.workers()
            backlog = await self._work.backlog()
            for kind in ("final", "partial", "refine"):
                metrics.SPEECH_QUEUE.labels(kind=kind).set(getattr(backlog, kind))
            if not workers:
                problems["transcription"] = "no recogniser is running"
        except ParleyError as error:
            problems["bus"] = error.message
        except Exception as error:
            problems["bus"] = f"the check failed ({type(error).__name__})"
        self._problems = problems
        self._recognition = self._judge(workers, self._rooms())

    def _judge(self, workers: Sequence[WorkerInfo] | None, rooms: Sequence[RoomSpeechStats]) -> Recognition:
        at = self._clock()
        behind = max((room.seconds_behind for room in rooms), default=0.0)
        waiting = sum(room.finals_waiting for room in rooms)
        on_disk = sum(room.finals_on_disk for room in rooms)
        disk_full = any(room.disk_full for room in rooms)
        metrics.TRANSCRIPTION_BEHIND.set(behind)
        metrics.FINALS_WAITING.set(waiting)
        metrics.FINALS_ON_DISK.set(on_disk)
        metrics.SPEECH_DISK_FULL.set(disk_full)
        if workers is not None:
            names = frozenset(worker.worker for worker in workers)
            if ended := len(self._names - names):
                metrics.RECOGNISERS_ENDED.inc(ended)
                self._ended_at = at
            self._names = names
            for device in _DEVICES:
                metrics.RECOGNISERS.labels(device=device).set(sum(1 for worker in workers if worker.device == device))
        troubles: dict[Trouble, bool] = {
            "bus": workers is None,
            "none": workers is not None and not workers,
            "ended": at - self._ended_at < TOLD_SECONDS,
            "disk": disk_full,
            "behind": behind > 0,
            "lost": at - self._lost_at < TOLD_SECONDS,
        }
        return Recognition(
            recognisers=len(workers or ()),
            running=tuple(sorted({f"{worker.model}, {worker.device}" for worker in workers or ()})),
            waiting=waiting,
            on_disk=on_disk,
            behind=behind,
            troubles=tuple(trouble for trouble, there in troubles.items() if there),
        )
