"""Invite the quiet: privately first, by name only if nothing changed, and never again once declined.

Thresholds: `Facilitation.balance` (`quiet_*`, `prior_seconds`). Nudging privately before publicly is the Observe–Ask–Intervene order;
such prompts raised requests to speak by 65 % within 30 s (arXiv 2408.11936).
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from deliberation.equity import shares, spoken_seconds
from deliberation.state import Member, RoomState
from facilitator.floor import interrupts, latest, talk_start, talking_stage, this_stage
from facilitator.moves import Say


def decide(state: RoomState, now: float) -> Say | None:
    """Invite the quietest member who is due: privately, or publicly when a private invitation has changed nothing."""
    settings = state.facilitation.balance
    began = talk_start(state)
    if not talking_stage(state) or began is None or len(state.present) < 2:
        return None
    share = _shares(state, now)
    middle = median(share.values())
    limit = settings.quiet_share_of_median * middle
    for member in sorted(state.present, key=lambda m: share[m.participant_id]):
        who = member.participant_id
        if share[who] >= limit:
            return None
        if now - max(began, member.joined_at) < settings.quiet_after_seconds or _coming(state, who):
            continue
        numbers = {
            "share": round(share[who], 4),
            "median_share": round(middle, 4),
            "limit": round(limit, 4),
            "after_seconds": settings.quiet_after_seconds,
        }
        move = _next_step(state, member, now, numbers)
        if move is not None:
            return move
    return None


def _next_step(state: RoomState, member: Member, now: float, numbers: Mapping[str, float]) -> Say | None:
    """Return the private invitation, the public one after it, or (as long after that as the first took) the next private one."""
    settings = state.facilitation.balance
    who = member.participant_id
    words: dict[str, str | int] = {
        "share": round(numbers["share"] * 100),
        "median": round(numbers["median_share"] * 100),
    }
    last = latest(state, "invite.", about=who)
    if last is not None and set(last.answers.values()) & {"declined", "not_helpful"}:
        return None
    waited = now - last.at if last is not None else settings.quiet_after_seconds
    if last is None or last.rule == "invite.public" or not this_stage(state, last):
        if waited < settings.quiet_after_seconds:
            return None
        return Say("invite.private", to=(who,), about=who, words=words, numbers=numbers, actions=("speak", "decline"))
    if waited < settings.quiet_public_after_seconds or interrupts(state, now):
        return None
    numbers = {**numbers, "since_private_seconds": round(waited, 1)}
    return Say("invite.public", about=who, words=words, numbers=numbers, actions=("speak", "decline"))


def _shares(state: RoomState, now: float) -> dict[str, float]:
    spoken = spoken_seconds(state, now)
    here = {member.participant_id: spoken[member.participant_id] for member in state.present}
    return shares(here, prior_seconds=state.facilitation.balance.prior_seconds)


def _coming(state: RoomState, who: str) -> bool:
    """Tell whether somebody is about to speak anyway."""
    waiting = any(hand.participant_id == who for hand in state.queue)
    return waiting or who in state.speaking or (state.turn is not None and state.turn.participant_id == who)
