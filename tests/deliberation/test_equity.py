from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.equity import gini, shares, silence_seconds, spoken_seconds
from deliberation.events import MemberLeft, SpeechStarted
from deliberation.state import Member, RoomState, Speech
from tests.deliberation.rooms import START, Log

SECONDS = st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0, 1e5), min_size=1, max_size=8)


def test_speech_is_summed_per_person_and_running_speech_counts() -> None:
    log = Log().start().speak("ann", 10).speak("ben", 4).speak("ann", 5)
    log.add(SpeechStarted(participant_id="cat", started_at=log.now)).wait(3)
    assert spoken_seconds(log.state, log.now) == {"ann": 15, "ben": 4, "cat": 3}
    assert spoken_seconds(log.state, log.now, since=START + 12) == {"ann": 5, "ben": 2, "cat": 3}


def test_overlapping_speech_counts_for_everyone() -> None:
    log = Log().add(
        SpeechStarted(participant_id="ann", started_at=START), SpeechStarted(participant_id="ben", started_at=START + 1)
    )
    log.wait(5)
    assert spoken_seconds(log.state, log.now) == {"ann": 5, "ben": 4, "cat": 0}


def test_those_who_left_do_not_count() -> None:
    log = Log().speak("ann", 10).add(MemberLeft(participant_id="ann", reason="left"))
    assert spoken_seconds(log.state, log.now) == {"ben": 0, "cat": 0}


@pytest.mark.parametrize(
    ("start", "end", "since", "now", "seconds"),
    [
        (0, 10, None, 20, 10),
        (0, None, None, 20, 20),
        (0, 10, 5, 20, 5),
        (0, 10, 15, 20, 0),
        (0, 10, None, 4, 4),
        (8, 10, None, 4, 0),
    ],
)
def test_only_speech_between_since_and_now_counts(
    start: float, end: float | None, since: float | None, now: float, seconds: float
) -> None:
    state = RoomState(members={"ann": Member("ann", 1, "Ann", "en", 0)}, speech=(Speech("ann", start, end),))
    assert spoken_seconds(state, now, since=since) == {"ann": seconds}


def test_shares_start_even_and_move_with_evidence() -> None:
    assert shares({}) == {}
    assert shares({"ann": 0, "ben": 0}) == {"ann": 0.5, "ben": 0.5}
    assert shares({"ann": 30, "ben": 10}) == {"ann": 0.75, "ben": 0.25}
    assert shares({"ann": 30, "ben": 10}, prior_seconds=60) == {"ann": 90 / 160, "ben": 70 / 160}


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], 0), ([0, 0], 0), ([5, 5, 5], 0), ([0, 0, 0, 1], 0.75), ([1, 3], 0.25), ([1, 2, 3, 4], 0.25)],
)
def test_gini_matches_worked_examples(values: list[float], expected: float) -> None:
    assert gini(values) == pytest.approx(expected)


@given(SECONDS, st.floats(0, 1000))
def test_shares_are_shares(seconds: dict[str, float], prior: float) -> None:
    result = shares(seconds, prior_seconds=prior)
    assert sum(result.values()) == pytest.approx(1)
    assert all(0 <= share <= 1 for share in result.values())


@given(SECONDS, st.floats(0.001, 1000))
def test_gini_is_bounded_and_does_not_depend_on_units_or_order(seconds: dict[str, float], unit: float) -> None:
    values = list(seconds.values())
    value = gini(values)
    assert -1e-9 <= value <= (len(values) - 1) / len(values) + 1e-9
    assert gini(v * unit for v in reversed(values)) == pytest.approx(value, abs=1e-6)


def test_silence_counts_from_the_last_word_or_the_stage() -> None:
    log = Log().start()
    assert silence_seconds(log.state, log.now + 7) == 7
    log.speak("ann", 10)
    assert silence_seconds(log.state, log.now + 3) == 3
    log.add(SpeechStarted(participant_id="ann", started_at=log.now))
    assert silence_seconds(log.state, log.now + 3) == 0
    log.speak("ann", 1).tick(301)
    assert silence_seconds(log.state, log.now + 2) == 2
