from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tests.transcription.fakes import LoudnessVoice, packets, silence, sound, tone
from transcription.decode import AudioPacket, decode_piece
from transcription.segmenter import Boundary
from transcription.settings import TranscriptionSettings
from transcription.speaker import Speaker

SETTINGS = TranscriptionSettings()
START = 1000.0


def speaker() -> Speaker:
    return Speaker(SETTINGS, LoudnessVoice)


def play(
    one: Speaker,
    stream: Sequence[AudioPacket],
    *,
    until: float | None = None,
    step: float = 0.128,
    each: Callable[[], None] = lambda: None,
) -> list[Boundary]:
    """Let time run in steps; packets arrive when they say."""
    found: list[Boundary] = []
    waiting = sorted(stream, key=lambda packet: packet.at)
    now = START
    end = until if until is not None else waiting[-1].at + 1.5
    while now < end:
        while waiting and waiting[0].at <= now:
            one.push(waiting.pop(0))
        due = one.due_at()
        if due is not None and due <= now:
            found += one.advance(now)
        each()
        now += step
    return found


def spans(one: Speaker, boundaries: Sequence[Boundary]) -> list[tuple[float, float]]:
    """Speech from opened to closed, seconds since the start."""
    begun: list[float] = []
    found: list[tuple[float, float]] = []
    for boundary in boundaries:
        at = one.room_time(boundary.at) - START
        if boundary.kind == "opened":
            begun.append(at)
        elif boundary.kind == "closed":
            found.append((begun[-1], at))
    return found


TALK = sound(silence(1), tone(2), silence(1.5), tone(1), silence(1))


def test_speech_is_found_where_it_was_said() -> None:
    one = speaker()
    found = spans(one, play(one, packets(TALK)))
    assert found == [
        (pytest.approx(1, abs=0.08), pytest.approx(3, abs=0.08)),
        (pytest.approx(4.5, abs=0.08), pytest.approx(5.5, abs=0.08)),
    ]


def test_jitter_reordering_and_doubled_packets_change_nothing() -> None:
    rng = random.Random(1)
    stream = [
        AudioPacket(p.participant_id, p.payload, p.timestamp, p.sequence, p.at + rng.uniform(0, 0.06), p.level)
        for p in packets(TALK)
        for _ in range(rng.choice([1, 1, 2]))
    ]
    one = speaker()
    found = spans(one, play(one, stream))
    assert [(round(a, 1), round(b, 1)) for a, b in found] == [(1.0, 3.0), (4.5, 5.5)]


def test_a_piece_holds_the_speech_asked_for() -> None:
    one = speaker()
    pieces: list[np.ndarray] = []
    waiting = packets(TALK)
    for index, packet in enumerate(waiting):
        one.push(packet)
        if index % 13 == 12:
            for boundary in one.advance(packet.at):
                if boundary.kind == "closed":
                    pieces.append(decode_piece(one.piece(boundary.start, boundary.at + 9600)))
    lengths = [len(piece) / 16000 for piece in pieces]
    assert lengths == [pytest.approx(2.45, abs=0.1), pytest.approx(1.45, abs=0.1)]
    for piece in pieces:
        assert np.sqrt(np.mean(piece[8000:-8000] ** 2)) > 0.15
        assert np.sqrt(np.mean(piece[:2400] ** 2)) < 0.02


def test_speech_ends_when_packets_stop_coming() -> None:
    one = speaker()
    cut_off = [packet for packet in packets(TALK) if packet.at < START + 2.5]
    found = spans(one, play(one, cut_off, until=START + 4))
    assert found == [(pytest.approx(1, abs=0.08), pytest.approx(2.5, abs=0.08))]


def test_packets_sent_only_now_and_then_in_silence_are_silence() -> None:
    stream = [p for p in packets(sound(tone(1), silence(3), tone(1), silence(1))) if not 1.1 < p.at - START < 3.9]
    one = speaker()
    found = spans(one, play(one, stream))
    assert [(round(a, 1), round(b, 1)) for a, b in found] == [(0.0, 1.0), (4.0, 5.0)]


def test_a_sender_that_starts_anew_is_heard_at_its_new_time() -> None:
    one = speaker()
    stream = packets(sound(tone(1), silence(1))) + packets(
        sound(silence(0.5), tone(1), silence(1)), starts_at=START + 20, timestamp=7
    )
    found = spans(one, play(one, stream))
    assert [(round(a, 1), round(b, 1)) for a, b in found] == [(0.0, 1.0), (20.5, 21.5)]


def test_a_quiet_members_packets_are_hardly_decoded() -> None:
    one = speaker()
    play(one, packets(silence(60), level=lambda _: 127))
    assert 0 < one.decoded_seconds < 60 / 4


def test_without_levels_everything_is_decoded() -> None:
    one = speaker()
    play(one, packets(silence(5)))
    assert one.decoded_seconds == pytest.approx(5, abs=0.3)


def test_the_start_of_speech_after_skipped_silence_is_not_lost() -> None:
    one = speaker()
    stream = packets(sound(silence(20), tone(2), silence(2)), level=lambda index: 20 if 1000 <= index < 1100 else 127)
    found = play(one, stream)
    opened = next(boundary for boundary in found if boundary.kind == "opened")
    assert one.room_time(opened.at) - START == pytest.approx(20, abs=0.08)


def test_a_client_that_claims_silence_while_speaking_is_caught_and_then_heard() -> None:
    one = speaker()
    stream = packets(sound(tone(14), silence(1), tone(10), silence(1)), level=lambda _: 127)
    found = spans(one, play(one, stream))
    caught_after = found[0][0]
    assert caught_after <= SETTINGS.probe_every_seconds + 0.6
    assert found[-1][0] == pytest.approx(15, abs=0.1)


def test_the_inbox_is_bounded() -> None:
    one = speaker()
    for packet in packets(tone(1)) * 100:
        one.push(packet)
    one.advance(START + 10)
    assert one.decoded_seconds < 21
