"""RTCP as bytes: what peers report is read, what we report is written (pure).

Owns RFC 3550 (SR, RR, SDES, BYE), RFC 4585 (NACK, PLI), RFC 5104 (FIR), draft-alvestrand-rmcat-remb-03 and
draft-holmer-rmcat-transport-wide-cc-extensions-01. Never does I/O, never keeps time. Called by `peer`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

SR, RR, SDES, BYE, RTPFB, PSFB = 200, 201, 202, 203, 205, 206
FMT_NACK, FMT_TRANSPORT_CC = 1, 15
FMT_PLI, FMT_FIR, FMT_AFB = 1, 4, 15

NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 (NTP) to 1970 (Unix)."""
MAX_LOST_PER_NACK = 256
"""Of one NACK no more sequence numbers are read than this."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """One source as its receiver sees it (RFC 3550, section 6.4.1)."""

    ssrc: int
    fraction_lost: float
    """0..1 since the last report."""
    lost: int
    highest: int
    jitter: int
    """In clock ticks."""
    last_sr: int
    """Middle 32 bits of the NTP time in the last SR; 0 if none came."""
    delay: int
    """Since that SR, in 1/65536 s."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """A source's clock: this NTP time is that RTP timestamp."""

    ssrc: int
    ntp: int
    """64-bit NTP time of the sender's own clock."""
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Report:
    """Report blocks of one SR or RR."""

    blocks: tuple[ReportBlock, ...]


@dataclass(frozen=True, slots=True)
class Nack:
    """These packets of a source did not come."""

    media_ssrc: int
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyframeRequest:
    """PLI or FIR."""

    media_ssrc: int


@dataclass(frozen=True, slots=True)
class BitrateLimit:
    """REMB: the receiver can take this much, over all sources of ours."""

    bits_per_second: int


@dataclass(frozen=True, slots=True)
class Bye:
    """These sources have ended."""

    ssrcs: tuple[int, ...]


Item = SenderReport | Report | Nack | KeyframeRequest | BitrateLimit | Bye


def parse(packet: bytes | memoryview) -> Iterator[Item]:
    """Yield what a compound packet says; kinds that a forwarder does not need are passed over.

    Raises:
        ValueError: the packet breaks RFC 3550's framing; what came before the break has been yielded.
    """
    at, size = 0, len(packet)
    while at < size:
        if at + 4 > size or packet[at] >> 6 != 2:
            raise ValueError("RTCP header is truncated or of another version")
        count, kind = packet[at] & 0x1F, packet[at + 1]
        end = at + 4 + 4 * (packet[at + 2] << 8 | packet[at + 3])
        if end > size:
            raise ValueError("RTCP length exceeds the datagram")
        body = bytes(packet[at + 4 : end])
        if packet[at] & 0x20:
            if not body or not 0 < body[-1] <= len(body):
                raise ValueError("RTCP padding exceeds the packet")
            body = body[: -body[-1]]
        at = end
        yield from _parse_one(kind, count, body)


def _parse_one(kind: int, count: int, body: bytes) -> Iterator[Item]:
    if kind == SR:
        if len(body) < 24 + 24 * count:
            raise ValueError("SR is truncated")
        yield SenderReport(*struct.unpack_from("!IQIII", body))
        yield Report(tuple(_blocks(body, 24, count)))
    elif kind == RR:
        if len(body) < 4 + 24 * count:
            raise ValueError("RR is truncated")
        yield Report(tuple(_blocks(body, 4, count)))
    elif kind == BYE:
        if len(body) < 4 * count:
            raise ValueError("BYE is truncated")
        yield Bye(struct.unpack_from(f"!{count}I", body))
    elif kind in (RTPFB, PSFB):
        if len(body) < 8:
            raise ValueError("feedback is truncated")
        media_ssrc = int.from_bytes(body[4:8], "big")
        if kind == RTPFB and count == FMT_NACK:
            yield Nack(media_ssrc, tuple(_lost(body)))
        elif kind == PSFB and count == FMT_PLI:
            yield KeyframeRequest(media_ssrc)
        elif kind == PSFB and count == FMT_FIR:
            for at in range(8, len(body) - 7, 8):
                yield KeyframeRequest(int.from_bytes(body[at : at + 4], "big"))
        elif kind == PSFB and count == FMT_AFB and body[8:12] == b"REMB" and len(body) >= 16:
            exponent, mantissa = body[13] >> 2, int.from_bytes(body[13:16], "big") & 0x3FFFF
            yield BitrateLimit(mantissa << exponent)


def _blocks(body: bytes, at: int, count: int) -> Iterator[ReportBlock]:
    for start in range(at, at + 24 * count, 24):
        ssrc, fraction_lost, highest, jitter, last_sr, delay = struct.unpack_from("!II4I", body, start)
        lost = fraction_lost & 0xFFFFFF
        if lost & 0x800000:
            lost -= 1 << 24
        yield ReportBlock(ssrc, (fraction_lost >> 24) / 256, lost, highest, jitter, last_sr, delay)


def _lost(body: bytes) -> Iterator[int]:
    found = 0
    for at in range(8, len(body) - 3, 4):
        first, mask = struct.unpack_from("!HH", body, at)
        for bit in range(17):
            if bit == 0 or mask >> (bit - 1) & 1:
                if found == MAX_LOST_PER_NACK:
                    return
                found += 1
                yield (first + bit) & 0xFFFF


def ntp_time(at: float) -> int:
    """Return the 64-bit NTP time of `at`, in Unix seconds."""
    return int((at + NTP_EPOCH) * 4_294_967_296) & 0xFFFFFFFFFFFFFFFF


def middle_ntp(ntp: int) -> int:
    """Return the middle 32 bits, as LSR carries them."""
    return ntp >> 16 & 0xFFFFFFFF


def _packet(kind: int, count: int, body: bytes) -> bytes:
    assert len(body) % 4 == 0, "RTCP packets are whole words"
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def receiver_report(ssrc: int, blocks: Sequence[ReportBlock]) -> bytes:
    """Write an RR of at most 31 blocks."""
    return _packet(RR, min(len(blocks), 31), struct.pack("!I", ssrc) + b"".join(map(_block, blocks[:31])))


def _block(block: ReportBlock) -> bytes:
    fraction = min(255, int(block.fraction_lost * 256))
    lost = max(-0x800000, min(0x7FFFFF, block.lost)) & 0xFFFFFF
    return struct.pack(
        "!II4I", block.ssrc, fraction << 24 | lost, block.highest & 0xFFFFFFFF, block.jitter, block.last_sr, block.delay
    )


def sender_report(report: SenderReport) -> bytes:
    """Write an SR without report blocks."""
    octets, packets = report.octets & 0xFFFFFFFF, report.packets & 0xFFFFFFFF
    return _packet(SR, 0, struct.pack("!IQIII", report.ssrc, report.ntp, report.timestamp, packets, octets))


def source_descriptions(names: Iterable[tuple[int, str]]) -> bytes:
    """Write an SDES with one CNAME for each SSRC (at most 31)."""
    body, count = b"", 0
    for ssrc, name in names:
        if count == 31:
            break
        text = name.encode()[:255]
        chunk = struct.pack("!IBB", ssrc, 1, len(text)) + text + b"\x00"
        body += chunk + bytes(-len(chunk) % 4)
        count += 1
    return _packet(SDES, count, body)


def picture_loss(ssrc: int, media_ssrc: int) -> bytes:
    """Write a PLI: the sender makes a keyframe."""
    return _packet(PSFB, FMT_PLI, struct.pack("!II", ssrc, media_ssrc))


def nack(ssrc: int, media_ssrc: int, lost: Sequence[int]) -> bytes:
    """Write a generic NACK of 16-bit sequence numbers that are in rising order (modulo 65536)."""
    pairs: list[list[int]] = []
    for sequence in lost:
        distance = (sequence - pairs[-1][0]) & 0xFFFF if pairs else 0
        if pairs and 1 <= distance <= 16:
            pairs[-1][1] |= 1 << (distance - 1)
        elif not pairs or distance:
            pairs.append([sequence, 0])
    return _packet(
        RTPFB, FMT_NACK, struct.pack("!II", ssrc, media_ssrc) + b"".join(struct.pack("!HH", *pair) for pair in pairs)
    )


def bitrate_limit(ssrc: int, bits_per_second: int, media_ssrcs: Sequence[int]) -> bytes:
    """Write a REMB."""
    exponent = max(0, bits_per_second.bit_length() - 18)
    word = len(media_ssrcs) << 24 | exponent << 18 | bits_per_second >> exponent
    return _packet(
        PSFB,
        FMT_AFB,
        struct.pack("!II4sI", ssrc, 0, b"REMB", word) + struct.pack(f"!{len(media_ssrcs)}I", *media_ssrcs),
    )


MAX_FEEDBACK_SPAN = 400
"""Transport-wide numbers that one feedback packet covers at most; keeps it in one datagram."""


def transport_feedback(
    ssrc: int, media_ssrc: int, count: int, base: int, arrivals: Sequence[tuple[int, float]]
) -> bytes:
    """Write transport-wide congestion feedback.

    Args:
        ssrc: ours.
        media_ssrc: any source of the peer.
        count: of feedback packets so far; its low eight bits are sent.
        base: the first (unwrapped) transport-wide number that is reported on, at most the first that arrived.
        arrivals: (unwrapped number, arrival in seconds), rising numbers, not empty, at most `MAX_FEEDBACK_SPAN` from `base` on.
    """
    span = arrivals[-1][0] - base + 1
    assert 0 < span <= MAX_FEEDBACK_SPAN, "the recorder cuts feedback into spans"
    reference = int(arrivals[0][1] / 0.064)
    clock = reference * 256
    symbols = [0] * span
    deltas = bytearray()
    for number, at in arrivals:
        delta = round(at / 0.00025) - clock
        delta = max(-32768, min(32767, delta))
        clock += delta
        if 0 <= delta <= 255:
            symbols[number - base] = 1
            deltas.append(delta)
        else:
            symbols[number - base] = 2
            deltas += struct.pack("!h", delta)
    chunks = bytearray()
    at = 0
    while at < span:
        run = at
        while run < span and symbols[run] == symbols[at]:
            run += 1
        if run - at >= 7:
            chunks += struct.pack("!H", symbols[at] << 13 | (run - at))
            at = run
        else:
            word = 0xC000
            for place in range(7):
                if at + place < span:
                    word |= symbols[at + place] << (12 - 2 * place)
            chunks += struct.pack("!H", word)
            at += 7
    body = struct.pack("!IIHHI", ssrc, media_ssrc, base & 0xFFFF, span, (reference & 0xFFFFFF) << 8 | count & 0xFF)
    body += chunks + deltas
    return _packet(RTPFB, FMT_TRANSPORT_CC, body + bytes(-len(body) % 4))
