"""What one room has asked of the recognisers and not yet been answered.

Owns: the order of sending, how much is in the queue at a time, where finals wait when there are many (memory, then
disk), what to look for when no answer comes. Never does: sending; time comes in as a number.
Called by: `transcription.stream`.

Invariant: a final leaves only by its answer or by being taken back. What is dropped: a partial when the same speaker's
next one comes before it was sent; the oldest refining beyond 50. Spilled files are deleted as soon as they are read
back, answered or taken back, and all of them by `clear`; what a killed process left of the room, at the next start.
"""

from __future__ import annotations

import shutil
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from transcription.settings import TranscriptionSettings
from transcription.work import WorkItem

_log = structlog.get_logger(__name__)
_MOST_REFINES = 50
_REFINES_IN_QUEUE = 1


@dataclass(slots=True)
class _Waiting:
    item: WorkItem | None
    """None while it lies on disk."""
    kind: str
    added_at: float
    sent_at: float | None = None
    checked_at: float = 0.0


class Outbox:
    """One room's unanswered items, in the order they came."""

    def __init__(self, room_id: str, settings: TranscriptionSettings) -> None:
        self._settings = settings
        self._folder = None if settings.spill_dir is None else settings.spill_dir / room_id
        if self._folder is not None and self._folder.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
        self._finals: OrderedDict[str, _Waiting] = OrderedDict()
        self._refines: OrderedDict[str, _Waiting] = OrderedDict()
        self._partials: OrderedDict[str, WorkItem] = OrderedDict()
        self.spilled = 0
        """Finals that lie on disk now."""
        self.disk_full = False
        """Whether finals that should lie on disk could not be put there; they wait in memory."""
        self.lost = 0
        """Finals that could not be read back from disk."""

    def add(self, item: WorkItem, now: float, speaker: str = "") -> None:
        """Take an item to be sent. A partial replaces the same speaker's unsent one."""
        if item.kind == "partial":
            self._partials[speaker] = item
        elif item.kind == "refine":
            self._refines[item.item_id] = _Waiting(item, item.kind, now)
            while len(self._refines) > _MOST_REFINES:
                self._refines.popitem(last=False)
        else:
            self._finals[item.item_id] = _Waiting(item, item.kind, now)
            self._spill()

    def next(self) -> WorkItem | None:
        """Return the item to send next, None where nothing may be sent now. Say `sent` or come again."""
        waiting = self._next_of(self._finals, self._settings.finals_in_queue)
        if waiting is not None:
            return self._load(waiting)
        if self._partials:
            return next(iter(self._partials.values()))
        waiting = self._next_of(self._refines, _REFINES_IN_QUEUE)
        return None if waiting is None else waiting[1].item

    def sent(self, item: WorkItem, now: float) -> None:
        """Note that the item is in the queue."""
        if item.kind == "partial":
            self._partials = OrderedDict(
                (speaker, other) for speaker, other in self._partials.items() if other.item_id != item.item_id
            )
            return
        waiting = self._finals.get(item.item_id) or self._refines.get(item.item_id)
        if waiting is not None:
            waiting.sent_at = waiting.checked_at = now

    def answered(self, item_id: str) -> bool:
        """Note an answer; return whether it was still waited for (a partial never is)."""
        found = self._finals.pop(item_id, None) or self._refines.pop(item_id, None)
        if found is not None and found.item is None:
            self._drop_file(item_id)
        return found is not None

    def take_back(self, item_id: str) -> bool:
        """Forget an item; return whether it had been sent."""
        waiting = self._finals.get(item_id)
        self.answered(item_id)
        return waiting is not None and waiting.sent_at is not None

    def drop_partials(self) -> None:
        """Forget unsent partials: by the time they could be sent they are stale."""
        self._partials.clear()

    def overdue(self, now: float) -> list[str]:
        """Return the items that were sent or looked for too long ago; each is named once for each such time."""
        found: list[str] = []
        for waits in (self._finals, self._refines):
            for item_id, waiting in waits.items():
                if waiting.sent_at is not None and now - waiting.checked_at >= self._settings.missing_after_seconds:
                    waiting.checked_at = now
                    found.append(item_id)
        return found

    def send_again(self, item_id: str) -> None:
        """Note that the queue has lost the item."""
        waiting = self._finals.get(item_id) or self._refines.get(item_id)
        if waiting is not None:
            waiting.sent_at = None

    def oldest_final_age(self, now: float) -> float:
        """Return how long the oldest unanswered final has waited, 0 where none does."""
        return max((now - waiting.added_at for waiting in self._finals.values()), default=0.0)

    @property
    def finals(self) -> int:
        """How many finals are unanswered."""
        return len(self._finals)

    @property
    def empty(self) -> bool:
        """Whether no final and no refining is unanswered."""
        return not self._finals and not self._refines

    def clear(self) -> None:
        """Forget everything and delete what lies on disk."""
        self._finals.clear()
        self._refines.clear()
        self._partials.clear()
        self.spilled = 0
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _next_of(self, waits: OrderedDict[str, _Waiting], limit: int) -> tuple[str, _Waiting] | None:
        in_queue = sum(1 for waiting in waits.values() if waiting.sent_at is not None)
        if in_queue >= limit:
            return None
        return next((pair for pair in waits.items() if pair[1].sent_at is None), None)

    def _spill(self) -> None:
        """Move the newest unsent finals to disk where too many wait in memory; a disk that is full is no loss."""
        if self._folder is None:
            return
        in_memory = [pair for pair in self._finals.items() if pair[1].item is not None and pair[1].sent_at is None]
        for item_id, waiting in in_memory[self._settings.finals_in_memory :]:
            assert waiting.item is not None, "chosen above"
            path = self._path(item_id)
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.write_bytes(waiting.item.to_bytes())
            except OSError as error:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                _log.error("finals stay in memory, they cannot be put on disk", error=error.strerror)
                self.disk_full = True
                return
            self.disk_full = False
            waiting.item = None
            self.spilled += 1

    def _load(self, found: tuple[str, _Waiting]) -> WorkItem | None:
        item_id, waiting = found
        if waiting.item is None:
            try:
                waiting.item = WorkItem.from_bytes(self._path(item_id).read_bytes())
            except (OSError, ValueError):
                _log.error("a final that was put on disk cannot be read back and is lost", item=item_id)
                self._finals.pop(item_id)
                self.lost += 1
                self._drop_file(item_id)
                return None
            self._drop_file(item_id)
        return waiting.item

    def _drop_file(self, item_id: str) -> None:
        self.spilled -= 1
        with suppress(OSError):
            self._path(item_id).unlink(missing_ok=True)

    def _path(self, item_id: str) -> Path:
        assert self._folder is not None, "nothing is put on disk without a folder"
        return self._folder / f"{item_id}.item"
