"""RTP bytes: headers, extensions, VP8 descriptors and number mapping."""

from __future__ import annotations

import struct

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from server.media.rtp import (
    URI_ABS_SEND_TIME,
    URI_AUDIO_LEVEL,
    URI_MID,
    ExtensionIds,
    PacketRing,
    SequenceMap,
    header_template,
    parse_header,
    parse_vp8,
    read_extensions,
    read_mid,
    shift_vp8,
    unwrap,
)

IDS = ExtensionIds(mid=4, audio_level=1, abs_send_time=2, transport_cc=3)


def extensions_map() -> HeaderExtensionsMap:
    table = HeaderExtensionsMap()
    uris = ((4, URI_MID), (1, URI_AUDIO_LEVEL), (2, URI_ABS_SEND_TIME))
    parameters = RTCRtpParameters(
        headerExtensions=[RTCRtpHeaderExtensionParameters(id=number, uri=uri) for number, uri in uris]
    )
    table.configure(parameters)
    return table


def test_what_aiortc_writes_is_read() -> None:
    packet = RtpPacket(payload_type=96, marker=1, sequence_number=65_535, timestamp=7, ssrc=0xFFFFFFFF, payload=b"abc")
    packet.csrc = [1, 2]
    packet.extensions.mid = "audio0"
    packet.extensions.audio_level = (True, 42)
    packet.padding_size = 5
    octets = packet.serialize(extensions_map())
    marker_type, sequence, timestamp, ssrc, x_start, x_end, start, end = parse_header(octets, len(octets))
    assert (marker_type, sequence, timestamp, ssrc) == (0x80 | 96, 65_535, 7, 0xFFFFFFFF)
    assert octets[start:end] == b"abc"
    assert read_extensions(octets, x_start, x_end, 1, 3) == (42, None)
    assert read_mid(octets, x_start, x_end, 4) == "audio0"


def test_what_we_write_is_read_by_aiortc() -> None:
    template = header_template(77, IDS, "12")
    octets = bytearray(template.octets + b"payload")
    octets[1:8] = struct.pack("!BHI", 111, 500, 9)
    octets[template.send_time_at : template.send_time_at + 3] = b"\x01\x02\x03"
    octets[template.level_at] = 33
    packet = RtpPacket.parse(bytes(octets), extensions_map())
    assert (packet.payload_type, packet.sequence_number, packet.timestamp, packet.ssrc) == (111, 500, 9, 77)
    assert packet.payload == b"payload"
    assert packet.extensions.mid == "12"
    assert packet.extensions.abs_send_time == 0x010203
    assert packet.extensions.audio_level == (False, 33)


def test_a_peer_without_extensions_gets_a_plain_header() -> None:
    template = header_template(77, ExtensionIds(), "0")
    assert len(template.octets) == 12 and template.send_time_at == template.level_at == 0
    assert parse_header(template.octets, 12) is not None


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"\x80" * 11, b"\x40" + bytes(11), b"\x8f" + bytes(11), b"\x90" + bytes(11),
        b"\x90" + bytes(11) + b"\xbe\xde\x00\x05" + bytes(8), b"\xa0" + bytes(11), b"\xa0" + bytes(11) + b"\x00",
        b"\xa0" + bytes(11) + b"\x09",
    ],
)  # fmt: skip
def test_malformed_headers_are_refused(octets: bytes) -> None:
    assert parse_header(octets, len(octets)) is None


@given(st.binary(max_size=80))
def test_no_bytes_upset_the_readers(octets: bytes) -> None:
    header = parse_header(octets, len(octets))
    if header is not None:
        _, _, _, _, x_start, x_end, start, end = header
        assert 0 <= x_start <= x_end <= len(octets) and 12 <= start <= end <= len(octets)
        level, sequence = read_extensions(octets, x_start, x_end, 1, 2)
        assert level is None or 0 <= level <= 127
        assert sequence is None or 0 <= sequence <= 65_535
        read_mid(octets, x_start, x_end, 3)
    vp8 = parse_vp8(octets)
    if vp8 is not None:
        copy = bytearray(octets)
        shift_vp8(copy, 0, vp8, 0, 0)
        assert copy == octets


@given(
    picture=st.one_of(st.none(), st.integers(0, 32767)),
    tl0=st.one_of(st.none(), st.integers(0, 255)),
    layer=st.integers(0, 3),
    sync=st.integers(0, 1),
    first=st.booleans(),
    keyframe=st.booleans(),
    shift=st.integers(-40_000, 40_000),
)
def test_vp8_descriptors_are_read_and_shifted_as_aiortc_reads_them(
    picture: int | None, tl0: int | None, layer: int, sync: int, first: bool, keyframe: bool, shift: int
) -> None:
    descriptor = VpxPayloadDescriptor(
        partition_start=int(first),
        partition_id=0,
        picture_id=picture,
        tl0picidx=tl0,
        tid=(layer, sync),
        keyidx=None,
    )
    payload = bytes(descriptor) + bytes([0 if keyframe else 1]) + b"rest"
    vp8 = parse_vp8(payload)
    assert vp8 is not None
    assert (vp8.layer, vp8.sync, vp8.frame_start) == (layer, bool(sync), first)
    assert vp8.keyframe == (first and keyframe)
    assert (vp8.picture_id if vp8.picture_at else None) == picture
    packet = bytearray(b"head" + payload)
    shift_vp8(packet, 4, vp8, shift, shift)
    moved, rest = VpxPayloadDescriptor.parse(bytes(packet[4:]))
    assert rest == payload[-5:]
    if picture is not None:
        assert moved.picture_id == (picture + shift) % (1 << vp8.picture_bits)
    if tl0 is not None:
        assert moved.tl0picidx == (tl0 + shift) % 256
    assert moved.tid == (layer, sync)


@given(st.integers(0, 1 << 20), st.integers(-32_767, 32_767))
def test_unwrapping_finds_the_nearest_number(near: int, distance: int) -> None:
    assert unwrap((near + distance) & 0xFFFF, near) == near + distance


@given(st.lists(st.sampled_from(["send", "drop", "lose"]), max_size=200), st.integers(0, 65_535))
def test_a_subscriber_sees_no_gap_where_packets_were_left_out_and_one_where_they_were_lost(
    fates: list[str], first_out: int
) -> None:
    numbers = SequenceMap()
    start = 70_000
    numbers.restart(start, first_out)
    sent: dict[int, int] = {start: first_out}
    newest = start
    lost_since = 0
    out = first_out
    for source, fate in enumerate(fates, start + 1):
        if fate == "lose":
            lost_since += 1
        elif fate == "drop":
            numbers.skip(source, whole_picture=False)
            newest = source
        else:
            out = source + numbers.shift
            sent[source] = out
            newest = source
    kept = [s for s in sent if s > newest - 60]
    for source in kept:
        assert numbers.forward(source) == (sent[source], 0)
        assert numbers.backward(sent[source] & 0xFFFF, newest) == (source, 0)
    missing = set(range(first_out, out + 1)) - set(sent.values())
    lost_before_newest_sent = sum(1 for s, fate in enumerate(fates, start + 1) if fate == "lose" and s < max(sent))
    assert len(missing) == lost_before_newest_sent
    assert lost_since >= lost_before_newest_sent


def test_pictures_left_out_leave_no_gap_in_picture_ids_of_later_or_repeated_packets() -> None:
    numbers = SequenceMap()
    numbers.restart(100, 5, picture_shift=1000)
    numbers.skip(101, whole_picture=True)
    numbers.skip(102, whole_picture=False)
    assert numbers.forward(103) == (6, 999)
    assert numbers.backward(5, 103) == (100, 1000)
    assert numbers.forward(101) is None


def test_numbers_of_another_source_are_not_mapped_after_a_switch() -> None:
    numbers = SequenceMap()
    numbers.restart(500, 10)
    numbers.restart(90_000, 31)
    assert numbers.forward(89_999) is None
    assert numbers.backward(30, 90_010) is None


def test_the_ring_forgets_what_is_older_than_its_size() -> None:
    ring = PacketRing(4)
    for source in range(10, 16):
        ring.add((source, 0, 0, b""))
    assert [ring.get(s) is not None for s in range(9, 17)] == [False, False, False, True, True, True, True, False]
