"""What pseudonym and chatham-house do to each field of each event.

Owns what each field is (`FIELDS`; a field that is not listed there cannot leave), and the labels and masks that take a person's place. Pure.
Called by `privacy`, which decides what leaves at all, and by `chatham`; `consent` masks a withdrawn name with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from deliberation.events import AI, SYSTEM, Event, MemberJoined, Payload, Word
from deliberation.names import Masker, Span, replace_spans
from deliberation.room import fold_all
from deliberation.state import RoomState

Mode = Literal["named", "pseudonym", "chatham-house"]

SOMEONE = "someone"
MASKED = "[name]"
FACILITATOR = "facilitator"

_NO_PERSON = """
kind actions answer answers confidence deliberation_id dropped ended_at ends_at first_seq index last_seq latency_ms method muted number
numbers written origin outcome overtime paused poll practice prompt_hash purpose arm model reason recording round rule room_id seconds seed sentence
short solicited stage_id started_at state items ready tokens_in tokens_out value verdict version seat source_room source_statement by file picture same similarity failed case template ranked first last final
"""
_IDS = "utterance_id message_id statement_id subject_id summary_id intervention_id call_id case_id report_id candidate_id critique_id card_id first_card second_card from_card to_card"

# What each field is, by name, or by kind and name. keep: no person in it · person, people: participants · link: a facilitator's link ·
# id, ids: of things said or made · options: what a ballot chooses between · text: words to mask · the rest: see `Redactor._field`. Recordings' files leave in named mode only.
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
_TEXTS_OF_A_DESIGN = "title question prompt text purpose organiser contact seed_statements options low high contexts attends context"
_DESIGN_TEXTS = frozenset(_TEXTS_OF_A_DESIGN.split())


def renumbered(events: Iterable[Event]) -> list[Event]:
    """Return a log without gaps: numbered from 1, as `fold_all` wants it."""
    return [Event(seq, e.at, e.actor, e.payload) for seq, e in enumerate(events, 1)]


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


class Redactor:
    """What pseudonym and chatham-house do to one payload."""

    def __init__(self, events: Sequence[Event], mode: Mode, names: Mapping[str, str | None]) -> None:
        self._mode = mode
        self._state = fold_all(renumbered(events))
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
