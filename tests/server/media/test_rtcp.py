"""RTCP bytes, checked against aiortc's independent reader and writer."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from aiortc.rtp import (
    RtcpByePacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    pack_remb_fci,
    unpack_remb_fci,
)
from hypothesis import given
from hypothesis import strategies as st

from server.media import rtcp
from server.media.reception import NackTracker, ReceptionStatistics, SourceClock, TransportFeedback


def test_reports_of_peers_are_read() -> None:
    block = RtcpReceiverInfo(
        ssrc=9, fraction_lost=64, packets_lost=-3, highest_sequence=70_000, jitter=5, lsr=6, dlsr=7
    )
    info = RtcpSenderInfo(ntp_timestamp=1 << 63, rtp_timestamp=2, packet_count=3, octet_count=4)
    octets = bytes(RtcpSrPacket(ssrc=1, sender_info=info, reports=[block])) + bytes(
        RtcpRrPacket(ssrc=1, reports=[block])
    )
    expected = rtcp.ReportBlock(9, 0.25, -3, 70_000, 5, 6, 7)
    assert list(rtcp.parse(octets)) == [
        rtcp.SenderReport(1, 1 << 63, 2, 3, 4),
        rtcp.Report((expected,)),
        rtcp.Report((expected,)),
    ]


def test_feedback_of_peers_is_read() -> None:
    octets = b"".join(
        map(
            bytes,
            [
                RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=2, lost=[40, 41, 45, 65_535]),
                RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=3),
                RtcpPsfbPacket(fmt=4, ssrc=1, media_ssrc=0, fci=struct.pack("!IB3x", 4, 1)),
                RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=pack_remb_fci(1_234_000, [5, 6])),
                RtcpByePacket(sources=[7]),
            ],
        )
    )
    items = list(rtcp.parse(octets))
    assert items[:3] == [rtcp.Nack(2, (40, 41, 45, 65_535)), rtcp.KeyframeRequest(3), rtcp.KeyframeRequest(4)]
    assert isinstance(items[3], rtcp.BitrateLimit) and items[3].bits_per_second == pytest.approx(1_234_000, rel=0.001)
    assert items[4] == rtcp.Bye((7,))


def test_what_we_report_is_read_by_aiortc() -> None:
    block = rtcp.ReportBlock(9, 0.5, 12, 70_000, 5, 6, 7)
    octets = (
        rtcp.receiver_report(1, [block])
        + rtcp.sender_report(rtcp.SenderReport(2, 1 << 40, 3, 4, 5))
        + rtcp.source_descriptions([(1, "room"), (2, "slot0")])
        + rtcp.picture_loss(1, 9)
        + rtcp.nack(1, 9, [65_530, 65_535, 3, 900])
        + rtcp.bitrate_limit(1, 1_500_000, [9])
    )
    rr, sr, sdes, pli, nack, remb = RtcpPacket.parse(octets)
    assert isinstance(rr, RtcpRrPacket) and rr.reports[0] == RtcpReceiverInfo(9, 128, 12, 70_000, 5, 6, 7)
    assert isinstance(sr, RtcpSrPacket) and sr.sender_info == RtcpSenderInfo(1 << 40, 3, 4, 5)
    assert isinstance(sdes, RtcpSdesPacket)
    assert [(c.ssrc, c.items) for c in sdes.chunks] == [(1, [(1, b"room")]), (2, [(1, b"slot0")])]
    assert isinstance(pli, RtcpPsfbPacket) and (pli.fmt, pli.media_ssrc) == (1, 9)
    assert isinstance(nack, RtcpRtpfbPacket) and [n & 0xFFFF for n in nack.lost] == [65_530, 65_535, 3, 900]
    assert isinstance(remb, RtcpPsfbPacket)
    bitrate, ssrcs = unpack_remb_fci(remb.fci)
    assert bitrate == pytest.approx(1_500_000, rel=0.001) and ssrcs == [9]


@given(st.binary(max_size=200))
def test_no_bytes_upset_the_reader(octets: bytes) -> None:
    try:
        items = list(rtcp.parse(octets))
    except ValueError:
        return
    assert all(len(item.lost) <= rtcp.MAX_LOST_PER_NACK for item in items if isinstance(item, rtcp.Nack))


@given(st.integers(0, 31), st.sampled_from([200, 201, 202, 203, 204, 205, 206, 207]), st.binary(max_size=120))
def test_no_well_framed_packet_upsets_the_reader(count: int, kind: int, body: bytes) -> None:
    body = body[: len(body) // 4 * 4]
    with suppress(ValueError):
        list(rtcp.parse(struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body))


def read_transport_feedback(octets: bytes) -> tuple[int, int, dict[int, float | None]]:
    """Read feedback as the draft describes it; returns (count, base, arrival seconds by number)."""
    _, _, base, count, word = struct.unpack_from("!IIHHI", octets, 4)
    reference, number = word >> 8, word & 0xFF
    symbols: list[int] = []
    at = 20
    while len(symbols) < count:
        (chunk,) = struct.unpack_from("!H", octets, at)
        at += 2
        if chunk & 0x8000:
            assert chunk & 0x4000, "we write two-bit vectors only"
            symbols += [chunk >> (12 - 2 * place) & 3 for place in range(7)]
        else:
            symbols += [chunk >> 13 & 3] * (chunk & 0x1FFF)
    clock = reference * 0.064
    arrivals: dict[int, float | None] = {}
    for place, symbol in enumerate(symbols[:count]):
        if symbol == 0:
            arrivals[base + place] = None
            continue
        if symbol == 1:
            clock += octets[at] * 0.00025
            at += 1
        else:
            clock += struct.unpack_from("!h", octets, at)[0] * 0.00025
            at += 2
        arrivals[base + place] = clock
    assert len(octets) - at < 4
    return number, base, arrivals


@given(st.lists(st.tuples(st.integers(1, 12), st.floats(-0.02, 0.3)), min_size=1, max_size=120))
def test_transport_feedback_tells_every_arrival_and_every_loss(steps: list[tuple[int, float]]) -> None:
    feedback = TransportFeedback()
    number, at = 0, 1000.0
    told: dict[int, float] = {}
    for step, wait in steps:
        number, at = number + step, at + wait
        told[number] = at
        feedback.add(number & 0xFFFF, at)
    read: dict[int, float | None] = {}
    for packet in feedback.take(1, 2):
        assert len(packet) < 1200
        read.update(read_transport_feedback(packet)[2])
    assert {n for n, at in read.items() if at is not None} == set(told)
    first = told[min(told)]
    zero = read[min(told)]
    assert zero is not None
    for key, arrival in told.items():
        measured = read[key]
        assert measured is not None and measured - zero == pytest.approx(arrival - first, abs=0.001)
    assert feedback.take(1, 2) == []


def test_a_loss_between_two_feedbacks_is_told_by_the_second() -> None:
    feedback = TransportFeedback()
    feedback.add(10, 1.0)
    feedback.take(1, 2)
    feedback.add(13, 1.1)
    (packet,) = feedback.take(1, 2)
    number, base, arrivals = read_transport_feedback(packet)
    assert (number, base) == (1, 11)
    assert [arrivals[n] is None for n in (11, 12, 13)] == [True, True, False]


def test_losses_jitter_and_delay_are_counted_as_rfc_3550_says() -> None:
    statistics = ReceptionStatistics(5, 90_000)
    assert statistics.report(0.0) is None
    for number in (100, 101, 103, 102, 107):
        statistics.add(number, number * 3000, number / 30)
    statistics.sender_report(0x0001_0002_0003_0004, 1.0)
    block = statistics.report(1.5)
    assert block is not None
    assert (block.lost, block.highest, block.last_sr, block.delay) == (3, 107, 0x0002_0003, 32_768)
    assert block.fraction_lost == pytest.approx(3 / 8) and block.jitter == 0
    for number in range(108, 118):
        statistics.add(number, number * 3000, number / 30)
    again = statistics.report(2.0)
    assert again is not None and again.fraction_lost == 0.0 and again.lost == 3


def test_missing_packets_are_asked_for_a_bounded_number_of_times_a_round_trip_apart() -> None:
    missing = NackTracker()
    assert missing.gap(65_535, 65_537)
    assert missing.due(0.0, 0.1) == [65_535, 0, 1]
    assert missing.due(0.05, 0.1) == []
    missing.arrived(65_536)
    asked = [missing.due(at / 100, 0.1) for at in range(12, 300)]
    assert [sum(n in a for a in asked) for n in (65_535, 0, 1)] == [7, 0, 7]
    assert len(missing) == 0


def test_a_hole_too_wide_to_mend_asks_for_nothing() -> None:
    missing = NackTracker()
    assert missing.gap(1, 5)
    assert not missing.gap(10, 10 + NackTracker.LIMIT)
    assert missing.due(0.0, 0.1) == []


def test_a_source_clock_goes_by_its_reports() -> None:
    clock = SourceClock(48_000)
    assert clock.timestamp_at(1.0) is None and clock.time_of(1) is None
    clock.first_packet(0xFFFFFF00, 100.0)
    assert clock.timestamp_at(100.02) == (0xFFFFFF00 + 960) & 0xFFFFFFFF
    clock.sender_report(480, 99.5)
    assert clock.time_of(960) == pytest.approx(99.51)
    assert clock.timestamp_at(99.49) == 0
