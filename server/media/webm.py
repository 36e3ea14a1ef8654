"""WebM files of one picture, written as they grow: VP8 frames into Matroska elements (RFC 9559), without transcoding.

Pure: makes octets, never touches a file. Every cluster is whole with its size, in a segment of unknown size: a file cut at a cluster's end
plays. A finished file gets its length and an index by overwriting room that was kept for them. Called by `pictures`.
"""

from __future__ import annotations

import struct

MAX_CLUSTER_MS = 30_000
"""A block's time is 16 bits, from its cluster's."""
_UNIX_TO_2001 = 978_307_200
_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7

_EBML, _SEGMENT, _SEEK_HEAD, _SEEK, _SEEK_ID, _SEEK_POSITION = 0x1A45DFA3, 0x18538067, 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
_VOID, _INFO, _SCALE, _DURATION, _DATE, _MUXER, _WRITER = 0xEC, 0x1549A966, 0x2AD7B1, 0x4489, 0x4461, 0x4D80, 0x5741
_TRACKS, _TRACK, _NUMBER, _UID, _TYPE, _LACING, _CODEC = 0x1654AE6B, 0xAE, 0xD7, 0x73C5, 0x83, 0x9C, 0x86
_VIDEO, _WIDTH, _HEIGHT = 0xE0, 0xB0, 0xBA
_CLUSTER, _TIMESTAMP, _BLOCK = 0x1F43B675, 0xE7, 0xA3
_CUES, _CUE, _CUE_TIME, _CUE_PLACE, _CUE_TRACK, _CUE_CLUSTER = 0x1C53BB6B, 0xBB, 0xB3, 0xB7, 0xF7, 0xF1


def _octets(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def element(number: int, content: bytes | int) -> bytes:
    """Return an element; its size takes 1 octet below 127, else 8."""
    data = _octets(content) if isinstance(content, int) else content
    size = bytes([0x80 | len(data)]) if len(data) < 127 else (1 << 56 | len(data)).to_bytes(8, "big")
    return _octets(number) + size + data


def _seek_head(cues_at: int) -> bytes:
    position = element(_SEEK_POSITION, cues_at.to_bytes(8, "big"))
    return element(_SEEK_HEAD, element(_SEEK, element(_SEEK_ID, _octets(_CUES)) + position))


def _duration(milliseconds: int) -> bytes:
    return element(_DURATION, struct.pack(">d", milliseconds))


def _room_for(later: bytes) -> bytes:
    return element(_VOID, bytes(len(later) - 2))


class WebmStream:
    """Builds the octets of one file, cluster by cluster. `width` and `height` in pixels; `started_at` in Unix seconds."""

    def __init__(self, width: int, height: int, started_at: float) -> None:
        head = element(
            _EBML,
            # Versions, the longest id and size, the document's type and its versions.
            element(0x4286, 1)
            + element(0x42F7, 1)
            + element(0x42F2, 4)
            + element(0x42F3, 8)
            + element(0x4282, b"webm")
            + element(0x4287, 4)
            + element(0x4285, 2),
        )
        date = struct.pack(">q", round((started_at - _UNIX_TO_2001) * 1_000_000_000))
        length = _room_for(_duration(0))
        info = element(
            _INFO,
            length + element(_SCALE, 1_000_000) + element(_DATE, date) + element(_MUXER, b"parley") + element(_WRITER, b"parley"),
        )
        track = (
            element(_NUMBER, 1)
            + element(_UID, 1)
            + element(_TYPE, 1)
            + element(_LACING, 0)
            + element(_CODEC, b"V_VP8")
            + element(_VIDEO, element(_WIDTH, width) + element(_HEIGHT, height))
        )
        segment = head + _octets(_SEGMENT)
        self._size_at = len(segment)
        self._start = len(segment) + len(_UNKNOWN_SIZE)
        index = _room_for(_seek_head(0))
        self._index_at = self._start
        self._length_at = self._start + len(index) + info.index(length)
        self._ready = bytearray(
            segment + _UNKNOWN_SIZE + index + info + element(_TRACKS, element(_TRACK, track))
        )
        self._written = 0
        self._blocks: list[bytes] = []
        self._cluster_ms = 0
        self._cues: list[tuple[int, int]] = []
        self.last_ms = 0
        """Time of the newest frame."""

    def add(self, milliseconds: int, keyframe: bool, frame: bytes) -> None:
        """Append a frame of that time since the file's start; one before its predecessor takes its predecessor's time."""
        at = self.last_ms = max(milliseconds, self.last_ms)
        if self._blocks and (keyframe or at - self._cluster_ms > MAX_CLUSTER_MS):
            self._finish_cluster()
        if not self._blocks:
            self._cluster_ms = at
            if keyframe:
                self._cues.append((at, self._written + len(self._ready) - self._start))
        head = struct.pack(">BhB", 0x81, at - self._cluster_ms, 0x80 if keyframe else 0)
        self._blocks.append(element(_BLOCK, head + frame))

    def take(self) -> bytes:
        """Return all octets since the last call, in whole clusters."""
        if self._blocks:
            self._finish_cluster()
        ready, self._ready = bytes(self._ready), bytearray()
        self._written += len(ready)
        return ready

    def finish(self, milliseconds: int) -> tuple[bytes, tuple[tuple[int, bytes], ...]]:
        """Return what ends a file of that length, and what then to overwrite: (offset, octets), in this order. Call after `take`."""
        cues = b"".join(
            element(_CUE, element(_CUE_TIME, at) + element(_CUE_PLACE, element(_CUE_TRACK, 1) + element(_CUE_CLUSTER, place)))
            for at, place in self._cues
        )
        tail = element(_CUES, cues)
        cues_at = self._written - self._start
        return tail, (
            (self._length_at, _duration(max(milliseconds, self.last_ms))),
            (self._index_at, _seek_head(cues_at)),
            (self._size_at, (1 << 56 | cues_at + len(tail)).to_bytes(8, "big")),
        )

    def _finish_cluster(self) -> None:
        self._ready += element(_CLUSTER, element(_TIMESTAMP, self._cluster_ms) + b"".join(self._blocks))
        self._blocks = []
