"""Recordings: what lands in the file, read back with an independent demuxer and decoder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from server.media.recorder import SILENCE, OggOpusStream, OpusTimeline, Recorder, packet_ticks
from transcription.decode import AudioPacket

START = 1_800_000_000.0


def tone(seconds: float) -> list[bytes]:
    """Return 20 ms Opus packets of a 440 Hz tone."""
    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = 48_000, "mono", "s16"
    codec.time_base = Fraction(1, 48_000)
    samples = (8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * 48_000)) / 48_000)).astype(np.int16)
    packets = []
    for at in range(0, len(samples), 960):
        frame = av.AudioFrame.from_ndarray(samples[None, at : at + 960], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, at
        packets += [bytes(p) for p in codec.encode(frame)]
    return packets


def packets(payloads: Iterable[bytes], at: float, timestamp: int = 5_000, sequence: int = 10) -> list[AudioPacket]:
    return [
        AudioPacket("ada", p, (timestamp + 960 * i) & 0xFFFFFFFF, (sequence + i) & 0xFFFF, at + 0.02 * i, 30)
        for i, p in enumerate(payloads)
    ]


def loud(path: Path) -> np.ndarray:
    """Return for every 20 ms whether the decoded file is loud there."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    samples = np.concatenate([f.reshape(f.shape[0], -1)[0] for f in frames]).astype(float)
    scale = 32768 if np.abs(samples).max() > 2 else 1
    usable = samples[: len(samples) // 960 * 960].reshape(-1, 960) / scale
    return np.sqrt((usable**2).mean(axis=1)) > 0.02


async def record(path: Path, arrivals: list[AudioPacket], until: float) -> object:
    recorder = Recorder(lambda member, why: pytest.fail(why))
    recorder.start("ada", path, START)
    for packet in arrivals:
        recorder.push(packet)
    recording = await recorder.stop("ada", until)
    await recorder.close(until)
    assert recording is not None
    return recording


async def test_a_recording_begins_when_it_began_not_when_the_first_packet_came(tmp_path: Path) -> None:
    recording = await record(tmp_path / "a.ogg", packets(tone(1.0), START + 0.5), START + 2)
    heard = loud(tmp_path / "a.ogg")
    assert len(heard) == pytest.approx(100, abs=2)
    assert not heard[:23].any() and heard[27:72].all() and not heard[80:].any()
    assert recording.seconds == pytest.approx(2.0, abs=0.03)
    assert [round(start - START, 1) for start, _ in recording.gaps] == [0.0, 1.5]


async def test_lost_packets_become_silence_of_the_same_length_and_are_listed(tmp_path: Path) -> None:
    arrivals = packets(tone(2.0), START)
    recording = await record(tmp_path / "a.ogg", arrivals[:30] + arrivals[60:], START + 2)
    heard = loud(tmp_path / "a.ogg")
    assert not heard[33:58].any() and heard[5:28].all() and heard[64:95].all()
    assert [(round(s - START, 2), round(e - START, 2)) for s, e in recording.gaps] == [(0.6, 1.2)]


async def test_a_source_that_begins_anew_stays_in_room_time(tmp_path: Path) -> None:
    payloads = tone(1.0)
    again = packets(payloads, START + 3.0, timestamp=0xFFFFFF00, sequence=60_000)
    await record(tmp_path / "a.ogg", packets(payloads, START) + again, START + 4)
    heard = loud(tmp_path / "a.ogg")
    assert heard[3:47].all() and not heard[55:147].any() and heard[155:195].all()


def test_packets_out_of_order_are_put_in_order_and_late_ones_counted() -> None:
    stream = OggOpusStream()
    timeline = OpusTimeline(START, stream)
    arrivals = packets([bytes([0xF8, i]) for i in range(60)], START)
    timeline.add(arrivals[0])
    for packet in (arrivals[2], arrivals[1], *arrivals[3:40], *arrivals[41:60], arrivals[40]):
        timeline.add(packet)
    timeline.finish(START + 1.2)
    body = stream.take(last=True)
    assert body.index(b"\xf8\x01\xf8\x02\xf8\x03") > 0
    assert timeline.late == 1 and len(timeline.gaps) == 1
    assert SILENCE in body


async def test_a_file_cut_at_any_byte_still_plays_up_to_its_last_whole_page(tmp_path: Path) -> None:
    await record(tmp_path / "a.ogg", packets(tone(12.0), START), START + 12)
    whole = (tmp_path / "a.ogg").read_bytes()
    (tmp_path / "cut.ogg").write_bytes(whole[: len(whole) * 2 // 3])
    heard = loud(tmp_path / "cut.ogg")
    assert 200 < len(heard) < 500 and heard[5:-5].all()


async def test_a_disk_that_fails_ends_that_recording_alone(tmp_path: Path) -> None:
    failures: list[tuple[str, str]] = []
    recorder = Recorder(lambda member, why: failures.append((member, why)))
    recorder.start("ada", tmp_path / "missing" / "a.ogg", START)
    recorder.start("ben", tmp_path / "b.ogg", START)
    recorder.push(packets([SILENCE], START)[0])
    assert await recorder.stop("ada", START + 1) is None
    finished = await recorder.close(START + 1)
    assert [r.member_id for r in finished] == ["ben"] and finished[0].seconds == pytest.approx(1.0, abs=0.03)
    assert failures == [("ada", "No such file or directory")]


async def test_recording_never_writes_over_an_earlier_file(tmp_path: Path) -> None:
    (tmp_path / "a.ogg").write_bytes(b"earlier")
    failures: list[str] = []
    recorder = Recorder(lambda member, why: failures.append(why))
    recorder.start("ada", tmp_path / "a.ogg", START)
    assert await recorder.stop("ada", START + 1) is None
    assert failures and (tmp_path / "a.ogg").read_bytes() == b"earlier"


async def test_pages_reach_the_disk_while_the_recording_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.media.recorder.FLUSH_SECONDS", 0.0)
    recorder = Recorder(lambda member, why: pytest.fail(why))
    recorder.start("ada", tmp_path / "a.ogg", START)
    for packet in packets(tone(1.0), START):
        recorder.push(packet)
    async with asyncio.timeout(5):
        while not (tmp_path / "a.ogg").exists() or (tmp_path / "a.ogg").stat().st_size < 1500:
            await asyncio.sleep(0.01)
    assert loud(tmp_path / "a.ogg")[5:30].all()
    await recorder.close(START + 1)


@pytest.mark.parametrize(
    ("payload", "ticks"),
    [
        (b"", 0),
        (b"\xf8\xff\xfe", 960),
        (b"\x08\x00", 960),
        (b"\xf9\x00", 1920),
        (b"\x1b\x02", 5760),
        (b"\x1b\x03", 0),
        (b"\x03", 0),
    ],
)
def test_the_duration_of_a_packet_is_read_from_its_first_bytes(payload: bytes, ticks: int) -> None:
    assert packet_ticks(payload) == ticks


async def test_a_discarded_recording_leaves_no_file_though_its_file_was_erased_while_packets_waited(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    recorder = Recorder(lambda member, why: None)
    recorder.start("ada", path, START)
    path.write_bytes(b"what was flushed again after it was erased")
    recorder.push(packets([SILENCE], START)[0])
    await recorder.discard("ada")
    assert await recorder.close(START + 1) == ()
    assert not path.exists()
