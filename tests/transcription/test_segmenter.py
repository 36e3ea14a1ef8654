from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transcription.segmenter import Boundary, Segmenter
from transcription.settings import TranscriptionSettings

SETTINGS = TranscriptionSettings()
FRAME = 1536


def run(*stretches: tuple[float, float]) -> list[Boundary]:
    """Feed stretches of (seconds, probability); positions at 48 kHz from 0."""
    segmenter = Segmenter(SETTINGS)
    found: list[Boundary] = []
    at = 0
    for seconds, probability in stretches:
        for _ in range(round(seconds * 48000 / FRAME)):
            found += segmenter.feed(at, at + FRAME, probability)
            at += FRAME
    return found


def kinds(boundaries: list[Boundary]) -> list[str]:
    return [boundary.kind for boundary in boundaries]


def seconds(position: int) -> float:
    return position / 48000


def test_a_sentence_opens_with_its_pre_roll_pauses_and_closes_where_speech_stopped() -> None:
    found = run((1, 0.0), (2, 0.9), (1, 0.0))
    assert kinds(found) == ["opened", "paused", "closed"]
    opened, paused, closed = found
    assert abs(seconds(opened.at) - 1) < 0.04
    assert abs(seconds(opened.start) - 0.75) < 0.04
    assert abs(seconds(closed.at) - 3) < 0.07
    assert paused.at == closed.at


def test_a_click_is_not_speech() -> None:
    assert run((1, 0.0), (0.1, 0.95), (1, 0.0)) == []


def test_a_short_reply_is_speech() -> None:
    assert kinds(run((1, 0.0), (0.25, 0.95), (1, 0.0))) == ["opened", "paused", "closed"]


def test_speech_that_resumes_within_the_endpoint_stays_one_utterance() -> None:
    found = run((1, 0.9), (0.35, 0.0), (1, 0.9), (1, 0.0))
    assert kinds(found) == ["opened", "paused", "resumed", "paused", "closed"]


def test_a_breath_too_short_to_speculate_on_is_not_noticed() -> None:
    assert kinds(run((1, 0.9), (0.2, 0.0), (1, 0.9), (1, 0.0))) == ["opened", "paused", "closed"]


def test_doubtful_frames_neither_start_nor_end_speech() -> None:
    assert run((2, 0.45)) == []
    assert kinds(run((1, 0.9), (2, 0.45))) == ["opened"]


def test_speech_without_a_pause_is_cut_at_its_least_speech_like_moment() -> None:
    found = run((10, 0.9), (0.1, 0.6), (3, 0.9), (1, 0.0))
    assert kinds(found) == ["opened", "cut", "paused", "closed"]
    cut, closed = found[1], found[3]
    assert abs(seconds(cut.at) - 10.05) < 0.1
    assert closed.start == cut.at


def test_what_is_too_long_and_silent_already_ends_there_instead_of_being_cut() -> None:
    found = run((11.65, 0.9), (0.2, 0.0), (2, 0.9), (1, 0.0))
    assert kinds(found) == ["opened", "closed", "opened", "paused", "closed"]
    assert found[1].at <= found[2].at


def test_flush_ends_what_is_open() -> None:
    segmenter = Segmenter(SETTINGS)
    for index in range(40):
        segmenter.feed(index * FRAME, (index + 1) * FRAME, 0.9)
    assert kinds(segmenter.flush(40 * FRAME)) == ["closed"]
    assert segmenter.flush(41 * FRAME) == []


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.9]), max_size=2500))
def test_segments_never_overlap_and_boundaries_keep_their_order(probabilities: list[float]) -> None:
    segmenter = Segmenter(SETTINGS)
    found: list[Boundary] = []
    for index, probability in enumerate(probabilities):
        found += segmenter.feed(index * FRAME, (index + 1) * FRAME, probability)
    found += segmenter.flush(len(probabilities) * FRAME)
    open_from: int | None = None
    paused = False
    ended_at = -1_000_000
    for boundary in found:
        if boundary.kind == "opened":
            assert open_from is None
            assert boundary.start >= ended_at
            open_from, paused = boundary.start, False
        else:
            assert open_from == boundary.start
            assert boundary.at >= boundary.start
            assert (boundary.kind == "resumed") <= paused
            paused = boundary.kind == "paused"
            if boundary.kind in ("cut", "closed"):
                assert seconds(boundary.at - boundary.start) <= SETTINGS.longest_segment_seconds + 0.1
                ended_at = boundary.at
                open_from = boundary.at if boundary.kind == "cut" else None
    assert open_from is None
