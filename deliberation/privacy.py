"""Privacy modes: what leaves a room for pages and files is made from `redact(events, mode)`, so the mode holds everywhere by construction.

What concerns somebody's safety is between them and the facilitators and leaves in no mode: reports, calls for help, the private questions,
answers and verdicts on what somebody said, and the cards of the safety rules with their answers (`_inside`). Nor do the answers of who has
withdrawn.

Owns what each field of each event is (`FIELDS`; a field that is not listed there cannot leave) and what a mode does with it. Pure; the key
that shuffles labels is an argument. Called by the review API and by every export; inside the room people see each other by name.

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

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from deliberation.answers import ANSWERS, takes_answers_out
from deliberation.balloting import BallotCast
from deliberation.casework import CaseRated
from deliberation.events import (
    AI,
    SYSTEM,
    Event,
    InterventionAnswered,
    InterventionMade,
    MemberJoined,
    Payload,
    PollAnswered,
    RecordingChanged,
    SpeechEnded,
    SummaryMarked,
    VoteCast,
    Word,
    erase,
)
from deliberation.group_statement import CandidatesRanked, StanceTaken
from deliberation.names import Masker, Span, replace_spans
from deliberation.room import fold_all
from deliberation.state import RoomState
from deliberation.values import CardWithdrawn, WiserAnswered

Mode = Literal["named", "pseudonym", "chatham-house"]

SOMEONE = "someone"
MASKED = "[name]"
FACILITATOR = "facilitator"
TALK_SECONDS = 10.0  # totals of speech are rounded to this in chatham-house mode

_NO_PERSON = """
kind actions answer answers confidence deliberation_id dropped ended_at ends_at first_seq index last_seq latency_ms method muted number
numbers written origin outcome overtime paused poll practice prompt_hash purpose arm model reason recording round rule room_id seconds seed sentence
short solicited stage_id started_at state items ready tokens_in tokens_out value verdict version seat source_room source_statement by file picture same similarity failed case template ranked first last final
"""
_IDS = "utterance_id message_id statement_id subject_id summary_id intervention_id call_id case_id report_id candidate_id critique_id card_id first_card second_card from_card to_card"

# What each field is, by name, or by kind and name. keep: no person in it · person, people: participants · link: a facilitator's link ·
# id, ids: of things said or made · options: what a ballot chooses between · text: words to mask · the rest: see `_Redactor._field`. Recordings' files leave in named mode only.
FIELDS: Mapping[str, str] = {
    **dict.fromkeys(_NO_PERSON.split(), "keep"),
    **dict.fromkeys(_IDS.split(), "id"),
    **dict.fromkeys(("participant_id", "about"), "person"),
    **dict.fromkeys(("to", "asked"), "people"),
    **dict.fromkeys(("help.answered.by", "listener_id"), "link"),
    **dict.fromkeys(("supports", "contests", "order"), "ids"),
    **dict.fromkeys(("options", "approves", "ranking", "allocation"), "options"),
    **dict.fromkeys(("text", "why", "output", "prompt", "title", "story", "context"), "text"),
    "attends": "texts",
    **dict.fromkeys(("language", "mode", "cohort", "simulated"), "background"),
    **{name: name for name in ("speaker", "name", "words", "sentences", "design", "segments")},
}

_NEVER_LEAVE = (
    "report.filed", "help.called", "help.answered", "safety.asked", "safety.answered", "safety.decided",
    "values.told", "values.replied",
)  # fmt: skip
_PREFIXES = {
    "utterance_id": "u",
    "message_id": "c",
    "statement_id": "s",
    "summary_id": "y",
    "intervention_id": "i",
    "call_id": "k",
    "case_id": "q",
    "report_id": "r",
    "candidate_id": "g",
    "critique_id": "t",
    **dict.fromkeys(("card_id", "first_card", "second_card", "from_card", "to_card"), "v"),
}
# In chatham-house mode these keep their place and time; everything else is dropped, or told once at the end.
_IN_PLACE = """
room.opened room.closed stage.started stage.extended stage.ended utterance.final utterance.revised utterance.struck chat.posted
chat.struck statement.added statement.withdrawn ballot.opened values.added values.withdrawn values.alike values.merged group_statement.proposed
group_statement.opened group_statement.chosen group_statement.critiqued group_statement.revising summary.proposed intervention.made ai.called facilitation.paused listener.changed
transcription.behind
"""
_TIMELINE = frozenset(_IN_PLACE.split())
_TEXTS_OF_A_DESIGN = "title question prompt text purpose organiser contact seed_statements options low high contexts attends context"
_DESIGN_TEXTS = frozenset(_TEXTS_OF_A_DESIGN.split())


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
        return _renumbered(_with_consented_audio(kept))
    redactor = _Redactor(kept, mode, names or {})
    if mode == "pseudonym":
        return _renumbered([redactor.event(e) for e in kept if not isinstance(e.payload, RecordingChanged)])
    return _renumbered(_chatham(kept, redactor, key))


def masker_for(events: Iterable[Event], mode: Mode, names: Mapping[str, str | None] | None = None) -> Masker:
    """Return what masks the names of a room's members, its facilitators and others of the deliberation."""
    seats: dict[str, int] = {}
    pairs: list[tuple[str, str]] = []
    for event in events:
        if isinstance(event.payload, MemberJoined):
            seats[event.payload.participant_id] = event.payload.seat
            by = f"Participant {event.payload.seat}" if mode == "pseudonym" else MASKED
            pairs += [(event.payload.name, by)] if event.payload.name else []
        elif event.payload.kind == "utterance.named" and event.payload.speaker:
            pairs.append((event.payload.speaker, MASKED))
        elif event.payload.kind == "listener.changed" and event.payload.name:
            pairs.append((event.payload.name, "Facilitator"))
    pairs += [(name, MASKED) for person, name in (names or {}).items() if name and person not in seats]
    return Masker([(name, by) for name, by in pairs if name.casefold() != FACILITATOR], shared=MASKED)


def mask_words(words: Sequence[Word], masker: Masker) -> tuple[Word, ...]:
    """Return recognised words with names masked; what was one name in several words becomes one word."""
    text, starts = "", []
    for word in words:
        text += " " if text else ""
        starts.append(len(text))
        text += word.text.strip()
    kept: list[Word] = []
    spans = masker.spans(text)
    for index, (word, start) in enumerate(zip(words, starts, strict=True)):
        end = start + len(word.text.strip())
        inside = next((s for s in spans if s.start < end and s.end > start), None)
        if inside is None:
            kept.append(word)
        elif inside.start >= start:
            last = max(i for i, s in enumerate(starts) if s < inside.end)
            tail = text[inside.end : starts[last] + len(words[last].text.strip())]
            spelled = text[start : inside.start] + inside.by + tail
            kept.append(word.model_copy(update={"text": spelled, "end": max(words[last].end, word.end)}))
        elif index and kept and any(s.start >= inside.end and s.start < end for s in spans):
            rest = [Span(s.start - start, s.end - start, s.by) for s in spans if s.start >= inside.end and s.end <= end]
            kept.append(word.model_copy(update={"text": replace_spans(text[start:end], rest)}))
    return tuple(kept)


def mask_payload(payload: Payload, masker: Masker) -> Payload:
    """Return a payload with names masked in its words, whatever its other fields say."""
    changes: dict[str, Any] = {}
    for name in type(payload).model_fields:
        value, what = getattr(payload, name), FIELDS.get(f"{payload.kind}.{name}") or FIELDS[name]
        if what == "text" and value:
            changes[name] = masker.mask(value)
        elif what == "texts" and value:
            changes[name] = tuple(map(masker.mask, value))
        elif what == "words" and value:
            changes[name] = mask_words(value, masker)
        elif what == "sentences" and value:
            changes[name] = tuple(s.model_copy(update={"text": masker.mask(s.text)}) for s in value)
    return payload.model_copy(update={k: v for k, v in changes.items() if v != getattr(payload, k)})


class _Redactor:
    """What pseudonym and chatham-house do to one payload."""

    def __init__(self, events: Sequence[Event], mode: Mode, names: Mapping[str, str | None]) -> None:
        self._mode = mode
        self._state = fold_all(_renumbered(events))
        self._masker = masker_for(events, mode, names)
        self._people = {p: self._label(m.seat) for p, m in self._state.members.items()}
        self._others = frozenset(names) - set(self._people)
        self._links: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        shared = Counter(tuple(sorted(m.segments.items())) for m in self._state.members.values())
        self._segments = {key for key, n in shared.items() if n >= 2 and key}
        self._background = common_background(self._state)
        self._numbering = [event.seq for event in events]
        for event in events:
            self._learn(event)
        known = {**dict.fromkeys(self._others, SOMEONE), **self._people, **self._links, **self._ids}
        known.pop("", None)
        pattern = "|".join(re.escape(id) for id in sorted(known, key=len, reverse=True))
        self._known = known
        self._in_text = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)") if pattern else None

    def event(self, event: Event, at: float | None = None) -> Event:
        """Return one event in this mode, in its place."""
        payload = event.payload
        changes = {name: self._field(payload, name) for name in type(payload).model_fields}
        return Event(event.seq, event.at if at is None else at, self._actor(event.actor), payload.model_copy(update=changes))

    def id(self, value: str) -> str:
        """Return the label of a thing said or made in this room."""
        return self._ids.get(value, "elsewhere")

    def _label(self, seat: int) -> str:
        return SOMEONE if self._mode == "chatham-house" else f"participant-{seat}"

    def _learn(self, event: Event) -> None:
        """Give labels to what this event names, in order of appearance."""
        if event.actor not in (SYSTEM, AI) and event.actor not in self._people and event.actor not in self._others:
            self._link(event.actor)
        for name in type(event.payload).model_fields:
            value, what = getattr(event.payload, name), FIELDS.get(f"{event.kind}.{name}") or FIELDS[name]
            if value is None:
                continue
            if what == "link":
                self._link(value)
            elif what == "id" and name != "subject_id" and value not in self._ids:
                self._count(value, _PREFIXES[name])

    def _count(self, value: str, prefix: str) -> None:
        self._counts[prefix] += 1
        self._ids[value] = f"{prefix}{self._counts[prefix]}"

    def _link(self, value: str) -> None:
        many = FACILITATOR if self._mode == "chatham-house" else f"{FACILITATOR}-{len(self._links) + 1}"
        self._links.setdefault(value, many)

    def _actor(self, actor: str) -> str:
        if actor in (SYSTEM, AI):
            return actor
        return self._people.get(actor) or self._links.get(actor, SOMEONE)

    def _person(self, value: str | None) -> str | None:
        return value if not value else self._people.get(value, SOMEONE)

    def text(self, text: str) -> str:
        """Return a text without names and ids."""
        if self._in_text:
            text = self._in_text.sub(lambda hit: self._known[hit[0]], text)
        text = self._masker.mask(text)
        if self._mode == "chatham-house":
            text = re.sub(r"\b(?:[Pp]articipant|[Ss]peaker)[ -]\d+\b", SOMEONE, text)
        return text

    def _field(self, payload: Payload, name: str) -> Any:
        value = getattr(payload, name)
        what = FIELDS.get(f"{payload.kind}.{name}") or FIELDS[name]
        strict = self._mode == "chatham-house"
        if name in ("first_seq", "last_seq"):
            return sum(seq <= value for seq in self._numbering) if not strict else 0
        if name == "source_room":
            return None if strict else value
        if name == "source_statement":  # a label holds for its own room only
            return None
        if value is None or what == "keep":
            return self._kept(payload, name, value)
        match what:
            case "person":
                if strict and payload.kind == "intervention.made":
                    return None
                return self._person(value)
            case "people":
                return (SOMEONE,) if strict else tuple(self._person(v) for v in value)
            case "link":
                return self._links.get(value, FACILITATOR)
            case "id":
                return self.id(value)
            case "ids":
                return tuple(self.id(v) for v in value)
            case "options":
                return self.options(value)
            case "text":
                return None if strict and name == "output" else self.text(value)
            case "texts":
                return tuple(map(self.text, value))
            case "words":
                return () if strict else mask_words(value, self._masker)
            case "sentences":
                return tuple(
                    s.model_copy(
                        update={
                            "text": self.text(s.text),
                            "utterances": tuple(map(self.id, s.utterances)),
                            "statements": tuple(map(self.id, s.statements)),
                            "critiques": tuple(map(self.id, s.critiques)),
                        }
                    )
                    for s in value
                )
            case "name":
                return f"Participant {payload.seat}" if isinstance(payload, MemberJoined) else "Facilitator"
            case "speaker":
                return None
            case "segments":
                return value if not strict and tuple(sorted(value.items())) in self._segments else None
            case "background":
                return self._back(payload, name, value) if strict else value
            case "design":
                return self._design(value)
        raise AssertionError(f"{payload.kind}.{name} is not classified")

    def options(self, value: Any) -> Any:
        """Relabel the statements that a ballot names; what the design itself puts on the paper keeps its id."""
        if isinstance(value, str):
            return self._ids.get(value, value)
        if isinstance(value, Mapping):
            return {self.options(option): credits for option, credits in value.items()}
        return tuple(map(self.options, value))

    def _kept(self, payload: Payload, name: str, value: Any) -> Any:
        """Coarsen what would tell voices apart by its fineness."""
        if self._mode != "chatham-house":
            return value
        if name == "written":  # a group's only writer would be told by it
            return False
        if name == "confidence" and value is not None:
            return min(round(value, 1), 0.9)
        if name == "numbers" and (getattr(payload, "about", None) or getattr(payload, "to", None)):
            return {}
        if name in ("started_at", "ended_at") and value is not None:
            return float(round(value))
        return value

    def _back(self, payload: Payload, name: str, value: Any) -> Any:
        if isinstance(payload, MemberJoined):
            return value
        allowed = {language for language, *_ in self._background}
        return value if name != "language" or value in allowed else self._state.plan.language

    def _design(self, design: Mapping[str, Any]) -> dict[str, Any]:
        return redact_design(design, self._mode, self.text)


def redact_design(design: Mapping[str, Any], mode: Mode, text: Callable[[str], str]) -> dict[str, Any]:
    """Return a design (as data) with names masked by `text`, without the vocabulary; in chatham-house without affiliations to choose from."""
    cleaned: dict[str, Any] = {key: _clean(key, value, text) for key, value in design.items()}
    if mode != "named" and "transcription" in cleaned:
        cleaned["transcription"] = {**cleaned["transcription"], "vocabulary": []}
    if mode == "chatham-house":
        cleaned["segments"] = {}
        if "groups" in cleaned:
            cleaned["groups"] = {**cleaned["groups"], "balance_by": []}
    return cleaned


def _clean(key: str, value: Any, text: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return text(value) if key in _DESIGN_TEXTS else value
    if isinstance(value, Mapping):
        return {k: _clean(k, v, text) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(key, v, text) for v in value]
    return value


def common_background(state: RoomState) -> list[tuple[str, Any, str, bool]]:
    """Return, in no order of seats, language, mode, cohort and whether simulated, of everyone; as the design says for whoever stands alone.

    When that leaves somebody alone still, all are as the design says.
    """
    usual = (state.plan.language, "online", "main", False)
    real = [(m.language, m.mode, m.cohort, m.simulated) for m in state.members.values()]
    counts = Counter(real)
    blurred = [one if counts[one] >= 2 else usual for one in real]
    if 1 in Counter(blurred).values():
        blurred = [usual] * len(real)
    return sorted(blurred)


def safety_rule(rule: str) -> bool:
    """Say whether a card's rule is one of the safety rules, whose cards are between their addressee and the facilitators."""
    return rule.startswith("safety.")


def _inside(events: Iterable[Event]) -> list[Event]:
    """Leave out what stays in the room in every mode."""
    kept: list[Event] = []
    private: set[str] = set()
    events = tuple(events)
    state = fold_all(_renumbered(events))
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
    state = fold_all(_renumbered(events))
    hidden = [u.utterance_id for u in state.utterances.values() if u.hidden]
    hidden += [c.message_id for c in state.chat.values() if c.hidden]
    hidden += [e.payload.card_id for e in events if isinstance(e.payload, CardWithdrawn)]
    for subject in hidden:
        events = list(erase(events, subject=subject))
    return events


def _with_consented_audio(events: list[Event]) -> list[Event]:
    """Leave out the recordings of whoever does not (or no longer) agree to be recorded."""
    members = fold_all(_renumbered(events)).members
    agreed = {p for p, member in members.items() if member.consent.get("record")}
    return [e for e in events if not isinstance(e.payload, RecordingChanged) or e.payload.participant_id in agreed]


def _renumbered(events: Iterable[Event]) -> list[Event]:
    return [Event(seq, e.at, e.actor, e.payload) for seq, e in enumerate(events, 1)]


def _shuffled(people: Iterable[str], world: str, room_id: str, key: bytes) -> dict[str, int]:
    """Number people from 1 in an order that only the key tells."""

    def rank(person: str) -> bytes:
        return hmac.new(key, f"{room_id}\0{world}\0{person}".encode(), hashlib.sha256).digest()

    return {person: n for n, person in enumerate(sorted(people, key=rank), 1)}


def _chatham(events: Sequence[Event], redactor: _Redactor, key: bytes) -> list[Event]:
    state = fold_all(_renumbered(events))

    def shuffled(world: str, people: Iterable[str]) -> dict[str, int]:
        return _shuffled(people, world, state.room_id, key)

    opened = float(round(state.opened_at))
    ended = float(round(state.closed_at if state.closed_at is not None else state.at))
    said = [redactor.event(e, float(round(e.at))) for e in events if e.kind in _TIMELINE]
    talk = shuffled("talk", state.members)
    backgrounds = common_background(state)
    seats: list[Payload] = [
        MemberJoined(
            participant_id=f"talk-{n}",
            seat=n,
            name=f"Participant {n}",
            language=language,
            mode=mode,
            cohort=cohort,
            simulated=simulated,
        )
        for n, (language, mode, cohort, simulated) in enumerate(backgrounds, 1)
    ]
    last: list[Payload] = []
    for person, n in talk.items():
        total = sum((s.ended_at or state.at) - s.started_at for s in state.speech if s.participant_id == person)
        until = opened + TALK_SECONDS * round(total / TALK_SECONDS)
        last.append(SpeechEnded(participant_id=f"talk-{n}", started_at=opened, ended_at=until))
    voters = shuffled("votes", {p for s in state.statements.values() for p in s.votes})
    for statement in state.statements.values():
        for person, n in voters.items():
            if person in statement.votes:
                value: Any = statement.votes[person]
                label = redactor.id(statement.statement_id)
                last.append(VoteCast(statement_id=label, participant_id=f"voter-{n}", value=value))
    for person, n in shuffled("values", state.values.wiser).items():
        for (worse, better, context), reply in state.values.wiser[person].items():
            judged: Any = reply
            last.append(
                WiserAnswered(
                    participant_id=f"wiser-{n}",
                    from_card=redactor.id(worse),
                    to_card=redactor.id(better),
                    context=redactor.text(context),
                    answer=judged,
                )
            )
    for stage_id, raters in state.ratings.items():
        for person, n in shuffled(f"cases {stage_id}", raters).items():
            for (case, template), rating in raters[person].items():
                rated: Any = rating
                last.append(
                    CaseRated(stage_id=stage_id, participant_id=f"rater-{n}", case=case, template=template, value=rated)
                )
    for ballot in state.ballots.values():
        for person, n in shuffled(f"ballot {ballot.stage_id}", ballot.cast).items():
            choice = ballot.cast[person]
            last.append(
                BallotCast(
                    stage_id=ballot.stage_id,
                    participant_id=f"ballot-{n}",
                    ranking=redactor.options(choice.ranking),
                    approves=redactor.options(choice.approves),
                    allocation=redactor.options(dict(choice.allocation)),
                )
            )
    for one in state.group_statements.values():
        for person, n in shuffled(f"ranking {one.stage_id} {one.round}", one.rankings).items():
            order = tuple(map(redactor.id, one.rankings[person]))
            last.append(CandidatesRanked(stage_id=one.stage_id, round=one.round, participant_id=f"ranking-{n}", order=order))
        for person, n in shuffled(f"stance {one.stage_id}", one.stances).items():
            stance: Any = one.stances[person].value
            text = redactor.text(one.stances[person].text) or None
            last.append(StanceTaken(stage_id=one.stage_id, participant_id=f"stance-{n}", value=stance, text=text))
    answering = shuffled("polls", {p for poll in state.polls.values() for p in poll})
    for poll, by in state.polls.items():
        which: Any = poll
        for person, n in answering.items():
            if person in by:
                last.append(PollAnswered(participant_id=f"poll-{n}", poll=which, answers=dict(by[person])))
    for card in state.interventions.values():
        for person, n in shuffled(f"card {card.intervention_id}", card.answers).items():
            answer: Any = card.answers[person]
            label = redactor.id(card.intervention_id)
            last.append(InterventionAnswered(intervention_id=label, participant_id=f"answer-{n}", answer=answer))
    last += _marks(state, redactor, shuffled)
    told = [Event(0, opened, SYSTEM, payload) for payload in seats]
    return [*said[:1], *told, *said[1:], *(Event(0, ended, SYSTEM, payload) for payload in last)]


def _marks(
    state: RoomState, redactor: _Redactor, shuffled: Callable[[str, Iterable[str]], dict[str, int]]
) -> list[Payload]:
    """Return the marks on the summary; no two sentences' marks can be told to be one person's."""
    marks: list[Payload] = []
    summary = state.summary
    for index in range(len(summary.sentences) if summary else 0):
        assert summary is not None
        by = {m.participant_id: m.verdict for m in summary.marks if m.sentence == index}
        for person, n in shuffled(f"sentence {summary.summary_id} {index}", by).items():
            verdict: Any = by[person]
            marks.append(
                SummaryMarked(
                    summary_id=redactor.id(summary.summary_id),
                    participant_id=f"mark-{index + 1}-{n}",
                    sentence=index,
                    verdict=verdict,
                )
            )
    missing = sorted(redactor.text(m.text or "") for m in summary.marks if m.sentence is None) if summary else []
    for text in missing:
        assert summary is not None
        marks.append(
            SummaryMarked(
                summary_id=redactor.id(summary.summary_id),
                participant_id=SOMEONE,
                sentence=None,
                verdict="missing",
                text=text,
            )
        )
    return marks

