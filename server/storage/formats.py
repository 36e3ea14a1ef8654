"""Files for researchers, made from a released room: transcripts, votes, statements, polls, people, ledger, summary.

Owns the formats and the meaning of every column (`COLUMNS`, from which the data dictionary is written). Pure: a `Released` in, text out.

Texts that a spreadsheet would take for a formula (they begin with = + - @ or a control character) get an apostrophe in front in CSV files.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from deliberation.balloting import narrowed, power_of
from deliberation.equity import gini, shares, spoken_seconds
from deliberation.errors import InvalidInput
from deliberation.events import Event, MemberLeft, RoomOpened
from deliberation.outcomes.ballots import cells
from deliberation.view import room_view
from deliberation.wire import LedgerView
from facilitator.ledger import ledger
from server.storage.released import Released

TranscriptFormat = Literal["json", "vtt", "srt", "txt", "csv"]

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "transcript.csv": {
        "room": "The room's number.",
        "utterance_id": "The utterance's id, as statements and summaries cite it.",
        "speaker": "Who spoke, as the privacy mode allows; “Someone” under the Chatham House Rule.",
        "start_seconds": "Begin, in seconds from the room's opening.",
        "end_seconds": "End, in seconds from the room's opening.",
        "stage": "Id of the stage of the agenda.",
        "language": "Language of the words (ISO 639-1).",
        "confidence": "The recogniser's confidence, 0 to 1 (one decimal under the Chatham House Rule).",
        "revised": "Whether the text was improved: `refine` (second recognition), `speaker` (their own correction), or empty.",
        "struck": "1 where the words were taken back or hidden; the text is empty then.",
        "text": "What was said.",
    },
    "statements.csv": {
        "room": "The room's number.",
        "statement_id": "The statement's id in this room.",
        "origin": "`participant`, `ai` (drafted by the AI facilitator), `seed` (from the design) or `carried` (from another room).",
        "author": "Who wrote it, as the privacy mode allows.",
        "stage": "Id of the stage in which it was put to the vote.",
        "agree": "Number of people who agree.",
        "disagree": "Number of people who disagree.",
        "pass": "Number of people who passed.",
        "supports": "Ids of the utterances it rests on, separated by spaces.",
        "contests": "Ids of the utterances that speak against it, separated by spaces.",
        "flagged": "1 where an utterance it rests on was taken back since.",
        "withdrawn": "1 where it was taken back or hidden; the votes stay.",
        "text": "The statement.",
    },
    "votes.csv": {
        "room": "The room's number.",
        "statement_id": "The statement's id in this room.",
        "voter": "Who voted, by a label of this room. Under the Chatham House Rule the label joins votes with each other only.",
        "vote": "1 agree, 0 pass, -1 disagree; the last vote counts. Nobody's row is missing because of a pass: no row means not seen.",
    },
    "ballots.csv": {
        "room": "The room's number.",
        "stage": "Id of the ballot stage.",
        "rule": "Its voting rule.",
        "voter": "Who voted, by a label of this room. Under the Chatham House Rule it joins with nothing else in the export.",
        "ranking": "Options from best to worst: `a > b = c`; `=` joins what is tied.",
        "approves": "Approved options: `a; b`.",
        "allocation": "Credits by option: `a: 3; b: 1`.",
        "power": "Voting power.",
    },
    "polls.csv": {
        "room": "The room's number.",
        "respondent": "Who answered, by a label of this room. Under the Chatham House Rule it joins the two polls with each other only.",
        "poll": "`opening` or `closing`.",
        "question_id": "Id of the question in the design.",
        "answer": "Value on the question's scale, from 1.",
    },
    "rooms.csv": {
        "room": "The room's number.",
        "round": "The round it belongs to.",
        "arm": "Arm of the experiment; empty where there is none.",
        "facilitation": "`off`, `rules` or `model`, as this arm has it.",
        "prompts": "Variant of the prompts, as this arm has it; empty for the usual ones.",
        "seed": "The number that decided the arm.",
        "joined": "How many people took a seat.",
        "moved": "How many of them were moved to another room, or went over when groups were joined.",
        "dropped": "How many others left, withdrew, were removed, or were away when the room ended; empty under the Chatham House Rule.",
        "gini": "Gini coefficient of speaking time, 0 (even) to 1.",
        "interventions": "How many messages and cards came from the AI facilitator.",
    },
    "arms.csv": {
        "arm": "Arm of the experiment; empty for rooms outside of one.",
        "rooms": "Number of rooms.",
        "joined": "How many people took a seat in them, those who were moved away not counted.",
        "dropped": "How many of them dropped out (see `rooms.csv`); rooms under the Chatham House Rule are not in this count nor in the next.",
        "drop_out": "Dropped out, as a share of those who joined, 0 to 1.",
    },
    "participants.csv": {
        "room": "The room's number.",
        "participant": "Label of the person in this room. Under the Chatham House Rule it joins with nothing else in the export.",
        "name": "Name in `named` mode, else a pseudonym.",
        "seat": "Seat number; under the Chatham House Rule in no order.",
        "language": "Language of the pages; under the Chatham House Rule only where others share it.",
        "mode": "How they took part: `online`, `on-site` or `survey`.",
        "cohort": "Cohort of the consultation.",
        "simulated": "1 for a simulated partner.",
        "spoken_seconds": "Seconds of speech by the server's voice activity (tens of seconds under the Chatham House Rule).",
        "share": "Share of the room's talk, 0 to 1.",
        "quote": "1 where they agreed to be quoted, 0 where not, empty where the mode does not tell.",
        "segments": "Self-reported groups as JSON; in `pseudonym` mode only where two people share all of them.",
    },
}  # fmt: skip


def transcript(room: Released, form: str) -> tuple[str, str]:
    """Return a transcript and its content type. Raises `InvalidInput("bad_format")`."""
    writers: dict[str, tuple[Callable[[Released], str], str]] = {
        "json": (_transcript_json, "application/json"),
        "vtt": (_transcript_vtt, "text/vtt"),
        "srt": (_transcript_srt, "application/x-subrip"),
        "txt": (_transcript_txt, "text/plain"),
        "csv": (transcript_csv, "text/csv"),
    }
    if form not in writers:
        raise InvalidInput("bad_format", "A transcript comes as json, vtt, srt, txt or csv.")
    write, content_type = writers[form]
    return write(room), content_type


def transcript_csv(room: Released) -> str:
    """Return the transcript as CSV."""
    return table("transcript.csv", transcript_rows(room))


def transcript_rows(room: Released) -> Iterable[Sequence[object]]:
    """Yield the rows of `transcript.csv`."""
    for u in room.state.utterances.values():
        yield (
            room.record.number,
            u.utterance_id,
            room.speaker(u.participant_id),
            round(u.started_at - room.seconds_from, 2),
            round(u.ended_at - room.seconds_from, 2),
            u.stage_id,
            u.language,
            round(u.confidence, 3),
            u.revised or "",
            int(u.struck or u.hidden),
            "" if u.hidden else u.text,
        )


def statement_rows(room: Released) -> Iterable[Sequence[object]]:
    """Yield the rows of `statements.csv`."""
    for s in room.state.statements.values():
        votes = list(s.votes.values())
        author = room.speaker(s.participant_id) if s.participant_id or s.origin == "ai" else ""
        yield (
            room.record.number,
            s.statement_id,
            s.origin,
            author,
            s.stage_id,
            votes.count(1),
            votes.count(-1),
            votes.count(0),
            " ".join(s.supports),
            " ".join(s.contests),
            int(s.flagged),
            int(s.withdrawn),
            s.text,
        )


def vote_rows(room: Released) -> Iterable[Sequence[object]]:
    """Yield the rows of `votes.csv`."""
    for s in room.state.statements.values():
        for voter, value in s.votes.items():
            yield room.record.number, s.statement_id, voter, value


def ballot_rows(room: Released) -> Iterable[Sequence[object]]:
    """Yield the rows of `ballots.csv`."""
    for stage_id, held in room.state.ballots.items():
        settings = room.state.plan.stage(stage_id).ballot
        for voter, choice in held.cast.items():
            power = power_of(settings, room.state, voter)
            yield (room.record.number, stage_id, settings.rule, *cells(narrowed(choice, frozenset(held.options), voter, power=power))[:5])


def poll_rows(room: Released) -> Iterable[Sequence[object]]:
    """Yield the rows of `polls.csv`."""
    for poll, by in room.state.polls.items():
        for person, answers in by.items():
            for question, value in answers.items():
                yield room.record.number, person, poll, question, value


def participant_rows(room: Released) -> Iterable[Sequence[object]]:
    """Yield the rows of `participants.csv`."""
    spoken = {m: 0.0 for m in room.state.members} | spoken_seconds(room.state, room.state.at)
    share = shares(spoken)
    for m in room.state.members.values():
        yield (
            room.record.number,
            m.participant_id,
            m.name or f"Participant {m.seat}",
            m.seat,
            m.language,
            m.mode,
            m.cohort,
            int(m.simulated),
            round(spoken[m.participant_id], 1),
            round(share[m.participant_id], 3),
            int(m.consent["quote"]) if "quote" in m.consent else "",
            json.dumps(dict(m.segments), ensure_ascii=False) if m.segments else "",
        )


def room_rows(room: Released) -> Iterable[Sequence[object]]:
    """Yield the row of `rooms.csv`."""
    state = room.state
    reasons = {e.payload.participant_id: e.payload.reason for e in room.events if isinstance(e.payload, MemberLeft)}
    moved = sum(m.presence == "left" and reasons.get(p) == "moved" for p, m in state.members.items())
    away = sum(m.presence != "here" for m in state.members.values()) - moved
    yield (
        room.record.number,
        state.round,
        state.arm,
        state.facilitation.mode,
        state.facilitation.prompts,
        next((e.payload.seed for e in room.events if isinstance(e.payload, RoomOpened)), 0),
        len(state.members),
        moved,
        "" if room.mode == "chatham-house" else away,
        round(gini(spoken_seconds(state, state.at).values()), 4),
        sum(i.by == "ai" for i in state.interventions.values()),
    )


def arm_rows(rooms: Sequence[Sequence[Any]]) -> Iterable[Sequence[object]]:
    """Yield the rows of `arms.csv` from those of `rooms.csv`: how many dropped out, by arm."""
    arms: dict[str, list[dict[str, Any]]] = {}
    for row in rooms:
        room = dict(zip(COLUMNS["rooms.csv"], row, strict=True))
        arms.setdefault(room["arm"], []).append(room)
    for arm, of_arm in sorted(arms.items()):
        known = [room for room in of_arm if room["dropped"] != ""]
        stayed = sum(room["joined"] - room["moved"] for room in known)
        dropped = sum(room["dropped"] for room in known)
        joined = sum(room["joined"] - room["moved"] for room in of_arm)
        yield arm, len(of_arm), joined, dropped if known else "", round(dropped / stayed, 4) if stayed else ""


ROWS: Mapping[str, Callable[[Released], Iterable[Sequence[object]]]] = {
    "transcript.csv": transcript_rows,
    "statements.csv": statement_rows,
    "votes.csv": vote_rows,
    "ballots.csv": ballot_rows,
    "polls.csv": poll_rows,
    "participants.csv": participant_rows,
    "rooms.csv": room_rows,
}


def table(name: str, rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV (RFC 4180, UTF-8) under the header that `COLUMNS` describes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS[name])
    for row in rows:
        assert len(row) == len(COLUMNS[name]), f"{name}: a row fits its header"
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def event_json(event: Event) -> dict[str, Any]:
    """Return one event as JSON data: `at` in Unix seconds, `time` the same in UTC."""
    time = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "seq": event.seq,
        "at": event.at,
        "time": time,
        "actor": event.actor,
        "payload": event.payload.model_dump(mode="json"),
    }


def events_jsonl(room: Released) -> str:
    """Return the room's log, one JSON object a line."""
    return lines(event_json(event) for event in room.events)


def ledger_jsonl(room: Released) -> str:
    """Return the AI ledger: one JSON object for each call to a model, and for each card of the facilitator."""
    calls = (
        {
            "entry": "call",
            **LedgerView.model_validate(line.entry, from_attributes=True).model_dump(mode="json"),
            "shown": list(line.shown),
            "helpful": line.helpful,
            "not_helpful": line.not_helpful,
        }
        for line in ledger(room.state)
    )
    cards = (
        {
            "entry": "card",
            "intervention_id": i.intervention_id,
            "at": i.at,
            "rule": i.rule,
            "text": i.text,
            "why": i.why,
            "numbers": dict(i.numbers),
            "private": i.to is not None,
            "call_id": i.call_id,
            "helpful": list(i.answers.values()).count("helpful"),
            "not_helpful": list(i.answers.values()).count("not_helpful"),
        }
        for i in room.state.interventions.values()
        if i.by == "ai"
    )
    return lines([*calls, *cards])


def summary_json(room: Released) -> str:
    """Return the summary with the words that it cites; `null` where there is none."""
    summary = room_view(room.state, "researcher").summary
    if summary is None:
        return "null\n"
    data = summary.model_dump(mode="json")
    for sentence in data["sentences"]:
        sentence["cited"] = [
            {"utterance_id": u, "text": room.state.utterances[u].text}
            for u in sentence["utterances"]
            if u in room.state.utterances
        ]
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def group_statements_json(room: Released) -> str:
    """Return the group's statements: the text that was chosen, sentence by sentence with what it rests on, how it was chosen, and its dissent."""
    shown = room_view(room.state, "researcher").group_statements
    return json.dumps([one.model_dump(mode="json") for one in shown.values()], ensure_ascii=False, indent=2) + "\n"


def lines(objects: Iterable[Mapping[str, Any]]) -> str:
    """Return JSON objects, one a line."""
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in objects)


def _cell(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _transcript_json(room: Released) -> str:
    state = room.state
    data = {
        "room": room.record.number,
        "privacy_mode": room.mode,
        "language": state.plan.language,
        "utterances": [
            {
                "utterance_id": u.utterance_id,
                "participant_id": u.participant_id,
                "speaker": room.speaker(u.participant_id),
                "start_seconds": round(u.started_at - room.seconds_from, 2),
                "end_seconds": round(u.ended_at - room.seconds_from, 2),
                "text": u.text,
                "words": [
                    {
                        "text": w.text,
                        "start_seconds": round(w.start - room.seconds_from, 2),
                        "end_seconds": round(w.end - room.seconds_from, 2),
                        "probability": round(w.probability, 3),
                    }
                    for w in u.words
                ],
                "confidence": round(u.confidence, 3),
                "language": u.language,
                "stage": u.stage_id,
                "revised": u.revised,
                "struck": u.struck or u.hidden,
            }
            for u in state.utterances.values()
        ],
    }
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def _said(room: Released) -> Iterable[tuple[float, float, str, str]]:
    spoken = (u for u in room.state.utterances.values() if u.usable)
    for u in sorted(spoken, key=lambda u: (u.started_at, u.ended_at)):
        start = max(0.0, u.started_at - room.seconds_from)
        text = " ".join(u.text.split())
        yield start, max(start + 0.1, u.ended_at - room.seconds_from), room.speaker(u.participant_id), text


def _transcript_vtt(room: Released) -> str:
    cues = ["WEBVTT\n"]
    for start, end, speaker, text in _said(room):
        cues.append(f"{_clock(start, '.')} --> {_clock(end, '.')}\n<v {_vtt(speaker)}>{_vtt(text)}\n")
    return "\n".join(cues)


def _transcript_srt(room: Released) -> str:
    cues = [
        f"{n}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{speaker}: {text.replace('-->', '→')}\n"
        for n, (start, end, speaker, text) in enumerate(_said(room), 1)
    ]
    return "\n".join(cues)


def _transcript_txt(room: Released) -> str:
    said = [f"[{_clock(start, '.')[:8]}] {speaker}: {text}\n" for start, _, speaker, text in _said(room)]
    return "".join(said)


def _vtt(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    millis = round(seconds * 1000)
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, part = divmod(rest, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{part:03}"
