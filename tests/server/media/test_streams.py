"""What a subscriber receives: one unbroken, authentic stream, whoever is shown."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtp import RtpPacket, unwrap_rtx
from hypothesis import given, settings
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from server.media.rtp import ExtensionIds, header_template
from server.media.srtp import context_of
from server.media.streams import KEYFRAME_INTERVAL, Subscription, Track

KEY = bytes(range(44))
IDS = ExtensionIds(mid=4, audio_level=1, abs_send_time=2)
LEVEL_AT = header_template(0, ExtensionIds(mid=4, audio_level=1), "7").level_at


def session(direction: int) -> Session:
    policy = Policy(key=KEY, ssrc_type=direction, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_256_GCM)
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return Session(policy)


class Subscriber:
    """A subscription whose packets are unprotected and parsed by other implementations."""

    def __init__(self, kind: str = "video", rtx: bool = True) -> None:
        self.tx, self._rx = session(Policy.SSRC_ANY_OUTBOUND), session(Policy.SSRC_ANY_INBOUND)
        self.stream = Subscription(
            kind=kind, mid="7", stream="slot0", payload_type=120, rtx_payload_type=121 if rtx else None, ids=IDS
        )
        self.stream.context = context_of(self.tx)
        self.stream.send, self.stream.address = self._take, ("192.0.2.1", 9)
        self.packets: list[RtpPacket] = []
        self.deaf = False
        self.levels: list[int] = []

    def _take(self, data: memoryview, address: tuple[str, int]) -> None:
        self.levels.append(data[LEVEL_AT])
        if not self.deaf:
            self.packets.append(RtpPacket.parse(self._rx.unprotect(bytes(data))))

    @property
    def numbers(self) -> list[int]:
        first = self.packets[0].sequence_number
        return [(p.sequence_number - first) & 0xFFFF for p in self.packets]


@dataclass
class Camera:
    """A VP8 publisher with three temporal layers: pictures 0 2 1 2 0 …, two packets each."""

    track: Track
    number: int
    timestamp: int
    picture: int
    tl0: int = 200
    at: float = 100.0
    count: int = 0

    def frame(self, keyframe: bool = False) -> list[tuple[int, int, int, bytes]]:
        layer = 0 if keyframe else (0, 2, 1, 2)[self.count % 4]
        if layer == 0:
            self.tl0 = (self.tl0 + 1) & 0xFF
        self.count = 1 if keyframe else self.count + 1
        packets = []
        for part in range(2):
            descriptor = VpxPayloadDescriptor(
                partition_start=1 - part, partition_id=0, picture_id=self.picture, tl0picidx=self.tl0,
                tid=(layer, int(layer == 1 or (layer == 2 and self.count % 4 == 2))), keyidx=None,
            )  # fmt: skip
            payload = bytes(descriptor) + bytes([0 if keyframe else 1]) + random.randbytes(20)
            packets.append((0x80 * part, self.number, self.timestamp, payload))
            self.number = (self.number + 1) & 0xFFFF
        self.timestamp = (self.timestamp + 3000) & 0xFFFFFFFF
        self.picture = (self.picture + 1) & 0x7FFF
        self.at += 1 / 30
        return packets

    def send(self, keyframe: bool = False, lose: int | None = None) -> list[tuple[int, int, int, bytes]]:
        packets = self.frame(keyframe)
        for part, packet in enumerate(packets):
            if part != lose:
                self.track.receive(*packet, None, self.at, False)
        return packets


def camera(member: str, number: int = 65_500, picture: int = 32_760) -> Camera:
    track = Track(
        member_id=member, kind="video", payload_type=96, rtx_payload_type=97, ssrc=random.randrange(1 << 32), rtx_ssrc=1
    )
    return Camera(track, number, random.randrange(1 << 32), picture)


def pictures(packets: list[RtpPacket]) -> list[int]:
    return [VpxPayloadDescriptor.parse(p.payload)[0].picture_id for p in packets]


def tl0s(packets: list[RtpPacket]) -> list[tuple[int, int]]:
    found = [VpxPayloadDescriptor.parse(p.payload)[0] for p in packets]
    return [(d.tl0picidx, d.tid[0]) for d in found]


def test_video_begins_with_a_keyframe_and_carries_the_subscribers_own_header() -> None:
    ada, sub = camera("ada"), Subscriber()
    ada.track.subscribe(sub.stream, ada.at)
    ada.send()
    assert sub.packets == [] and ada.track.keyframe_due(ada.at)
    ada.send(keyframe=True)
    for _ in range(60):
        ada.send()
    assert sub.numbers == list(range(122))
    assert {(p.ssrc, p.payload_type) for p in sub.packets} == {(sub.stream.ssrc, 120)}
    assert [p.marker for p in sub.packets[:4]] == [0, 1, 0, 1]
    steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(sub.packets)}
    assert steps == {0, 3000}


def test_a_switch_of_source_leaves_no_gap_in_numbers_time_or_pictures() -> None:
    ada, ben, sub = camera("ada"), camera("ben", number=30, picture=7), Subscriber()
    ada.track.subscribe(sub.stream, ada.at)
    ada.send(keyframe=True)
    for _ in range(9):
        ada.send()
    ben.at = ada.at + 0.5
    ben.track.subscribe(sub.stream, ada.at)
    ada.send()
    ben.send()
    before = len(sub.packets)
    assert before == 20 and ada.track.subscriptions == []
    ben.send(keyframe=True)
    for _ in range(9):
        ben.send()
    assert sub.numbers == list(range(40))
    elapsed = (sub.packets[before].timestamp - sub.packets[before - 1].timestamp) & 0xFFFFFFFF
    assert elapsed == pytest.approx(90_000 * (0.5 + 2 / 30), abs=3000)
    seen = pictures(sub.packets)
    assert [(b - a) & 0x7FFF for a, b in zip(seen[::2], seen[2::2], strict=False)] == [1] * 19
    bases = [tl0 for tl0, layer in tl0s(sub.packets)[::2] if layer == 0]
    assert [(b - a) & 0xFF for a, b in pairwise(bases)] == [1] * (len(bases) - 1)


@pytest.mark.parametrize(("limit", "kept"), [(0, 0.25), (1, 0.5), (2, 1.0)])
def test_upper_temporal_layers_are_left_out_without_gaps_and_come_back_at_a_frame_that_allows_it(
    limit: int, kept: float
) -> None:
    ada, sub = camera("ada"), Subscriber()
    ada.track.subscribe(sub.stream, ada.at)
    ada.send(keyframe=True)
    sub.stream.layer_limit = limit
    for _ in range(79):
        ada.send()
    assert len(sub.packets) == pytest.approx(160 * kept, abs=4)
    assert sub.numbers == list(range(len(sub.packets)))
    seen = pictures(sub.packets)
    assert [(b - a) & 0x7FFF for a, b in zip(seen[::2], seen[2::2], strict=False)] == [1] * (len(seen) // 2 - 1)
    before = len(sub.packets)
    sub.stream.layer_limit = 3
    for _ in range(80):
        ada.send()
    assert len(sub.packets) - before == pytest.approx(160, abs=8)
    assert sub.numbers == list(range(len(sub.packets)))


@pytest.mark.parametrize("rtx", [True, False])
def test_a_lost_packet_is_sent_again_as_it_was(rtx: bool) -> None:
    ada, sub = camera("ada"), Subscriber(rtx=rtx)
    ada.track.subscribe(sub.stream, ada.at)
    ada.send(keyframe=True)
    sub.stream.layer_limit = 1
    for _ in range(40):
        ada.send()
    sub.stream.layer_limit = 3
    while ada.count % 4:
        ada.send()
    sub.deaf = True
    lost = ada.send()[1]
    sub.deaf = False
    after = sub.packets[-1].sequence_number + 2
    ada.send()
    sub.packets.clear()
    sub.stream.resend((after,), ada.at, b"\x00\x00\x00")
    sub.stream.resend((after,), ada.at + 0.001, b"\x00\x00\x00")
    (again,) = sub.packets
    if rtx:
        assert (again.ssrc, again.payload_type) == (sub.stream.rtx_ssrc, 121)
        again = unwrap_rtx(again, payload_type=120, ssrc=sub.stream.ssrc)
    assert (again.sequence_number, again.marker) == (after, 1)
    assert again.timestamp == (lost[2] + sub.stream.timestamp_shift) & 0xFFFFFFFF
    assert again.payload[-21:] == lost[3][-21:]
    assert pictures([again]) == [(ada.picture - 2 + sub.stream.numbers.picture_shift) & 0x7FFF]
    sub.packets.clear()
    ada.send(keyframe=True)
    assert {(p.ssrc, p.payload_type) for p in sub.packets} == {(sub.stream.ssrc, 120)}


def test_what_the_publisher_sends_again_fills_the_subscribers_gap_once() -> None:
    ada, sub = camera("ada"), Subscriber()
    ada.track.subscribe(sub.stream, ada.at)
    ada.send(keyframe=True)
    lost = ada.send(lose=0)[0]
    assert ada.track.missing.due(ada.at, 0.1) == [lost[1]]
    ada.send()
    assert sub.numbers == [0, 1, 3, 4, 5]
    for _ in range(2):
        ada.track.receive(*lost, None, ada.at, True)
    assert sub.numbers == [0, 1, 3, 4, 5, 2]
    assert sub.packets[-1].payload[-21:] == lost[3][-21:]
    assert ada.track.statistics.received == 5


def test_padding_only_packets_are_not_missed_by_the_subscriber() -> None:
    ada, sub = camera("ada"), Subscriber()
    ada.track.subscribe(sub.stream, ada.at)
    ada.send(keyframe=True)
    ada.track.receive(0, ada.number, ada.timestamp, b"", None, ada.at, False)
    ada.number += 1
    ada.send()
    assert sub.numbers == [0, 1, 2, 3]


def test_keyframe_requests_to_one_publisher_are_spaced() -> None:
    ada, subs = camera("ada"), [Subscriber() for _ in range(3)]
    for sub in subs:
        ada.track.subscribe(sub.stream, ada.at)
    assert ada.track.keyframe_due(10.0)
    assert not ada.track.keyframe_due(10.0 + KEYFRAME_INTERVAL / 2)
    assert ada.track.keyframe_due(10.0 + KEYFRAME_INTERVAL)
    ada.send(keyframe=True)
    assert not ada.track.keyframe_due(20.0)
    ada.track.keyframe_wanted = True
    assert ada.track.keyframe_due(20.1) and not ada.track.keyframe_due(30.0)


def test_a_paused_video_costs_nothing_and_resumes_with_a_keyframe() -> None:
    ada, sub = camera("ada"), Subscriber()
    ada.track.subscribe(sub.stream, ada.at)
    ada.send(keyframe=True)
    ada.track.pause(sub.stream, True, ada.at)
    for _ in range(10):
        ada.send()
    assert len(sub.packets) == 2
    ada.track.pause(sub.stream, False, ada.at)
    ada.send()
    assert len(sub.packets) == 2
    ada.send(keyframe=True)
    assert sub.numbers == [0, 1, 2, 3]


def test_sound_keeps_its_level_and_goes_on_over_a_new_source() -> None:
    sub = Subscriber(kind="audio")
    for base in (0, 40_000):
        track = Track(member_id="ada", kind="audio", payload_type=111, rtx_payload_type=None, ssrc=base, rtx_ssrc=None)
        track.subscribe(sub.stream, 5.0)
        for number in range(5):
            track.receive(0, base + number, base * 7 + 960 * number, b"\xf8opus", 40, 5.0 + number / 50, False)
    assert sub.numbers == list(range(10))
    level_at = LEVEL_AT
    assert level_at and all(level == 40 for level in sub.levels)


def test_sender_reports_place_a_subscribers_stream_on_the_rooms_clock() -> None:
    ada, sub = camera("ada"), Subscriber()
    ada.track.subscribe(sub.stream, ada.at)
    assert sub.stream.timestamp_at(ada.at) is None
    ada.send(keyframe=True)
    ada.track.clock.sender_report(ada.timestamp, 200.0)
    shown = sub.stream.timestamp_at(200.0)
    assert shown is not None
    assert (shown - sub.packets[-1].timestamp) & 0xFFFFFFFF == 3000


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_happens_a_subscribers_numbers_have_gaps_only_where_the_publisher_lost_packets(
    data: st.DataObject,
) -> None:
    cameras = [camera("ada", number=data.draw(st.integers(0, 65_535))), camera("ben")]
    sub, lost, at = Subscriber(), 0, 100.0
    for _ in range(data.draw(st.integers(1, 40))):
        action = data.draw(st.sampled_from(["ada", "ben", "key", "lose", "limit", "pause", "switch"]))
        one = cameras[action == "ben"]
        at += 0.03
        for c in cameras:
            c.at = at
        current = sub.stream.track
        if action == "limit":
            sub.stream.layer_limit = data.draw(st.integers(0, 3))
        elif action == "switch":
            data.draw(st.sampled_from(cameras)).track.subscribe(sub.stream, at)
        elif action == "pause" and current is not None:
            current.pause(sub.stream, not sub.stream.paused, at)
        elif action == "lose":
            # The last packet of a picture, followed by a keyframe that shows the gap.
            was_sent = len(sub.packets)
            one.send(lose=1)
            lost += int(len(sub.packets) > was_sent and one.track is current)
            one.send(keyframe=True)
        else:
            one.send(keyframe=action == "key")
    if sub.packets:
        numbers = sub.numbers
        assert numbers == sorted(set(numbers))
        assert len(numbers) <= numbers[-1] + 1 <= len(numbers) + lost + 40
        stamps = [p.timestamp for p in sub.packets]
        assert all((b - a) & 0xFFFFFFFF < 1 << 31 for a, b in pairwise(stamps))
