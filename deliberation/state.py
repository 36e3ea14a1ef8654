"""What a room's state consists of: the shapes that `room.fold` builds, and nothing that changes them.

Everything here is frozen; times are room time (Unix seconds). Read by policies, views, exports and tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deliberation.balloting import StageBallot
from deliberation.casework import Ratings
from deliberation.design import Design, Facilitation, Stage
from deliberation.events import Word
from deliberation.group_statement import GroupStatement
from deliberation.payload import Sentence
from deliberation.translations import Translations
from deliberation.values import Values


@dataclass(frozen=True, slots=True)
class Member:
    """One seat and who holds it. `name` is None once erased; `language` is their page's, `speaks` what they said they speak (see `SpeechLanguage`)."""

    participant_id: str
    seat: int
    name: str | None
    language: str
    joined_at: float
    presence: Literal["here", "away", "left"] = "here"
    away_since: float | None = None
    consent: Mapping[str, bool] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    mode: str = "online"
    cohort: str = "main"
    simulated: bool = False
    speaks: str | None = None

    @property
    def writes(self) -> bool:
        """Whether the member takes part in writing: what they write is their contribution, as speech is others'."""
        return self.mode in ("chat", "survey")

    @property
    def present(self) -> bool:
        """Whether the member is here now."""
        return self.presence == "here"


@dataclass(frozen=True, slots=True)
class StageClock:
    """The stage that runs now."""

    stage_id: str
    index: int
    started_at: float
    ends_at: float | None
    extensions: int = 0
    lost: float = 0.0  # seconds in which nobody was here, not given back yet


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody in the speaker queue."""

    participant_id: str
    raised_at: float
    short: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Who has the floor, until when."""

    participant_id: str
    started_at: float
    ends_at: float
    short: bool = False
    warned: bool = False
    overtime: bool = False


@dataclass(frozen=True, slots=True)
class Speech:
    """One stretch of voice activity; `ended_at` None while it lasts."""

    participant_id: str
    started_at: float
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said. `text` is empty once struck or erased."""

    utterance_id: str
    participant_id: str
    started_at: float
    ended_at: float
    text: str
    words: tuple[Word, ...]
    confidence: float
    language: str
    stage_id: str
    revised: str | None = None
    struck: bool = False
    hidden: bool = False
    written: bool = False
    speaker: str | None = None  # who of several at one microphone, named by hand

    @property
    def usable(self) -> bool:
        """Whether it may be cited."""
        return bool(self.text) and not self.struck and not self.hidden


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A written message."""

    message_id: str
    participant_id: str
    at: float
    text: str
    stage_id: str
    struck: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """A votable claim. `votes` maps participants to -1, 0, 1; unseen is absent."""

    statement_id: str
    participant_id: str | None
    text: str
    origin: str
    supports: tuple[str, ...]
    contests: tuple[str, ...]
    stage_id: str
    at: float
    withdrawn: bool = False
    votes: Mapping[str, int] = field(default_factory=dict)
    flagged: bool = False  # an utterance it rests on was struck
    source_room: str | None = None
    source_statement: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A participant's verdict on a sentence of the summary."""

    participant_id: str
    sentence: int | None
    verdict: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary as last proposed. `flagged` holds the indexes of sentences that cite something struck since."""

    summary_id: str
    at: float
    sentences: tuple[Sentence, ...]
    method: str
    dropped: int
    call_id: str | None
    marks: tuple[Mark, ...] = ()
    flagged: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Intervention:
    """Something the facilitator (AI or human) said, and how people took it."""

    intervention_id: str
    at: float
    by: str
    rule: str
    text: str
    to: tuple[str, ...] | None
    about: str | None
    why: str
    numbers: Mapping[str, float]
    actions: tuple[str, ...]
    solicited: bool
    call_id: str | None
    stage_id: str
    answers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """A participant's report to the facilitators."""

    report_id: str
    participant_id: str
    at: float
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Help:
    """An open call for a human."""

    at: float
    participant_id: str | None
    why: str


@dataclass(frozen=True, slots=True)
class SafetyCase:
    """A private question to the others about something that was said."""

    case_id: str
    at: float
    participant_id: str
    subject_id: str
    asked: tuple[str, ...]
    why: str
    answers: Mapping[str, str] = field(default_factory=dict)
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One call to a model."""

    call_id: str
    at: float
    purpose: str
    model: str
    prompt: str
    prompt_hash: str
    first_seq: int
    last_seq: int
    output: str
    latency_ms: int
    tokens_in: int
    tokens_out: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A human facilitator who is in the room."""

    listener_id: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of one participant's sound, or picture."""

    participant_id: str
    file: str
    started_at: float
    picture: bool = False


@dataclass(frozen=True, slots=True)
class RoomState:
    """Everything true about a room after `seq` events."""

    seq: int = 0
    at: float = 0.0
    room_id: str = ""
    deliberation_id: str = ""
    number: int = 0
    round: int = 1
    practice: bool = False
    design: Design | None = None
    facilitation: Facilitation = Facilitation()
    arm: str = ""
    opened_at: float = 0.0
    closed_at: float | None = None
    close_reason: str | None = None
    members: Mapping[str, Member] = field(default_factory=dict)
    stage: StageClock | None = None
    stages_ended: tuple[str, ...] = ()
    ready: frozenset[str] = frozenset()
    more_time: frozenset[str] = frozenset()
    queue: tuple[Hand, ...] = ()
    turn: Turn | None = None
    speech: tuple[Speech, ...] = ()
    speaking: Mapping[str, float] = field(default_factory=dict)
    utterances: Mapping[str, Utterance] = field(default_factory=dict)
    chat: Mapping[str, ChatMessage] = field(default_factory=dict)
    statements: Mapping[str, Statement] = field(default_factory=dict)
    ballots: Mapping[str, StageBallot] = field(default_factory=dict)  # by stage
    values: Values = Values()
    ratings: Ratings = field(default_factory=dict)
    group_statements: Mapping[str, GroupStatement] = field(default_factory=dict)
    translations: Translations = field(default_factory=dict)
    summary: Summary | None = None
    polls: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)  # poll → participant → answers
    interventions: Mapping[str, Intervention] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()
    help: Help | None = None
    safety: Mapping[str, SafetyCase] = field(default_factory=dict)
    ledger: Mapping[str, LedgerEntry] = field(default_factory=dict)
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    recordings: tuple[Recording, ...] = ()
    recording: frozenset[str] = frozenset()
    """Whose sound is recorded now."""
    filming: frozenset[str] = frozenset()
    """Whose picture is recorded now."""
    facilitation_paused: bool = False
    transcription_behind: float = 0.0

    @property
    def plan(self) -> Design:
        """The design; a room that has been opened always has one."""
        assert self.design is not None, "a room's first event is room.opened"
        return self.design

    @property
    def open(self) -> bool:
        """Whether the room still runs."""
        return self.design is not None and self.closed_at is None

    @property
    def current_stage(self) -> Stage | None:
        """The design's stage that runs now."""
        return self.plan.agenda[self.stage.index] if self.stage else None

    def runs(self, stage_id: str) -> bool:
        """Say whether this stage is the one that runs now."""
        return self.open and self.stage is not None and self.stage.stage_id == stage_id

    @property
    def present(self) -> tuple[Member, ...]:
        """The members who are here, by seat."""
        return tuple(member for member in self.members.values() if member.present)

    @property
    def seated(self) -> tuple[Member, ...]:
        """The members who hold a seat: here or away."""
        return tuple(member for member in self.members.values() if member.presence != "left")

    @property
    def last_speech_end(self) -> float | None:
        """When somebody last stopped speaking, `at` while somebody speaks, None before anyone has."""
        if self.speaking:
            return self.at
        return max((s.ended_at for s in self.speech if s.ended_at is not None), default=None)

    @property
    def voters(self) -> frozenset[str]:
        """The participants whose votes and readiness count."""
        return frozenset(member.participant_id for member in self.seated)
