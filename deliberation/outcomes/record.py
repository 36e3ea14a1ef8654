"""The common record that all ten mechanisms read: participants, consents, items, judgements, ballots.

Owns the shapes and their JSON form. Never holds identity (participants are pseudonyms, names live elsewhere) and never changes: it is
append-only, a later judgement of the same item supersedes an earlier one when a method reads them. An *inferred* judgement carries a
confidence and never takes the place of a cast one. The server builds a record from the event log; the command line reads one from a file.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from deliberation.errors import InvalidInput
from deliberation.outcomes.votes import JudgementMatrix, VoteLog

Mode = Literal["online", "on-site", "survey", "chat"]
ItemKind = Literal["statement", "response", "guideline", "clause", "value", "case", "template", "contribution", "outcome", "question", "option", "sentence"]
JudgementKind = Literal["vote", "rating", "approval", "wiser", "answer"]

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Participant:
    """One person by pseudonym. `segments` are self-reported groups, such as {"region": "north"}; `weight` is voting power."""

    __pydantic_config__ = _STRICT
    id: str
    mode: Mode = "online"
    cohort: str = ""
    segments: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    expert: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """What a participant allowed: `scope` such as "quote" or "train"; times in seconds, None = open-ended or not withdrawn."""

    __pydantic_config__ = _STRICT
    participant: str
    scope: str
    at: float = 0.0
    until: float | None = None
    withdrawn_at: float | None = None

    def holds(self, now: float) -> bool:
        """Say whether the consent covers the moment `now` (seconds)."""
        ended = [time for time in (self.until, self.withdrawn_at) if time is not None]
        return self.at <= now and all(now < time for time in ended)


@dataclass(frozen=True, slots=True)
class Item:
    """Something judged, or contributed.

    `parent` is the item this one varies or answers; `sources` are the items (or utterances) it was derived from; `author` is a
    pseudonym, empty for what a model drafted; `attributes` hold a values card's fields or a case's dimensions.
    """

    __pydantic_config__ = _STRICT
    id: str
    kind: ItemKind = "statement"
    text: str = ""
    author: str = ""
    parent: str = ""
    sources: tuple[str, ...] = ()
    at: float = 0.0
    licence: str = ""
    scopes: tuple[str, ...] = ()
    expires: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_hash(self) -> str:
        """SHA-256 of the text, so that a copy can be recognised and a change noticed."""
        return content_hash(self.text)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One act of judging.

    vote: value −1, 0 (pass) or 1. approval: 0 or 1. rating: 1–5. wiser: is `versus` wiser than `item` in `context`: 1 wiser, −1 not
    wiser, 0 unsure. answer: a poll's question, from 1 to its scale, `context` "opening" or "closing". `confidence` is None for a judgement that was cast and a probability for one that was inferred.
    """

    __pydantic_config__ = _STRICT
    participant: str
    item: str
    kind: JudgementKind
    value: float
    at: float = 0.0
    confidence: float | None = None
    versus: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One filled-in ballot; which field counts depends on the rule.

    `ranking`: groups from best to worst, options in one group are tied, options left out come last, tied. `allocation`: how much of
    one's power goes to which option (any positive scale). `power` ≥ 0 counts where power is given rather than equal. `paper`: the ballot it
    is for, where there are several (a stage's id); empty for ballots read off votes.
    """

    __pydantic_config__ = _STRICT
    participant: str
    ranking: tuple[tuple[str, ...], ...] = ()
    approves: tuple[str, ...] = ()
    allocation: Mapping[str, float] = field(default_factory=dict)
    power: float = 1.0
    paper: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """Everything the methods may read."""

    __pydantic_config__ = _STRICT
    participants: tuple[Participant, ...] = ()
    items: tuple[Item, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    ballots: tuple[Ballot, ...] = ()
    consents: tuple[Consent, ...] = ()

    def matrix(self) -> JudgementMatrix:
        """Return cast votes and approvals as a matrix: the latest of each person on each item counts, unseen stays unseen.

        Its `segments` hold mode, cohort and each self-reported segment. Raises InvalidInput for a value outside −1, 0, 1.
        """
        log = self.vote_log()
        known = {person.id: person for person in self.participants}
        people = [known.get(name) for name in log.participants]
        names = sorted({key for person in people if person for key in person.segments})
        segments = {"mode": tuple(p.mode if p else "" for p in people), "cohort": tuple(p.cohort if p else "" for p in people)}
        segments |= {key: tuple(p.segments.get(key, "") if p else "" for p in people) for key in names}
        latest = log.latest()
        return JudgementMatrix(
            latest.participants, latest.items, latest.rows, latest.cols, latest.votes,
            {key: values for key, values in segments.items() if any(values)},
        )

    def vote_log(self) -> VoteLog:
        """Return every cast vote and approval in the order of `judgements`, revotes included."""
        cast = [j for j in self.judgements if j.kind in ("vote", "approval") and j.confidence is None]
        people = {person.id for person in self.participants} | {j.participant for j in cast}
        statements = {item.id for item in self.items if item.kind in VOTED_KINDS and item.kind != "response"} | {j.item for j in cast}
        return VoteLog.of(
            [j.participant for j in cast], [j.item for j in cast], [j.value for j in cast],
            [round(j.at * 1000) for j in cast], people=people, statements=statements,
        )


VOTED_KINDS = ("statement", "response", "guideline", "clause")


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


def parse_record(text: str | bytes) -> Record:
    """Read a record from JSON. Raises InvalidInput that names the first field that is wrong."""
    try:
        return _adapter().validate_json(text)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidInput("bad_record", f"{place}: {first['msg']}", "see the researcher guide for the record's fields") from None


def record_as_json(record: Record) -> dict[str, Any]:
    """Return the record as plain JSON values; `parse_record` reads it back."""
    plain: dict[str, Any] = _adapter().dump_python(record, mode="json")
    return plain


def content_hash(text: str) -> str:
    """Return the SHA-256 (hex) of a text in Unicode normal form C with outer white space removed."""
    return hashlib.sha256(unicodedata.normalize("NFC", text).strip().encode()).hexdigest()


def unite(names: Iterable[str], same: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map each name to its canonical one: the first in order of all it was confirmed to be the same as, directly or in steps."""
    canonical = {name: name for name in names}
    for first, second in same:
        a, b = canonical.get(first, first), canonical.get(second, second)
        low, high = min(a, b), max(a, b)
        canonical |= {name: low for name, now in canonical.items() if now == high}
    return canonical
