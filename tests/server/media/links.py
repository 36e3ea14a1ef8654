"""Bad networks: a UDP relay between one member and the room that loses packets or carries only so much."""

from __future__ import annotations

import asyncio
import random
import re
from typing import cast


class Link(asyncio.DatagramProtocol):
    """Stands before one member. Media is lost or delayed, STUN and DTLS pass, so that connections come about quickly."""

    def __init__(
        self, server: tuple[str, int], *, loss: float = 0.0, down_bits: float | None = None, seed: int = 1
    ) -> None:
        self.server = server
        self.loss = loss
        self.down_bits = down_bits
        self.dropped = 0
        self.passed = 0
        self._random = random.Random(seed)
        self._client: tuple[str, int] | None = None
        self._free_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr == self.server:
            if self._client is not None and not self._lost(data):
                self._down(data, self._client)
        else:
            self._client = addr
            if not self._lost(data):
                self.transport.sendto(data, self.server)

    def _lost(self, data: bytes) -> bool:
        lost = 128 <= data[0] <= 191 and self._random.random() < self.loss
        self.dropped += lost
        self.passed += not lost
        return lost

    def _down(self, data: bytes, client: tuple[str, int]) -> None:
        if self.down_bits is None or data[0] < 128:
            self.transport.sendto(data, client)
            return
        # A queue of a third of a second before the bottleneck; what does not fit is lost.
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now)
        if self._free_at - now > 0.33:
            self.dropped += 1
            return
        self._free_at += len(data) * 8 / self.down_bits
        asyncio.get_running_loop().call_at(self._free_at, self.transport.sendto, data, client)

    def through(self, answer: str) -> str:
        """Return the answer with this link in place of the server's candidates."""
        host, port = self.transport.get_extra_info("sockname")[:2]
        return re.sub(r"(a=candidate:\S+ 1 udp \d+) \S+ \d+ typ", rf"\1 {host} {port} typ", answer)


async def link_to(answer: str, **options: float | None) -> Link:
    """Open a link to the server whose (only) candidate is in the answer."""
    found = re.search(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ", answer)
    assert found is not None
    _, link = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Link((found[1], int(found[2])), **options),  # type: ignore[arg-type]
        local_addr=("127.0.0.1", 0),
    )
    return link


class Network:
    """Which members connect over a bad network, and their links once they have."""

    def __init__(self, **options: dict[str, float | None]) -> None:
        self.options = options
        self.links: dict[str, Link] = {}

    async def through(self, member: str, answer: str) -> str:
        """Return the answer for a member, by way of its link if it has one."""
        if member not in self.options:
            return answer
        self.links[member] = await link_to(answer, **self.options[member])
        return self.links[member].through(answer)

    def close(self) -> None:
        """Close all links."""
        for link in self.links.values():
            link.transport.close()
