"""What a viewer may see of a room, as the pages receive it.

Owns the one projection from `RoomState` to the wire: private cards go to their addressees only, votes are shown as tallies beside one's own,
reports and calls for help to facilitators only, and monitors see names as the privacy mode allows. Who has left sees what was said up to
then, and what the group comes to. The shapes are in `wire`. `merge_patch` is how a page is kept up to date. Pure.
"""

from __future__ import annotations

from math import inf
from typing import Any

from deliberation import balloting, casework, group_statement, translations, values_view
from deliberation.agenda import may_extend
from deliberation.equity import gini, shares, spoken_seconds
from deliberation.events import Event
from deliberation.payload import Role
from deliberation.state import Intervention, RoomState
from deliberation.turns import ordered_queue
from deliberation.wire import (
    CardView,
    ChatView,
    ClockView,
    HandView,
    HelpView,
    LedgerView,
    ListenerView,
    MemberView,
    MeView,
    ReportView,
    RoomView,
    SafetyView,
    SentenceView,
    StageView,
    StatementView,
    SummaryView,
    TurnView,
    UtteranceView,
)


def display_name(name: str | None, seat: int) -> str:
    """Return a member's name, or the pseudonym by seat once it is erased."""
    return name or f"Participant {seat}"


def room_view(state: RoomState, role: Role, participant_id: str | None = None) -> RoomView:
    """Project a room for one viewer. `participant_id` is set for participants only."""
    facilitator = role in ("facilitator", "admin")
    named = participant_id is not None or state.plan.privacy.mode == "named"
    who = state.members.get(participant_id or "")
    spoken = spoken_seconds(state, state.at)
    share = shares(spoken)
    present = {member.participant_id for member in state.present}
    clock = state.stage
    until = _left_at(state, participant_id)
    return RoomView(
        room_id=state.room_id,
        deliberation_id=state.deliberation_id,
        number=state.number,
        round=state.round,
        practice=state.practice,
        title=state.plan.title,
        question=state.plan.question,
        language=state.plan.language,
        briefing=state.plan.briefing,
        poll=state.plan.poll,
        privacy_mode=state.plan.privacy.mode,
        records_audio=state.plan.privacy.record_audio,
        facilitation=state.facilitation.mode,
        facilitation_paused=state.facilitation_paused,
        turn_seconds=state.facilitation.turns.seconds,
        opened_at=state.opened_at,
        closed_at=state.closed_at,
        close_reason=state.close_reason,
        me=MeView(
            role=role,
            participant_id=participant_id,
            seat=who.seat if who else None,
            presence=who.presence if who else None,
            speaks=who.speaks if who else None,
            consent=dict(who.consent) if who else {},
            polls={
                poll: dict(by[who.participant_id])
                for poll, by in state.polls.items()
                if who and who.participant_id in by
            },
        ),
        members={
            m.participant_id: MemberView(
                participant_id=m.participant_id,
                seat=m.seat,
                name=display_name(m.name if named else None, m.seat),
                language=m.language,
                presence=m.presence,
                simulated=m.simulated,
                mode=m.mode,
                spoken_seconds=round(spoken.get(m.participant_id, 0.0), 1),
                share=round(share.get(m.participant_id, 0.0), 3),
            )
            for m in state.members.values()
        },
        gini=round(gini(spoken.values()), 3),
        agenda=tuple(
            StageView(
                id=stage.id,
                kind=stage.kind,
                title=stage.title,
                prompt=stage.prompt,
                minutes=stage.minutes,
                progress="next" if clock is None or index > clock.index else "now" if index == clock.index else "done",
            )
            for index, stage in enumerate(state.plan.agenda)
        ),
        stage=ClockView(
            stage_id=clock.stage_id,
            index=clock.index,
            started_at=clock.started_at,
            ends_at=clock.ends_at,
            ready=tuple(sorted(state.ready & present)),
            more_time=tuple(sorted(state.more_time & present)),
            needed=len(present) // 2 + 1,
            may_extend=may_extend(state),
        )
        if clock
        else None,
        queue=tuple(
            HandView(participant_id=h.participant_id, raised_at=h.raised_at, short=h.short)
            for h in ordered_queue(state, state.at)
        ),
        turn=TurnView.model_validate(state.turn, from_attributes=True) if state.turn else None,
        speaking=tuple(state.speaking),
        utterances={
            u.utterance_id: UtteranceView(
                utterance_id=u.utterance_id,
                participant_id=u.participant_id,
                started_at=u.started_at,
                ended_at=u.ended_at,
                text="" if u.hidden and not facilitator else u.text,
                confidence=round(u.confidence, 3),
                language=u.language,
                stage_id=u.stage_id,
                revised=u.revised,
                written=u.written,
                speaker=u.speaker if named else None,
                struck=u.struck,
                hidden=u.hidden,
            )
            for u in state.utterances.values()
            if u.started_at <= until or u.participant_id == participant_id
        },
        chat={
            c.message_id: ChatView(
                message_id=c.message_id,
                participant_id=c.participant_id,
                at=c.at,
                text="" if c.hidden and not facilitator else c.text,
                struck=c.struck,
                hidden=c.hidden,
            )
            for c in state.chat.values()
            if c.at <= until or c.participant_id == participant_id
        },
        statements={
            s.statement_id: StatementView(
                statement_id=s.statement_id,
                text=s.text,
                origin=s.origin,
                mine=participant_id is not None and s.participant_id == participant_id,
                supports=s.supports,
                contests=s.contests,
                stage_id=s.stage_id,
                agree=sum(v == 1 for v in s.votes.values()),
                disagree=sum(v == -1 for v in s.votes.values()),
                passed=sum(v == 0 for v in s.votes.values()),
                my_vote=s.votes.get(participant_id or ""),
                open=state.runs(s.stage_id),
                flagged=s.flagged,
            )
            for s in state.statements.values()
            if not s.withdrawn
        },
        ballots=balloting.view(state, participant_id),
        values=values_view.view(state, participant_id),
        cases=casework.view(state, participant_id),
        group_statements=group_statement.view(state, participant_id),
        translations=translations.view(state, participant_id, until),
        summary=_summary(state, participant_id),
        cards={
            i.intervention_id: _card(i, participant_id)
            for i in state.interventions.values()
            if facilitator or (i.at <= until and (i.to is None or participant_id in i.to))
        },
        ledger={
            k: LedgerView.model_validate(e, from_attributes=True) for k, e in state.ledger.items() if e.at <= until
        },
        safety={
            c.case_id: SafetyView(
                case_id=c.case_id,
                at=c.at,
                subject_id=c.subject_id,
                about=c.participant_id,
                text=_subject_text(state, c.subject_id),
                why=c.why,
                my_answer=c.answers.get(participant_id or ""),
                answers={v: list(c.answers.values()).count(v) for v in c.answers.values()} if facilitator else {},
                asked=len(c.asked),
                verdict=c.verdict,
            )
            for c in state.safety.values()
            if facilitator or (participant_id in c.asked and c.at <= until)
        },
        listeners={k: ListenerView.model_validate(v, from_attributes=True) for k, v in state.listeners.items()},
        recording=tuple(sorted(state.recording)),
        filming=tuple(sorted(state.filming)),
        transcription_behind=state.transcription_behind,
        help=HelpView.model_validate(state.help, from_attributes=True)
        if state.help and (facilitator or (participant_id is not None and state.help.participant_id == participant_id))
        else None,
        reports=tuple(ReportView.model_validate(r, from_attributes=True) for r in state.reports if facilitator),
    )


def _left_at(state: RoomState, participant_id: str | None) -> float:
    """Return until when a viewer sees what is said: for ever, or up to when they left or were removed."""
    who = state.members.get(participant_id or "")
    return who.away_since if who and who.presence == "left" and who.away_since is not None else inf


def _card(i: Intervention, participant_id: str | None) -> CardView:
    answers = list(i.answers.values())
    return CardView(
        intervention_id=i.intervention_id,
        at=i.at,
        by=i.by,
        rule=i.rule,
        text=i.text,
        private=i.to is not None,
        to=i.to or (),
        about=i.about,
        why=i.why,
        numbers=dict(i.numbers),
        actions=i.actions,
        call_id=i.call_id,
        stage_id=i.stage_id,
        my_answer=i.answers.get(participant_id or ""),
        helpful=answers.count("helpful"),
        not_helpful=answers.count("not_helpful"),
    )


def _subject_text(state: RoomState, subject_id: str) -> str:
    if subject_id in state.utterances:
        return state.utterances[subject_id].text
    return state.chat[subject_id].text if subject_id in state.chat else ""


def _summary(state: RoomState, participant_id: str | None) -> SummaryView | None:
    summary = state.summary
    if summary is None:
        return None
    return SummaryView(
        summary_id=summary.summary_id,
        at=summary.at,
        method=summary.method,
        dropped=summary.dropped,
        missing=tuple(m.text or "" for m in summary.marks if m.verdict == "missing"),
        sentences=tuple(
            SentenceView(
                text=sentence.text,
                utterances=sentence.utterances,
                statements=sentence.statements,
                stage_id=sentence.stage_id,
                minority=sentence.minority,
                flagged=index in summary.flagged,
                right=sum(m.verdict == "right" for m in summary.marks if m.sentence == index),
                wrong=sum(m.verdict == "wrong" for m in summary.marks if m.sentence == index),
                my_mark=next(
                    (
                        m.verdict
                        for m in summary.marks
                        if m.sentence == index and participant_id is not None and m.participant_id == participant_id
                    ),
                    None,
                ),
            )
            for index, sentence in enumerate(summary.sentences)
        ),
    )


def merge_patch(before: Any, after: Any) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7396) that turns the object `before` into `after`.

    Members that are null in `after` and absent in `before` are indistinguishable from absent ones, as the RFC says; pages read both as null.
    """
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key, _ABSENT)
        if isinstance(value, dict) and isinstance(old, dict):
            inner = merge_patch(old, value)
            if inner:
                patch[key] = inner
        elif old is _ABSENT or old != value:
            patch[key] = value
    return patch


_ABSENT = object()
_SAID = frozenset(
    (
        "utterance.final",
        "utterance.revised",
        "utterance.named",
        "chat.posted",
        "intervention.made",
        "ai.called",
        "safety.asked",
        "safety.decided",
    )
)


def visible_event(event: Event, state: RoomState, role: Role, participant_id: str | None = None) -> dict[str, Any] | None:
    """Return an event as this viewer may see it (JSON-ready), or None.

    Follows the same rules as `room_view`: other people's votes, answers, marks and reports stay out, private cards reach their addressees only,
    and names are kept from monitors of a deliberation that is not `named`. Word times are left out: pages do not use them.
    """
    facilitator = role in ("facilitator", "admin")
    payload = event.payload
    if event.kind in _SAID and event.at > _left_at(state, participant_id) and payload.owner != participant_id:
        return None
    data = payload.model_dump(mode="json", exclude={"words", "design", "seed", "segments", "cohort", *(() if participant_id is None else ("arm",))})
    match event.kind:
        case "text.translated":
            return None
        case "group_statement.ranked" | "group_statement.critiqued" | "group_statement.stood":
            if participant_id is None or payload.owner != participant_id:
                return None
        case "values.same" | "values.wiser" | "values.told" | "values.replied" | "case.rated" | "speech.language":
            if participant_id is None or payload.owner != participant_id:
                return None
        case "vote.cast" | "ballot.cast" | "poll.answered" | "summary.marked" | "consent.given" | "consent.withdrawn":
            if participant_id is None or payload.owner != participant_id:
                return None
        case "report.filed" | "intervention.answered" | "safety.answered" | "help.called":
            if not facilitator and data.get("participant_id") != participant_id:
                return None
        case "safety.asked" | "safety.decided":
            case = state.safety.get(data["case_id"])
            if not facilitator and (case is None or participant_id not in case.asked):
                return None
        case "intervention.made":
            if not facilitator and data["to"] is not None and participant_id not in data["to"]:
                return None
        case "member.joined":
            if participant_id is None and state.plan.privacy.mode != "named":
                data["name"] = None
        case "statement.added" | "values.added":
            data.pop("participant_id")
    return {"seq": event.seq, "at": event.at, "actor": _visible_actor(event), "payload": data}


def _visible_actor(event: Event) -> str:
    """The author of a statement or a card is not told by the envelope either, nor who took theirs back."""
    hidden = event.kind in ("statement.added", "values.added") and event.payload.owner
    return "member" if hidden or getattr(event.payload, "by", None) == "author" else event.actor
