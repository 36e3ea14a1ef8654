"""The load of `media.py`: rooms of members with made-up Opus and VP8, and what of it arrives, when.

Every packet carries the moment it was sent in its RTP timestamp, which a forwarder shifts by a constant per stream at most; sequence
numbers likewise. So delay and loss are read from the clear headers, without decrypting: the delay of a packet is its transit less the
least transit of its stream. One process sends and receives for all members; it judges its own lag too, and a run in which the loader
fell behind counts for nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import random
import select
import socket
import struct
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cffi
import numpy as np
from pylibsrtp._binding import ffi, lib

from benchmarks._light_peer import AUDIO, EXT_LEVEL, EXT_SEND_TIME, EXT_TRANSPORT_CC, RTX, VIDEO, LightPeer

AUDIO_SECONDS, VIDEO_SECONDS = 1 / 50, 1 / 30.25
PACKETS_PER_FRAME, AUDIO_BYTES, VIDEO_BYTES = 4, 80, 965
KEYFRAME_FRAMES = 60
BATCH = 64
CLOCK = 90_000

_c = cffi.FFI()
_c.cdef(
    """
    struct iovec { void *base; size_t len; };
    struct msghdr { void *name; unsigned namelen; struct iovec *iov; size_t iovlen; void *control; size_t controllen; int flags; };
    struct mmsghdr { struct msghdr hdr; unsigned len; };
    int recvmmsg(int, struct mmsghdr *, unsigned, int, void *);
    """
)
_libc = _c.dlopen(None)
_headers = _c.new("struct mmsghdr[]", BATCH)
_iovecs = _c.new("struct iovec[]", BATCH)
_received = bytearray(BATCH * 2048)
_received_view = memoryview(_received)
_received_c = _c.from_buffer(_received)
for _i in range(BATCH):
    _iovecs[_i].base, _iovecs[_i].len = _received_c + _i * 2048, 2048
    _headers[_i].hdr.iov, _headers[_i].hdr.iovlen = _iovecs + _i, 1
_read = struct.Struct("!BBHII").unpack_from
_pack = struct.Struct("!BBHII").pack_into


@dataclass(slots=True)
class Stream:
    """One SSRC as one member receives it."""

    transits: array[int]
    first: int
    newest: int
    count: int


class Sender:
    """One member's own streams, built in place and protected by libsrtp directly."""

    def __init__(self, peer: LightPeer, audio_type: int = AUDIO, video_type: int = VIDEO) -> None:
        self.peer = peer
        self.context = peer.dtls._tx_srtp._srtp[0]
        self.buffer = ffi.new("unsigned char[2048]")
        self.view = memoryview(ffi.buffer(self.buffer))
        self.length = ffi.new("int *")
        self.audio = [audio_type, random.randrange(1 << 14), peer.audio_ssrc]
        self.video = [video_type, random.randrange(1 << 14), peer.video_ssrc]
        self.transport_number = 0
        self.frames = 0
        self.sent = 0
        self._socket = socket.socket(fileno=os.dup(peer.socket.fileno()))
        self._sendto = self._socket.sendto
        self._view_audio = os.urandom(AUDIO_BYTES)
        self._view_video = os.urandom(VIDEO_BYTES)

    def packet(self, stream: list[int], marker: int, payload: bytes, head: bytes, now: float) -> None:
        """Send one packet."""
        view = self.view
        stream[1] = (stream[1] + 1) & 0xFFFF
        _pack(view, 0, 0x90, marker | stream[0], stream[1], int(now * CLOCK) & 0xFFFFFFFF, stream[2])
        if self.peer.transport_cc:
            number = self.transport_number = (self.transport_number + 1) & 0xFFFF
            view[12:24] = struct.pack(
                "!HHBHBBxxx", 0xBEDE, 2, EXT_TRANSPORT_CC << 4 | 1, number, EXT_LEVEL << 4, 0x80 | 30
            )
            at = 24
        else:
            view[12:20] = struct.pack("!HHI", 0xBEDE, 1, EXT_SEND_TIME << 28 | 2 << 24 | int(now * 262_144) & 0xFFFFFF)
            at = 20
        end = at + len(payload)
        view[at:end] = payload
        view[at : at + len(head)] = head
        self.length[0] = end
        lib.srtp_protect(self.context, self.buffer, self.length)
        try:
            self._sendto(view[: self.length[0]], self.peer.remote_address)
            self.sent += 1
        except OSError:
            pass

    def speak(self, now: float) -> float:
        """Send one Opus packet."""
        self.packet(self.audio, 0, self._view_audio, b"\x78", now)
        return AUDIO_SECONDS

    def film(self, now: float) -> float:
        """Send one VP8 frame of four packets."""
        key = self.frames % KEYFRAME_FRAMES == 0
        layer = 0 if key else (0, 2, 1, 2)[self.frames % 4]
        picture = self.frames & 0x7FFF
        for part in range(PACKETS_PER_FRAME):
            head = bytes(
                [
                    0x80 | 0x10 * (part == 0),
                    0xE0,
                    0x80 | picture >> 8,
                    picture & 0xFF,
                    self.frames // 4 & 0xFF,
                    layer << 6,
                    not key,
                ]
            )
            self.packet(self.video, 0x80 * (part == PACKETS_PER_FRAME - 1), self._view_video, head, time.monotonic())
        self.frames += 1
        return VIDEO_SECONDS


@dataclass(frozen=True, slots=True)
class Outcome:
    """One measured interval."""

    forwarded: int
    lost: int
    p50_ms: float
    p99_ms: float
    streams: int
    loader_lag_ms: float
    """99th percentile of how late the loader was with its own packets."""
    asked: int = 0
    """Packets that the loader threw away and asked for again."""
    recovered: int = 0
    """Of those, how many came."""


class Load:
    """All members of all rooms."""

    def __init__(self) -> None:
        self._receivers: dict[int, tuple[LightPeer, dict[int, Stream]]] = {}
        self._senders: list[Sender] = []
        self._due: list[tuple[float, int, Callable[[float], float]]] = []
        self._order = 0
        self._poll = select.epoll()
        self.measuring = False
        self.loss = 0.0
        """Share of video packets that the loader throws away and asks for again by NACK; with it goes a PLI a second and member."""
        self._asked: set[tuple[int, int, int]] = set()
        self._ask_count = self._recovered = 0
        self._random = random.Random(3)

    def add(self, peer: LightPeer, *, sender: Sender | None) -> None:
        """Take a connected peer over from the event loop."""
        loop: Any = asyncio.get_running_loop()
        number = peer.socket.fileno()
        loop._remove_reader(number)
        self._receivers[number] = (peer, {})
        self._poll.register(number, select.EPOLLIN)
        if sender is not None:
            self._senders.append(sender)
            now = time.monotonic()
            for action, period in ((sender.speak, AUDIO_SECONDS), (sender.film, VIDEO_SECONDS)):
                self._order += 1
                heapq.heappush(self._due, (now + random.random() * period, self._order, action))

    async def run(self, seconds: float, *, measure: bool) -> Outcome:
        """Send and receive for that long."""
        for _, streams in self._receivers.values():
            streams.clear()
        self.measuring = measure
        self._asked.clear()
        self._ask_count = self._recovered = 0
        lags = array("d")
        due, poll = self._due, self._poll
        end = time.monotonic() + seconds
        breath = 0.0
        while True:
            now = time.monotonic()
            if now >= end:
                break
            while due and due[0][0] <= now:
                at, order, action = heapq.heappop(due)
                if measure:
                    lags.append(now - at)
                # A loader that fell behind does not send bursts to catch up.
                heapq.heappush(due, (max(at + action(now), now - 0.05), order, action))
                now = time.monotonic()
            wait = max(0.0, min(due[0][0] - time.monotonic(), 0.002)) if due else 0.002
            for number, _ in poll.poll(wait):
                self._receive(number)
            if now > breath:
                breath = now + 0.05
                await asyncio.sleep(0)
        self.measuring = False
        # What is still on its way is neither lost nor counted.
        for number in list(self._receivers):
            self._receive(number)
        return self._outcome(lags)

    def _receive(self, number: int) -> None:
        peer, streams = self._receivers[number]
        got = _libc.recvmmsg(number, _headers, BATCH, 0x40, _c.NULL)
        now = int(time.monotonic() * CLOCK)
        for place in range(max(0, got)):
            start = place * 2048
            first, kind, sequence, timestamp, ssrc = _read(_received, start)
            if not 128 <= first <= 191:
                data = bytes(_received_view[start : start + _headers[place].len])
                protocol = peer.agent._nominated[1].protocol
                protocol.datagram_received(data, peer.remote_address)
                continue
            if 192 <= kind <= 223 or not self.measuring:
                continue
            if self.loss and not self._arrives(number, peer, kind & 0x7F, ssrc, sequence):
                continue
            stream = streams.get(ssrc)
            if stream is None:
                stream = streams[ssrc] = Stream(array("L"), sequence, sequence, 0)
            stream.count += 1
            ahead = (sequence - stream.newest + 0x8000 & 0xFFFF) - 0x8000
            stream.newest += ahead if ahead > 0 else 0
            stream.transits.append((now - timestamp) & 0xFFFFFFFF)

    def _arrives(self, number: int, peer: LightPeer, payload_type: int, ssrc: int, sequence: int) -> bool:
        """Throw packets away and ask for them; returns whether this one counts as it is."""
        key = (number, ssrc, sequence)
        if payload_type == RTX or key in self._asked:
            self._asked.discard(key)
            self._recovered += 1
            return False
        chance = self._random.random()
        if payload_type == AUDIO or chance >= self.loss:
            return True
        self._asked.add(key)
        self._ask_count += 1
        peer.send_rtcp(struct.pack("!BBHIIHH", 0x81, 205, 3, 1, ssrc, sequence, 0))
        if chance < self.loss / 20:
            peer.send_rtcp(struct.pack("!BBHII", 0x81, 206, 2, 1, ssrc))
        return False

    def _outcome(self, lags: array[float]) -> Outcome:
        delays, lost, count, total = [], 0, 0, 0
        for _, streams in self._receivers.values():
            for stream in streams.values():
                if stream.count < 5:
                    continue
                total += 1
                count += stream.count
                lost += max(0, stream.newest - stream.first + 1 - stream.count)
                transits = np.asarray(stream.transits, dtype=np.uint32)
                relative = (transits - transits[0]).astype(np.int32)
                delays.append((relative - relative.min()) * (1000 / CLOCK))
        # What the loader threw away itself was not lost on the way.
        lost = max(0, lost - self._ask_count)
        every = np.concatenate(delays) if delays else np.zeros(1)
        lag = 1000 * float(np.percentile(lags, 99)) if len(lags) else 0.0
        return Outcome(
            count,
            lost,
            float(np.percentile(every, 50)),
            float(np.percentile(every, 99)),
            total,
            lag,
            self._ask_count,
            self._recovered,
        )

    @property
    def peers(self) -> list[LightPeer]:
        """Return every peer."""
        return [peer for peer, _ in self._receivers.values()]
