"""Recorded pictures: what lands in the file, read back with an independent demuxer and decoder."""

from __future__ import annotations

import random
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from server.media.model import VideoPacket
from server.media.pictures import PictureFile, Vp8Frames, vp8_data_at
from server.media.recorder import Recorder
from tests.server.media.clients import AiortcClient, media_room, until

START = 1_800_000_000.0
STEP = 1 / 30
MTU = 400


def coded(count: int, *, keyframe_every: int = 30, size: tuple[int, int] = (160, 120)) -> list[bytes]:
    """Return VP8 frames of noise that becomes brighter."""
    codec = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = *size, "yuv420p"
    codec.time_base, codec.gop_size, codec.bit_rate = Fraction(1, 30), keyframe_every, 300_000
    codec.options = {"deadline": "realtime", "lag-in-frames": "0", "cpu-used": "8"}
    chance = np.random.default_rng(7)
    frames = []
    for number in range(count):
        pixels = chance.integers(0, 60, (size[1], size[0], 3), dtype=np.uint8) + np.uint8(number * 2 % 180)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = number
        frames += [bytes(p) for p in codec.encode(frame)]
    return frames


def packets(
    frames: Iterable[bytes], at: float, *, sequence: int = 100, timestamp: int = 5_000, ssrc: int = 7
) -> list[VideoPacket]:
    """Return the RTP payloads of frames at 30 a second, with picture numbers as browsers send them."""
    sent = []
    for number, frame in enumerate(frames):
        parts = [frame[i : i + MTU] for i in range(0, len(frame), MTU)]
        for place, part in enumerate(parts):
            descriptor = bytes([0x90 if place == 0 else 0x80, 0x80, 0x80 | number >> 8, number & 0xFF])
            stamp = (timestamp + 3_000 * number) & 0xFFFFFFFF
            last = place == len(parts) - 1
            sent.append(
                VideoPacket("ada", ssrc, last, (sequence + len(sent)) & 0xFFFF, stamp, descriptor + part, at + number * STEP)
            )
    return sent


def whole(arrivals: Iterable[VideoPacket]) -> list[bytes]:
    made = Vp8Frames()
    return [f.data for p in arrivals for f in made.add(p)] + [f.data for f in made.finish()]


def shown(path: Path) -> list[float]:
    """Return the times of all pictures that the file decodes to."""
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def written(path: Path, arrivals: list[VideoPacket], until: float) -> PictureFile:
    """Write as the recorder does, a second at a time."""
    file = PictureFile("ada", path, START)
    second = START
    while second < until:
        file.write([p for p in arrivals if second <= p.at < second + 1], None)
        second += 1
    file.write([], until)
    return file


@pytest.mark.parametrize(
    ("payload", "at"),
    [
        (b"\x10\x00", 1),
        (b"\x90\x80\x05\x00", 3),
        (b"\x90\x80\x85\x05\x00", 4),
        (b"\x90\xe0\x85\x05\x01\x20\x00", 6),
        (b"\x90\x30\x20\x00", 3),
        (b"\x90\x80\x85\x05", None),
        (b"\x90", None),
        (b"", None),
    ],
)
def test_the_data_begin_after_the_descriptor(payload: bytes, at: int | None) -> None:
    assert vp8_data_at(payload) == at


def test_frames_come_out_as_they_went_in_over_the_wraps_of_numbers_and_in_any_near_order() -> None:
    frames = coded(60)
    arrivals = packets(frames, START, sequence=65_500, timestamp=0xFFFFFFFF - 50_000)
    assert len(arrivals) > 120
    assert whole(arrivals) == frames
    chance = random.Random(3)
    near = [p for _, p in sorted((i + chance.uniform(0, 8), p) for i, p in enumerate(arrivals[1:]))]
    doubled = [p for p in near for _ in range(2)]
    assert whole([arrivals[0], *doubled]) == frames


def test_a_lost_packet_takes_away_everything_until_the_next_keyframe_which_is_asked_for() -> None:
    frames = coded(90)
    arrivals = packets(frames, START)
    missing = next(i for i, p in enumerate(arrivals) if p.timestamp == 5_000 + 3_000 * 40)
    made = Vp8Frames()
    kept, asked = [], False
    for packet in arrivals[:missing] + arrivals[missing + 1 :]:
        kept += [f.data for f in made.add(packet)]
        asked = asked or (made.keyframe_needed and bool(kept))
    assert kept == frames[:40] + frames[60:]
    assert asked and not made.keyframe_needed and made.lost == 1


def test_a_packet_that_is_sent_again_in_time_costs_nothing() -> None:
    frames = coded(60)
    arrivals = packets(frames, START)
    one = arrivals.pop(41)
    arrivals.insert(50, one)
    assert whole(arrivals) == frames


def test_what_begins_in_the_middle_or_with_another_source_waits_for_a_keyframe() -> None:
    frames = coded(60)
    again = packets(frames[:20], START + 3, sequence=9, timestamp=77, ssrc=8)
    assert whole(packets(frames, START)[5:] + again) == frames[30:] + frames[:20]


def test_padding_and_nonsense_do_no_harm() -> None:
    frames = coded(10)
    arrivals = packets(frames, START)
    number = arrivals[-1].sequence
    extra = [VideoPacket("ada", 7, True, number + 1 + i, 9, octets, START + 1) for i, octets in enumerate((b"", b"\x90", b"\x80\xff"))]
    assert whole(arrivals + extra) == frames


def test_the_file_keeps_room_time(tmp_path: Path) -> None:
    frames = coded(120)
    arrivals = packets(frames, START + 0.7)
    chance = random.Random(5)
    late = [
        VideoPacket(p.participant_id, p.ssrc, p.marker, p.sequence, p.timestamp, p.payload, p.at + chance.uniform(0, 0.02))
        for p in arrivals
    ]
    written(tmp_path / "a.webm", late, START + 5)
    times = shown(tmp_path / "a.webm")
    assert len(times) == 120
    assert max(abs(t - (0.7 + i * STEP)) for i, t in enumerate(times)) < 0.05


def test_a_finished_file_knows_its_length_and_can_be_sought(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    written(path, packets(coded(150), START), START + 6)
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(6_000_000, abs=1)
        container.seek(3_100_000)
        found = next(container.decode(video=0))
        assert found.time == pytest.approx(3.0, abs=0.05) and (found.width, found.height) == (160, 120)


def test_a_file_cut_at_any_clusters_end_plays_up_to_there(tmp_path: Path) -> None:
    frames = coded(120)
    arrivals = packets(frames, START)
    file = PictureFile("ada", tmp_path / "a.webm", START)
    ends, sent = [], []
    for second in range(4):
        part = [p for p in arrivals if second <= p.at - START < second + 1]
        file.write(part, None)
        ends.append((tmp_path / "a.webm").stat().st_size)
        sent.append(sum(p.marker for p in part))
    octets = (tmp_path / "a.webm").read_bytes()
    clusters = [i for i in range(len(octets)) if octets.startswith(b"\x1f\x43\xb6\x75", i)]
    assert len(clusters) >= 4
    for number, end in enumerate([*clusters[1:], len(octets)], 1):
        (tmp_path / "cut.webm").write_bytes(octets[:end])
        times = shown(tmp_path / "cut.webm")
        assert times and all(a < b for a, b in pairwise(times))
        if end in ends:
            assert len(times) == sum(sent[: ends.index(end) + 1]), number


def test_without_a_keyframe_there_is_no_file_and_one_is_wanted(tmp_path: Path) -> None:
    file = PictureFile("ada", tmp_path / "a.webm", START)
    file.write(packets(coded(10), START)[3:], None)
    assert file.wants_keyframe
    file.write([], START + 1)
    assert not (tmp_path / "a.webm").exists() and not file.wants_keyframe


def test_a_long_stretch_without_a_keyframe_asks_for_one(tmp_path: Path) -> None:
    file = PictureFile("ada", tmp_path / "a.webm", START)
    arrivals = packets(coded(330, keyframe_every=1_000), START)
    file.write([p for p in arrivals if p.at < START + 9], None)
    assert not file.wants_keyframe
    file.write([p for p in arrivals if p.at >= START + 9], None)
    assert file.wants_keyframe


async def test_a_full_queue_drops_and_counts_without_breaking_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.media.recorder.BACKLOG", 100)
    asked: list[str] = []
    recorder = Recorder(lambda member, why: pytest.fail(why), PictureFile, asked.append)
    recorder.start("ada", tmp_path / "a.webm", START)
    arrivals = packets(coded(60), START)
    for packet in arrivals:
        recorder.push(packet)
    recording = await recorder.stop("ada", START + 2)
    await recorder.close(START + 2)
    assert recording is not None and recording.dropped == len(arrivals) - 100
    assert 0 < len(shown(tmp_path / "a.webm")) < 60


async def test_a_members_picture_is_recorded_through_a_room(tmp_path: Path) -> None:
    async with media_room() as (room, _):
        path = tmp_path / "a.webm"
        recorder = Recorder(lambda member, why: pytest.fail(why), PictureFile, room.ask_keyframe)
        taken: list[VideoPacket] = []

        def on_video(packet: VideoPacket) -> None:
            recorder.start("ada", path, room.now())
            recorder.push(packet)
            taken.append(packet)

        ada = await AiortcClient(room, "ada", slots=1).join()
        ben = await AiortcClient(room, "ben", slots=1).join()
        await until(lambda: ben.decoded["3"] > 5)
        room.film(frozenset({"ada"}), on_video)
        # It begins in the middle of a stream: only a keyframe that was asked for makes a file.
        await until(path.exists)
        begun = len(taken)
        await until(lambda: sum(p.marker for p in taken[begun:]) > 45)
        room.film(frozenset(), on_video)
        count, seen = len(taken), ben.decoded["3"]
        await until(lambda: ben.decoded["3"] > seen + 10)
        assert len(taken) == count and {p.participant_id for p in taken} == {"ada"}
        (recording,) = await recorder.close(room.now())
        times = shown(path)
        assert len(times) > 45 and recording.dropped == 0
        arrived = [p.at - recording.started_at for p in taken if p.marker]
        assert min(abs(times[-1] - at) for at in arrived) < 0.05 and times[0] >= 0
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            assert (frame.width, frame.height) == (640, 480)
        await ada.leave()
        await ben.leave()


async def test_filming_goes_on_over_a_reconnection_and_a_receiver_that_fails_ends_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with media_room() as (room, _):
        taken: list[VideoPacket] = []
        room.film(frozenset({"ada"}), taken.append)
        ada = await AiortcClient(room, "ada", slots=1).join()
        await until(lambda: taken)
        sources = {p.ssrc for p in taken}
        again = await AiortcClient(room, "ada", slots=1).join()
        await until(lambda: {p.ssrc for p in taken} - sources)
        failed: list[VideoPacket] = []

        def fail(packet: VideoPacket) -> None:
            failed.append(packet)
            raise ValueError

        room.film(frozenset({"ada"}), fail)
        before = room.stats().peers["ada"].packets_in
        await until(lambda: failed and room.stats().peers["ada"].packets_in > before + 100)
        assert len(failed) == 1
        await ada.leave()
        await again.leave()
