"""What members may ask of a room: the shapes that the wire carries (server/signalling/messages.py).

A new command is: a class here (or in the module of its mechanism), an entry in `ParticipantCommand` or `FacilitatorCommand`, a case in
`decisions.decide`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from deliberation.balloting import CastBallot
from deliberation.casework import RateCase
from deliberation.command import CommandBase, Id, line
from deliberation.events import (
    PollName,
)
from deliberation.group_statement import CritiqueCandidate, RankCandidates, TakeStance
from deliberation.payload import Vote
from deliberation.values import AddCard, AnswerSame, AnswerWiser, TellValue, WithdrawCard


class RaiseHand(CommandBase):
    """Ask to speak; `short` for a ten-second reply."""

    type: Literal["hand.raise"] = "hand.raise"
    short: bool = False


class LowerHand(CommandBase):
    """No longer ask to speak."""

    type: Literal["hand.lower"] = "hand.lower"


class EndTurn(CommandBase):
    """Give the floor back."""

    type: Literal["turn.done"] = "turn.done"


class SpeakLanguage(CommandBase):
    """Say which language one speaks, so that it is written down right: a tag of BCP 47, "und" to have it detected, None as the design says."""

    type: Literal["speech.language"] = "speech.language"
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=16)] | None


class Ready(CommandBase):
    """Vote to move on, or take that back."""

    type: Literal["stage.ready"] = "stage.ready"
    ready: bool = True


class MoreTime(CommandBase):
    """Ask for more time in this stage."""

    type: Literal["stage.more_time"] = "stage.more_time"


class AddStatement(CommandBase):
    """Put a claim to the vote; `supports` names utterances it comes from."""

    type: Literal["statement.add"] = "statement.add"
    text: Annotated[str, line(280)]
    supports: tuple[Id, ...] = Field((), max_length=20)


class WithdrawStatement(CommandBase):
    """Take one's own statement back (a facilitator: hide any)."""

    type: Literal["statement.withdraw"] = "statement.withdraw"
    statement_id: Id


class CastVote(CommandBase):
    """Agree (1), pass (0), disagree (-1); changeable until the stage closes."""

    type: Literal["statement.vote"] = "statement.vote"
    statement_id: Id
    value: Vote


class StrikeUtterance(CommandBase):
    """Take one's own words back: their text is erased."""

    type: Literal["utterance.strike"] = "utterance.strike"
    utterance_id: Id


class CorrectUtterance(CommandBase):
    """Correct how one's own words were written down."""

    type: Literal["utterance.correct"] = "utterance.correct"
    utterance_id: Id
    text: Annotated[str, line(2000)]


class NameSpeaker(CommandBase):
    """At a microphone of several: say by hand who of them said this; empty for unknown."""

    type: Literal["utterance.name"] = "utterance.name"
    utterance_id: Id
    speaker: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40)] = ""


class PostChat(CommandBase):
    """Write to the room; what somebody writes who takes part in writing becomes an utterance of theirs."""

    type: Literal["chat.post"] = "chat.post"
    text: Annotated[str, line(1000)]


class StrikeChat(CommandBase):
    """Take one's own message back."""

    type: Literal["chat.strike"] = "chat.strike"
    message_id: Id


class FileReport(CommandBase):
    """Report a problem to the facilitators."""

    type: Literal["report.file"] = "report.file"
    about: Annotated[str, StringConstraints(max_length=64)] = ""
    text: Annotated[str, line(2000)]


class CallHelp(CommandBase):
    """Call a human facilitator."""

    type: Literal["help.call"] = "help.call"


class AnswerIntervention(CommandBase):
    """Say how a facilitator's card was, or decline / take up its invitation."""

    type: Literal["intervention.answer"] = "intervention.answer"
    intervention_id: Id
    answer: Literal["helpful", "not_helpful", "declined", "accepted"]


class AnswerSafety(CommandBase):
    """Answer the private question whether something was all right."""

    type: Literal["safety.answer"] = "safety.answer"
    case_id: Id
    verdict: Literal["fine", "hide", "warn", "remove"]


class MarkSummary(CommandBase):
    """Mark one sentence of the summary right or wrong, or say what is missing (`sentence` None)."""

    type: Literal["summary.mark"] = "summary.mark"
    summary_id: Id
    sentence: int | None = Field(None, ge=0)
    verdict: Literal["right", "wrong", "missing"]
    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] | None = None


class AnswerPoll(CommandBase):
    """Answer the opening or the closing poll."""

    type: Literal["poll.answer"] = "poll.answer"
    poll: PollName
    answers: dict[Id, int]


class WithdrawConsent(CommandBase):
    """Take back consent for recording or quoting (`taking part` is taken back by leaving with `room.leave`)."""

    type: Literal["consent.withdraw"] = "consent.withdraw"
    items: tuple[Literal["record", "quote"], ...] = Field(min_length=1)


class Leave(CommandBase):
    """Leave for good; with `erase`, withdraw what one said as the design provides."""

    type: Literal["room.leave"] = "room.leave"
    erase: bool = False


class SendMessage(CommandBase):
    """Facilitator: say something in writing to the room, or to some members."""

    type: Literal["message.send"] = "message.send"
    text: Annotated[str, line(1000)]
    to: tuple[Id, ...] | None = None


class PauseFacilitation(CommandBase):
    """Facilitator: silence the AI, or let it speak again."""

    type: Literal["facilitation.pause"] = "facilitation.pause"
    paused: bool


class ExtendStage(CommandBase):
    """Facilitator: give the stage more time."""

    type: Literal["stage.extend"] = "stage.extend"
    seconds: float = Field(ge=10, le=3600)


class NextStage(CommandBase):
    """Facilitator: end the current stage now."""

    type: Literal["stage.next"] = "stage.next"


class RemoveMember(CommandBase):
    """Facilitator: take a member out of the room."""

    type: Literal["member.remove"] = "member.remove"
    participant_id: Id


class AnswerHelp(CommandBase):
    """Facilitator: take a call for help."""

    type: Literal["help.answer"] = "help.answer"


class DecideSafety(CommandBase):
    """Facilitator: overrule the group on a safety case."""

    type: Literal["safety.decide"] = "safety.decide"
    case_id: Id
    verdict: Literal["fine", "hide", "warn", "remove"]


class Listen(CommandBase):
    """Facilitator: listen in, speak, or leave; announced to the room."""

    type: Literal["listen"] = "listen"
    state: Literal["listening", "speaking", "gone"]


class CloseRoom(CommandBase):
    """Facilitator: end the room now."""

    type: Literal["room.close"] = "room.close"


ParticipantCommand = (
    RaiseHand
    | LowerHand
    | SpeakLanguage
    | EndTurn
    | Ready
    | MoreTime
    | AddStatement
    | WithdrawStatement
    | CastVote
    | CastBallot
    | AddCard
    | WithdrawCard
    | AnswerSame
    | AnswerWiser
    | TellValue
    | RateCase
    | RankCandidates
    | CritiqueCandidate
    | TakeStance
    | StrikeUtterance
    | CorrectUtterance
    | NameSpeaker
    | PostChat
    | StrikeChat
    | FileReport
    | CallHelp
    | AnswerIntervention
    | AnswerSafety
    | MarkSummary
    | AnswerPoll
    | WithdrawConsent
    | Leave
)
FacilitatorCommand = (
    SendMessage
    | PauseFacilitation
    | ExtendStage
    | NextStage
    | RemoveMember
    | AnswerHelp
    | DecideSafety
    | Listen
    | CloseRoom
    | WithdrawStatement
    | WithdrawCard
)
Command = ParticipantCommand | FacilitatorCommand
