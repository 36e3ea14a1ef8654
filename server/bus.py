"""Redis between the nodes: live events, who is there, and which room lives where.

Owns: the connection settings for Redis, publish and subscribe, the registry of nodes and the placement of rooms (keys
that expire unless renewed). Never does: durable facts (they are in the database), work (`server.work_streams`).
Called by: `server.app`, `server.rooms.placement`, `server.work_streams`.

Every method that talks to Redis raises Unavailable `bus_away` where it cannot be reached; subscriptions heal by
themselves, and messages published meanwhile are lost: what must arrive is in the event log.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from deliberation.errors import Unavailable
from server.tasks import end

_log = structlog.get_logger(__name__)
_PREFIX = "parley:"
_EVENTS = f"{_PREFIX}events:"
_AWAY_SECONDS = 0.5
_POLL_SECONDS = 0.2
_OPERATION_SECONDS = 5.0

_CLAIM = """
local owner = redis.call('GET', KEYS[1])
if not owner or owner == ARGV[1] or redis.call('EXISTS', ARGV[3] .. owner) == 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
return owner
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

Message = dict[str, Any]
Handler = Callable[[str, Message], None]


def connect(url: str) -> Redis:
    """Return a client for `redis://`, `rediss://` or `unix://`; it connects when first used, replies are bytes."""
    client: Redis = Redis.from_url(
        url,
        socket_connect_timeout=2.0,
        socket_timeout=_OPERATION_SECONDS,
        retry=Retry(ExponentialBackoff(cap=0.1, base=0.01), 2),
    )
    return client


@contextmanager
def reaching_redis() -> Iterator[None]:
    """Turn every way in which Redis can be away into Unavailable `bus_away`."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable("bus_away", "The live bus (Redis) cannot be reached right now.") from error


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """One serving process."""

    node_id: str
    url: str
    """Where clients reach it."""
    rooms: int
    members: int
    load: float
    """CPU share of its core, 0..1."""


class Bus:
    """One process's end of the bus. `async with Bus(url) as bus` keeps its subscriptions going."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url)
        self._handlers: dict[str, list[Handler]] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to listen. Redis need not be up yet."""
        self._task = asyncio.create_task(self._listen_for_ever(), name="bus")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and close the connections."""
        if self._task is not None:
            await end(self._task)
        await self._redis.aclose()

    async def ping(self) -> None:
        """Raise Unavailable unless Redis answers."""
        with reaching_redis():
            await self._redis.get(f"{_PREFIX}ping")

    async def publish(self, topic: str, message: Message) -> None:
        """Send a JSON message to everybody who listens to the topic now."""
        with reaching_redis():
            await self._redis.publish(f"{_EVENTS}{topic}", json.dumps(message))

    def subscribe(self, topic: str, handler: Handler) -> Callable[[], None]:
        """Call `handler(topic, message)` on the loop for each message until the returned function is called.

        A topic that ends in `*` stands for all that begin so. Takes effect within a moment; a handler that raises is
        logged and called again next time.
        """
        self._handlers.setdefault(topic, []).append(handler)
        self._changed.set()

        def unsubscribe() -> None:
            handlers = self._handlers.get(topic, [])
            if handler in handlers:
                handlers.remove(handler)
            if not handlers:
                self._handlers.pop(topic, None)
            self._changed.set()

        return unsubscribe

    async def announce(self, node: NodeInfo, ttl_seconds: float) -> None:
        """Register the node, or renew it: it counts as gone `ttl_seconds` after the last call."""
        with reaching_redis():
            value = json.dumps(asdict(node))
            await self._redis.set(f"{_PREFIX}node:{node.node_id}", value, px=round(ttl_seconds * 1000))

    async def withdraw(self, node_id: str) -> None:
        """Take a node out of the registry at once."""
        with reaching_redis():
            await self._redis.delete(f"{_PREFIX}node:{node_id}")

    async def nodes(self) -> list[NodeInfo]:
        """Return the nodes that are there, by id."""
        with reaching_redis():
            keys = [key async for key in self._redis.scan_iter(match=f"{_PREFIX}node:*", count=200)]
            values = await self._redis.mget(keys) if keys else []
        return sorted((NodeInfo(**json.loads(value)) for value in values if value), key=lambda node: node.node_id)

    async def place(self, room_id: str, node_id: str, ttl_seconds: float) -> str:
        """Claim the room for the node, or renew the claim; return the node that has it.

        A room whose node has gone from the registry is free. Atomic: two nodes never both get the room.
        """
        with reaching_redis():
            owner = await self._redis.eval(
                _CLAIM,
                1,
                f"{_PREFIX}room:{room_id}",
                node_id,
                str(round(ttl_seconds * 1000)),
                f"{_PREFIX}node:",
            )
        return _text(owner)

    async def located(self, room_id: str) -> str | None:
        """Return the node that has the room, None where none has."""
        with reaching_redis():
            owner = await self._redis.get(f"{_PREFIX}room:{room_id}")
        return None if owner is None else _text(owner)

    async def release(self, room_id: str, node_id: str) -> None:
        """Give the room up, if the node has it."""
        with reaching_redis():
            await self._redis.eval(_RELEASE, 1, f"{_PREFIX}room:{room_id}", node_id)

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError):
                _log.warning("bus is away")
                await asyncio.sleep(_AWAY_SECONDS)

    async def _listen(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            current: set[str] = set()
            while True:
                self._changed.clear()
                wanted = set(self._handlers)
                if gone := current - wanted:
                    await pubsub.punsubscribe(*(_pattern(topic) for topic in gone))
                if new := wanted - current:
                    await pubsub.psubscribe(*(_pattern(topic) for topic in new))
                current = wanted
                if not current:
                    await self._changed.wait()
                    continue
                await self._deliver_until_changed(pubsub)

    async def _deliver_until_changed(self, pubsub: Any) -> None:
        while not self._changed.is_set():
            found = await pubsub.get_message(timeout=_POLL_SECONDS)
            if found is not None and found["type"] == "pmessage":
                self._deliver(_text(found["pattern"]), _text(found["channel"]), found["data"])

    def _deliver(self, pattern: str, channel: str, data: bytes) -> None:
        topic = channel.removeprefix(_EVENTS)
        for handler in tuple(self._handlers.get(_topic(pattern), ())):
            try:
                handler(topic, json.loads(data))
            except Exception as error:
                _log.error("a bus handler failed", topic=topic, error=type(error).__name__)


def _pattern(topic: str) -> str:
    """Return the topic as a Redis glob in which only a final `*` is special."""
    plain, star = (topic[:-1], "*") if topic.endswith("*") else (topic, "")
    escaped = "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in plain)
    return f"{_EVENTS}{escaped}{star}"


def _topic(pattern: str) -> str:
    """Undo `_pattern`."""
    plain = pattern.removeprefix(_EVENTS)
    letters: list[str] = []
    escaped = False
    for letter in plain:
        if letter == "\\" and not escaped:
            escaped = True
            continue
        letters.append(letter)
        escaped = False
    return "".join(letters)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
