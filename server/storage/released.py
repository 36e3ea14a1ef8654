"""A room as it may leave the room: its log in the privacy mode that its people consented to, and what follows from it.

The only way from the store to pages and files outside a room: everything in `server/http/downloads` and `server/storage/export` takes a
`Released`, never an event of the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deliberation.design import Design
from deliberation.errors import Conflict
from deliberation.events import Event
from deliberation.names import Masker, likely_names
from deliberation.privacy import redact, reviewable
from deliberation.redactor import Mode, masker_for
from deliberation.room import fold_all
from deliberation.state import RoomState
from server.http.models import AudioFile, NameFlag
from server.storage.records import RoomRecord
from server.storage.store import Store

PRIVACY_KEY = "privacy-key"


@dataclass(frozen=True, slots=True)
class Released:
    """One room, redacted. `audio` maps released files to where they lie."""

    record: RoomRecord
    mode: Mode
    events: tuple[Event, ...]
    state: RoomState
    masker: Masker
    audio: Mapping[str, Path]

    @property
    def seconds_from(self) -> float:
        """Room time from which files count their seconds."""
        return self.state.opened_at

    def audio_files(self) -> tuple[AudioFile, ...]:
        """Return the recordings that may be heard."""
        return tuple(
            AudioFile(
                participant_id=r.participant_id,
                file=r.file,
                offset_seconds=round(r.started_at - self.state.opened_at, 3),
                picture=r.picture,
            )
            for r in self.state.recordings
            if r.file in self.audio
        )

    def flags(self) -> tuple[NameFlag, ...]:
        """Return words that may be names and were not masked, for a human to look at."""
        if self.mode == "named":
            return ()
        known = _texts(self.state.plan)
        return tuple(
            NameFlag(utterance_id=u.utterance_id, word=word)
            for u in self.state.utterances.values()
            for word in likely_names(u.text, self.masker, known)
        )

    def quotable(self) -> tuple[str, ...]:
        """Return who agreed to be quoted, by label; in chatham-house mode nobody's words can be told, so nobody is."""
        return tuple(m.participant_id for m in self.state.members.values() if m.consent.get("quote"))

    def speaker(self, participant_id: str | None) -> str:
        """Return how files name the source of words."""
        if participant_id is None:
            return "AI facilitator"
        member = self.state.members.get(participant_id)
        return (member.name or f"Participant {member.seat}") if member else "Someone"


async def names_of(store: Store, deliberation_id: str) -> dict[str, str | None]:
    """Return the names of everybody in a deliberation, by participant."""
    return {p.participant_id: p.name for p in await store.participants(deliberation_id)}


async def release(store: Store, room_id: str, names: Mapping[str, str | None] | None = None) -> Released:
    """Read a room and redact it.

    Raises `NotFound`, or `Conflict("room_running")` in chatham-house mode before the room is over.
    """
    record = await store.room(room_id)
    if names is None:
        names = await names_of(store, record.deliberation_id)
    events = await store.events(room_id)
    key = (await store.secret(PRIVACY_KEY)).encode()
    return await asyncio.to_thread(_release, record, events, names, key, store.audio_dir)


def _release(
    record: RoomRecord, events: Sequence[Event], names: Mapping[str, str | None], key: bytes, audio_dir: Path | None
) -> Released:
    whole = fold_all(events)
    mode = whole.plan.privacy.mode
    if not reviewable(mode, whole):
        raise Conflict(
            "room_running", "Under the Chatham House Rule a room can be reviewed only once it is over.", "Come back then."
        )
    released = redact(events, mode, key=key, names=names)
    state = fold_all(released)
    folder = audio_dir / record.room_id if audio_dir else None
    paths = {r.file: folder / Path(r.file).name for r in state.recordings} if folder else {}
    audio = {file: path for file, path in paths.items() if path.is_file()}
    return Released(record, mode, tuple(released), state, masker_for(events, mode, names), audio)


def _texts(design: Design) -> list[str]:
    """Return all words of a design that its people see."""

    def walk(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        if isinstance(value, Mapping):
            return [text for inner in value.values() for text in walk(inner)]
        return [text for inner in value for text in walk(inner)] if isinstance(value, list | tuple) else []

    return walk(design.model_dump(mode="json", exclude={"facilitation", "consent"}))
