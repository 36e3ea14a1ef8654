"""RoomState: a fold over a room's events, and the only truth about a room.

Owns how each kind of event changes it; never decides what may happen (that is `commands` and `agenda`/`turns`) and
never looks at a clock. `fold` accepts any log that the server wrote, erased text included.

Invariants: `seq` is the number of events folded; a participant is in `members` exactly once; seats are never reused; the queue holds
seated members only, each once; readiness belongs to members who have not left; votes to all who have not withdrawn (`answers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeVar

from deliberation import balloting, casework, group_statement, translations, values
from deliberation.answers import takes_answers_out, without_answers
from deliberation.balloting import BallotCast, BallotOpened
from deliberation.casework import CaseRated
from deliberation.design import Design, Facilitation, parse_design
from deliberation.events import (
    AiCalled,
    ChatPosted,
    ChatStruck,
    ConsentGiven,
    ConsentWithdrawn,
    Event,
    FacilitationPaused,
    HandLowered,
    HandRaised,
    HelpAnswered,
    HelpCalled,
    InterventionAnswered,
    InterventionMade,
    ListenerChanged,
    MemberAway,
    MemberJoined,
    MemberLeft,
    MemberReturned,
    PollAnswered,
    RecordingChanged,
    ReportFiled,
    RoomClosed,
    RoomOpened,
    SafetyAnswered,
    SafetyAsked,
    SafetyDecided,
    SpeechEnded,
    SpeechLanguage,
    SpeechStarted,
    StageEnded,
    StageExtended,
    StageMoreTime,
    StageReady,
    StageStarted,
    StatementAdded,
    StatementWithdrawn,
    SummaryMarked,
    SummaryProposed,
    TranscriptionBehind,
    TurnEnded,
    TurnStarted,
    TurnWarned,
    UtteranceFinal,
    UtteranceNamed,
    UtteranceRevised,
    UtteranceStruck,
    VoteCast,
)
from deliberation.group_statement import (
    CandidateChosen,
    CandidateCritiqued,
    CandidateProposed,
    CandidatesRanked,
    RankingOpened,
    RevisionBegun,
    StanceTaken,
)
from deliberation.state import (
    ChatMessage,
    Hand,
    Help,
    Intervention,
    LedgerEntry,
    Listener,
    Mark,
    Member,
    Recording,
    Report,
    RoomState,
    SafetyCase,
    Speech,
    StageClock,
    Statement,
    Summary,
    Turn,
    Utterance,
)
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

__all__ = ["RoomState", "arm_facilitation", "fold", "fold_all"]

V = TypeVar("V")


def arm_facilitation(design: Design, arm: str) -> Facilitation:
    """Return the facilitation settings of one arm of an experiment (of the design itself for the empty name)."""
    return design.facilitation.of_arm(arm)


def fold_all(events: Iterable[Event], state: RoomState | None = None) -> RoomState:
    """Fold events, oldest first, onto a state (a new room by default)."""
    state = state or RoomState()
    for event in events:
        state = fold(state, event)
    return state


def _with(mapping: Mapping[str, V], key: str, value: V) -> dict[str, V]:
    return {**mapping, key: value}


def _without(mapping: Mapping[str, V], key: str) -> dict[str, V]:
    return {k: v for k, v in mapping.items() if k != key}


def fold(state: RoomState, event: Event) -> RoomState:
    """Return the state after one more event. `event.seq` must be `state.seq + 1`."""
    assert event.seq == state.seq + 1, f"event {event.seq} after {state.seq}: the log has a gap or a duplicate"
    state = replace(state, seq=event.seq, at=max(state.at, event.at))
    stage_id = state.stage.stage_id if state.stage else ""
    match event.payload:
        case RoomOpened() as e:
            design = parse_design(e.design)
            return replace(
                state,
                room_id=e.room_id,
                deliberation_id=e.deliberation_id,
                number=e.number,
                round=e.round,
                practice=e.practice,
                design=design,
                facilitation=arm_facilitation(design, e.arm),
                arm=e.arm,
                opened_at=event.at,
            )
        case RoomClosed() as e:
            return replace(state, closed_at=event.at, close_reason=e.reason, turn=None, queue=())
        case StageStarted() as e:
            clock = StageClock(e.stage_id, e.index, event.at, e.ends_at)
            return replace(state, stage=clock, ready=frozenset(), more_time=frozenset())
        case StageExtended() as e if state.stage:
            if e.why == "pause":
                return replace(state, stage=replace(state.stage, ends_at=e.ends_at, lost=0.0))
            clock = replace(state.stage, ends_at=e.ends_at, extensions=state.stage.extensions + 1)
            return replace(state, stage=clock, more_time=frozenset())
        case StageReady() as e:
            ready = state.ready | {e.participant_id} if e.ready else state.ready - {e.participant_id}
            return replace(state, ready=ready)
        case StageMoreTime() as e:
            return replace(state, more_time=state.more_time | {e.participant_id})
        case StageEnded() as e:
            return replace(state, stages_ended=(*state.stages_ended, e.stage_id), turn=None)
        case MemberJoined() as e:
            member = Member(
                participant_id=e.participant_id,
                seat=e.seat,
                name=e.name,
                language=e.language,
                joined_at=event.at,
                segments=e.segments or {},
                mode=e.mode,
                cohort=e.cohort,
                simulated=e.simulated,
            )
            state = _resumed(state, event.at)
            return replace(state, members=_with(state.members, e.participant_id, member))
        case MemberAway() as e:
            return _presence(_leave_floor(state, e.participant_id), e.participant_id, "away", event.at)
        case MemberReturned() as e:
            return _presence(_resumed(state, event.at), e.participant_id, "here", None)
        case MemberLeft() as e:
            state = _presence(_leave_floor(state, e.participant_id), e.participant_id, "left", event.at)
            return replace(
                state,
                queue=tuple(h for h in state.queue if h.participant_id != e.participant_id),
                ready=state.ready - {e.participant_id},
                more_time=state.more_time - {e.participant_id},
                recording=state.recording - {e.participant_id},
                filming=state.filming - {e.participant_id},
            )
        case ConsentGiven() as e:
            return _member(state, e.participant_id, consent=dict(e.items))
        case ConsentWithdrawn() as e:
            now = state.members.get(e.participant_id)
            kept = {**(now.consent if now else {}), **dict.fromkeys(e.items, False)}
            state = _member(state, e.participant_id, consent=kept)
            return without_answers(state, e.participant_id) if takes_answers_out(state, e) else state
        case SpeechLanguage() as e:
            return _member(state, e.participant_id, speaks=e.language)
        case HandRaised() as e:
            hand = Hand(e.participant_id, event.at, e.short)
            others = tuple(h for h in state.queue if h.participant_id != e.participant_id)
            return replace(state, queue=(*others, hand))
        case HandLowered() as e:
            return replace(state, queue=tuple(h for h in state.queue if h.participant_id != e.participant_id))
        case TurnStarted() as e:
            queue = tuple(h for h in state.queue if h.participant_id != e.participant_id)
            return replace(state, queue=queue, turn=Turn(e.participant_id, event.at, e.ends_at, e.short))
        case TurnWarned() as e if state.turn:
            return replace(state, turn=replace(state.turn, warned=True, overtime=e.overtime))
        case TurnEnded():
            return replace(state, turn=None)
        case SpeechStarted() as e:
            return replace(
                state,
                speaking=_with(state.speaking, e.participant_id, e.started_at),
                speech=(*state.speech, Speech(e.participant_id, e.started_at)),
            )
        case SpeechEnded() as e:
            done = Speech(e.participant_id, e.started_at, e.ended_at)
            before = tuple(s for s in state.speech if not _same_speech(s, done))
            return replace(state, speaking=_without(state.speaking, e.participant_id), speech=(*before, done))
        case UtteranceFinal() as e:
            utterance = Utterance(
                utterance_id=e.utterance_id,
                participant_id=e.participant_id,
                started_at=e.started_at,
                ended_at=e.ended_at,
                text=e.text or "",
                words=e.words or (),
                confidence=e.confidence,
                language=e.language,
                stage_id=stage_id,
                struck=e.text is None,
                written=e.written,
            )
            if e.written:  # counts as speech for as long as it takes to read it out
                state = replace(state, speech=(*state.speech, Speech(e.participant_id, e.started_at, e.ended_at)))
            return replace(state, utterances=_with(state.utterances, e.utterance_id, utterance))
        case UtteranceRevised() as e if e.utterance_id in state.utterances:
            old = state.utterances[e.utterance_id]
            new = replace(
                old,
                text=e.text or "",
                words=old.words if e.words is None else e.words,
                confidence=old.confidence if e.confidence is None else e.confidence,
                revised=e.by,
                struck=old.struck or e.text is None,
            )
            return replace(
                state,
                utterances=_with(state.utterances, e.utterance_id, new),
                translations=translations.without(state.translations, e.utterance_id),
            )
        case UtteranceNamed() as e if e.utterance_id in state.utterances:
            named = replace(state.utterances[e.utterance_id], speaker=e.speaker)
            return replace(state, utterances=_with(state.utterances, e.utterance_id, named))
        case UtteranceStruck() as e if e.utterance_id in state.utterances:
            struck = replace(state.utterances[e.utterance_id], text="", words=(), struck=True)
            state = replace(
                state,
                utterances=_with(state.utterances, e.utterance_id, struck),
                translations=translations.without(state.translations, e.utterance_id),
            )
            return _flag(state, e.utterance_id)
        case ChatPosted() as e:
            message = ChatMessage(
                e.message_id, e.participant_id, event.at, e.text or "", stage_id, struck=e.text is None
            )
            return replace(state, chat=_with(state.chat, e.message_id, message))
        case ChatStruck() as e if e.message_id in state.chat:
            message = replace(state.chat[e.message_id], text="", struck=True)
            left = translations.without(state.translations, e.message_id)
            return replace(state, chat=_with(state.chat, e.message_id, message), translations=left)
        case StatementAdded() as e:
            statement = Statement(
                statement_id=e.statement_id,
                participant_id=e.participant_id,
                text=e.text or "",
                origin=e.origin,
                supports=e.supports,
                contests=e.contests,
                stage_id=stage_id,
                at=event.at,
                withdrawn=e.text is None,
                source_room=e.source_room,
                source_statement=e.source_statement,
            )
            return replace(state, statements=_with(state.statements, e.statement_id, statement))
        case StatementWithdrawn() as e if e.statement_id in state.statements:
            gone = replace(state.statements[e.statement_id], withdrawn=True)
            return _flag(replace(state, statements=_with(state.statements, e.statement_id, gone)), e.statement_id)
        case VoteCast() as e if e.statement_id in state.statements:
            voted = state.statements[e.statement_id]
            voted = replace(voted, votes=_with(voted.votes, e.participant_id, e.value))
            return replace(state, statements=_with(state.statements, e.statement_id, voted))
        case (
            CandidateProposed()
            | RankingOpened()
            | CandidatesRanked()
            | CandidateChosen()
            | CandidateCritiqued()
            | RevisionBegun()
            | StanceTaken()
        ) as e:
            return replace(state, group_statements=group_statement.fold(state.group_statements, e, event.at))
        case TextTranslated() as e:
            return replace(state, translations=translations.fold(state.translations, e))
        case (
            CardAdded()
            | CardWithdrawn()
            | CardsAlike()
            | SameAnswered()
            | CardsMerged()
            | WiserAnswered()
            | ValueTold()
            | ValueReplied()
        ) as e:
            return replace(state, values=values.fold(state.values, e, event.at))
        case CaseRated() as e:
            return replace(state, ratings=casework.fold(state.ratings, e))
        case BallotOpened() | BallotCast() as e:
            return replace(state, ballots=balloting.fold(state.ballots, e))
        case SummaryProposed() as e:
            summary = Summary(e.summary_id, event.at, e.sentences or (), e.method, e.dropped, e.call_id)
            summary = replace(summary, flagged=frozenset(i for i, one in enumerate(summary.sentences) if not one.text))
            state = replace(state, summary=summary)
            for utterance in state.utterances.values():
                state = _flag(state, utterance.utterance_id) if utterance.struck else state
            return state
        case SummaryMarked() as e if state.summary and state.summary.summary_id == e.summary_id:
            mark = Mark(e.participant_id, e.sentence, e.verdict, e.text)
            kept_marks = tuple(
                m
                for m in state.summary.marks
                if (m.participant_id, m.sentence) != (e.participant_id, e.sentence) or e.sentence is None
            )
            return replace(state, summary=replace(state.summary, marks=(*kept_marks, mark)))
        case PollAnswered() as e:
            answers = _with(state.polls.get(e.poll, {}), e.participant_id, dict(e.answers))
            return replace(state, polls=_with(state.polls, e.poll, answers))
        case ReportFiled() as e:
            report = Report(e.report_id, e.participant_id, event.at, e.about, e.text or "")
            return replace(state, reports=(*state.reports, report))
        case HelpCalled() as e:
            return replace(state, help=Help(event.at, e.participant_id, e.why))
        case HelpAnswered():
            return replace(state, help=None)
        case SafetyAsked() as e:
            case_ = SafetyCase(e.case_id, event.at, e.participant_id, e.subject_id, e.asked, e.why)
            return replace(state, safety=_with(state.safety, e.case_id, case_))
        case SafetyAnswered() as e if e.case_id in state.safety:
            case_ = state.safety[e.case_id]
            case_ = replace(case_, answers=_with(case_.answers, e.participant_id, e.verdict))
            return replace(state, safety=_with(state.safety, e.case_id, case_))
        case SafetyDecided() as e if e.case_id in state.safety:
            case_ = replace(state.safety[e.case_id], verdict=e.verdict)
            state = replace(state, safety=_with(state.safety, e.case_id, case_))
            return _hide(state, case_.subject_id, hidden=e.verdict in ("hide", "remove"))
        case InterventionMade() as e:
            intervention = Intervention(
                intervention_id=e.intervention_id,
                at=event.at,
                by=e.by,
                rule=e.rule,
                text=e.text or "",
                to=e.to,
                about=e.about,
                why=e.why,
                numbers=dict(e.numbers),
                actions=e.actions,
                solicited=e.solicited,
                call_id=e.call_id,
                stage_id=stage_id,
            )
            return replace(state, interventions=_with(state.interventions, e.intervention_id, intervention))
        case InterventionAnswered() as e if e.intervention_id in state.interventions:
            answered = state.interventions[e.intervention_id]
            answered = replace(answered, answers=_with(answered.answers, e.participant_id, e.answer))
            return replace(state, interventions=_with(state.interventions, e.intervention_id, answered))
        case AiCalled() as e:
            entry = LedgerEntry(
                call_id=e.call_id,
                at=event.at,
                purpose=e.purpose,
                model=e.model,
                prompt=e.prompt,
                prompt_hash=e.prompt_hash,
                first_seq=e.first_seq,
                last_seq=e.last_seq,
                output=e.output or "",
                latency_ms=e.latency_ms,
                tokens_in=e.tokens_in,
                tokens_out=e.tokens_out,
                outcome=e.outcome,
            )
            return replace(state, ledger=_with(state.ledger, e.call_id, entry))
        case FacilitationPaused() as e:
            return replace(state, facilitation_paused=e.paused)
        case ListenerChanged() as e:
            if e.state == "gone":
                return replace(state, listeners=_without(state.listeners, e.listener_id))
            listener = Listener(e.listener_id, e.name or "", e.state)
            return replace(state, listeners=_with(state.listeners, e.listener_id, listener))
        case TranscriptionBehind() as e:
            return replace(state, transcription_behind=e.seconds)
        case RecordingChanged() as e:
            now_recorded = state.filming if e.picture else state.recording
            now_recorded = now_recorded | {e.participant_id} if e.recording else now_recorded - {e.participant_id}
            files = state.recordings
            if e.recording and e.file is not None and e.started_at is not None:
                files = (*files, Recording(e.participant_id, e.file, e.started_at, e.picture))
            if e.picture:
                return replace(state, filming=now_recorded, recordings=files)
            return replace(state, recording=now_recorded, recordings=files)
    return state  # an event about something that is gone changes nothing


def _member(state: RoomState, participant_id: str, **changes: Any) -> RoomState:
    member = state.members.get(participant_id)
    if member is None:
        return state
    return replace(state, members=_with(state.members, participant_id, replace(member, **changes)))


def _presence(
    state: RoomState, participant_id: str, presence: Literal["here", "away", "left"], since: float | None
) -> RoomState:
    return _member(state, participant_id, presence=presence, away_since=since)


def _resumed(state: RoomState, at: float) -> RoomState:
    """Count the time in which nobody was here, now that somebody is again."""
    clock = state.stage
    if clock is None or state.present:
        return state
    gone = max((m.away_since for m in state.members.values() if m.away_since is not None), default=at)
    return replace(state, stage=replace(clock, lost=clock.lost + max(0.0, at - max(gone, clock.started_at))))


def _same_speech(known: Speech, ended: Speech) -> bool:
    """Tell whether a stretch is the one whose end is told now: still open, or cut off by going away before the end was heard."""
    return known.participant_id == ended.participant_id and (
        known.ended_at is None or known.started_at == ended.started_at
    )


def _leave_floor(state: RoomState, participant_id: str) -> RoomState:
    """Take a member off the floor; somebody who is merely away keeps the place in the queue."""
    turn = state.turn if state.turn and state.turn.participant_id != participant_id else None
    open_since = state.speaking.get(participant_id)
    speech = state.speech
    if open_since is not None:
        speech = tuple(
            replace(s, ended_at=state.at) if s.participant_id == participant_id and s.ended_at is None else s
            for s in speech
        )
    return replace(state, turn=turn, speech=speech, speaking=_without(state.speaking, participant_id))


def _flag(state: RoomState, subject_id: str) -> RoomState:
    """Mark every claim that rests on an utterance, or a statement, which is gone."""
    statements = {
        key: replace(s, flagged=True) if subject_id in (*s.supports, *s.contests) else s
        for key, s in state.statements.items()
    }
    summary = state.summary
    if summary:
        hit = {i for i, sentence in enumerate(summary.sentences) if subject_id in (*sentence.utterances, *sentence.statements)}
        summary = replace(summary, flagged=summary.flagged | hit)
    return replace(state, statements=statements, summary=summary)


def _hide(state: RoomState, subject_id: str, *, hidden: bool) -> RoomState:
    if subject_id in state.utterances:
        utterance = replace(state.utterances[subject_id], hidden=hidden)
        return replace(state, utterances=_with(state.utterances, subject_id, utterance))
    if subject_id in state.chat:
        message = replace(state.chat[subject_id], hidden=hidden)
        return replace(state, chat=_with(state.chat, subject_id, message))
    return state
