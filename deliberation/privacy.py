"""Privacy modes: what leaves a room for pages and files is made from `redact(events, mode)`, so the mode holds everywhere by construction.

What concerns somebody's safety is between them and the facilitators and leaves in no mode: reports, calls for help, the private questions,
answers and verdicts on what somebody said, and the cards of the safety rules with their answers (`_inside`). Nor do the answers of who has
withdrawn.

Owns what leaves at all; what becomes of each field of what leaves is `redactor`'s, and how the Chatham House Rule takes a room apart `chatham`'s.
Pure; the key that shuffles labels is an argument. Called by the review API and by every export; inside the room people see each other by name.

`named`: hidden words are blank, recordings stay of those who agreed to them.

`pseudonym`: besides, names are "Participant N" by seat, ids are labels that hold for one room only, facilitators are "Facilitator", names
in what was said are masked, segments stay only where two members at least share all of them.

`chatham-house`: what was said, never who or from where. Utterances, messages, statements and cards are by "someone". What is left of people
is split into worlds that cannot be joined: shares of the talk (`talk-N`, totals in tens of seconds), votes (`voter-N`), ballots (`ballot-N`),
comparisons of values (`wiser-N`), ratings of cases (`rater-N`), rankings and stances on a group statement
(`ranking-N`, `stance-N`), polls (`poll-N`),
and each card's and each summary sentence's answers; labels are shuffled per world with a secret key, all of it stands at the end of
the log, in the labels' order, at one time. Presence, hands, turns and consents are left out; so are languages, modes and cohorts that single
anyone out, model outputs, word times and confidences. A room that still runs must not be shown this way: the difference between two
looks would tell who did what in between (`reviewable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from deliberation.answers import ANSWERS, takes_answers_out
from deliberation.chatham import chatham
from deliberation.events import Event, InterventionMade, RecordingChanged, erase
from deliberation.redactor import Mode, Redactor, renumbered
from deliberation.room import fold_all
from deliberation.state import RoomState
from deliberation.values import CardWithdrawn

_NEVER_LEAVE = (
    "report.filed", "help.called", "help.answered", "safety.asked", "safety.answered", "safety.decided",
    "values.told", "values.replied",
)  # fmt: skip


def reviewable(mode: Mode, state: RoomState) -> bool:
    """Say whether a room may be shown outside itself by now."""
    return mode != "chatham-house" or not state.open


def redact(
    events: Sequence[Event], mode: Mode, *, key: bytes = b"", names: Mapping[str, str | None] | None = None
) -> list[Event]:
    """Return a room's log as it may leave the room: a whole log again, numbered from 1, that `fold_all` accepts.

    `key` is secret and the same for all calls about a deliberation, so that labels are the same in all its pages and files. `names` are the
    names of others in the same deliberation (participant id → name), who may be spoken of too.
    """
    if not events:
        return []
    kept = _inside(_without_hidden(events))
    if mode == "named":
        return renumbered(_with_consented_audio(kept))
    redactor = Redactor(kept, mode, names or {})
    if mode == "pseudonym":
        return renumbered([redactor.event(e) for e in kept if not isinstance(e.payload, RecordingChanged)])
    return renumbered(chatham(kept, redactor, key))


def safety_rule(rule: str) -> bool:
    """Say whether a card's rule is one of the safety rules, whose cards are between their addressee and the facilitators."""
    return rule.startswith("safety.")


def _inside(events: Iterable[Event]) -> list[Event]:
    """Leave out what stays in the room in every mode."""
    kept: list[Event] = []
    private: set[str] = set()
    events = tuple(events)
    state = fold_all(renumbered(events))
    withdrew = {e.payload.owner for e in events if takes_answers_out(state, e.payload)}
    for event in events:
        payload = event.payload
        if event.kind in ANSWERS and payload.owner in withdrew:
            continue
        if isinstance(payload, InterventionMade) and safety_rule(payload.rule):
            private.add(payload.intervention_id)
        subject = getattr(payload, "intervention_id", None) or getattr(payload, "subject_id", None)
        if event.kind not in _NEVER_LEAVE and subject not in private:
            kept.append(event)
    return kept


def _without_hidden(events: Sequence[Event]) -> Sequence[Event]:
    """Blank what the group, or a facilitator, has hidden."""
    state = fold_all(renumbered(events))
    hidden = [u.utterance_id for u in state.utterances.values() if u.hidden]
    hidden += [c.message_id for c in state.chat.values() if c.hidden]
    hidden += [e.payload.card_id for e in events if isinstance(e.payload, CardWithdrawn)]
    for subject in hidden:
        events = list(erase(events, subject=subject))
    return events


def _with_consented_audio(events: list[Event]) -> list[Event]:
    """Leave out the recordings of whoever does not (or no longer) agree to be recorded."""
    members = fold_all(renumbered(events)).members
    agreed = {p for p, member in members.items() if member.consent.get("record")}
    return [e for e in events if not isinstance(e.payload, RecordingChanged) or e.payload.participant_id in agreed]
