"""Speech work over Redis Streams: both ends of the queue between rooms and recognisers.

Owns: `RedisWorkQueue` (a node's end) and `RedisWorkSource` (a worker's end). One stream for each kind of work with one
consumer group, one stream of results for each node. An item stays in its stream until its result has been added, in the
same transaction; an item whose worker falls silent is claimed by another.
Never does: decoding, policy. Called by: `server.app` (queue), `parley worker` (source).

Audio and text stay in Redis only until they are dealt with: entries are deleted, not just acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self, cast

import structlog
from redis.exceptions import RedisError, ResponseError

from server.bus import connect, reaching_redis
from server.tasks import end
from transcription.settings import TranscriptionSettings
from transcription.work import KINDS, Claim, Kind, WorkItem, WorkResult

_WORKERS = "parley:worker:"
_WORKER_TTL_MS = 6_000

_log = structlog.get_logger(__name__)
_PREFIX = "parley:work:"
_RESULTS = "parley:results:"
_GROUP = "workers"
_MOST: dict[Kind, int] = {"partial": 200, "refine": 500}
"""Longest streams; the oldest entries are dropped. Finals are never dropped."""
_MOST_RESULTS = 10_000
_RESULTS_SECONDS = 600
_BLOCK_SECONDS = 1.0
_AWAY_SECONDS = 0.5
_READ_AT_ONCE = 100
_LOOK_FOR_DEAD_SECONDS = 1.0
_REFINE_AFTER_IDLE_SECONDS = 1.0
_REFINE_ALONE_AFTER_IDLE_SECONDS = 2.0
_CONSUMER_ALIVE_MS = 5_000
_CONSUMER_GONE_MS = 600_000

Handler = Callable[[WorkResult], None]


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A recogniser that is there, for the monitor and the metrics; the counts are since it started."""

    worker: str
    model: str
    device: str
    read: int = 0
    expired: int = 0
    given_up: int = 0
    failed: int = 0
    audio_seconds: float = 0.0
    decode_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many items of each kind wait or are being read, over all nodes."""

    final: int
    partial: int
    refine: int


def _stream(kind: Kind) -> str:
    return f"{_PREFIX}{kind}"


class RedisWorkQueue:
    """A node's end. `async with RedisWorkQueue(url, node_id) as queue` reads the results that come back.

    Implements `transcription.work.WorkQueue`. It remembers where each item lies until its result comes or it is
    cancelled; results for rooms nobody subscribed to are dropped.
    """

    def __init__(self, url: str, node_id: str) -> None:
        self._redis = connect(url)
        self._node = node_id
        self._entries: dict[str, tuple[Kind, bytes]] = {}
        self._handlers: dict[str, Handler] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to read results. Redis need not be up yet."""
        self._task = asyncio.create_task(self._read_for_ever(), name="work results")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading and close the connections."""
        if self._task is not None:
            await end(self._task)
        await self._redis.aclose()

    async def submit(self, item: WorkItem) -> None:
        """Add the item to the stream of its kind."""
        fields: dict[Any, Any] = {"item": item.to_bytes(), "node": self._node}
        with reaching_redis():
            entry = await self._redis.xadd(_stream(item.kind), fields, maxlen=_MOST.get(item.kind))
        self._entries[item.item_id] = (item.kind, cast(bytes, entry))

    async def cancel(self, item_id: str) -> None:
        """Delete the item where nobody has taken it; a worker that has will find out by itself."""
        found = self._entries.pop(item_id, None)
        if found is not None:
            with suppress(RedisError, OSError, TimeoutError):
                await self._redis.xdel(_stream(found[0]), found[1])

    async def holds(self, item_id: str) -> bool:
        """Whether the item's entry is still there; entries go when their result comes."""
        found = self._entries.get(item_id)
        if found is None:
            return False
        kind, entry = found
        with reaching_redis():
            return bool(await self._redis.xrange(_stream(kind), entry, entry))

    async def workers(self) -> list[WorkerInfo]:
        """Return the recognisers that are there, by name. Raises Unavailable."""
        with reaching_redis():
            keys = [key async for key in self._redis.scan_iter(match=f"{_WORKERS}*", count=200)]
            values = await self._redis.mget(keys) if keys else []
        return sorted((WorkerInfo(**json.loads(value)) for value in values if value), key=lambda info: info.worker)

    async def backlog(self) -> Backlog:
        """Return the length of each stream. Raises Unavailable."""
        with reaching_redis():
            return Backlog(*[await self._redis.xlen(_stream(kind)) for kind in KINDS])

    def subscribe(self, room_id: str, handler: Handler) -> Callable[[], None]:
        """Deliver the room's results to `handler`; a room has one."""
        assert room_id not in self._handlers, "one subscriber for each room"
        self._handlers[room_id] = handler
        return lambda: self._handlers.pop(room_id, None) and None

    async def _read_for_ever(self) -> None:
        last = b"0"
        while True:
            try:
                last = await self._read(last)
            except (RedisError, OSError, TimeoutError):
                _log.warning("work results cannot be read: bus is away")
                await asyncio.sleep(_AWAY_SECONDS)

    async def _read(self, last: bytes) -> bytes:
        key = f"{_RESULTS}{self._node}"
        found: Any = await self._redis.xread({key: last}, _READ_AT_ONCE, round(_BLOCK_SECONDS * 1000))
        for _, entries in found or ():
            for entry, fields in entries:
                self._deliver(fields[b"result"])
                last = entry
            await self._redis.xdel(key, *(entry for entry, _ in entries))
        return last

    def _deliver(self, data: bytes) -> None:
        try:
            result = WorkResult.from_bytes(data)
            self._entries.pop(result.item_id, None)
            handler = self._handlers.get(result.room_id)
            if handler is not None:
                handler(result)
        except Exception as error:
            _log.error("a work result could not be delivered", error=type(error).__name__)


class RedisWorkSource:
    """A worker's end. Implements `transcription.work.WorkSource`; use it from one task (and `extend` from another)."""

    def __init__(self, url: str, settings: TranscriptionSettings, worker: str = "") -> None:
        self._redis = connect(url)
        self.worker = worker or f"w-{secrets.token_hex(4)}"
        self._reclaim_ms = round(settings.reclaim_after_seconds * 1000)
        self._ready = False
        self._looked_for_dead = 0.0
        self._last_urgent = 0.0

    async def __aenter__(self) -> Self:
        """Nothing to begin: the groups are made when first needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the groups, if Redis is there to be told, and close the connections."""
        with suppress(RedisError, OSError, TimeoutError):
            await self._redis.delete(f"{_WORKERS}{self.worker}")
            for work in KINDS:
                await self._leave(work, self.worker)
        await self._redis.aclose()

    async def take(self, kinds: Sequence[Kind], limit: int, wait_seconds: float) -> list[Claim]:
        """Claim items of one kind, urgent ones first; refining only when nothing urgent came lately, never by all."""
        with reaching_redis():
            try:
                return await self._take(kinds, limit, wait_seconds)
            except ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                self._ready = False
                return []

    async def announce(self, info: WorkerInfo) -> None:
        """Say that this worker is there; forgotten 6 s after the last call. Raises Unavailable."""
        with reaching_redis():
            await self._redis.set(f"{_WORKERS}{self.worker}", json.dumps(asdict(info)), px=_WORKER_TTL_MS)

    async def extend(self, claims: Sequence[Claim]) -> None:
        """Reset the idle time of the claims, so that nobody takes them over."""
        with reaching_redis():
            for claim in claims:
                stream, entry, _ = claim.handle.split("|", 2)
                await self._redis.xclaim(stream, _GROUP, self.worker, 0, [entry], justid=True)

    async def finish(self, claim: Claim, result: WorkResult) -> None:
        """Add the result to the node's stream and delete the item, in one transaction."""
        stream, entry, node = claim.handle.split("|", 2)
        fields: dict[Any, Any] = {"result": result.to_bytes()}
        with reaching_redis():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.xadd(f"{_RESULTS}{node}", fields, maxlen=_MOST_RESULTS)
                pipe.expire(f"{_RESULTS}{node}", _RESULTS_SECONDS)  # a node that died never reads what people said
                pipe.xack(stream, _GROUP, entry)
                pipe.xdel(stream, entry)
                await pipe.execute()

    async def _take(self, kinds: Sequence[Kind], limit: int, wait_seconds: float) -> list[Claim]:
        if not self._ready:
            await self._join()
        claims = await self._from_the_dead(kinds, limit)
        urgent = [kind for kind in kinds if kind != "refine"]
        for kind in urgent:
            claims = claims or await self._read([kind], limit, None)
        now = time.monotonic()
        if claims:
            self._last_urgent = now
            return claims
        if "refine" in kinds and await self._may_refine(now - self._last_urgent):
            claims = await self._read(["refine"], 1, None)
        if not claims and wait_seconds > 0:
            claims = await self._read(urgent, 1, wait_seconds)
            if claims:
                self._last_urgent = time.monotonic()
        return claims

    async def _read(self, kinds: Sequence[Kind], limit: int, wait_seconds: float | None) -> list[Claim]:
        """Claim new entries: up to `limit` of each kind, in the order of the kinds."""
        streams: dict[Any, Any] = {_stream(kind): ">" for kind in kinds}
        block = None if wait_seconds is None else max(1, round(wait_seconds * 1000))
        found: Any = await self._redis.xreadgroup(_GROUP, self.worker, streams, limit, block)
        claims: list[Claim] = []
        for stream, entries in found or ():
            claims += await self._claims(stream.decode(), entries, fresh=True)
        return claims

    async def _from_the_dead(self, kinds: Sequence[Kind], limit: int) -> list[Claim]:
        """Claim entries whose workers have fallen silent; looks once a second."""
        now = time.monotonic()
        if now - self._looked_for_dead < _LOOK_FOR_DEAD_SECONDS:
            return []
        self._looked_for_dead = now
        for kind in kinds:
            stream = _stream(kind)
            found: Any = await self._redis.xautoclaim(stream, _GROUP, self.worker, self._reclaim_ms, "0-0", limit)
            claims = await self._claims(stream, found[1], fresh=False)
            if claims:
                return claims
        return []

    async def _claims(self, stream: str, entries: Any, *, fresh: bool) -> list[Claim]:
        if not entries:
            return []
        seconds, micros = await self._redis.time()
        claims: list[Claim] = []
        for entry, fields in entries:
            try:
                item = WorkItem.from_bytes(fields[b"item"])
                node = fields[b"node"].decode()
            except (ValueError, KeyError, TypeError):
                _log.error("a work item cannot be read and is dropped", stream=stream)
                await self._redis.xack(stream, _GROUP, entry)
                await self._redis.xdel(stream, entry)
                continue
            waited = seconds + micros / 1e6 - int(entry.split(b"-")[0]) / 1000
            deliveries = 1 if fresh else await self._deliveries(stream, entry)
            claims.append(Claim(f"{stream}|{entry.decode()}|{node}", item, deliveries, max(0.0, waited)))
        return claims

    async def _deliveries(self, stream: str, entry: bytes) -> int:
        found: Any = await self._redis.xpending_range(stream, _GROUP, entry, entry, 1)
        return int(found[0]["times_delivered"]) if found else 1

    async def _may_refine(self, idle_seconds: float) -> bool:
        """Whether refining leaves at least half of the live workers to urgent work; an only worker waits longer."""
        if idle_seconds < _REFINE_AFTER_IDLE_SECONDS:
            return False
        pending: Any = await self._redis.xpending(_stream("refine"), _GROUP)
        consumers: Any = await self._redis.xinfo_consumers(_stream("final"), _GROUP)
        alive = sum(1 for consumer in consumers if consumer["idle"] < _CONSUMER_ALIVE_MS)
        if alive < 2 and idle_seconds < _REFINE_ALONE_AFTER_IDLE_SECONDS:
            return False
        return int(pending["pending"]) < max(1, alive // 2)

    async def _join(self) -> None:
        for kind in KINDS:
            try:
                await self._redis.xgroup_create(_stream(kind), _GROUP, "0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
            consumers: Any = await self._redis.xinfo_consumers(_stream(kind), _GROUP)
            for consumer in consumers:
                if consumer["idle"] > _CONSUMER_GONE_MS and consumer["pending"] == 0:
                    await self._leave(kind, consumer["name"].decode())
        self._ready = True

    async def _leave(self, kind: Kind, worker: str) -> None:
        """Take a worker out of a group, unless it still has claims: those must stay to be taken over."""
        pending: Any = await self._redis.xpending_range(_stream(kind), _GROUP, "-", "+", 1, worker)
        if not pending:
            await self._redis.xgroup_delconsumer(_stream(kind), _GROUP, worker)
