"""Members' sound on disk: Opus packets into Ogg files as they came, without transcoding; and what writes them, and pictures, to disk.

Owns one file per recorded member. Every file begins at the moment its recording began and keeps room time: silence stands for what never
came, so that the files of a room lie side by side. Whole pages are flushed every second: a crash loses at most that second, and the file
plays as it is. Never decides who is recorded (consent is the caller's). Called by `server/rooms`, which gives it the packets of the tap.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
import struct
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import structlog

from server.media.model import Recording, VideoPacket
from transcription.decode import AudioPacket

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 1.0
BACKLOG = 3_000
"""Packets of one member that wait for the disk (a minute); the newest are dropped and counted."""
REORDER_TICKS = 9_600
"""A packet waits 200 ms for earlier ones."""
RESYNC_SECONDS = 0.5
"""When the RTP clock and the clock on the wall differ by more, the source has begun anew."""
MAX_GAPS = 1_000
SILENCE = b"\xf8\xff\xfe"
"""20 ms of silence as one Opus packet (fullband CELT, mono)."""
SILENCE_TICKS = 960
RATE = 48_000
PRE_SKIP = 312
"""Samples that decoders drop at the start: the least that libopus needs (RFC 7845, section 4.2)."""

_FRAME_TICKS = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4


def packet_ticks(payload: bytes) -> int:
    """Return the duration of an Opus packet in 1/48000 s (RFC 6716, section 3.1); 0 for one that is malformed."""
    if not payload:
        return 0
    frame = _FRAME_TICKS[payload[0] >> 3]
    code = payload[0] & 3
    count = (1, 2, 2, 0)[code]
    if code == 3 and len(payload) > 1:
        count = payload[1] & 0x3F
    ticks = frame * count
    return ticks if ticks <= 5_760 else 0


def _crc_table() -> tuple[int, ...]:
    table = []
    for index in range(256):
        value = index << 24
        for _ in range(8):
            value = (value << 1) ^ 0x04C11DB7 if value & 0x80000000 else value << 1
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


_CRC = _crc_table()


def _crc(octets: bytes) -> int:
    """Return Ogg's checksum (RFC 3533, section 6: polynomial 0x04C11DB7, not reflected)."""
    value = 0
    table = _CRC
    for octet in octets:
        value = (value << 8 & 0xFFFFFFFF) ^ table[value >> 24 ^ octet]
    return value


class OggOpusStream:
    """Builds the bytes of one Ogg Opus file (RFC 7845), page by page."""

    def __init__(self, comments: tuple[str, ...] = (), serial: int | None = None) -> None:
        self._serial = random.randrange(1 << 32) if serial is None else serial
        self._pages = 0
        self._packets: list[bytes] = []
        self._segments = 0
        self.granule = 0
        """Samples at 48 kHz so far, without the pre-skip."""
        self._ready = bytearray()
        self._comments = comments

    def headers(self) -> bytes:
        """Return the two header pages."""
        head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, PRE_SKIP, RATE, 0, 0)
        vendor = b"parley"
        tags = b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(self._comments))
        for comment in self._comments:
            text = comment.encode()
            tags += struct.pack("<I", len(text)) + text
        return self._page([head], 0, 0x02) + self._page([tags], 0, 0x00)

    def add(self, payload: bytes, ticks: int) -> None:
        """Append one packet of that duration."""
        segments = len(payload) // 255 + 1
        if self._segments + segments > 255:
            self._finish_page(0)
        self._packets.append(payload)
        self._segments += segments
        self.granule += ticks

    def take(self, *, last: bool = False) -> bytes:
        """Return the bytes of all pages since the last call; `last` marks the end of the stream."""
        if self._packets or last:
            self._finish_page(0x04 if last else 0)
        ready, self._ready = bytes(self._ready), bytearray()
        return ready

    def _finish_page(self, flags: int) -> None:
        self._ready += self._page(self._packets, self.granule + PRE_SKIP, flags)
        self._packets, self._segments = [], 0

    def _page(self, packets: list[bytes], granule: int, flags: int) -> bytes:
        lacing = b"".join(b"\xff" * (len(p) // 255) + bytes([len(p) % 255]) for p in packets)
        header = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, self._serial, self._pages, 0)
        page = header + bytes([len(lacing)]) + lacing + b"".join(packets)
        self._pages += 1
        return page[:22] + struct.pack("<I", _crc(page)) + page[26:]


class ArrivalClock:
    """Puts RTP timestamps of one source in time by their arrival: the first where it came, others by their distance to it.

    `gain` is how much of the difference to the clock on the wall is taken up at each step.
    """

    def __init__(self, rate: int, gain: float = 0.0) -> None:
        self._rate = rate
        self._gain = gain
        self._anchor: tuple[int, float] | None = None

    def seconds(self, timestamp: int, arrived: float) -> float:
        """Return the time of a 32-bit timestamp that arrived at that time, both in seconds."""
        if self._anchor is not None:
            known, seconds = self._anchor
            distance = ((timestamp - known + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            expected = seconds + distance / self._rate
            if abs(expected - arrived) < RESYNC_SECONDS:
                arrived = expected + self._gain * (arrived - expected)
        self._anchor = (timestamp, arrived)
        return arrived


class OpusTimeline:
    """Puts one member's packets in their place in room time (pure)."""

    def __init__(self, started_at: float, stream: OggOpusStream) -> None:
        self._started_at = started_at
        self._stream = stream
        self._clock = ArrivalClock(RATE)
        self._waiting: list[tuple[int, int, bytes]] = []
        self._newest = 0
        self.gaps: deque[tuple[float, float]] = deque(maxlen=MAX_GAPS)
        self.late = 0

    def add(self, packet: AudioPacket) -> None:
        """Take a packet in order of arrival."""
        ticks = packet_ticks(packet.payload)
        if not ticks:
            return
        place = round(self._clock.seconds(packet.timestamp, packet.at - self._started_at) * RATE)
        self._newest = max(self._newest, place)
        heapq.heappush(self._waiting, (place, packet.sequence, packet.payload))
        self._write_until(self._newest - REORDER_TICKS)

    def finish(self, at: float) -> None:
        """Write what waits and fill up to room time `at`."""
        self._write_until(1 << 62)
        self._fill(round((at - self._started_at) * RATE))

    def _write_until(self, place: int) -> None:
        stream = self._stream
        while self._waiting and self._waiting[0][0] <= place:
            at, _, payload = heapq.heappop(self._waiting)
            if at < stream.granule - SILENCE_TICKS // 2:
                self.late += 1
                continue
            self._fill(at)
            stream.add(payload, packet_ticks(payload))

    def _fill(self, place: int) -> None:
        stream = self._stream
        missing = place - stream.granule
        if missing < SILENCE_TICKS:
            return
        start = self._started_at + stream.granule / RATE
        for _ in range(missing // SILENCE_TICKS):
            stream.add(SILENCE, SILENCE_TICKS)
        self.gaps.append((start, self._started_at + stream.granule / RATE))


class MemberFile(Protocol):
    """One member's recording of one kind. `waiting` is filled on the event loop, the rest happens on a worker thread."""

    member_id: str
    path: Path
    waiting: list[Any]
    dropped: int
    wants_keyframe: bool
    """Whether the picture can go on only, or should go on, with a keyframe."""

    def write(self, packets: list[Any], finish_at: float | None) -> None:
        """Append packets to the file, and finish it at a room time. Raises `OSError`."""

    def finished(self) -> Recording:
        """Return what was recorded."""


class OpusFile:
    """One member's sound."""

    wants_keyframe = False

    def __init__(self, member_id: str, path: Path, started_at: float) -> None:
        self.member_id = member_id
        self.path = path
        self.started_at = started_at
        self.stream = OggOpusStream((f"PARLEY_STARTED_AT={started_at:.3f}",))
        self.timeline = OpusTimeline(started_at, self.stream)
        self.waiting: list[AudioPacket] = []
        self.dropped = 0
        self.begun = False

    def write(self, packets: list[AudioPacket], finish_at: float | None) -> None:
        """Append packets to the file; runs on a worker thread."""
        for packet in packets:
            self.timeline.add(packet)
        if finish_at is not None:
            self.timeline.finish(finish_at)
        octets = b"" if self.begun else self.stream.headers()
        octets += self.stream.take(last=finish_at is not None)
        with self.path.open("ab" if self.begun else "xb") as file:
            file.write(octets)
        self.begun = True

    def finished(self) -> Recording:
        """Return what was recorded."""
        return Recording(
            member_id=self.member_id,
            path=self.path,
            started_at=self.started_at,
            seconds=self.stream.granule / RATE,
            gaps=tuple(self.timeline.gaps),
            late=self.timeline.late,
            dropped=self.dropped,
        )


class Recorder:
    """The recordings of one room, of one kind. A recording that cannot be written ends alone and is reported by `on_failure(member_id, why)`.

    `on_keyframe(member_id)` asks for one.
    """

    def __init__(
        self,
        on_failure: Callable[[str, str], None],
        new_file: Callable[[str, Path, float], MemberFile] = OpusFile,
        on_keyframe: Callable[[str], None] | None = None,
    ) -> None:
        self._files: dict[str, MemberFile] = {}
        self._on_failure = on_failure
        self._new_file = new_file
        self._on_keyframe = on_keyframe
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self, member_id: str, path: Path, at: float) -> None:
        """Begin to record a member into a new file; one that is being recorded goes on as it is."""
        if member_id in self._files:
            return
        self._files[member_id] = self._new_file(member_id, path, at)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="recorder")

    def push(self, packet: AudioPacket | VideoPacket) -> None:
        """Take a packet of anyone; never blocks, never raises."""
        file = self._files.get(packet.participant_id)
        if file is None:
            return
        if len(file.waiting) >= BACKLOG:
            file.dropped += 1
        else:
            file.waiting.append(packet)

    async def stop(self, member_id: str, at: float) -> Recording | None:
        """Finish a member's recording at room time `at`; None if there is none, or it failed."""
        async with self._writing:
            file = self._files.pop(member_id, None)
            if file is None or not await self._write(file, at):
                return None
        return file.finished()

    async def discard(self, member_id: str) -> None:
        """End a member's recording and delete it: they do not agree to it any more."""
        async with self._writing:
            file = self._files.pop(member_id, None)
            if file is not None:
                file.waiting.clear()
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(file.path.unlink, missing_ok=True)

    async def close(self, at: float) -> tuple[Recording, ...]:
        """Finish every recording."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        finished = [await self.stop(member_id, at) for member_id in list(self._files)]
        return tuple(recording for recording in finished if recording is not None)

    async def _run(self) -> None:
        while self._files:
            await asyncio.sleep(FLUSH_SECONDS)
            for file in list(self._files.values()):
                async with self._writing:
                    if self._files.get(file.member_id) is file and not await self._write(file, None):
                        del self._files[file.member_id]

    async def _write(self, file: MemberFile, finish_at: float | None) -> bool:
        packets, file.waiting = file.waiting, []
        # Shielded, as a write must not be repeated or torn when the room closes.
        writing = asyncio.ensure_future(asyncio.to_thread(file.write, packets, finish_at))
        try:
            await asyncio.shield(writing)
        except OSError as error:
            log.warning("recording failed", member=file.member_id, error=type(error).__name__)
            self._on_failure(file.member_id, error.strerror or type(error).__name__)
            return False
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise
        if file.wants_keyframe and self._on_keyframe is not None:
            self._on_keyframe(file.member_id)
        return True
