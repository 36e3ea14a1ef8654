"""Everything about one deliberation as a zip, in the privacy mode that its people consented to, with a data dictionary.

Made from released rooms only (`released`), so that the mode holds by construction. Called by the API and by `parley export`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import IO, Any

import yaml

from deliberation.errors import Conflict
from deliberation.names import Masker
from deliberation.redactor import MASKED, Mode, redact_design
from server.storage import formats
from server.storage.records import DeliberationRecord
from server.storage.released import Released, names_of, release
from server.storage.store import Store

MODES: tuple[Mode, ...] = ("named", "pseudonym", "chatham-house")  # from open to strict

MODE_NAMES = {
    "named": "People appear under the names they gave. Recordings are included of those who agreed.",
    "pseudonym": (
        "People are “Participant N”, by seat, within one room; no label joins rooms. Names that were spoken are replaced, other names may "
        "be left (see “Names that were spoken”). There are no recordings."
    ),
    "chatham-house": (
        "What was said, never who said it or where they come from. Utterances, messages and statements carry no speaker. Shares of the talk, "
        "votes and polls stand under separate, shuffled labels that join with nothing else, without their times. There are no recordings, "
        "no word times, no model outputs, no consents, no affiliations."
    ),
}
NAME_RULES = (
    "Names of people in the deliberation are masked where they were spoken or written, with spellings near them. A name that is an everyday "
    "word as well (Will, Mark, May) is masked where it is capitalised and reads as a name; in lower case it stays. Names of others are not "
    "masked: please look at the words listed in `flagged-names.csv` before you publish anything."
)
FLAGGED = {
    "room": "The room's number.",
    "utterance_id": "The utterance in which it stands.",
    "word": "A word that may be somebody's name and was not masked.",
}

FILES: Mapping[str, str] = {
    "README.md": "This file.",
    "design.yaml": "The design that the deliberation ran under.",
    "participants.csv": "Who took part, one row for each seat.",
    "statements.csv": "What was put to the vote, with tallies.",
    "votes.csv": "Every vote that counts.",
    "ballots.csv": "Every ballot cast in a ballot stage.",
    "polls.csv": "Answers to the opening and closing polls.",
    "rooms.csv": "The rooms, each with its arm of the experiment and how many dropped out.",
    "arms.csv": "Drop-out by arm of the experiment.",
    "flagged-names.csv": "Words that may be names and were not masked.",
    "rooms/room-N/transcript.json": "The transcript with word times (seconds from the room's opening) and confidences.",
    "rooms/room-N/transcript.csv": "The transcript as a table.",
    "rooms/room-N/transcript.vtt": "The transcript as WebVTT captions.",
    "rooms/room-N/transcript.srt": "The transcript as SubRip captions.",
    "rooms/room-N/transcript.txt": "The transcript to read.",
    "rooms/room-N/events.jsonl": (
        "The room's log: one JSON object a line with `seq` (from 1), `at` (Unix seconds), `time` (UTC), `actor` (a participant's label, "
        "`facilitator`, `system` or `ai`) and `payload`, whose `kind` says what happened."
    ),
    "rooms/room-N/ledger.jsonl": (
        "The AI ledger: `entry` is `call` (a call to a language model: purpose, model, prompt, the events it read, outcome, latency, tokens, what people were shown of it, and how many found that helpful) "
        "or `card` (something the AI facilitator said: rule, text, reason, figures, feedback)."
    ),
    "rooms/room-N/summary.json": "The group's summary: sentences with what they cite and how they were marked; `null` without one.",
    "rooms/room-N/group-statements.json": (
        "The texts that the group looked for together: `winner` with what each sentence rests on, `ranked` and `first` (how many ranked, and put it "
        "first), `critiques`, `behind` and `against` (who stands behind it, and who does not), `dissent` in their words. Rankings and stances "
        "one by one are in the log (`group_statement.*`)."
    ),
    "rooms/room-N/audio/FILE": "Recordings, one per person and stretch: sound, and pictures as WebM (`named` mode only).",
    "rooms/room-N/audio.json": "Whose recordings these are, and where they begin in seconds from the room's opening.",
}


async def export_deliberation(store: Store, deliberation_id: str, out: IO[bytes]) -> None:
    """Write the zip of a deliberation's rooms to `out`, a file that can be sought in; one room at a time is in memory.

    Rooms that the mode does not show yet (see `privacy.reviewable`) and practice rooms are left out. Raises `NotFound`, and
    `Conflict("nothing_to_export")` where no room is left.
    """
    deliberation = await store.deliberation(deliberation_id)
    names = await names_of(store, deliberation_id)
    archive = _Archive(out)
    try:
        for record in await store.rooms(deliberation_id):
            if record.practice:
                continue
            try:
                room = await release(store, record.room_id, names)
            except Conflict:
                archive.running += 1
                continue
            await asyncio.to_thread(archive.add, room)
        if not archive.modes:
            raise Conflict("nothing_to_export", "No room of this deliberation can be exported yet.")
        await asyncio.to_thread(archive.finish, deliberation, names)
    finally:
        archive.close()


class _Archive:
    """The zip as it grows: a room's own files at once, the rows of the common tables until the end."""

    def __init__(self, out: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED)
        self._rows: dict[str, list[Sequence[object]]] = {name: [] for name in formats.ROWS if name != "transcript.csv"}
        self._flagged: list[str] = []
        self.modes: list[Mode] = []  # one for each room
        self.running = 0

    def add(self, room: Released) -> None:
        """Write a room's files."""
        self.modes.append(room.mode)
        for name, rows in self._rows.items():
            rows += formats.ROWS[name](room)
        self._flagged += flagged_rows(room)
        folder = f"rooms/room-{room.record.number}"
        for form in ("json", "csv", "vtt", "srt", "txt"):
            self._zip.writestr(f"{folder}/transcript.{form}", formats.transcript(room, form)[0])
        self._zip.writestr(f"{folder}/events.jsonl", formats.events_jsonl(room))
        self._zip.writestr(f"{folder}/ledger.jsonl", formats.ledger_jsonl(room))
        self._zip.writestr(f"{folder}/summary.json", formats.summary_json(room))
        self._zip.writestr(f"{folder}/group-statements.json", formats.group_statements_json(room))
        if files := room.audio_files():
            about = json.dumps([file.model_dump() for file in files], indent=1)
            self._zip.writestr(f"{folder}/audio.json", about + "\n")
            for file in files:
                self._zip.write(room.audio[file.file], f"{folder}/audio/{file.file}", zipfile.ZIP_STORED)

    def finish(self, deliberation: DeliberationRecord, names: Mapping[str, str | None]) -> None:
        """Write what is about all rooms, and the archive's end."""
        strictest = max(self.modes, key=MODES.index)
        self._zip.writestr("README.md", readme(deliberation, self.modes, self.running))
        self._zip.writestr("design.yaml", _design_yaml(deliberation, strictest, names))
        for name, rows in self._rows.items():
            self._zip.writestr(name, formats.table(name, rows))
        self._zip.writestr("arms.csv", formats.table("arms.csv", formats.arm_rows(self._rows["rooms.csv"])))
        self._zip.writestr("flagged-names.csv", ",".join(FLAGGED) + "\r\n" + "".join(self._flagged))
        self._zip.close()

    def close(self) -> None:
        """Let go of an archive, finished or not."""
        with contextlib.suppress(ValueError):  # where this was cancelled a thread may still be writing to it
            self._zip.close()


def flagged_rows(room: Released) -> list[str]:
    """Return a room's words that may be names, as rows of CSV."""
    return [f"{room.record.number},{flag.utterance_id},{flag.word}\r\n" for flag in room.flags()]


def readme(deliberation: DeliberationRecord, of_rooms: Sequence[Mode], running: int) -> str:
    """Return the data dictionary: every file, every column, and what the mode means. `of_rooms` has one mode for each room."""
    modes = sorted(set(of_rooms), key=MODES.index)
    parts = [
        "# What is in this export\n",
        f"{len(of_rooms)} room(s) of the deliberation `{deliberation.deliberation_id}`."
        + (f" {running} more are still running and not included." if running else "")
        + " Practice rooms are never included.\n",
        "## Privacy\n",
        *(f"`{mode}`: {MODE_NAMES[mode]}\n" for mode in modes),
        "Reports, calls for help, whatever concerns somebody's safety, and words that were hidden are never included.\n",
        "## Names that were spoken\n",
        NAME_RULES + "\n",
        "## Files\n",
        *(f"- `{name}`: {what}" for name, what in FILES.items()),
        "\nA text in a CSV file that begins with `=`, `+`, `-` or `@` has an apostrophe in front, so that no spreadsheet runs it. "
        "Empty files of the list above may be missing.\n",
    ]
    for name, columns in {**formats.COLUMNS, "flagged-names.csv": FLAGGED}.items():
        parts += [f"### {name}\n", *(f"- `{column}`: {what}" for column, what in columns.items()), ""]
    return "\n".join(parts)


def _design_yaml(deliberation: DeliberationRecord, mode: Mode, names: Mapping[str, str | None]) -> str:
    data: dict[str, Any] = deliberation.design.model_dump(mode="json")
    if mode != "named":
        masker = Masker([(name, MASKED) for name in names.values() if name], shared=MASKED)
        data = redact_design(data, mode, masker.mask)
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
