"""The work between rooms and recognisers: what is asked, what comes back, and the two ends of the queue.

Owns: `WorkItem` and `WorkResult` with their byte forms, and the Protocols `WorkQueue` (a node's end) and
`WorkSource` (a worker's end).
Never does: I/O. `server.bus` and `server.work_streams` implement the Protocols on Redis Streams; tests have
an in-memory one.

An item's id is unique to one decoding attempt and everything about it is idempotent: a node that gets a
result twice uses it once, and
a worker that gets an item twice (because another worker died, or seemed to) may simply do it again.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

Kind = Literal["final", "partial", "refine"]
KINDS: tuple[Kind, ...] = ("final", "partial", "refine")
"""In order of priority."""

_HEADER = struct.Struct("<I")
_PACKET = struct.Struct("<IH")


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of one speaker's Opus packets, to be decoded on its own.

    `packets` are `(offset, payload)`: the offset is the packet's first sample, at 48 kHz, from the piece's
    own zero. What lies between
    `start` and `end` (same unit) is the audio meant; packets before `start` only bring the decoder into step.
    """

    start: int
    end: int
    packets: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One request to a recogniser: some audio, and how to read it."""

    item_id: str
    room_id: str
    kind: Kind
    pieces: tuple[Piece, ...]
    """Decoded one by one and joined; word times in the result count from the first piece's `start` in the
    joined audio."""
    language: str | None
    """None: the recogniser detects it."""
    hotwords: str
    """Names and terms to expect, space-separated; may be empty."""
    context: str
    """What the speaker said just before; may be empty."""

    @property
    def seconds(self) -> float:
        """Length of the joined audio."""
        return sum(piece.end - piece.start for piece in self.pieces) / 48000

    def to_bytes(self) -> bytes:
        """Return the wire form: a length, a JSON header, then the packets' payloads."""
        head: dict[str, Any] = {
            "id": self.item_id,
            "room": self.room_id,
            "kind": self.kind,
            "language": self.language,
            "hotwords": self.hotwords,
            "context": self.context,
            "pieces": [(piece.start, piece.end, len(piece.packets)) for piece in self.pieces],
        }
        encoded = json.dumps(head).encode()
        parts = [_HEADER.pack(len(encoded)), encoded]
        for piece in self.pieces:
            for offset, payload in piece.packets:
                parts += (_PACKET.pack(offset, len(payload)), payload)
        return b"".join(parts)

    @staticmethod
    def from_bytes(data: bytes) -> WorkItem:
        """Read what `to_bytes` wrote. Raises ValueError where it is not that."""
        try:
            (size,) = _HEADER.unpack_from(data)
            head = json.loads(data[_HEADER.size : _HEADER.size + size])
            at = _HEADER.size + size
            pieces: list[Piece] = []
            for start, end, count in head["pieces"]:
                packets: list[tuple[int, bytes]] = []
                for _ in range(count):
                    offset, length = _PACKET.unpack_from(data, at)
                    at += _PACKET.size
                    if at + length > len(data):
                        raise ValueError("a packet is cut off")
                    packets.append((offset, data[at : at + length]))
                    at += length
                pieces.append(Piece(start, end, tuple(packets)))
            if head["kind"] not in KINDS:
                raise ValueError("unknown kind")
            return WorkItem(
                head["id"],
                head["room"],
                head["kind"],
                tuple(pieces),
                head["language"],
                head["hotwords"],
                head["context"],
            )
        except (struct.error, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f"not a work item: {error}") from error


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word as the recogniser heard it; times in seconds from the start of the item's joined audio."""

    text: str
    """With the space that precedes it, in languages that write one."""
    start: float
    end: float
    probability: float


Outcome = Literal["ok", "expired", "failed"]


@dataclass(frozen=True, slots=True)
class WorkResult:
    """The recogniser's answer to one item."""

    item_id: str
    room_id: str
    kind: Kind
    outcome: Outcome
    text: str = ""
    """Empty where nothing was said, or where the guards took it for invented."""
    words: tuple[HeardWord, ...] = ()
    confidence: float = 0.0
    """0..1: exp of the mean log-probability per token."""
    language: str = ""
    language_probability: float = 0.0
    """1 where the language was given."""
    decode_seconds: float = 0.0
    model: str = ""
    worker: str = field(default="")

    def to_bytes(self) -> bytes:
        """Return the wire form, JSON."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @staticmethod
    def from_bytes(data: bytes) -> WorkResult:
        """Read what `to_bytes` wrote. Raises ValueError where it is not that."""
        try:
            values = json.loads(data)
            values["words"] = tuple(HeardWord(**word) for word in values["words"])
            return WorkResult(**values)
        except (KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f"not a work result: {error}") from error


class WorkQueue(Protocol):
    """A node's end of the queue; shared by its rooms."""

    async def submit(self, item: WorkItem) -> None:
        """Hand an item over. Raises `Unavailable` where the queue cannot be reached now."""
        ...

    async def cancel(self, item_id: str) -> None:
        """Take back an item that nobody has begun. Best effort: a result may still come. Never raises."""
        ...

    async def holds(self, item_id: str) -> bool:
        """Whether the item still waits or is being decoded. Raises `Unavailable` where that is unknown."""
        ...

    def subscribe(self, room_id: str, handler: Callable[[WorkResult], None]) -> Callable[[], None]:
        """Deliver the room's results to `handler`, on the loop, until the returned function is called."""
        ...


@dataclass(frozen=True, slots=True)
class Claim:
    """An item that a worker has taken and not yet finished."""

    handle: str
    """The queue's own name for it."""
    item: WorkItem
    deliveries: int
    """How often it has been handed to a worker, this time included."""
    waited_seconds: float
    """How long it lay in the queue, by the queue's own clock."""


class WorkSource(Protocol):
    """A worker's end of the queue."""

    async def take(self, kinds: Sequence[Kind], limit: int, wait_seconds: float) -> list[Claim]:
        """Claim up to `limit` items of the first kind that has any; wait where there are none.

        Items that another worker claimed and has not extended for a few seconds count as there for the
        taking.
        May return none. Raises `Unavailable` where the queue cannot be reached now.
        """
        ...

    async def extend(self, claims: Sequence[Claim]) -> None:
        """Say that these are still being worked on. Raises `Unavailable`."""
        ...

    async def finish(self, claim: Claim, result: WorkResult) -> None:
        """Deliver the result and remove the item, both or neither. Raises `Unavailable`."""
        ...
