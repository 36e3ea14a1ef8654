"""Ease who dominates: a private word to whoever holds far more than an even share, or talks on while others wait.

Thresholds: `Facilitation.balance` (`dominant_*`, `monologue_*`, `prior_seconds`). Nobody is addressed in the first, protected
seconds of a turn, and nobody more than once per window.
"""

from __future__ import annotations

from deliberation.equity import shares, spoken_seconds
from deliberation.state import RoomState
from facilitator.floor import interrupts, latest, run_of, talk_start, talking_stage
from facilitator.moves import Say


def decide(state: RoomState, now: float) -> Say | None:
    """Ease the one who talks on while others wait, else the one whose share of the last minutes is too large and who has the floor."""
    if not talking_stage(state) or len(state.present) < 2:
        return None
    return _monologue(state, now) or _share(state, now)


def _monologue(state: RoomState, now: float) -> Say | None:
    settings = state.facilitation.balance
    for who in state.speaking:
        run = run_of(state, who, now, settings.monologue_pause_seconds)
        waiting = [h for h in state.queue if h.participant_id != who and state.members[h.participant_id].present]
        if run is None or run.seconds < settings.monologue_seconds or not waiting:
            continue
        told = latest(state, "ease.", about=who)
        if told is not None and told.at >= run.started_at:
            continue
        numbers = {
            "seconds": round(run.seconds, 1),
            "limit_seconds": settings.monologue_seconds,
            "waiting": float(len(waiting)),
        }
        words: dict[str, str | int] = {"seconds": round(run.seconds), "waiting": len(waiting)}
        return Say("ease.monologue", to=(who,), about=who, words=words, numbers=numbers)
    return None


def _share(state: RoomState, now: float) -> Say | None:
    settings = state.facilitation.balance
    began, window = talk_start(state), settings.dominant_window_seconds
    if began is None or now - began < window or interrupts(state, now):
        return None
    spoken = spoken_seconds(state, now, since=now - window)
    here = {member.participant_id: spoken[member.participant_id] for member in state.present}
    share = shares(here, prior_seconds=settings.prior_seconds)
    limit = settings.dominant_share_of_even / len(here)
    who = max(share, key=lambda p: share[p])
    if share[who] <= limit or run_of(state, who, now, settings.monologue_pause_seconds) is None:
        return None
    told = latest(state, "ease.", about=who)
    if told is not None and now - told.at < window:
        return None
    numbers = {"share": round(share[who], 4), "limit": round(limit, 4), "window_seconds": window}
    words: dict[str, str | int] = {"share": round(share[who] * 100), "minutes": f"{window / 60:g}"}
    return Say("ease.share", to=(who,), about=who, words=words, numbers=numbers)
