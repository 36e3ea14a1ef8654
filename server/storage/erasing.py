"""Erasure in the database: what an event erases, in which rows, which recordings go with it, and the list that keeps it erased.

What is erased by what is `deliberation.consent`'s word; this applies it to rows. Every method works inside a transaction of `store`, which
alone calls it; files are unlinked (`unlink`) once that is committed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from deliberation.consent import Erasure, erase, erasures_of
from deliberation.design import parse_design
from deliberation.events import ConsentWithdrawn, Event
from server.storage import rows
from server.storage import schema as t
from server.storage.engine import translated


class Eraser:
    """Erases within transactions. `audio_dir` holds one folder of recordings per room."""

    def __init__(self, audio_dir: Path | None) -> None:
        self._audio_dir = audio_dir

    async def triggered(self, db: AsyncConnection, deliberation_id: str, event: Event) -> tuple[Erasure, ...]:
        """Return what an event erases, and update the participant whose consent changed."""
        if event.kind not in ("utterance.struck", "chat.struck", "consent.withdrawn", "statement.withdrawn", "values.withdrawn"):
            return ()
        if isinstance(event.payload, ConsentWithdrawn):
            return await self.withdraw_person(db, event.payload, event.at)
        return erasures_of(event.payload, "erase")

    async def withdraw_person(self, db: AsyncConnection, payload: ConsentWithdrawn, at: float) -> tuple[Erasure, ...]:
        """Take consent back in a person's record, and erase what that erases; return what it erases in the room that it was said in."""
        mine = t.participants.c.id == payload.participant_id
        query = select(t.participants.c.consent, t.deliberations.c.design).join(t.deliberations).where(mine)
        row = (await db.execute(query)).first()
        if row is None:
            return erasures_of(payload, "erase")  # a simulated partner has a seat but no record
        consent = {**json.loads(row.consent), **dict.fromkeys(payload.items, False)}
        await db.execute(update(t.participants).where(mine).values(consent=rows.dump(consent)))
        erasures = erasures_of(payload, parse_design(json.loads(row.design)).privacy.on_withdraw)
        for erasure in erasures:
            if erasure.what in ("words", "name"):
                await self.forget_person(db, erasure, at)
                rooms = select(t.personal.c.room_id).where(t.personal.c.owner == erasure.id).distinct()
                for room_id in list(await db.scalars(rooms)):
                    await self.erase(db, room_id, erasure, at)
        return erasures

    async def forget_person(self, db: AsyncConnection, erasure: Erasure, at: float) -> None:
        """Erase a person's record, and remember it."""
        person = update(t.participants).where(t.participants.c.id == erasure.id)
        await db.execute(person.values(personal=None, withdrawn_at=func.coalesce(t.participants.c.withdrawn_at, at)))
        await self._remember(db, "", erasure, at)

    async def erase(self, db: AsyncConnection, room_id: str, erasure: Erasure, at: float) -> list[Path]:
        """Erase in one room's rows; return the files to unlink once this is committed."""
        await self._remember(db, room_id, erasure, at)
        if erasure.what == "audio":
            return await self.recordings(db, room_id, erasure.id)
        query = rows.log_of(room_id)
        events = rows.join_all((await db.execute(query)).mappings().all())
        kept = {event.seq: event for event in events}
        for seq, payload in erase(events, erasure).items():
            row, personal = rows.split(room_id, Event(seq, kept[seq].at, kept[seq].actor, payload))
            here = and_(t.personal.c.room_id == room_id, t.personal.c.seq == seq)
            own = update(t.personal).where(here).values(data=personal["data"]) if personal else delete(t.personal).where(here)
            await db.execute(own)
            event_here = and_(t.events.c.room_id == room_id, t.events.c.seq == seq)
            await db.execute(update(t.events).where(event_here).values(data=row["data"]))
        return []

    async def erasures(self, db: AsyncConnection, room_id: str) -> list[Erasure]:
        """Return what has been erased in a room."""
        targets = await db.scalars(select(t.erasures.c.target).where(t.erasures.c.room_id == room_id))
        return [rows.erasure(target) for target in targets]

    async def _remember(self, db: AsyncConnection, room_id: str, erasure: Erasure, at: float) -> None:
        target = f"{erasure.what}:{erasure.id}"
        known = select(t.erasures.c.at).where(t.erasures.c.room_id == room_id, t.erasures.c.target == target)
        if await db.scalar(known) is None:
            await db.execute(insert(t.erasures).values(room_id=room_id, target=target, at=at))

    async def recordings(self, db: AsyncConnection, room_id: str, participant_id: str) -> list[Path]:
        """Return the files of one participant's recordings, in this room and in all others of their deliberation."""
        if self._audio_dir is None:
            return []
        home = select(t.participants.c.deliberation_id).where(t.participants.c.id == participant_id).scalar_subquery()
        theirs = select(t.rooms.c.id).where(t.rooms.c.deliberation_id == home)
        query = select(t.events.c.room_id, t.events.c.data).where(
            t.events.c.kind == "recording.changed", or_(t.events.c.room_id == room_id, t.events.c.room_id.in_(theirs))
        )
        found = []
        for room, data in (await db.execute(query)).all():
            recorded = json.loads(data)
            if recorded["participant_id"] == participant_id and recorded.get("file"):
                found.append(self._audio_dir / Path(room).name / Path(recorded["file"]).name)
        return found


def unlink(paths: Iterable[Path]) -> None:
    """Remove files and folders from the disk."""
    with translated():
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
