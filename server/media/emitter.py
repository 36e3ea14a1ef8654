"""One protected packet out, one in: the mechanics of a packet, in Python (`packets` takes the same in C where it was built).

Owns how a subscriber's copy is written and how a received packet is opened. Decides nothing: numbers and shifts come from `streams`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from server.media import srtp
from server.media.datagrams import OUTBOX, Address, Buffer, Lane, new_buffer, new_length
from server.media.rtp import HEADER, Vp8Descriptor, parse_header, read_extensions, shift_vp8

BUFFERS = 8
"""Packets of one subscription that wait for one flush: a frame's packets, when they come together."""

Opened = tuple[int, int, int, int | None, int | None, bytes]
"""Marker and payload type, sequence, timestamp, audio level or None, transport-wide sequence or None, payload without padding."""

_pack_middle = struct.Struct("!BHI").pack_into
_outbox = OUTBOX
_received_length = new_length()


def open_packet(context: srtp.Context, buffer: Buffer, length: int, level_id: int, cc_id: int) -> Opened | bool | None:
    """Unprotect and read the RTP packet of `length` bytes at the head of `buffer`; False: not authentic, None: malformed."""
    if length < 12:
        return None
    _received_length[0] = length
    if srtp.unprotect(context.c, buffer.c, _received_length):
        return False
    view = buffer.view
    header = parse_header(view, _received_length[0])
    if header is None:
        return None
    marker_type, sequence, timestamp, _, extension_start, extension_end, start, end = header
    level, transport_sequence = read_extensions(view, extension_start, extension_end, level_id, cc_id)
    return marker_type, sequence, timestamp, level, transport_sequence, bytes(view[start:end])


class Emitter:
    """Writes the packets of one stream to one subscriber, protects them and queues them in the outbox.

    Args:
        payload_type: of the stream.
        header: the constant header, with its extensions.
        send_time_at: where abs-send-time goes, 0: nowhere.
        level_at: where the audio level goes, 0: nowhere.
        send: takes a packet and an address while `lane` is None (the way leads over a relay).
        address: for `send`.
    """

    def __init__(
        self, payload_type: int, header: bytes, send_time_at: int, level_at: int,
        send: Callable[[Any, Address], object], address: Address,
    ) -> None:  # fmt: skip
        self.payload_type = payload_type
        self.context: srtp.Context | None = None
        """None until the subscriber's handshake is done."""
        self.lane: Lane | None = None
        """The way to the subscriber; None where it leads over a relay, then `send` is used."""
        self.send = send
        self.address = address
        self.timestamp_shift = 0
        self.tl0_shift = 0
        self.packets = 0
        self.octets = 0
        self.errors = 0
        self._buffers = [new_buffer(header) for _ in range(BUFFERS)]
        self._used = 0
        self._round = -1
        self._length = new_length()
        self._header_size = len(header)
        self._send_time = slice(send_time_at, send_time_at + 3) if send_time_at else None
        self._level_at = level_at

    def emit(
        self,
        marker: int,
        number: int,
        timestamp: int,
        payload: bytes,
        send_time: bytes,
        level: int,
        vp8: Vp8Descriptor,
        picture: int,
    ) -> None:
        """Send one packet: `number` and `picture` (shift) are this subscriber's, `timestamp` the source's, `marker` 0x80 or 0."""
        # This is called for every packet to everyone: calls and attributes cost more here than anything else in the process.
        context = self.context
        if context is None:
            self.errors += 1
            return
        used = self._used
        if self._round != _outbox.round or used == BUFFERS:
            used = self._next_round()
        self._used = used + 1
        buffer = self._buffers[used]
        c, view, _ = buffer
        _pack_middle(
            view, 1, marker | self.payload_type, number & 0xFFFF, (timestamp + self.timestamp_shift) & 0xFFFFFFFF
        )
        if self._send_time is not None:
            view[self._send_time] = send_time
        elif self._level_at:
            view[self._level_at] = level
        start = self._header_size
        end = start + len(payload)
        view[start:end] = payload
        if picture or self.tl0_shift:
            shift_vp8(view, start, vp8, picture, self.tl0_shift)
        length = self._length
        length[0] = end
        if srtp.protect(context.c, c, length):
            self.errors += 1
            return
        lane = self.lane
        if lane is not None:
            packets = lane.packets
            if not packets:
                _outbox.lanes.append(lane)
            packets.append((buffer, length[0]))
        else:
            self.send(view[: length[0]], self.address)
        self.packets += 1
        self.octets += end - start

    def _next_round(self) -> int:
        """Make the buffers free, by a flush if packets wait in all of them; returns the first."""
        if self._round == _outbox.round:
            _outbox.flush()
        self._round = _outbox.round
        return 0

    def emit_rtx(
        self,
        ssrc: int,
        payload_type: int,
        rtx_number: int,
        marker: int,
        number: int,
        timestamp: int,
        payload: bytes,
        send_time: bytes,
        vp8: Vp8Descriptor,
        picture: int,
    ) -> None:
        """Send a packet again as RTX (RFC 4588, section 4): `number` is the one it had, `rtx_number` that of the RTX stream."""
        context = self.context
        if context is None:
            self.errors += 1
            return
        _outbox.flush()
        self._round, self._used = _outbox.round, 0
        buffer = self._buffers[0]
        view, start = buffer.view, self._header_size
        flags, main_ssrc = view[0], bytes(view[8:12])
        HEADER.pack_into(
            view, 0, flags, marker | payload_type, rtx_number, (timestamp + self.timestamp_shift) & 0xFFFFFFFF, ssrc
        )
        if self._send_time is not None:
            view[self._send_time] = send_time
        struct.pack_into("!H", view, start, number)
        end = start + 2 + len(payload)
        view[start + 2 : end] = payload
        if picture or self.tl0_shift:
            shift_vp8(view, start + 2, vp8, picture, self.tl0_shift)
        self._length[0] = end
        if srtp.protect(context.c, buffer.c, self._length):
            self.errors += 1
        elif self.lane is not None:
            _outbox.add(self.lane, buffer, self._length[0])
            _outbox.flush()
        else:
            self.send(view[: self._length[0]], self.address)
        # The template belongs to the main stream.
        view[8:12] = main_ssrc
