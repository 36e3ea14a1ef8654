"""The shapes of what a page receives of a room. Their JSON Schema becomes the pages' TypeScript; `view` fills them.

Nothing but shapes: maps are keyed by id, times are Unix seconds, shares 0..1.
"""

from __future__ import annotations

from typing import Literal

from deliberation.balloting import BallotView
from deliberation.casework import CasesView
from deliberation.design import Briefing, PollQuestion
from deliberation.group_statement import GroupStatementView
from deliberation.payload import Role, ViewBase
from deliberation.values_view import ValuesView


class MemberView(ViewBase):
    """A seat. `share` is 0..1 of the talk so far; `mode` is how somebody takes part (`chat`: in writing only)."""

    participant_id: str
    seat: int
    name: str
    language: str
    presence: Literal["here", "away", "left"]
    simulated: bool
    mode: str
    spoken_seconds: float
    share: float


class StageView(ViewBase):
    """One stage of the agenda and where it stands."""

    id: str
    kind: Literal["discussion", "statements", "ballot", "group-statement", "values", "wiser", "cases", "closing"]
    title: str
    prompt: str
    minutes: float | None
    progress: Literal["done", "now", "next"]


class ClockView(ViewBase):
    """The running stage. `ready` and `more_time` name who asked; `needed` is how many must be ready."""

    stage_id: str
    index: int
    started_at: float
    ends_at: float | None
    ready: tuple[str, ...]
    more_time: tuple[str, ...]
    needed: int
    may_extend: bool


class HandView(ViewBase):
    """Somebody in the queue, in speaking order."""

    participant_id: str
    raised_at: float
    short: bool


class TurnView(ViewBase):
    """Who has the floor."""

    participant_id: str
    started_at: float
    ends_at: float
    short: bool
    warned: bool
    overtime: bool


class UtteranceView(ViewBase):
    """What was said; `text` is empty when struck or hidden."""

    utterance_id: str
    participant_id: str
    started_at: float
    ended_at: float
    text: str
    confidence: float
    language: str
    stage_id: str
    revised: str | None
    written: bool
    speaker: str | None
    struck: bool
    hidden: bool


class ChatView(ViewBase):
    """A written message."""

    message_id: str
    participant_id: str
    at: float
    text: str
    struck: bool
    hidden: bool


class StatementView(ViewBase):
    """A votable claim: tallies for everyone, and the viewer's own vote."""

    statement_id: str
    text: str
    origin: str
    mine: bool
    supports: tuple[str, ...]
    contests: tuple[str, ...]
    stage_id: str
    agree: int
    disagree: int
    passed: int
    my_vote: int | None
    open: bool
    flagged: bool


class SentenceView(ViewBase):
    """A sentence of the summary, what it cites and how it was marked."""

    text: str
    utterances: tuple[str, ...]
    statements: tuple[str, ...]
    stage_id: str | None
    minority: bool
    flagged: bool
    right: int
    wrong: int
    my_mark: str | None


class SummaryView(ViewBase):
    """The group's summary."""

    summary_id: str
    at: float
    sentences: tuple[SentenceView, ...]
    method: str
    dropped: int
    missing: tuple[str, ...]


class CardView(ViewBase):
    """A facilitator's card. `private` when only its addressees see it."""

    intervention_id: str
    at: float
    by: str
    rule: str
    text: str
    private: bool
    to: tuple[str, ...]
    about: str | None
    why: str
    numbers: dict[str, float]
    actions: tuple[str, ...]
    call_id: str | None
    stage_id: str
    my_answer: str | None
    helpful: int
    not_helpful: int


class LedgerView(ViewBase):
    """One call to a model, as in the AI ledger."""

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


class SafetyView(ViewBase):
    """A private question to the viewer, or (for facilitators) any case."""

    case_id: str
    at: float
    subject_id: str
    about: str
    text: str
    why: str
    my_answer: str | None
    answers: dict[str, int]
    asked: int
    verdict: str | None


class ReportView(ViewBase):
    """A report, for facilitators."""

    report_id: str
    participant_id: str
    at: float
    about: str
    text: str


class HelpView(ViewBase):
    """An open call for a human."""

    at: float
    participant_id: str | None
    why: str


class ListenerView(ViewBase):
    """A human facilitator who is in the room."""

    listener_id: str
    name: str
    state: str


class MeView(ViewBase):
    """Who the viewer is here; `speaks` is the language they said they speak, if any."""

    role: Role
    participant_id: str | None
    seat: int | None
    presence: str | None
    speaks: str | None
    consent: dict[str, bool]
    polls: dict[str, dict[str, int]]


class RoomView(ViewBase):
    """Everything one viewer may see of one room. Maps are keyed by id, times are Unix seconds."""

    room_id: str
    deliberation_id: str
    number: int
    round: int
    practice: bool
    title: str
    question: str
    language: str
    briefing: tuple[Briefing, ...]
    poll: tuple[PollQuestion, ...]
    privacy_mode: str
    records_audio: bool
    facilitation: Literal["off", "rules", "model"]
    facilitation_paused: bool
    turn_seconds: float | None
    opened_at: float
    closed_at: float | None
    close_reason: str | None
    me: MeView
    members: dict[str, MemberView]
    gini: float
    agenda: tuple[StageView, ...]
    stage: ClockView | None
    queue: tuple[HandView, ...]
    turn: TurnView | None
    speaking: tuple[str, ...]
    utterances: dict[str, UtteranceView]
    chat: dict[str, ChatView]
    statements: dict[str, StatementView]
    ballots: dict[str, BallotView]
    values: ValuesView | None
    cases: dict[str, CasesView]
    group_statements: dict[str, GroupStatementView]
    translations: dict[str, str]
    summary: SummaryView | None
    cards: dict[str, CardView]
    ledger: dict[str, LedgerView]
    safety: dict[str, SafetyView]
    listeners: dict[str, ListenerView]
    recording: tuple[str, ...]
    filming: tuple[str, ...]
    transcription_behind: float
    help: HelpView | None
    reports: tuple[ReportView, ...]
