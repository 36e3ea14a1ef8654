from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.errors import InvalidInput
from tests.transcription.fakes import silence, sound, tone, work_item
from transcription.decode import (
    RATE,
    Decimator,
    OpusDecoder,
    RtpTimeline,
    decode_piece,
    encode_opus,
    inspect_recording,
    read_recording,
)
from transcription.work import HeardWord, Piece, WorkItem, WorkResult

START = 2**32 - 4800


def feed(timeline: RtpTimeline, arrivals: list[tuple[float, float]], start: int = START) -> list[int]:
    """Place packets given as (media seconds, arrival)."""
    return [timeline.place((start + round(media * RATE)) % 2**32, at) for media, at in arrivals]


def test_jitter_does_not_bend_time_and_timestamps_wrap() -> None:
    timeline = RtpTimeline()
    positions = feed(timeline, [(0.0, 100.0), (0.02, 100.05), (0.2, 100.21), (0.22, 100.4)])
    assert positions == [0, 960, 9600, 10560]
    assert timeline.room_time(positions[-1]) == pytest.approx(100.22)


def test_packets_out_of_order_keep_their_places() -> None:
    assert feed(RtpTimeline(), [(0.0, 1.0), (0.04, 1.04), (0.02, 1.05), (0.06, 1.06)]) == [0, 1920, 960, 2880]


def test_an_early_packet_moves_the_origin_back() -> None:
    timeline = RtpTimeline()
    feed(timeline, [(0.0, 100.3), (1.0, 101.0)])
    assert timeline.room_time(0) == pytest.approx(100.0)


def test_a_slow_sender_clock_is_followed() -> None:
    timeline = RtpTimeline()
    drift = 1.001
    positions = feed(timeline, [(i * 0.2, 100 + i * 0.2 * drift) for i in range(1500)])
    truth = 100 + 1499 * 0.2 * drift
    assert abs(timeline.room_time(positions[-1]) - truth) < 0.07


def test_a_new_stream_of_timestamps_starts_at_its_arrival_and_never_runs_back() -> None:
    timeline = RtpTimeline()
    before = feed(timeline, [(i * 0.02, 100 + i * 0.02) for i in range(50)])
    after = timeline.place(123_456, 110.0)
    assert after > before[-1]
    assert timeline.room_time(after) == pytest.approx(110.0, abs=0.03)


def test_a_piece_is_heard_where_it_lies_and_gaps_are_silence() -> None:
    encoded = encode_opus(sound(tone(1.0), silence(1.0), tone(1.0)))
    kept = tuple((at, payload) for at, payload in encoded if not 0.4 * RATE <= at < 0.6 * RATE)
    heard = decode_piece(Piece(0, 3 * RATE, kept))
    assert len(heard) == 3 * 16_000

    def loud(begin: float, end: float) -> float:
        return float(np.sqrt(np.mean(heard[round(begin * 16000) : round(end * 16000)] ** 2)))

    assert loud(0.1, 0.35) > 0.15 and loud(2.2, 2.9) > 0.15
    assert loud(0.45, 0.58) < 0.02 and loud(1.2, 1.9) < 0.02


def test_packets_before_the_start_only_bring_the_decoder_into_step() -> None:
    encoded = encode_opus(tone(2.0))
    heard = decode_piece(Piece(4 * 960, RATE, tuple(encoded)))
    assert len(heard) == (RATE - 4 * 960) // 3


def test_a_broken_packet_is_silence() -> None:
    decoder = OpusDecoder()
    assert not decoder.decode(b"\xff\xff\xff").any()
    assert not decoder.decode(b"").any()
    assert len(decoder.decode(encode_opus(tone(0.1))[0][1])) == 960


def test_decimating_a_stretch_at_a_time_is_decimating_at_once() -> None:
    samples = tone(0.5) + tone(0.5, 0.1)[::-1]
    whole = Decimator()(samples)
    parts = Decimator()
    again = np.concatenate([parts(samples[at : at + 1536]) for at in range(0, len(samples), 1536)])
    assert np.allclose(whole, again, atol=1e-6)


def test_a_recording_is_read_channel_by_channel(tmp_path: Path) -> None:
    import wave

    left, right = (tone(0.5) * 32767).astype(np.int16), np.zeros(24_000, np.int16)
    path = tmp_path / "two.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.stack([left, right], axis=1).tobytes())
    assert inspect_recording(path).channels == 2
    audio = np.concatenate(list(read_recording(path)), axis=1)
    assert audio.shape == (2, 24_000)
    assert np.abs(audio[0]).max() > 0.25 and np.abs(audio[1]).max() == 0


def test_a_file_without_audio_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no audio here")
    with pytest.raises(InvalidInput) as caught:
        inspect_recording(path)
    assert caught.value.code == "recording_unreadable"
    assert "notes.txt" in caught.value.message


def test_work_survives_its_byte_form() -> None:
    item = work_item(language=None, hotwords="Zürich", context="we said")
    assert WorkItem.from_bytes(item.to_bytes()) == item
    result = WorkResult("i", "r", "final", "ok", "schön", (HeardWord(" schön", 0.1, 0.4, 0.8),), 0.7, "de", 0.99, 1.5)
    assert WorkResult.from_bytes(result.to_bytes()) == result


@given(st.binary(max_size=64), st.integers(0, 200))
def test_damaged_work_is_refused_not_crashed_on(noise: bytes, cut: int) -> None:
    good = work_item(seconds=0.1).to_bytes()
    for data in (noise, good[:cut], good[:cut] + noise + good[cut:]):
        try:
            WorkItem.from_bytes(data)
        except ValueError:
            continue
        except Exception as error:
            raise AssertionError("only ValueError is promised") from error
