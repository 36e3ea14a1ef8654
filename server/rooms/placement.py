"""Which node has which room, and which deliberation's lobby.

Owns this node's entry in the registry and the claims it holds, both renewed on the live bus. Never starts or stops a room: the registry does,
told by `lost` and `gone`. Called by the registry; a server of a single node has everything itself and asks nobody.

Invariants: a room or lobby has one owner at a time (claims are atomic, and the log refuses a second writer besides); what this node holds is
answered from memory, so rooms go on while the bus is away.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

import structlog

from deliberation.errors import Unavailable
from server.bus import Bus, NodeInfo

log = structlog.get_logger()

RENEW_SECONDS = 1.0
NODE_SECONDS = 5.0  # a node that has not renewed itself for so long is gone, and its rooms are free
CLAIM_SECONDS = 120.0
CLAIMS_EVERY = 5  # every so many rounds the claims are renewed too
ORPHANS_EVERY = 10  # and rooms are looked for that are nobody's, though no node was seen to go
RECENT_SECONDS = 3.0  # placements younger than this may not be counted in the nodes' own figures yet
Load = Callable[[], tuple[int, int]]


def lobby_key(deliberation_id: str) -> str:
    """Return the key under which a deliberation's lobby is placed; practice rooms live where it does."""
    return f"lobby:{deliberation_id}"


class Placement:
    """One node's part in sharing out rooms. `load` gives how many rooms run here and how many people are in them."""

    def __init__(self, bus: Bus | None, node_id: str, url: str = "", load: Load = lambda: (0, 0)) -> None:
        """Use `Placement.alone()` for a server of one node; `url` is where other nodes reach this one."""
        self.node_id = node_id
        self._bus = bus
        self._url = url
        self._load = load
        self._held: set[str] = set()
        self._recent: deque[tuple[float, str]] = deque(maxlen=1000)

    @classmethod
    def alone(cls) -> Placement:
        """Return the placement of a server that has everything itself."""
        return cls(None, "alone")

    @property
    def is_alone(self) -> bool:
        """Whether there are no other nodes to ask."""
        return self._bus is None

    async def owner(self, key: str) -> str:
        """Return the node that has it; where none has, it is given to the least loaded. Raises `Unavailable`."""
        if self._bus is None or key in self._held:
            return self.node_id
        nodes = await self._bus.nodes()
        found = await self._bus.located(key)
        if found in {node.node_id for node in nodes}:
            assert found is not None
            return found
        return await self._give(self._bus, key, nodes)

    async def choose(self, key: str) -> str:
        """Give something new to the least loaded node and return it; to this one while the bus is away."""
        if self._bus is None:
            return self.node_id
        try:
            return await self._give(self._bus, key, await self._bus.nodes())
        except Unavailable:
            self._held.add(key)
            return self.node_id

    async def hold(self, key: str) -> None:
        """Take it for this node. Raises `Unavailable("elsewhere")` where another has it."""
        if self._bus is None or key in self._held:
            return
        if await self._bus.place(key, self.node_id, CLAIM_SECONDS) != self.node_id:
            raise Unavailable("elsewhere", "This room has moved to another server process.", "Please try again.")
        self._held.add(key)

    async def release(self, key: str) -> None:
        """Let go of it."""
        if self._bus is not None and key in self._held:
            self._held.discard(key)
            try:
                await self._bus.release(key, self.node_id)
            except Unavailable:
                return  # the claim runs out by itself

    async def url_of(self, node_id: str) -> str:
        """Return where a node is reached. Raises `Unavailable("node_gone")`."""
        nodes = await self._bus.nodes() if self._bus is not None else []
        for node in nodes:
            if node.node_id == node_id:
                return node.url
        raise Unavailable("node_gone", "A part of the server is being restarted.", "Please try again in a moment.")

    async def join(self, count: int, seconds: float) -> None:
        """Enter the registry, and wait until `count` nodes are there, for so many seconds at most."""
        if self._bus is None:
            return
        await self._announce(self._bus)
        try:
            async with asyncio.timeout(seconds):
                while len(await self._bus.nodes()) < count:  # noqa: ASYNC110  # they come from other processes
                    await asyncio.sleep(0.1)
        except TimeoutError:
            log.warning("not all nodes are there yet", wanted=count)

    async def run(self, lost: Callable[[str], None], gone: Callable[[], Awaitable[None]]) -> None:
        """Renew until cancelled. `lost` is told what another node has taken, `gone` is called when rooms may be nobody's."""
        if self._bus is None:
            return
        known: set[str] = set()
        rounds = 0
        while True:
            try:
                await self._announce(self._bus)
                if rounds % CLAIMS_EVERY == 0:
                    await self._renew(self._bus, lost)
                there = {node.node_id for node in await self._bus.nodes()}
                if known - there or rounds % ORPHANS_EVERY == ORPHANS_EVERY - 1:
                    await gone()
                known = there
                rounds += 1
            except Unavailable:
                rounds = 0  # a bus that comes back may have forgotten: claim again at once
            await asyncio.sleep(RENEW_SECONDS)

    async def leave(self) -> None:
        """Leave the registry: everything here is free at once."""
        if self._bus is None:
            return
        try:
            await self._bus.withdraw(self.node_id)
        except Unavailable:
            return  # the entry runs out by itself

    async def _announce(self, bus: Bus) -> None:
        rooms, members = self._load()
        await bus.announce(NodeInfo(self.node_id, self._url, rooms, members, 0.0), NODE_SECONDS)

    async def _renew(self, bus: Bus, lost: Callable[[str], None]) -> None:
        for key in tuple(self._held):
            if await bus.place(key, self.node_id, CLAIM_SECONDS) != self.node_id:
                self._held.discard(key)
                log.warning("another node has taken over", key=key)
                lost(key)

    async def _give(self, bus: Bus, key: str, nodes: Iterable[NodeInfo]) -> str:
        owner = await bus.place(key, self._least_loaded(nodes), CLAIM_SECONDS)
        self._recent.append((time.monotonic(), owner))
        if owner == self.node_id:
            self._held.add(key)
        return owner

    def _least_loaded(self, nodes: Iterable[NodeInfo]) -> str:
        since = time.monotonic() - RECENT_SECONDS
        recent = [node_id for at, node_id in self._recent if at > since]
        load = {node.node_id: (node.rooms + recent.count(node.node_id), node.members) for node in nodes}
        return min(load, key=lambda node_id: (*load[node_id], node_id), default=self.node_id)
