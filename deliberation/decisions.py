"""What follows from what members ask of a room.

`decide` is pure: state, actor, command and time in; payloads out, or a `ParleyError` and nothing at all. It is the one place that says what
is allowed. Called by the room's owner task.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from deliberation import balloting, casework, group_statement, values
from deliberation.agenda import majority, next_stage
from deliberation.balloting import CastBallot
from deliberation.casework import RateCase
from deliberation.command import Actor
from deliberation.commands import (
    AddStatement,
    AnswerHelp,
    AnswerIntervention,
    AnswerPoll,
    AnswerSafety,
    CallHelp,
    CastVote,
    CloseRoom,
    Command,
    CorrectUtterance,
    DecideSafety,
    EndTurn,
    ExtendStage,
    FacilitatorCommand,
    FileReport,
    Leave,
    Listen,
    LowerHand,
    MarkSummary,
    MoreTime,
    NameSpeaker,
    NextStage,
    ParticipantCommand,
    PauseFacilitation,
    PostChat,
    RaiseHand,
    Ready,
    RemoveMember,
    SendMessage,
    SpeakLanguage,
    StrikeChat,
    StrikeUtterance,
    WithdrawConsent,
    WithdrawStatement,
)
from deliberation.errors import Conflict, InvalidInput, NotAllowed, NotFound, TooMany
from deliberation.events import (
    ChatPosted,
    ChatStruck,
    ConsentWithdrawn,
    FacilitationPaused,
    HandLowered,
    HandRaised,
    HelpAnswered,
    HelpCalled,
    InterventionAnswered,
    InterventionMade,
    ListenerChanged,
    MemberLeft,
    Payload,
    PollAnswered,
    ReportFiled,
    RoomClosed,
    SafetyAnswered,
    SafetyDecided,
    SpeechLanguage,
    StageExtended,
    StageMoreTime,
    StageReady,
    StatementAdded,
    StatementWithdrawn,
    SummaryMarked,
    TurnEnded,
    UtteranceFinal,
    UtteranceNamed,
    UtteranceRevised,
    UtteranceStruck,
    VoteCast,
)
from deliberation.group_statement import CritiqueCandidate, RankCandidates, TakeStance
from deliberation.state import RoomState, Statement
from deliberation.values import AddCard, AnswerSame, AnswerWiser, TellValue, WithdrawCard

MAX_STATEMENTS_EACH = 5
MAX_CHAT_MESSAGES = 500
MAX_CHAT_EACH = 200  # nobody alone fills the room's chat
READ_OUT_WORDS_A_SECOND = 2.5  # 150 words a minute, the usual pace of reading aloud
MAX_REPORTS_EACH = 20
MAX_MISSING_EACH = 10

AFTERWARDS = (
    StrikeUtterance,
    WithdrawStatement,
    CorrectUtterance,
    NameSpeaker,
    StrikeChat,
    WithdrawConsent,
    MarkSummary,
    AnswerPoll,
    Leave,
    FileReport,
)


def decide(state: RoomState, actor: Actor, command: Command, now: float, new_id: Callable[[], str]) -> list[Payload]:
    """Return the payloads that a command leads to.

    Raises `NotAllowed` when the actor's role or seat does not permit it, `NotFound`/`Conflict`/`InvalidInput`/`TooMany` otherwise. An empty
    list means that the wish is already so.
    """
    if actor.role in ("facilitator", "admin") and isinstance(command, FacilitatorCommand):
        _must_run(state)
        return _facilitator(state, actor, command, now, new_id)
    if actor.role == "participant" and isinstance(command, ParticipantCommand):
        member = state.members.get(actor.id)
        if member is None:
            raise NotAllowed("not_a_member", "You do not have a seat in this room.", "Open your join link again.")
        if not isinstance(command, AFTERWARDS):
            _must_run(state)
            if member.presence == "left":
                raise NotAllowed("left_room", "You have left this room.")
        return _participant(state, actor.id, command, now, new_id)
    raise NotAllowed("role_not_allowed", f"Your link does not allow “{command.type}”.")


def _must_run(state: RoomState) -> None:
    if not state.open:
        raise Conflict("room_closed", "This room is over.")


def _participant(state: RoomState, me: str, command: Command, now: float, new_id: Callable[[], str]) -> list[Payload]:
    match command:
        case RaiseHand():
            if state.turn and state.turn.participant_id == me:
                return []
            if any(h.participant_id == me and h.short == command.short for h in state.queue):
                return []
            return [HandRaised(participant_id=me, short=command.short)]
        case LowerHand():
            return [HandLowered(participant_id=me)] if any(h.participant_id == me for h in state.queue) else []
        case EndTurn():
            mine = state.turn is not None and state.turn.participant_id == me
            return [TurnEnded(participant_id=me, why="done")] if mine else []
        case SpeakLanguage():
            same = state.members[me].speaks == command.language
            return [] if same else [SpeechLanguage(participant_id=me, language=command.language)]
        case Ready():
            if state.stage is None:
                raise Conflict("no_stage", "The first stage has not started yet.")
            return [] if (me in state.ready) == command.ready else [StageReady(participant_id=me, ready=command.ready)]
        case MoreTime():
            if state.stage is None or state.stage.ends_at is None:
                raise Conflict("no_stage", "This stage has no time limit.")
            return [] if me in state.more_time else [StageMoreTime(participant_id=me)]
        case AddStatement():
            return [_add_statement(state, me, command, new_id())]
        case WithdrawStatement():
            statement = _statement(state, command.statement_id)
            if statement.participant_id != me:
                raise NotAllowed("not_yours", "Only its author can take a statement back.")
            return [] if statement.withdrawn else [StatementWithdrawn(statement_id=command.statement_id, by="author")]
        case CastVote():
            statement = _statement(state, command.statement_id)
            if statement.withdrawn:
                raise Conflict("statement_withdrawn", "This statement has been taken back.")
            if state.stage is None or statement.stage_id != state.stage.stage_id:
                raise Conflict("stage_over", "Voting on this statement is over.")
            if statement.votes.get(me) == command.value:
                return []
            return [VoteCast(statement_id=command.statement_id, participant_id=me, value=command.value)]
        case RankCandidates() | CritiqueCandidate() | TakeStance():
            return list[Payload](group_statement.decide(state, me, command, new_id))
        case AddCard() | WithdrawCard() | AnswerSame() | AnswerWiser() | TellValue():
            return list[Payload](values.decide(state, me, command, new_id()))
        case RateCase():
            return list[Payload](casework.decide(state, me, command))
        case CastBallot():
            return list[Payload](balloting.decide(state, me, command))
        case StrikeUtterance():
            utterance = _own_utterance(state, me, command.utterance_id)
            return [] if utterance else [UtteranceStruck(utterance_id=command.utterance_id, participant_id=me)]
        case CorrectUtterance():
            if _own_utterance(state, me, command.utterance_id):
                raise Conflict("utterance_struck", "These words have been struck; they cannot be corrected.")
            return [
                UtteranceRevised(utterance_id=command.utterance_id, participant_id=me, text=command.text, by="speaker")
            ]
        case NameSpeaker():
            if state.members[me].mode != "on-site":
                raise NotAllowed("not_a_group", "Only a microphone that several share has speakers to name.")
            if _own_utterance(state, me, command.utterance_id):
                raise Conflict("utterance_struck", "These words have been struck.")
            return [UtteranceNamed(utterance_id=command.utterance_id, participant_id=me, speaker=command.speaker or None)]
        case PostChat() if state.members[me].writes:
            return [_written(state, me, command.text, now, new_id())]
        case PostChat():
            if len(state.chat) >= MAX_CHAT_MESSAGES:
                raise TooMany("chat_full", "This room's chat is full.")
            if sum(message.participant_id == me for message in state.chat.values()) >= MAX_CHAT_EACH:
                raise TooMany("chat_full", "You have written as many messages as one person may.")
            return [ChatPosted(message_id=new_id(), participant_id=me, text=command.text)]
        case StrikeChat():
            message = state.chat.get(command.message_id)
            if message is None:
                raise NotFound("no_such_message", "There is no such message.")
            if message.participant_id != me:
                raise NotAllowed("not_yours", "Only its writer can take a message back.")
            return [] if message.struck else [ChatStruck(message_id=command.message_id, participant_id=me)]
        case FileReport():
            if sum(report.participant_id == me for report in state.reports) >= MAX_REPORTS_EACH:
                raise TooMany("too_many_reports", "You have reported enough; a facilitator will look into it.")
            return [ReportFiled(report_id=new_id(), participant_id=me, about=command.about, text=command.text)]
        case CallHelp():
            return [] if state.help else [HelpCalled(participant_id=me, why="asked for by a participant")]
        case AnswerIntervention():
            card = state.interventions.get(command.intervention_id)
            if card is None or (card.to is not None and me not in card.to):
                raise NotFound("no_such_card", "There is no such message from the facilitator.")
            if card.answers.get(me) == command.answer:
                return []
            return [
                InterventionAnswered(intervention_id=command.intervention_id, participant_id=me, answer=command.answer)
            ]
        case AnswerSafety():
            return _answer_safety(state, me, command)
        case MarkSummary():
            return [_mark(state, me, command)]
        case AnswerPoll():
            if command.poll == "opening":
                raise Conflict("poll_over", "The opening questions are answered before the talk begins.")
            return [poll_answered(state, me, command)]
        case WithdrawConsent():
            member = state.members[me]
            items = tuple(item for item in command.items if member.consent.get(item))
            return [ConsentWithdrawn(participant_id=me, items=items)] if items else []
        case Leave():
            reason: Literal["withdrew", "left"] = "withdrew" if command.erase else "left"
            gone = state.members[me].presence == "left"
            payloads: list[Payload] = [ConsentWithdrawn(participant_id=me, items=("take_part", "record", "quote"))]
            kept = [] if gone and not command.erase else [MemberLeft(participant_id=me, reason=reason)]
            return (payloads if command.erase else []) + list[Payload](kept)
    raise NotAllowed("role_not_allowed", f"Your link does not allow “{command.type}”.")


def _facilitator(
    state: RoomState, actor: Actor, command: Command, now: float, new_id: Callable[[], str]
) -> list[Payload]:
    match command:
        case SendMessage():
            unknown = [p for p in command.to or () if p not in state.members]
            if unknown:
                raise NotFound("no_such_member", "Somebody you are writing to is not in this room.")
            return [
                InterventionMade(
                    intervention_id=new_id(),
                    by="facilitator",
                    rule="message",
                    text=command.text,
                    to=command.to,
                    why="written by a human facilitator",
                    solicited=True,
                )
            ]
        case PauseFacilitation():
            same = state.facilitation_paused == command.paused
            return [] if same else [FacilitationPaused(paused=command.paused)]
        case ExtendStage():
            if state.stage is None or state.stage.ends_at is None:
                raise Conflict("no_stage", "This stage has no time limit.")
            ends_at = max(state.stage.ends_at, now) + command.seconds
            return [
                StageExtended(
                    stage_id=state.stage.stage_id, seconds=command.seconds, ends_at=ends_at, why="facilitator"
                )
            ]
        case NextStage():
            if state.stage is None:
                raise Conflict("no_stage", "The first stage has not started yet.")
            return next_stage(state, now, "facilitator")
        case RemoveMember():
            member = state.members.get(command.participant_id)
            if member is None or member.presence == "left":
                raise NotFound("no_such_member", "There is no such member in this room.")
            return [MemberLeft(participant_id=command.participant_id, reason="removed")]
        case AnswerHelp():
            return [HelpAnswered(by=actor.id)] if state.help else []
        case DecideSafety():
            if command.case_id not in state.safety:
                raise NotFound("no_such_case", "There is no such safety case.")
            return _safety_outcome(state, command.case_id, command.verdict, "facilitator")
        case Listen():
            now_is = state.listeners.get(actor.id)
            if (now_is.state if now_is else "gone") == command.state:
                return []
            return [ListenerChanged(listener_id=actor.id, name=actor.name or "Facilitator", state=command.state)]
        case CloseRoom():
            return [RoomClosed(reason="stopped")]
        case WithdrawCard():
            return list[Payload](values.hide(state, command))
        case WithdrawStatement():
            if _statement(state, command.statement_id).withdrawn:
                return []
            return [StatementWithdrawn(statement_id=command.statement_id, by="facilitator")]
    raise NotAllowed("role_not_allowed", f"Your link does not allow “{command.type}”.")


def _statement(state: RoomState, statement_id: str) -> Statement:
    statement = state.statements.get(statement_id)
    if statement is None:
        raise NotFound("no_such_statement", "There is no such statement.")
    return statement


def _own_utterance(state: RoomState, me: str, utterance_id: str) -> bool:
    """Check that an utterance is the actor's; return whether it is struck already."""
    utterance = state.utterances.get(utterance_id)
    if utterance is None:
        raise NotFound("no_such_utterance", "There is no such utterance.")
    if utterance.participant_id != me:
        raise NotAllowed("not_yours", "Only the speaker can strike or correct these words.")
    return utterance.struck


def _add_statement(state: RoomState, me: str, command: AddStatement, statement_id: str) -> Payload:
    stage = state.current_stage
    if stage is None or stage.kind != "statements":
        raise Conflict("not_voting", "Statements can be added while the group is voting on statements.")
    mine = [s for s in state.statements.values() if s.participant_id == me and not s.withdrawn]
    if len(mine) >= MAX_STATEMENTS_EACH:
        raise TooMany("too_many_statements", f"Everyone may add up to {MAX_STATEMENTS_EACH} statements.")
    same = command.text.casefold()
    if any(s.text.casefold() == same and not s.withdrawn for s in state.statements.values()):
        raise Conflict("statement_exists", "This statement is already there; you can vote on it.")
    unusable = [u for u in command.supports if u not in state.utterances or not state.utterances[u].usable]
    if unusable:
        raise NotFound("no_such_utterance", "A statement can only cite what was said in this room.")
    return StatementAdded(statement_id=statement_id, participant_id=me, text=command.text, supports=command.supports)


def _written(state: RoomState, me: str, text: str, now: float, utterance_id: str) -> Payload:
    """Return what somebody who takes part in writing contributes: an utterance like everybody's, as long as it takes to read it out."""
    if sum(u.participant_id == me and u.written for u in state.utterances.values()) >= MAX_CHAT_EACH:
        raise TooMany("chat_full", "You have written as many messages as one person may.")
    return UtteranceFinal(
        utterance_id=utterance_id,
        participant_id=me,
        started_at=round(now - len(text.split()) / READ_OUT_WORDS_A_SECOND, 3),
        ended_at=now,
        text=text,
        confidence=1.0,
        language=state.members[me].language,
        written=True,
    )


def _mark(state: RoomState, me: str, command: MarkSummary) -> Payload:
    summary = state.summary
    if summary is None or summary.summary_id != command.summary_id:
        raise Conflict("summary_changed", "The summary has been written anew; please look at it again.")
    if command.verdict == "missing":
        if not command.text:
            raise InvalidInput("text_missing", "Please say what is missing.")
        if sum(m.participant_id == me and m.sentence is None for m in summary.marks) >= MAX_MISSING_EACH:
            raise TooMany("too_many_marks", "You have named enough that is missing.")
    elif command.sentence is None or command.sentence >= len(summary.sentences):
        raise InvalidInput("no_such_sentence", "There is no such sentence in the summary.")
    return SummaryMarked(
        summary_id=command.summary_id,
        participant_id=me,
        sentence=None if command.verdict == "missing" else command.sentence,
        verdict=command.verdict,
        text=command.text or None,
    )


def poll_answered(state: RoomState, me: str, command: AnswerPoll) -> Payload:
    """Check poll answers against the design's questions and scales, and return the event."""
    questions = {question.id: question for question in state.plan.poll}
    for question_id, value in command.answers.items():
        question = questions.get(question_id)
        if question is None or not 1 <= value <= question.scale:
            raise InvalidInput("bad_answer", "An answer does not fit its question's scale.")
    return PollAnswered(participant_id=me, poll=command.poll, answers=command.answers)


def _answer_safety(state: RoomState, me: str, command: AnswerSafety) -> list[Payload]:
    case = state.safety.get(command.case_id)
    if case is None or me not in case.asked:
        raise NotFound("no_such_case", "There is no such question for you.")
    if case.verdict is not None:
        raise Conflict("case_decided", "This has been decided already.")
    answer: Payload = SafetyAnswered(case_id=command.case_id, participant_id=me, verdict=command.verdict)
    answers = {**case.answers, me: command.verdict}
    for verdict in ("remove", "hide", "warn", "fine"):
        if majority(sum(v == verdict for v in answers.values()), len(case.asked)):
            if verdict == "remove" and len(case.asked) == 1:  # one person alone removes nobody: it is hidden, and a human is called
                called: list[Payload] = [] if state.help else [HelpCalled(participant_id=None, why="a removal was asked for")]
                return [answer, *_safety_outcome(state, command.case_id, "hide", "group"), *called]
            return [answer, *_safety_outcome(state, command.case_id, verdict, "group")]
    if len(answers) == len(case.asked):  # no majority: the mildest measure that a majority wants at least
        acting = sum(v != "fine" for v in answers.values())
        verdict = "warn" if majority(acting, len(case.asked)) else "fine"
        return [answer, *_safety_outcome(state, command.case_id, verdict, "group")]
    return [answer]


def _safety_outcome(state: RoomState, case_id: str, verdict: str, by: str) -> list[Payload]:
    payloads: list[Payload] = [SafetyDecided(case_id=case_id, verdict=verdict, by=by)]
    culprit = state.members.get(state.safety[case_id].participant_id)
    if verdict == "remove" and culprit and culprit.presence != "left":
        payloads.append(MemberLeft(participant_id=culprit.participant_id, reason="removed"))
    return payloads
