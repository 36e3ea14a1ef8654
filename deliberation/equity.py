"""The speaking-time ledger: who has spoken for how long, and how evenly.

Reads `speech` intervals of a `RoomState` (the server's own voice activity); pure. Overlapping speech counts for everyone who speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from deliberation.state import RoomState


def spoken_seconds(state: RoomState, now: float, *, since: float | None = None) -> dict[str, float]:
    """Return the seconds of speech of every seated member, including what is being said at `now`.

    Only speech after `since` (room time) counts, if given.
    """
    totals = {member.participant_id: 0.0 for member in state.seated}
    for speech in state.speech:  # once a second for every room: plain arithmetic, no calls
        start, end = speech.started_at, speech.ended_at
        if end is None or end > now:
            end = now
        if since is not None and start < since:
            start = since
        if end > start and speech.participant_id in totals:
            totals[speech.participant_id] += end - start
    return totals


def shares(seconds: Mapping[str, float], *, prior_seconds: float = 0.0) -> dict[str, float]:
    """Return each person's share of the talk, 0..1; all equal when nobody has spoken and there is no prior.

    `prior_seconds` is added to everyone, so that shares start even and move with evidence.
    """
    total = sum(seconds.values()) + prior_seconds * len(seconds)
    if not seconds:
        return {}
    if total <= 0:
        return dict.fromkeys(seconds, 1 / len(seconds))
    return {key: (value + prior_seconds) / total for key, value in seconds.items()}


def gini(values: Iterable[float]) -> float:
    """Return the Gini coefficient, 0 (even) .. (n-1)/n (one has all).

    Mean absolute difference over twice the mean (Gini 1912; form of Sen, On Economic Inequality, 1973, §2.2). 0 for no or all-zero values.
    """
    ordered: Sequence[float] = sorted(values)
    total = sum(ordered)
    if total <= 0:
        return 0.0
    n = len(ordered)
    weighted = sum((2 * rank - n - 1) * value for rank, value in enumerate(ordered, 1))
    return weighted / (n * total)


def silence_seconds(state: RoomState, now: float) -> float:
    """Return for how long nobody has spoken in this stage; 0 while somebody does."""
    if state.speaking:
        return 0.0
    stage_start = state.stage.started_at if state.stage else state.opened_at
    last = state.last_speech_end
    return max(0.0, now - max(stage_start, last if last is not None else stage_start))
