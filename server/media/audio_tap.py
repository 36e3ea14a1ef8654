"""Sound on its way to the transcriber, off the forwarding path.

Owns a bounded queue per room. When the transcriber is behind, the oldest packets are dropped and counted: its decoder sees the gap in the
RTP timestamps. What the receiver raises is logged and never reaches the room. Called by `forwarder` on the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from transcription.decode import AudioPacket

log = structlog.get_logger(__name__)

PER_TURN = 64
"""Packets handed on before other callbacks of the loop get their turn."""


class AudioTap:
    """Queue of one room's audio packets; at most `capacity` wait, the oldest are dropped."""

    def __init__(self, receiver: Callable[[AudioPacket], None], capacity: int) -> None:
        self._receiver = receiver
        self._capacity = capacity
        self._waiting: deque[AudioPacket] = deque()
        self._scheduled = False
        self._closed = False
        self.dropped = 0
        """Packets dropped because the receiver was behind."""
        self.failed = 0
        """Packets at which the receiver raised."""

    def push(self, packet: AudioPacket) -> None:
        """Queue one packet; never blocks, never raises."""
        if self._closed:
            return
        if len(self._waiting) >= self._capacity:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(packet)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._drain)

    def close(self) -> None:
        """Hand on nothing more."""
        self._closed = True
        self._waiting.clear()

    def _drain(self) -> None:
        self._scheduled = False
        for _ in range(min(PER_TURN, len(self._waiting))):
            packet = self._waiting.popleft()
            try:
                self._receiver(packet)
            except Exception:
                self.failed += 1
                if self.failed == 1:
                    log.exception("audio receiver failed")
        if self._waiting:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._drain)
