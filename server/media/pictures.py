"""Members' pictures on disk: VP8 packets put together to frames (RFC 7741) and written into WebM files as they came.

Owns one file per recorded member, which keeps room time from the moment its recording began. A frame that misses a packet is left out, and
so is everything until the next keyframe, for which the publisher is asked. Called by `recorder` on its worker thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from server.media.model import Recording, VideoPacket
from server.media.recorder import ArrivalClock
from server.media.rtp import parse_vp8, unwrap
from server.media.webm import WebmStream

RATE = 90_000
WAIT_SECONDS = 0.5
"""How long a packet waits for earlier ones."""
MAX_WAITING = 512
DRIFT_GAIN = 0.002
"""Per frame: the clock of the sender is followed over half a minute."""
KEYFRAME_SECONDS = 10.0
"""A file has a keyframe at least that often, so that one can go to any place in it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One VP8 frame; `at` is the room time when its first packet arrived."""

    data: bytes
    keyframe: bool
    timestamp: int
    at: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, of a keyframe (RFC 6386, section 9.1)."""
        return int.from_bytes(self.data[6:8], "little") & 0x3FFF, int.from_bytes(self.data[8:10], "little") & 0x3FFF


def vp8_data_at(payload: bytes) -> int | None:
    """Return where the VP8 data begin after the descriptor of an RTP payload; None where it is truncated."""
    size = len(payload)
    at = 1
    if size > 1 and payload[0] & 0x80:
        flags = payload[1]
        at = 2
        if flags & 0x80:
            at += 2 if at < size and payload[at] & 0x80 else 1
        at += bool(flags & 0x40) + bool(flags & 0x30)
    return at if at < size else None


class Vp8Frames:
    """Puts one member's packets together to frames (pure)."""

    def __init__(self) -> None:
        self._ssrc: int | None = None
        self._waiting: dict[int, VideoPacket] = {}
        self._next = self._newest = 0
        self._open: list[VideoPacket] = []
        self.keyframe_needed = True
        """Whether frames are left out until a keyframe comes."""
        self.lost = 0
        """Packets that never came."""
        self.late = 0
        """Packets that came too late, or twice."""

    def add(self, packet: VideoPacket) -> list[Frame]:
        """Take a packet in order of arrival; return the frames that are now whole, in order."""
        frames: list[Frame] = []
        if packet.ssrc != self._ssrc:
            frames = self.finish()
            self._ssrc = packet.ssrc
            self._next = self._newest = packet.sequence + 0x10000
            self._break()
        number = unwrap(packet.sequence, self._newest)
        if number < self._next or number in self._waiting:
            self.late += 1
            return frames
        self._waiting[number] = packet
        self._newest = max(self._newest, number)
        self._advance(frames)
        while self._waiting:
            lowest = min(self._waiting)
            if len(self._waiting) <= MAX_WAITING and packet.at - self._waiting[lowest].at < WAIT_SECONDS:
                break
            self._give_up(lowest, frames)
        return frames

    def finish(self) -> list[Frame]:
        """Return the frames that are whole in what still waits."""
        frames: list[Frame] = []
        while self._waiting:
            self._give_up(min(self._waiting), frames)
        return frames

    def _give_up(self, until: int, frames: list[Frame]) -> None:
        self.lost += until - self._next
        self._next = until
        self._break()
        self._advance(frames)

    def _break(self) -> None:
        self._open = []
        self.keyframe_needed = True

    def _advance(self, frames: list[Frame]) -> None:
        while (packet := self._waiting.pop(self._next, None)) is not None:
            self._next += 1
            if packet.payload:  # else only padding
                self._take(packet, frames)

    def _take(self, packet: VideoPacket, frames: list[Frame]) -> None:
        vp8 = parse_vp8(packet.payload)
        parts = self._open
        # Every frame begins with the first partition's start and goes on under one timestamp until the marker.
        fits = vp8 is not None and vp8.frame_start == (not parts) and (not parts or packet.timestamp == parts[0].timestamp)
        if not fits:
            self._break()
            if vp8 is None or not vp8.frame_start:
                return
            parts = self._open
        parts.append(packet)
        if not packet.marker:
            return
        self._open = []
        data = b"".join(part.payload[vp8_data_at(part.payload) :] for part in parts)
        keyframe = len(data) >= 10 and not data[0] & 1
        if keyframe:
            self.keyframe_needed = False
        if not self.keyframe_needed:
            frames.append(Frame(data, keyframe, packet.timestamp, min(part.at for part in parts)))


class PictureFile:
    """One member's file. It comes into being with the first keyframe."""

    def __init__(self, member_id: str, path: Path, started_at: float) -> None:
        self.member_id = member_id
        self.path = path
        self.started_at = started_at
        self.waiting: list[VideoPacket] = []
        self.dropped = 0
        self.wants_keyframe = False
        self._frames = Vp8Frames()
        self._clock = ArrivalClock(RATE, DRIFT_GAIN)
        self._stream: WebmStream | None = None
        self._begun = False
        self._keyframe_ms = 0

    def write(self, packets: list[VideoPacket], finish_at: float | None) -> None:
        """Append packets to the file; runs on a worker thread."""
        for packet in packets:
            self._append(self._frames.add(packet))
        if finish_at is not None:
            self._append(self._frames.finish())
        stream = self._stream
        old = stream is not None and stream.last_ms - self._keyframe_ms >= KEYFRAME_SECONDS * 1000
        self.wants_keyframe = bool(packets) and (self._frames.keyframe_needed or old)
        if stream is None:
            return
        octets = stream.take()
        if octets:
            with self.path.open("ab" if self._begun else "xb") as file:
                file.write(octets)
            self._begun = True
        if finish_at is not None:
            tail, later = stream.finish(round((finish_at - self.started_at) * 1000))
            with self.path.open("r+b") as file:
                file.seek(0, 2)
                file.write(tail)
                for offset, patch in later:
                    file.seek(offset)
                    file.write(patch)

    def finished(self) -> Recording:
        """Return what was recorded."""
        seconds = self._stream.last_ms / 1000 if self._stream else 0.0
        return Recording(self.member_id, self.path, self.started_at, seconds, (), self._frames.late, self.dropped)

    def _append(self, frames: list[Frame]) -> None:
        for frame in frames:
            at = max(0, round(self._clock.seconds(frame.timestamp, frame.at - self.started_at) * 1000))
            if self._stream is None:
                self._stream = WebmStream(*frame.size, self.started_at)
            if frame.keyframe:
                self._keyframe_ms = at
            self._stream.add(at, frame.keyframe, frame.data)
