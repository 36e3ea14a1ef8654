"""Everything that can happen in a room: one tagged union, append-only.

An event is `seq` (gap-free per room, from 1), `at` (Unix seconds), `actor` and a payload; the payload's `kind` is the tag. Only durable
facts are events: partial captions, levels and connection quality are ephemeral and never stored.

What people said, wrote and are called is *personal*: such fields are marked `Personal`, may be `None`, and are kept by the store in rows
of their own, so that striking, withdrawal and retention can erase them while the event itself stays as a tombstone. `erase` is the same
operation on events in memory.

Adding a kind of event: a class here (or in the module of the mechanism that it belongs to), an entry in `Payload`, a case in `room.fold`.
Nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from deliberation.balloting import BallotCast, BallotOpened
from deliberation.casework import CaseRated
from deliberation.group_statement import (
    CandidateChosen,
    CandidateCritiqued,
    CandidateProposed,
    CandidatesRanked,
    RankingOpened,
    RevisionBegun,
    StanceTaken,
)
from deliberation.payload import PayloadBase, Personal, Sentence, Text, Vote
from deliberation.translations import TextTranslated
from deliberation.values import (
    CardAdded,
    CardsAlike,
    CardsMerged,
    CardWithdrawn,
    SameAnswered,
    ValueReplied,
    ValueTold,
    WiserAnswered,
)

PollName = Literal["opening", "closing"]

SYSTEM = "system"  # actor: the server itself (clocks, presence)
AI = "ai"  # actor: the AI facilitator


class Word(BaseModel):
    """One recognised word; `start` and `end` in room time (Unix seconds), `probability` 0..1."""

    model_config = ConfigDict(frozen=True)

    text: str
    start: float
    end: float
    probability: float


# -- the room's life


class RoomOpened(PayloadBase):
    """A group was formed. `design` is the whole design as it was then; `seed` decided the arm."""

    kind: Literal["room.opened"] = "room.opened"
    deliberation_id: str
    room_id: str
    number: int
    round: int = 1
    design: dict[str, Any]
    arm: str = ""
    seed: int = 0
    practice: bool = False


class RoomClosed(PayloadBase):
    """The deliberation in this room is over."""

    kind: Literal["room.closed"] = "room.closed"
    reason: Literal["finished", "abandoned", "stopped", "merged"]


class StageStarted(PayloadBase):
    """A stage of the agenda began; `ends_at` is None for stages without a limit."""

    kind: Literal["stage.started"] = "stage.started"
    stage_id: str
    index: int
    ends_at: float | None


class StageExtended(PayloadBase):
    """The current stage got more time; `pause`: what was lost while nobody was here, or the server was away."""

    kind: Literal["stage.extended"] = "stage.extended"
    stage_id: str
    seconds: float
    ends_at: float
    why: Literal["group", "facilitator", "pause"]


class StageReady(PayloadBase):
    """A participant is (or no longer is) ready to move on."""

    kind: Literal["stage.ready"] = "stage.ready"
    participant_id: str
    ready: bool


class StageMoreTime(PayloadBase):
    """A participant asks for more time in this stage."""

    kind: Literal["stage.more_time"] = "stage.more_time"
    participant_id: str


class StageEnded(PayloadBase):
    """A stage of the agenda ended."""

    kind: Literal["stage.ended"] = "stage.ended"
    stage_id: str
    why: Literal["ready", "time", "facilitator"]


# -- people


class MemberJoined(PayloadBase):
    """A participant took a seat. `seat` counts from 1 and is never given to another."""

    kind: Literal["member.joined"] = "member.joined"
    participant_id: str
    seat: int
    name: Text
    language: str = "en"
    segments: Annotated[dict[str, str] | None, Personal] = None
    mode: Literal["online", "on-site", "survey", "chat"] = "online"
    cohort: str = "main"
    simulated: bool = False


class SpeechLanguage(PayloadBase):
    """A member said which language they speak: a tag of BCP 47, "und" for whatever is heard, None for the deliberation's own."""

    kind: Literal["speech.language"] = "speech.language"
    participant_id: str
    language: str | None


class MemberAway(PayloadBase):
    """A member has been out of touch for too long; the seat is kept."""

    kind: Literal["member.away"] = "member.away"
    participant_id: str


class MemberReturned(PayloadBase):
    """An away member is back."""

    kind: Literal["member.returned"] = "member.returned"
    participant_id: str


class MemberLeft(PayloadBase):
    """A member left for good, was moved, or was removed by a facilitator."""

    kind: Literal["member.left"] = "member.left"
    participant_id: str
    reason: Literal["left", "removed", "moved", "withdrew"]


class ConsentGiven(PayloadBase):
    """What a participant agreed to, item by item, in which words (`version`) and language."""

    kind: Literal["consent.given"] = "consent.given"
    participant_id: str
    items: dict[str, bool]
    version: str
    language: str


class ConsentWithdrawn(PayloadBase):
    """A participant took consent back for these items."""

    kind: Literal["consent.withdrawn"] = "consent.withdrawn"
    participant_id: str
    items: tuple[str, ...]


# -- turns and speech


class HandRaised(PayloadBase):
    """A participant asks to speak; `short` asks for a short reply."""

    kind: Literal["hand.raised"] = "hand.raised"
    participant_id: str
    short: bool = False


class HandLowered(PayloadBase):
    """A participant no longer asks to speak."""

    kind: Literal["hand.lowered"] = "hand.lowered"
    participant_id: str


class TurnStarted(PayloadBase):
    """A participant from the queue has the floor until `ends_at`."""

    kind: Literal["turn.started"] = "turn.started"
    participant_id: str
    ends_at: float
    short: bool = False


class TurnWarned(PayloadBase):
    """The turn is nearly (or, with `overtime`, already) over."""

    kind: Literal["turn.warned"] = "turn.warned"
    participant_id: str
    overtime: bool = False


class TurnEnded(PayloadBase):
    """The turn is over; with `muted` the design asks the page to mute the microphone."""

    kind: Literal["turn.ended"] = "turn.ended"
    participant_id: str
    why: Literal["done", "time", "left"]
    muted: bool = False


class SpeechStarted(PayloadBase):
    """The server's own voice activity heard a participant begin at `started_at`."""

    kind: Literal["speech.started"] = "speech.started"
    participant_id: str
    started_at: float


class SpeechEnded(PayloadBase):
    """One stretch of voice activity, in room time; overlaps count for everyone who speaks."""

    kind: Literal["speech.ended"] = "speech.ended"
    participant_id: str
    started_at: float
    ended_at: float


class UtteranceFinal(PayloadBase):
    """What a participant said, as recognised, in room time; with `written`, what they contributed in writing.

    Written words end when they were sent and begin as much earlier as it takes to read them out.
    """

    subject_field = "utterance_id"
    kind: Literal["utterance.final"] = "utterance.final"
    utterance_id: str
    participant_id: str
    started_at: float
    ended_at: float
    text: Text
    words: Annotated[tuple[Word, ...] | None, Personal] = ()
    confidence: float = 0.0
    language: str = "en"
    written: bool = False


class UtteranceRevised(PayloadBase):
    """A better text for an utterance, by a second decoding (`refine`) or the speaker's own correction (`speaker`)."""

    subject_field = "utterance_id"
    kind: Literal["utterance.revised"] = "utterance.revised"
    utterance_id: str
    participant_id: str
    text: Text
    words: Annotated[tuple[Word, ...] | None, Personal] = None
    confidence: float | None = None
    by: Literal["refine", "speaker"]


class UtteranceNamed(PayloadBase):
    """Who of several at one microphone said this, as their seat names them by hand; empty: unknown."""

    subject_field = "utterance_id"
    kind: Literal["utterance.named"] = "utterance.named"
    utterance_id: str
    participant_id: str
    speaker: Text


class UtteranceStruck(PayloadBase):
    """The speaker took an utterance back; its text is erased wherever it is kept."""

    subject_field = "utterance_id"
    kind: Literal["utterance.struck"] = "utterance.struck"
    utterance_id: str
    participant_id: str


class ChatPosted(PayloadBase):
    """A written message to the room."""

    subject_field = "message_id"
    kind: Literal["chat.posted"] = "chat.posted"
    message_id: str
    participant_id: str
    text: Text


class ChatStruck(PayloadBase):
    """The writer took a message back."""

    subject_field = "message_id"
    kind: Literal["chat.struck"] = "chat.struck"
    message_id: str
    participant_id: str


# -- statements, votes, summary, polls


class StatementAdded(PayloadBase):
    """One votable claim; written by a participant, or drafted by AI from the utterances it names."""

    subject_field = "statement_id"
    kind: Literal["statement.added"] = "statement.added"
    statement_id: str
    participant_id: str | None  # None: drafted by AI or carried over from another group
    text: Text
    supports: tuple[str, ...] = ()
    contests: tuple[str, ...] = ()
    origin: Literal["participant", "ai", "seed", "carried"] = "participant"
    source_room: str | None = None
    source_statement: str | None = None  # the statement there that this one repeats


class StatementWithdrawn(PayloadBase):
    """A statement was taken back by its author, or here because its source was (its text is erased then); or a facilitator has hidden it."""

    kind: Literal["statement.withdrawn"] = "statement.withdrawn"
    statement_id: str
    by: Literal["author", "facilitator", "source"]


class VoteCast(PayloadBase):
    """A participant agrees (1), passes (0) or disagrees (-1); a later vote replaces an earlier one."""

    kind: Literal["vote.cast"] = "vote.cast"
    statement_id: str
    participant_id: str
    value: Vote


class SummaryProposed(PayloadBase):
    """A summary whose every sentence cites; `dropped` counts sentences that the citation check rejected."""

    subject_field = "summary_id"
    owner_field = None
    kind: Literal["summary.proposed"] = "summary.proposed"
    summary_id: str
    sentences: Annotated[tuple[Sentence, ...] | None, Personal]
    method: str
    dropped: int = 0
    call_id: str | None = None


class SummaryMarked(PayloadBase):
    """A participant's verdict on one sentence (`sentence` counts from 0), or on the whole (`missing`, with words)."""

    subject_field = "summary_id"
    kind: Literal["summary.marked"] = "summary.marked"
    summary_id: str
    participant_id: str
    sentence: int | None
    verdict: Literal["right", "wrong", "missing"]
    text: Text = None


class PollAnswered(PayloadBase):
    """Answers to the opening or the closing poll: question id → value on its scale."""

    kind: Literal["poll.answered"] = "poll.answered"
    participant_id: str
    poll: PollName
    answers: dict[str, int]


class ReportFiled(PayloadBase):
    """A participant reports a problem, about somebody or something; seen by facilitators only."""

    subject_field = "report_id"
    kind: Literal["report.filed"] = "report.filed"
    report_id: str
    participant_id: str
    about: str
    text: Text


class HelpCalled(PayloadBase):
    """A participant, or a rule, asks for a human facilitator."""

    kind: Literal["help.called"] = "help.called"
    participant_id: str | None
    why: str = ""


class HelpAnswered(PayloadBase):
    """A human facilitator has taken the call."""

    kind: Literal["help.answered"] = "help.answered"
    by: str


class SafetyAsked(PayloadBase):
    """The others are asked privately whether what somebody said was all right."""

    kind: Literal["safety.asked"] = "safety.asked"
    case_id: str
    participant_id: str  # whose words
    subject_id: str  # the utterance, message or statement
    asked: tuple[str, ...]
    why: str


class SafetyAnswered(PayloadBase):
    """One member's private answer."""

    owner_field = None
    kind: Literal["safety.answered"] = "safety.answered"
    case_id: str
    participant_id: str
    verdict: Literal["fine", "hide", "warn", "remove"]


class SafetyDecided(PayloadBase):
    """The majority's decision, or a human facilitator's, which overrules."""

    kind: Literal["safety.decided"] = "safety.decided"
    case_id: str
    verdict: Literal["fine", "hide", "warn", "remove"]
    by: Literal["group", "facilitator"]


# -- facilitation


class InterventionMade(PayloadBase):
    """Something the facilitator said, and why: the rule that fired and its numbers.

    `to` is None for the whole room, else the participants who see it. `by` is `ai`, or `facilitator` for a human's message.
    `about` names the participant it concerns, if any.
    """

    subject_field = "intervention_id"
    owner_field = None
    kind: Literal["intervention.made"] = "intervention.made"
    intervention_id: str
    by: Literal["ai", "facilitator"] = "ai"
    rule: str
    text: Text
    to: tuple[str, ...] | None = None
    about: str | None = None
    why: str = ""
    numbers: dict[str, float] = Field(default_factory=dict)
    actions: tuple[Literal["speak", "decline", "move_on", "more_time", "here", "call_human"], ...] = ()
    solicited: bool = False
    call_id: str | None = None


class InterventionAnswered(PayloadBase):
    """How somebody took it: the two feedback buttons, or a declined invitation."""

    kind: Literal["intervention.answered"] = "intervention.answered"
    intervention_id: str
    participant_id: str
    answer: Literal["helpful", "not_helpful", "declined", "accepted"]


class AiCalled(PayloadBase):
    """One entry of the AI ledger: a call to a language model, whatever came of it."""

    subject_field = "call_id"
    owner_field = None
    kind: Literal["ai.called"] = "ai.called"
    call_id: str
    purpose: str
    model: str
    prompt: str
    prompt_hash: str
    first_seq: int
    last_seq: int
    output: Text
    latency_ms: int
    tokens_in: int = 0
    tokens_out: int = 0
    outcome: Literal["ok", "repaired", "timeout", "invalid", "unavailable", "refused", "open_circuit"]


class FacilitationPaused(PayloadBase):
    """A human facilitator silenced (or unsilenced) the AI."""

    kind: Literal["facilitation.paused"] = "facilitation.paused"
    paused: bool


class ListenerChanged(PayloadBase):
    """A human facilitator listens in, speaks, or left; announced to everyone."""

    kind: Literal["listener.changed"] = "listener.changed"
    listener_id: str
    name: Text
    state: Literal["listening", "speaking", "gone"]


class TranscriptionBehind(PayloadBase):
    """Captions lag by this many seconds (0: caught up, -1: stopped)."""

    kind: Literal["transcription.behind"] = "transcription.behind"
    seconds: float


class RecordingChanged(PayloadBase):
    """Sound, or the `picture`, of a consenting participant is (no longer) recorded; `started_at` aligns the file with room time."""

    kind: Literal["recording.changed"] = "recording.changed"
    participant_id: str
    recording: bool
    file: str | None = None
    started_at: float | None = None
    picture: bool = False


Payload = Annotated[
    RoomOpened
    | RoomClosed
    | StageStarted
    | StageExtended
    | StageReady
    | StageMoreTime
    | StageEnded
    | MemberJoined
    | MemberAway
    | MemberReturned
    | MemberLeft
    | ConsentGiven
    | ConsentWithdrawn
    | HandRaised
    | HandLowered
    | SpeechLanguage
    | TurnStarted
    | TurnWarned
    | TurnEnded
    | SpeechStarted
    | SpeechEnded
    | UtteranceFinal
    | UtteranceRevised
    | UtteranceNamed
    | UtteranceStruck
    | ChatPosted
    | ChatStruck
    | StatementAdded
    | StatementWithdrawn
    | VoteCast
    | BallotOpened
    | BallotCast
    | CardAdded
    | CardWithdrawn
    | CardsAlike
    | SameAnswered
    | CardsMerged
    | WiserAnswered
    | ValueTold
    | ValueReplied
    | CaseRated
    | CandidateProposed
    | RankingOpened
    | CandidatesRanked
    | CandidateChosen
    | CandidateCritiqued
    | RevisionBegun
    | StanceTaken
    | SummaryProposed
    | SummaryMarked
    | PollAnswered
    | ReportFiled
    | HelpCalled
    | HelpAnswered
    | SafetyAsked
    | SafetyAnswered
    | SafetyDecided
    | InterventionMade
    | InterventionAnswered
    | AiCalled
    | TextTranslated
    | FacilitationPaused
    | ListenerChanged
    | TranscriptionBehind
    | RecordingChanged,
    Field(discriminator="kind"),
]

PAYLOAD: TypeAdapter[Payload] = TypeAdapter(Payload)
PAYLOAD_TYPES: dict[str, type[PayloadBase]] = {
    cls.model_fields["kind"].default: cls for cls in get_args(get_args(Payload)[0])
}


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a room's log. `actor` is a participant id, a link id, `system` or `ai`."""

    seq: int
    at: float
    actor: str
    payload: Payload

    @property
    def kind(self) -> str:
        """The payload's tag."""
        return self.payload.kind


def erase(events: Iterable[Event], *, subject: str | None = None, owner: str | None = None) -> Iterator[Event]:
    """Yield the events with the personal fields of one subject, or of one participant, set to None."""
    for event in events:
        payload = event.payload
        hit = (subject is not None and payload.subject == subject) or (owner is not None and payload.owner == owner)
        fields = payload.personal_fields() if hit else ()
        if fields:
            payload = payload.model_copy(update=dict.fromkeys(fields))
            event = Event(event.seq, event.at, event.actor, payload)
        yield event
