"""RTP packets as bytes: headers, header extensions, the VP8 payload descriptor, sequence arithmetic (pure).

Owns what RFC 3550, RFC 8285 and RFC 7741 say about bytes. Never does I/O, never keeps time. Called by `streams` for every packet, so
the functions take buffers and offsets and build no objects beyond tuples.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

Buffer = bytes | bytearray | memoryview

HEADER = struct.Struct("!BBHII")
"""First twelve bytes of an RTP packet: flags, marker and payload type, sequence, timestamp, SSRC."""

URI_AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
URI_MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
URI_ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
URI_TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

ONE_BYTE_PROFILE = 0xBEDE
MAX_MID = 16


@dataclass(frozen=True, slots=True)
class ExtensionIds:
    """Which one-byte extension id (1..14) a peer gave to each extension; 0 where it was not negotiated."""

    mid: int = 0
    audio_level: int = 0
    abs_send_time: int = 0
    transport_cc: int = 0


def parse_header(packet: Buffer, length: int) -> tuple[int, int, int, int, int, int, int, int] | None:
    """Return (marker and payload type, sequence, timestamp, SSRC, extension start, extension end, payload start, payload end).

    Offsets index into `packet`, of which `length` bytes count. The extension range is empty where there is none or where its profile is
    not the one-byte form. Padding is cut off. None for anything that RFC 3550 (section 5.1) does not allow.
    """
    if length < 12:
        return None
    flags, marker_type, sequence, timestamp, ssrc = HEADER.unpack_from(packet, 0)
    if flags >> 6 != 2:
        return None
    start = 12 + 4 * (flags & 0x0F)
    extension_start = extension_end = 0
    if flags & 0x10:
        if start + 4 > length:
            return None
        profile = packet[start] << 8 | packet[start + 1]
        words = packet[start + 2] << 8 | packet[start + 3]
        extension_start = start + 4
        start = extension_start + 4 * words
        extension_end = start if profile == ONE_BYTE_PROFILE else extension_start
    if start > length:
        return None
    end = length
    if flags & 0x20:
        padding = packet[length - 1] if length > start else 0
        if not 0 < padding <= length - start:
            return None
        end = length - padding
    return marker_type, sequence, timestamp, ssrc, extension_start, extension_end, start, end


def read_extensions(packet: Buffer, start: int, end: int, level_id: int, cc_id: int) -> tuple[int | None, int | None]:
    """Return (audio level 0..127 -dBov or None, transport-wide sequence or None) from a one-byte extension block (RFC 8285, 4.2)."""
    level = sequence = None
    position = start
    while position < end:
        byte = packet[position]
        if byte == 0:
            position += 1
            continue
        identity, size = byte >> 4, (byte & 0x0F) + 1
        position += 1
        if identity == 15 or position + size > end:
            break
        if identity == level_id:
            level = packet[position] & 0x7F
        elif identity == cc_id and size == 2:
            sequence = packet[position] << 8 | packet[position + 1]
        position += size
    return level, sequence


def read_mid(packet: Buffer, start: int, end: int, mid_id: int) -> str | None:
    """Return the MID (RFC 9143) of a one-byte extension block, None where absent or not ASCII."""
    position = start
    while mid_id and position < end:
        byte = packet[position]
        if byte == 0:
            position += 1
            continue
        identity, size = byte >> 4, (byte & 0x0F) + 1
        position += 1
        if identity == 15 or position + size > end:
            return None
        if identity == mid_id:
            try:
                return bytes(packet[position : position + size]).decode("ascii")
            except UnicodeDecodeError:
                return None
        position += size
    return None


@dataclass(frozen=True, slots=True)
class HeaderTemplate:
    """The constant part of every header that one subscriber gets on one m-line; three places in it change per packet."""

    octets: bytes
    send_time_at: int
    """Offset of the three bytes of abs-send-time; 0 where it was not negotiated."""
    level_at: int
    """Offset of the audio level byte; 0 where it was not negotiated."""


def header_template(ssrc: int, ids: ExtensionIds, mid: str) -> HeaderTemplate:
    """Lay out a header with exactly the extensions in `ids` (transport-cc is never sent); the MID must fit `MAX_MID` bytes."""
    block = bytearray()
    send_time_at = level_at = 0
    if ids.abs_send_time:
        block.append(ids.abs_send_time << 4 | 2)
        send_time_at = 16 + len(block)
        block += bytes(3)
    if ids.audio_level:
        block.append(ids.audio_level << 4)
        level_at = 16 + len(block)
        block.append(127)
    if ids.mid and mid:
        name = mid.encode("ascii")
        assert len(name) <= MAX_MID, "the offer parser bounds mids"
        block.append(ids.mid << 4 | (len(name) - 1))
        block += name
    block += bytes(-len(block) % 4)
    if not block:
        return HeaderTemplate(HEADER.pack(0x80, 0, 0, 0, ssrc), 0, 0)
    octets = HEADER.pack(0x90, 0, 0, 0, ssrc) + struct.pack("!HH", ONE_BYTE_PROFILE, len(block) // 4) + block
    return HeaderTemplate(octets, send_time_at, level_at)


class Vp8Descriptor(NamedTuple):
    """What a forwarder needs of the VP8 payload descriptor (RFC 7741, section 4.2); a tuple, as one is made per packet."""

    frame_start: bool
    keyframe: bool
    """First packet of a keyframe; needs the first byte of the payload header, so it is False on other packets."""
    picture_at: int
    """Offset of the PictureID in the payload; 0 where absent."""
    picture_id: int
    picture_bits: int
    """7 or 15; 0 where absent."""
    tl0_at: int
    """Offset of TL0PICIDX; 0 where absent."""
    tl0: int
    layer: int
    """Temporal layer 0..3; 0 where the sender does not say."""
    sync: bool
    """The Y bit: this frame depends on layer 0 only, so that a receiver may go up to its layer here."""


NO_VP8 = Vp8Descriptor(False, False, 0, 0, 0, 0, 0, 0, False)


def parse_vp8(payload: Buffer) -> Vp8Descriptor | None:
    """Read the descriptor at the head of a VP8 RTP payload; None where it is truncated."""
    size = len(payload)
    if size < 2:
        return None
    first = payload[0]
    at = 1
    picture_at = picture_id = picture_bits = tl0_at = tl0 = layer = 0
    sync = False
    if first & 0x80:
        flags = payload[1]
        at = 2
        if flags & 0x80:
            if at >= size:
                return None
            picture_at, picture_bits, picture_id = at, 7, payload[at] & 0x7F
            at += 1
            if payload[picture_at] & 0x80:
                if at >= size:
                    return None
                picture_bits, picture_id = 15, picture_id << 8 | payload[at]
                at += 1
        if flags & 0x40:
            if at >= size:
                return None
            tl0_at, tl0 = at, payload[at]
            at += 1
        if flags & 0x30:
            if at >= size:
                return None
            if flags & 0x20:
                layer, sync = payload[at] >> 6, bool(payload[at] & 0x20)
            at += 1
    frame_start = first & 0x17 == 0x10
    if at >= size:
        return None
    keyframe = frame_start and payload[at] & 1 == 0
    return Vp8Descriptor(frame_start, keyframe, picture_at, picture_id, picture_bits, tl0_at, tl0, layer, sync)


def shift_vp8(packet: Buffer, at: int, vp8: Vp8Descriptor, picture_shift: int, tl0_shift: int) -> None:
    """Add to the PictureID and TL0PICIDX of the payload that begins at `at`, in place, so that a switch of source leaves no gap."""
    assert not isinstance(packet, bytes)
    if vp8.picture_bits == 15:
        value = (vp8.picture_id + picture_shift) & 0x7FFF
        packet[at + vp8.picture_at] = 0x80 | value >> 8
        packet[at + vp8.picture_at + 1] = value & 0xFF
    elif vp8.picture_bits == 7:
        packet[at + vp8.picture_at] = (vp8.picture_id + picture_shift) & 0x7F
    if vp8.tl0_at:
        packet[at + vp8.tl0_at] = (vp8.tl0 + tl0_shift) & 0xFF


def unwrap(sequence: int, near: int) -> int:
    """Return the number congruent to the 16-bit `sequence` that is nearest to `near`; keeps counting past 65535 (RFC 3711, 3.3.1)."""
    return near + ((sequence - near + 0x8000) & 0xFFFF) - 0x8000


class SequenceMap:
    """From one source's sequence numbers to one subscriber's, without gaps where packets were left out on purpose.

    With every range goes what is added to VP8 PictureIDs there, since frames that are left out must not leave gaps in those either.

    Invariants: ranges begin at rising source numbers; the newest range holds for everything after it. At most `KEPT` ranges are kept;
    a packet older than the oldest one is not mapped, so it is not forwarded and cannot be sent again.
    """

    KEPT = 128

    __slots__ = ("_ranges", "picture_shift", "shift")

    def __init__(self) -> None:
        self._ranges: deque[tuple[int, int | None, int]] = deque(maxlen=self.KEPT)
        self.shift = 0
        """What is added to the number of a packet that is newer than every one before."""
        self.picture_shift = 0

    def restart(self, source: int, out: int, picture_shift: int = 0) -> None:
        """Map `source` and what follows to `out` and what follows; earlier numbers belonged to another source."""
        self._ranges.clear()
        self.shift = out - source
        self.picture_shift = picture_shift
        self._ranges.append((source, self.shift, picture_shift))

    def skip(self, source: int, *, whole_picture: bool) -> None:
        """Leave out `source`, which must be newer than every number before; `whole_picture` on the first packet of a picture left out."""
        if self._ranges and self._ranges[-1][0] == source:
            self._ranges.pop()
        if not self._ranges or self._ranges[-1][1] is not None:
            self._ranges.append((source, None, 0))
        self.shift -= 1
        if whole_picture:
            self.picture_shift -= 1
        self._ranges.append((source + 1, self.shift, self.picture_shift))

    def forward(self, source: int) -> tuple[int, int] | None:
        """Return (the subscriber's unwrapped number, picture shift) of a packet that came late; None if left out or too old."""
        for start, shift, picture_shift in reversed(self._ranges):
            if source >= start:
                return None if shift is None else (source + shift, picture_shift)
        return None

    def backward(self, out: int, newest_source: int) -> tuple[int, int] | None:
        """Return (the source's number, picture shift) of what the subscriber got as the 16-bit `out`; None if nothing matches."""
        newer = newest_source + 1
        for start, shift, picture_shift in reversed(self._ranges):
            if shift is not None:
                source = unwrap((out - shift) & 0xFFFF, newest_source)
                if start <= source < newer:
                    return source, picture_shift
            newer = start
        return None


StoredPacket = tuple[int, int, int, bytes]
"""(unwrapped sequence number, marker 0x80 or 0, timestamp, payload): a plain tuple, since the garbage collector stops looking at those,
and tens of thousands are kept."""


class PacketRing:
    """The last `size` packets of one source; older ones are overwritten. `size` is a power of two."""

    __slots__ = ("_mask", "_packets")

    def __init__(self, size: int) -> None:
        assert size > 0 and size & (size - 1) == 0, "a ring's size is a power of two"
        self._mask = size - 1
        self._packets: list[StoredPacket | None] = [None] * size

    def add(self, packet: StoredPacket) -> None:
        """Keep a packet, overwriting the one `size` numbers before it."""
        self._packets[packet[0] & self._mask] = packet

    def get(self, source: int) -> StoredPacket | None:
        """Return the packet with that unwrapped number, if it is still kept."""
        packet = self._packets[source & self._mask]
        return packet if packet is not None and packet[0] == source else None
