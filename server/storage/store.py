"""The store: every durable fact of a Parley server, behind one class.

Owns the transactions; never decides anything. Called by rooms (append, events), by HTTP handlers and by the command line. SQLite and
PostgreSQL run the same code.

Invariants: a room's log is gap-free from 1, because an append moves `rooms.last_seq` from exactly `first_seq - 1` in the same transaction
(a second writer gets `Conflict`); personal fields live in `personal` only; what an event erases is erased in the transaction that
stores the event, and stays erased for whatever arrives later; recordings are unlinked after that commit, and looked for again by
`purge_expired` in case the server died in between.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import structlog
from sqlalchemy import RowMapping, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from deliberation.consent import Erasure, erased
from deliberation.design import Design
from deliberation.errors import Conflict, InvalidInput, NotFound, Unavailable
from deliberation.events import (
    ConsentWithdrawn,
    Event,
    MemberJoined,
    RoomClosed,
    RoomOpened,
)
from server.storage import rows
from server.storage import schema as t
from server.storage.engine import Engines
from server.storage.erasing import Eraser, unlink
from server.storage.records import DeliberationRecord, DraftRecord, LinkRecord, ParticipantRecord, RoomRecord

log = structlog.get_logger()

DAY_SECONDS = 86_400.0
WITHDRAW_TRIES = 20  # how often a withdrawal is written anew where others write the same log
_LARGE_LOG = 200  # events; parsing more leaves the loop


class Store:
    """All that is durable. Every method may raise `Unavailable`; times are Unix seconds."""

    def __init__(self, engines: Engines, audio_dir: Path | None = None) -> None:
        """Use `open`; `audio_dir` holds one folder of recordings per room."""
        self._engines = engines
        self.audio_dir = audio_dir
        self._eraser = Eraser(audio_dir)

    @classmethod
    async def open(cls, url: str, audio_dir: Path | None = None) -> Self:
        """Connect, and bring the schema up to date. `url` is `sqlite:///path/to/file` or `postgresql://…`."""
        store = cls(Engines(url), audio_dir)
        await store._engines.migrate()
        return store

    async def close(self) -> None:
        """Close all connections."""
        await self._engines.close()

    async def ready(self) -> None:
        """Raise `Unavailable` where the database does not answer."""
        async with self._engines.read() as db:
            await db.execute(select(func.count()).select_from(t.settings))

    # -- deliberations

    async def create_deliberation(self, design: Design, now: float) -> DeliberationRecord:
        """Store a new deliberation under its design's id. Raises `Conflict("deliberation_exists")`."""
        async with self._engines.write() as db:
            taken = await db.scalar(select(t.deliberations.c.id).where(t.deliberations.c.id == design.id))
            if taken:
                raise Conflict("deliberation_exists", f"There is a deliberation with the id “{design.id}” already.")
            row = {"id": design.id, "design": design.model_dump_json(), "created_at": now}
            await db.execute(insert(t.deliberations).values(row))
        return DeliberationRecord(design.id, design, now)

    async def replace_design(self, design: Design) -> None:
        """Change a deliberation's design for rooms that open from now on."""
        query = update(t.deliberations).where(t.deliberations.c.id == design.id)
        async with self._engines.write() as db:
            done = await db.execute(query.values(design=design.model_dump_json()))
            if not done.rowcount:
                raise _no_deliberation()

    async def close_deliberation(self, deliberation_id: str, now: float) -> None:
        """Let nobody join any more; rooms that run go on."""
        query = update(t.deliberations).where(t.deliberations.c.id == deliberation_id)
        async with self._engines.write() as db:
            await db.execute(query.where(t.deliberations.c.closed_at.is_(None)).values(closed_at=now))

    async def reopen_deliberation(self, deliberation_id: str) -> None:
        """Let people join again."""
        query = update(t.deliberations).where(t.deliberations.c.id == deliberation_id)
        async with self._engines.write() as db:
            await db.execute(query.values(closed_at=None))

    async def deliberation(self, deliberation_id: str) -> DeliberationRecord:
        """Return one deliberation. Raises `NotFound`."""
        row = await self._one(select(t.deliberations).where(t.deliberations.c.id == deliberation_id))
        if row is None:
            raise _no_deliberation()
        return rows.deliberation(row)

    async def deliberations(self) -> list[DeliberationRecord]:
        """Return all deliberations, oldest first."""
        order = (t.deliberations.c.created_at, t.deliberations.c.id)
        return [rows.deliberation(row) for row in await self._all(select(t.deliberations).order_by(*order))]

    # -- participants

    async def add_participant(self, record: ParticipantRecord) -> None:
        """Store somebody who has joined. Raises `NotFound` without such a deliberation."""
        row = asdict(record)
        row["id"] = row.pop("participant_id")
        personal = {"name": row.pop("name"), "segments": dict(row.pop("segments"))}
        row |= {"consent": rows.dump(dict(record.consent)), "answers": rows.dump(dict(record.answers))}
        row["personal"] = rows.dump(personal) if record.withdrawn_at is None else None
        async with self._engines.write() as db:
            known = select(t.deliberations.c.id).where(t.deliberations.c.id == record.deliberation_id)
            if await db.scalar(known) is None:
                raise _no_deliberation()
            await db.execute(insert(t.participants).values(row))

    async def participant(self, participant_id: str) -> ParticipantRecord:
        """Return one participant. Raises `NotFound`."""
        row = await self._one(select(t.participants).where(t.participants.c.id == participant_id))
        if row is None:
            raise NotFound("no_such_participant", "There is no such participant.")
        return rows.participant(row)

    async def participants(self, deliberation_id: str) -> list[ParticipantRecord]:
        """Return everybody who has joined a deliberation, in order of joining."""
        query = select(t.participants).where(t.participants.c.deliberation_id == deliberation_id)
        query = query.order_by(t.participants.c.joined_at, t.participants.c.id)
        return [rows.participant(row) for row in await self._all(query)]

    async def set_room(self, participant_id: str, room_id: str | None) -> None:
        """Note in which room a participant sits."""
        async with self._engines.write() as db:
            query = update(t.participants).where(t.participants.c.id == participant_id)
            await db.execute(query.values(room_id=room_id))

    async def withdraw(self, participant_id: str, now: float) -> None:
        """Take consent to taking part back for somebody, in the lobby, the survey or rooms that are over; what the design says is erased.

        Idempotent. A room that still runs appends its own `consent.withdrawn`: its owner task alone writes its log.
        """
        mine = await self.rooms_of(participant_id)
        async with self._engines.read() as db:
            unowned = or_(t.rooms.c.closed_at.is_not(None), and_(t.rooms.c.number == 0, t.rooms.c.practice.is_(False)))
            closed = [str(room) for room in await db.scalars(select(t.rooms.c.id).where(unowned, t.rooms.c.id.in_(mine)))]
        items = ("take_part", "record", "quote")
        payload = ConsentWithdrawn(participant_id=participant_id, items=items)
        async with self._engines.write() as db:
            await self._eraser.withdraw_person(db, payload, now)
        for room_id in closed:
            await self._withdraw_from(room_id, payload, now)

    async def _withdraw_from(self, room_id: str, payload: ConsentWithdrawn, now: float) -> None:
        """Write a withdrawal into a log that no room's task owns, after whatever others (a busy survey) write in the meantime."""
        for attempt in range(WITHDRAW_TRIES):
            events = await self.events(room_id)
            last, participant_id = events[-1].seq if events else 0, payload.participant_id
            done = any(
                isinstance(e.payload, ConsentWithdrawn)
                and e.payload.participant_id == participant_id
                and "take_part" in e.payload.items
                for e in events
            )
            if done:
                return
            try:
                return await self.append(room_id, last + 1, [Event(last + 1, now, participant_id, payload)])
            except Conflict as error:
                if error.code != "log_moved" or attempt == WITHDRAW_TRIES - 1:
                    raise

    # -- rooms and their logs

    async def append(self, room_id: str, first_seq: int, events: Sequence[Event]) -> None:
        """Add events to a room's log, all or none; the first of all must be `room.opened`, which makes the room.

        Raises `Conflict("log_moved")` where the log does not end just before `first_seq`: somebody else writes this room.
        """
        assert [e.seq for e in events] == list(range(first_seq, first_seq + len(events))), "seq must rise by one"
        if not events:
            return
        files: list[Path] = []
        async with self._engines.write() as db:
            deliberation_id = await self._claim(db, room_id, first_seq, events)
            known = await self._eraser.erasures(db, room_id)
            stored = [rows.split(room_id, event) for event in erased(events, known)]
            await db.execute(insert(t.events), [row for row, _ in stored])
            if personal := [row for _, row in stored if row]:
                await db.execute(insert(t.personal), personal)
            practice = isinstance(events[0].payload, RoomOpened) and events[0].payload.practice  # a real seat goes before it
            for joined in [e.payload for e in events if isinstance(e.payload, MemberJoined) and not practice]:
                who = update(t.participants).where(t.participants.c.id == joined.participant_id)
                await db.execute(who.values(room_id=room_id))
            closed = next((e.at for e in events if isinstance(e.payload, RoomClosed)), None)
            if closed is not None:
                await db.execute(update(t.rooms).where(t.rooms.c.id == room_id).values(closed_at=closed))
            scrub = False
            for event in events:
                erasures = await self._eraser.triggered(db, deliberation_id, event)
                for erasure in erasures:
                    files += await self._eraser.erase(db, room_id, erasure, event.at)
                scrub = scrub or bool(erasures)
            if scrub:
                await db.execute(delete(t.drafts).where(t.drafts.c.deliberation_id == deliberation_id))
        try:
            if scrub:
                await self._engines.scrub()
            if files:
                await asyncio.to_thread(unlink, files)
        except Unavailable as error:  # the events are stored all the same; `purge_expired` looks for the files again
            log.error("what was erased could not be cleared from the disk", room=room_id, code=error.code)

    async def events(self, room_id: str, after: int = 0) -> list[Event]:
        """Return a room's events from `after + 1` on, oldest first; personal fields that were erased are None."""
        found = await self._all(rows.log_of(room_id, after))
        if len(found) > _LARGE_LOG:
            return await asyncio.to_thread(rows.join_all, found)
        return rows.join_all(found)

    async def room(self, room_id: str) -> RoomRecord:
        """Return one room. Raises `NotFound`."""
        rooms = await self._rooms(t.rooms.c.id == room_id)
        if not rooms:
            raise NotFound("no_such_room", "There is no such room.")
        return rooms[0]

    async def deliberation_of(self, room_id: str) -> str:
        """Return the id of a room's deliberation. Raises `NotFound`."""
        row = await self._one(select(t.rooms.c.deliberation_id).where(t.rooms.c.id == room_id))
        if row is None:
            raise NotFound("no_such_room", "There is no such room.")
        return str(row["deliberation_id"])

    async def rooms(self, deliberation_id: str) -> list[RoomRecord]:
        """Return a deliberation's rooms, by number."""
        return await self._rooms(t.rooms.c.deliberation_id == deliberation_id)

    async def rooms_of(self, participant_id: str) -> list[str]:
        """Return the ids of all rooms that a participant was ever seated in. Raises `NotFound` without such a participant."""
        person = await self.participant(participant_id)
        query = (
            select(t.events.c.room_id, t.events.c.data)
            .join(t.rooms, t.rooms.c.id == t.events.c.room_id)
            .where(t.rooms.c.deliberation_id == person.deliberation_id, t.events.c.kind == "member.joined")
        )
        seats = await self._all(query)
        return list({str(r["room_id"]): None for r in seats if json.loads(r["data"])["participant_id"] == participant_id})

    async def copies(self, room_id: str, statement_ids: Collection[str]) -> dict[str, list[str]]:
        """Return, by room, the statements that repeat one of these statements of a room."""
        query = select(t.events.c.room_id, t.events.c.data).where(
            t.events.c.kind == "statement.added", t.events.c.data.contains(f'"source_room":"{room_id}"', autoescape=True)
        )
        found: dict[str, list[str]] = {}
        for row in await self._all(query):
            data = json.loads(row["data"])
            if data.get("source_room") == room_id and data.get("source_statement") in statement_ids:
                found.setdefault(str(row["room_id"]), []).append(data["statement_id"])
        return found

    async def open_rooms(self) -> list[RoomRecord]:
        """Return the rooms that have not closed, surveys aside: after a restart, they are folded again."""
        return [room for room in await self._rooms(t.rooms.c.closed_at.is_(None)) if not room.survey]

    # -- what a model wrote from all rooms' statements

    async def drafts(self, deliberation_id: str) -> list[DraftRecord]:
        """Return what was drafted for a deliberation's outcome."""
        query = select(t.drafts).where(t.drafts.c.deliberation_id == deliberation_id).order_by(t.drafts.c.purpose)
        return [rows.draft(row) for row in await self._all(query)]

    async def keep_draft(self, record: DraftRecord, written: int) -> None:
        """Store a draft in the place of an older one of its purpose, unless that is of the same basis. Whatever is erased in the deliberation erases it.

        Raises `Conflict("log_moved")` unless its rooms' logs hold as many events (practice aside) as when it was written, and
        retention has taken nothing: something it was written from may have been erased since.
        """
        same = and_(t.drafts.c.deliberation_id == record.deliberation_id, t.drafts.c.purpose == record.purpose)
        real = and_(t.rooms.c.deliberation_id == record.deliberation_id, t.rooms.c.practice.is_(False))
        ends = select(func.sum(t.rooms.c.last_seq)).where(real)
        purged = select(t.rooms.c.id).where(real, t.rooms.c.purged_at.is_not(None))
        async with self._engines.write() as db:
            if await db.scalar(ends) != written or await db.scalar(purged.limit(1)) is not None:
                raise Conflict("log_moved", "Somebody has changed what this was written from.")
            if await db.scalar(select(t.drafts.c.basis).where(same)) == record.basis:
                return  # another node was quicker: what has been read stays
            await db.execute(delete(t.drafts).where(same))
            await db.execute(insert(t.drafts).values(rows.of_draft(record)))

    # -- links and settings

    async def add_link(self, link: LinkRecord) -> None:
        """Note a link that was issued."""
        row = asdict(link)
        row["id"] = row.pop("link_id")
        async with self._engines.write() as db:
            await db.execute(insert(t.links).values(row))

    async def link(self, link_id: str) -> LinkRecord | None:
        """Return one link, or None."""
        row = await self._one(select(t.links).where(t.links.c.id == link_id))
        return rows.link(row) if row else None

    async def links(self, deliberation_id: str) -> list[LinkRecord]:
        """Return a deliberation's links, oldest first."""
        query = select(t.links).where(t.links.c.deliberation_id == deliberation_id)
        return [rows.link(row) for row in await self._all(query.order_by(t.links.c.issued_at, t.links.c.id))]

    async def revoke_link(self, link_id: str, now: float) -> None:
        """Make a link open nothing any more; idempotent. Raises `NotFound`."""
        async with self._engines.write() as db:
            query = update(t.links).where(t.links.c.id == link_id)
            done = await db.execute(query.values(revoked_at=func.coalesce(t.links.c.revoked_at, now)))
            if not done.rowcount:
                raise NotFound("no_such_link", "There is no such link.")

    async def note_opened(self, link_id: str) -> None:
        """Count one more time that an invitation's page was loaded."""
        async with self._engines.write() as db:
            await db.execute(update(t.links).where(t.links.c.id == link_id).values(opened=t.links.c.opened + 1))

    async def take_seat(self, link_id: str) -> None:
        """Count one more person who joins by an invitation. Raises `Conflict("invitation_used")` where it has no seat left."""
        free = or_(t.links.c.seats.is_(None), t.links.c.used < t.links.c.seats)
        async with self._engines.write() as db:
            query = update(t.links).where(t.links.c.id == link_id, free).values(used=t.links.c.used + 1)
            if not (await db.execute(query)).rowcount:
                raise Conflict(
                    "invitation_used", "This invitation has been used already.", "Come back with the browser you joined with."
                )

    async def undo_join(self, link_id: str, participant_id: str) -> None:
        """Forget somebody who could not join after all, and give the invitation's seat back."""
        async with self._engines.write() as db:
            await db.execute(delete(t.participants).where(t.participants.c.id == participant_id))
            await db.execute(update(t.links).where(t.links.c.id == link_id, t.links.c.used > 0).values(used=t.links.c.used - 1))

    async def setting(self, key: str) -> str | None:
        """Return a stored setting, or None."""
        async with self._engines.read() as db:
            return await db.scalar(select(t.settings.c.value).where(t.settings.c.key == key))

    async def secret(self, key: str) -> str:
        """Return a secret of 32 random bytes (hexadecimal) that all nodes share; made at its first use."""
        for _ in range(2):
            found = await self.setting(key)
            if found is not None:
                return found
            made = secrets.token_hex(32)
            try:
                async with self._engines.write() as db:
                    await db.execute(insert(t.settings).values(key=key, value=made))
                return made
            except Conflict:
                continue  # another node was quicker
        raise AssertionError("a setting that exists can be read")

    # -- retention

    async def purge_expired(self, now: float) -> int:
        """Erase everything personal whose retention time is over, and recordings that should be gone; return the number of rooms.

        Retention counts from a room's end (from its opening where it never ended), for people who met nobody from their joining.
        """
        doomed: list[str] = []
        files: list[Path] = []
        for record in await self.deliberations():
            before = now - record.design.privacy.retention_days * DAY_SECONDS
            async with self._engines.write() as db:
                end = func.coalesce(t.rooms.c.closed_at, t.rooms.c.opened_at)
                mine = t.rooms.c.deliberation_id == record.deliberation_id
                query = select(t.rooms.c.id).where(mine, t.rooms.c.purged_at.is_(None), end < before)
                over = [str(room) for room in await db.scalars(query)]
                await db.execute(delete(t.personal).where(t.personal.c.room_id.in_(over)))
                if over:
                    await db.execute(delete(t.drafts).where(t.drafts.c.deliberation_id == record.deliberation_id))
                await db.execute(update(t.rooms).where(t.rooms.c.id.in_(over)).values(purged_at=now))
                kept = select(t.rooms.c.id).where(mine, t.rooms.c.purged_at.is_(None))
                homeless = or_(t.participants.c.room_id.is_(None), t.participants.c.room_id.not_in(kept))
                old = and_(t.participants.c.joined_at < before, homeless)
                people = update(t.participants).where(
                    t.participants.c.deliberation_id == record.deliberation_id, t.participants.c.personal.is_not(None), old
                )
                await db.execute(people.values(personal=None))
                doomed += over
        async with self._engines.write() as db:
            await db.execute(delete(t.links).where(t.links.c.expires_at < now - 30 * DAY_SECONDS))
            query = select(t.erasures.c.room_id, t.erasures.c.target).where(t.erasures.c.target.like("audio:%"))
            for room_id, target in (await db.execute(query)).all():
                files += await self._eraser.recordings(db, room_id, target.removeprefix("audio:"))
        if doomed:
            await self._engines.scrub()
        folders = [self.audio_dir / room for room in doomed] if self.audio_dir else []
        await asyncio.to_thread(unlink, [*files, *folders])
        return len(doomed)

    async def erasures(self) -> list[tuple[str, Erasure, float]]:
        """Return everything that was erased, by id: room ("" for all rooms), what, when. A restored backup is given these again."""
        known = await self._all(select(t.erasures).order_by(t.erasures.c.at))
        return [(row["room_id"], rows.erasure(row["target"]), row["at"]) for row in known]

    async def apply_erasures(self, erasures: Iterable[tuple[str, Erasure, float]]) -> None:
        """Erase again what `erasures` of another state of this store lists; idempotent."""
        files: list[Path] = []
        async with self._engines.write() as db:
            await db.execute(delete(t.drafts))  # of which statements they were written is not looked at
            for room_id, erasure, at in erasures:
                files += await self._eraser.erase(db, room_id, erasure, at)
                if erasure.what in ("words", "name"):
                    await self._eraser.forget_person(db, erasure, at)
        await self._engines.scrub()
        await asyncio.to_thread(unlink, files)

    # -- inside transactions

    async def _claim(self, db: AsyncConnection, room_id: str, first_seq: int, events: Sequence[Event]) -> str:
        """Move the end of a room's log past the new events, and return the room's deliberation."""
        last = events[-1].seq
        opened = events[0].payload
        if first_seq == 1:
            if not isinstance(opened, RoomOpened):
                raise InvalidInput("room_not_opened", "A room's first event must be room.opened.")
            known = select(t.deliberations.c.id).where(t.deliberations.c.id == opened.deliberation_id)
            if await db.scalar(known) is None:
                raise _no_deliberation()
            row = {
                "id": room_id,
                "deliberation_id": opened.deliberation_id,
                "number": opened.number,
                "round": opened.round,
                "practice": opened.practice,
                "arm": opened.arm,
                "opened_at": events[0].at,
                "last_seq": last,
            }
            await db.execute(insert(t.rooms).values(row))
            return opened.deliberation_id
        query = update(t.rooms).where(t.rooms.c.id == room_id, t.rooms.c.last_seq == first_seq - 1)
        moved = await db.execute(query.values(last_seq=last))
        deliberation_id = await db.scalar(select(t.rooms.c.deliberation_id).where(t.rooms.c.id == room_id))
        if deliberation_id is None:
            raise NotFound("no_such_room", "There is no such room.")
        if not moved.rowcount:
            raise Conflict("log_moved", "Somebody else has written to this room's log.")
        return str(deliberation_id)

    # -- reading

    async def _one(self, query: Select[Any]) -> RowMapping | None:
        async with self._engines.read() as db:
            row: RowMapping | None = (await db.execute(query)).mappings().first()
            return row

    async def _all(self, query: Select[Any]) -> Sequence[RowMapping]:
        async with self._engines.read() as db:
            found: Sequence[RowMapping] = (await db.execute(query)).mappings().all()
            return found

    async def _rooms(self, condition: Any) -> list[RoomRecord]:
        found = await self._all(select(t.rooms).where(condition).order_by(t.rooms.c.number, t.rooms.c.id))
        counted = ("member.joined", "utterance.final", "statement.added")
        query = (
            select(t.events.c.room_id, t.events.c.kind, func.count().label("n"))
            .where(t.events.c.kind.in_(counted), t.events.c.room_id.in_(select(t.rooms.c.id).where(condition)))
            .group_by(t.events.c.room_id, t.events.c.kind)
        )
        counts = {(row["room_id"], row["kind"]): int(row["n"]) for row in await self._all(query)}
        return [rows.room(row, tuple(counts.get((row["id"], kind), 0) for kind in counted)) for row in found]


def _no_deliberation() -> NotFound:
    return NotFound("no_such_deliberation", "There is no such deliberation.", "Check the link you were given.")
