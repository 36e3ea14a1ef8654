"""Rows of the database as the records and events they stand for, and back. Nothing but shapes; called by `store` and `erasing`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import TypeAdapter
from sqlalchemy import RowMapping, Select, and_, select

from deliberation.consent import Erasure
from deliberation.design import parse_design
from deliberation.events import PAYLOAD_TYPES, AiCalled, Event, Payload
from deliberation.outcomes.drafts import Draft
from server.storage import schema as t
from server.storage.records import DeliberationRecord, DraftRecord, LinkRecord, ParticipantRecord, RoomRecord

_DRAFTS: TypeAdapter[tuple[Draft, ...]] = TypeAdapter(tuple[Draft, ...])


def log_of(room_id: str, after: int = 0) -> Select[Any]:
    """Return the query for a room's events with their personal fields, from `after + 1` on, oldest first."""
    own = and_(t.personal.c.room_id == t.events.c.room_id, t.personal.c.seq == t.events.c.seq)
    both = select(t.events, t.personal.c.data.label("personal")).select_from(t.events.outerjoin(t.personal, own))
    return both.where(t.events.c.room_id == room_id, t.events.c.seq > after).order_by(t.events.c.seq)


def dump(value: object) -> str:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":"))


def _personal(payload: Payload) -> dict[str, Any] | None:
    """Return the personal fields as JSON data; None where nothing is there."""
    fields = payload.personal_fields()
    data = payload.model_dump(mode="json", include=set(fields)) if fields else {}
    return data if any(value is not None for value in data.values()) else None


def split(room_id: str, event: Event) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return an event's row and the row of its personal fields."""
    payload = event.payload
    key = {"room_id": room_id, "seq": event.seq}
    data = payload.model_dump(mode="json", exclude={"kind", *payload.personal_fields()})
    row = {**key, "at": event.at, "actor": event.actor, "kind": event.kind, "data": dump(data)}
    personal = _personal(payload)
    if personal is None:
        return row, None
    return row, {**key, "owner": payload.owner, "subject": payload.subject, "data": dump(personal)}


def join_all(rows: Iterable[RowMapping]) -> list[Event]:
    """Return the events of rows that `log_of` gives."""
    return [_join(row) for row in rows]


def _join(row: RowMapping) -> Event:
    kind = PAYLOAD_TYPES[row["kind"]]
    data: dict[str, Any] = {**json.loads(row["data"]), **dict.fromkeys(kind.personal_fields())}
    if row["personal"] is not None:
        data |= json.loads(row["personal"])
    payload: Payload = kind.model_validate(data)  # type: ignore[assignment]  # every type in the table is one of the union
    return Event(row["seq"], row["at"], row["actor"], payload)


def deliberation(row: RowMapping) -> DeliberationRecord:
    """Return a deliberation's record."""
    return DeliberationRecord(row["id"], parse_design(json.loads(row["design"])), row["created_at"], row["closed_at"])


def participant(row: RowMapping) -> ParticipantRecord:
    """Return a participant's record."""
    personal: Mapping[str, Any] = json.loads(row["personal"]) if row["personal"] else {"name": None, "segments": {}}
    return ParticipantRecord(
        participant_id=row["id"],
        deliberation_id=row["deliberation_id"],
        joined_at=row["joined_at"],
        name=personal["name"],
        language=row["language"],
        consent=json.loads(row["consent"]),
        consent_version=row["consent_version"],
        segments=personal["segments"],
        answers=json.loads(row["answers"]),
        mode=row["mode"],
        cohort=row["cohort"],
        simulated=row["simulated"],
        room_id=row["room_id"],
        withdrawn_at=row["withdrawn_at"],
    )


def room(row: RowMapping, counts: tuple[int, ...]) -> RoomRecord:
    """Return a room's record; `counts` are its members, utterances and statements."""
    return RoomRecord(
        row["id"],
        row["deliberation_id"],
        row["number"],
        row["round"],
        row["practice"],
        row["arm"],
        row["opened_at"],
        row["closed_at"],
        row["last_seq"],
        *counts,
    )


def link(row: RowMapping) -> LinkRecord:
    """Return a link's record."""
    return LinkRecord(
        row["id"],
        row["role"],
        row["deliberation_id"],
        row["participant_id"],
        row["issued_at"],
        row["expires_at"],
        row["revoked_at"],
        row["seats"],
        row["used"],
        row["cohort"],
        row["opened"],
    )


def erasure(target: str) -> Erasure:
    """Return an erasure as `Eraser` notes it."""
    what, _, id = target.partition(":")
    kinds: dict[str, Literal["subject", "words", "name", "audio"]] = {
        "subject": "subject",
        "words": "words",
        "name": "name",
        "audio": "audio",
    }
    return Erasure(kinds[what], id)


def draft(row: RowMapping) -> DraftRecord:
    """Return a draft's record."""
    return DraftRecord(
        row["deliberation_id"], row["purpose"], row["basis"], row["at"], _DRAFTS.validate_json(row["texts"]),
        AiCalled.model_validate_json(row["call"]),
    )  # fmt: skip


def of_draft(record: DraftRecord) -> dict[str, Any]:
    """Return a draft's row."""
    texts, call = dump(_DRAFTS.dump_python(record.texts, mode="json")), dump(record.call.model_dump(mode="json"))
    return {"deliberation_id": record.deliberation_id, "purpose": record.purpose, "basis": record.basis, "at": record.at, "texts": texts, "call": call}
