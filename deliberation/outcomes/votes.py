"""The judgement matrix that every voting method reads, and Polis's three CSV files in and out.

Owns: votes as they arrived (`VoteLog`, append-only, revotes included), the matrix of latest votes (`JudgementMatrix`), and the formats
`votes.csv`, `comments.csv`, `participants-votes.csv` of Polis's open data (compdemocracy.org/export), where 1 is agree, −1 disagree,
0 pass. Never reads files: text in, text out. Invariants: a cell that is absent is *unseen*, a stored 0 is a *pass*; only cast votes are
in a matrix; a person's latest vote on an item is the one that counts, of votes at the same millisecond the later row.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deliberation.errors import InvalidInput
from deliberation.outcomes.result import hash_of

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts per item, each an array in the order of the items; `seen` counts passes too."""

    agrees: NDArray[np.int64]
    disagrees: NDArray[np.int64]
    seen: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class JudgementMatrix:
    """Latest votes of n participants on m items, as coordinates sorted by participant, then item.

    `rows`, `cols`: int32 (v,); `votes`: int8 (v,) of −1, 0, 1. `segments`: for each attribute one value per participant, "" = unknown.
    """

    participants: tuple[str, ...]
    items: tuple[str, ...]
    rows: Ints
    cols: Ints
    votes: NDArray[np.int8]
    segments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """(participants, items)."""
        return len(self.participants), len(self.items)

    @property
    def input_hash(self) -> str:
        """SHA-256 over everything the methods read."""
        return hash_of(self.participants, self.items, self.rows, self.cols, self.votes, dict(self.segments))

    def where(self, vote: int | None = None) -> Any:
        """Return a CSR matrix (n, m) of float ones where that vote was cast, or where any was when `vote` is None."""
        chosen = slice(None) if vote is None else self.votes == vote
        rows, cols = self.rows[chosen], self.cols[chosen]
        from scipy import sparse  # loaded when a matrix is first needed: a server starts without it

        return sparse.csr_matrix((np.ones(len(rows)), (rows, cols)), self.shape)

    def values(self, value_of: Sequence[float] = (-1.0, 0.0, 1.0)) -> Any:
        """Return a CSR matrix (n, m) of cast votes as numbers; `value_of` says what −1, 0 and 1 become. Passes stay stored."""
        data = np.asarray(value_of, dtype=float)[self.votes + 1]
        from scipy import sparse

        return sparse.csr_matrix((data, (self.rows, self.cols)), self.shape)

    def tally(self) -> Tally:
        """Count latest votes per item."""
        return _count(self.cols, self.votes, len(self.items))

    def votes_per_person(self) -> NDArray[np.int64]:
        """Return how many items each participant judged, passes included: (n,)."""
        return np.bincount(self.rows, minlength=len(self.participants))

    def dense(self) -> Floats:
        """Return (n, m) floats with NaN where unseen. For small data only."""
        full = np.full(self.shape, np.nan)
        full[self.rows, self.cols] = self.votes
        return full

    def segment(self, name: str) -> tuple[str, ...]:
        """Return that attribute's value for each participant. Raises InvalidInput naming those that exist."""
        if name not in self.segments:
            known = ", ".join(sorted(self.segments)) or "none"
            raise InvalidInput("no_such_segment", f"the votes carry no segment “{name}”", f"segments here: {known}")
        return self.segments[name]


@dataclass(frozen=True, slots=True, eq=False)
class VoteLog:
    """Every vote as it arrived, revotes included. `at`: milliseconds since 1970, int64 (v,)."""

    participants: tuple[str, ...]
    items: tuple[str, ...]
    rows: Ints
    cols: Ints
    votes: NDArray[np.int8]
    at: NDArray[np.int64]

    @classmethod
    def of(
        cls, voters: Sequence[str], voted: Sequence[str], values: Sequence[float], at: Sequence[int], *,
        people: Iterable[str] = (), statements: Iterable[str] = (),
    ) -> VoteLog:
        """Build a log from columns; `people` and `statements` add those without any vote. Raises InvalidInput for a bad value."""
        votes = np.asarray(values, dtype=float)
        if not np.isin(votes, (-1.0, 0.0, 1.0)).all():
            raise InvalidInput("bad_vote", "a vote is −1 (disagree), 0 (pass) or 1 (agree)")
        participants = tuple(sorted({*people, *voters}, key=_natural))
        items = tuple(sorted({*statements, *voted}, key=_natural))
        row_of = {name: index for index, name in enumerate(participants)}
        col_of = {name: index for index, name in enumerate(items)}
        return cls(
            participants, items,
            np.fromiter((row_of[name] for name in voters), np.int32, len(voters)),
            np.fromiter((col_of[name] for name in voted), np.int32, len(voted)),
            votes.astype(np.int8), np.asarray(at, dtype=np.int64),
        )

    def tally(self) -> Tally:
        """Count every row, revotes included: how Polis's `comments.csv` is tallied."""
        return _count(self.cols, self.votes, len(self.items))

    def latest(self) -> JudgementMatrix:
        """Keep each person's latest vote on each item."""
        order = np.lexsort((np.arange(len(self.at)), self.at, self.cols, self.rows))
        rows, cols = self.rows[order], self.cols[order]
        last = np.ones(len(order), dtype=bool)
        last[:-1] = (rows[1:] != rows[:-1]) | (cols[1:] != cols[:-1])
        return JudgementMatrix(self.participants, self.items, rows[last], cols[last], self.votes[order][last])


@dataclass(frozen=True, slots=True)
class Comment:
    """One line of `comments.csv`; `moderated`: 1 accepted, 0 not yet, −1 rejected; `at` in milliseconds."""

    id: str
    text: str
    author: str
    agrees: int
    disagrees: int
    moderated: int
    at: int


_VOTES = ("timestamp", "datetime", "comment-id", "voter-id", "vote")
_COMMENTS = ("timestamp", "datetime", "comment-id", "author-id", "agrees", "disagrees", "moderated", "comment-body")
_PEOPLE = ("participant", "group-id", "n-comments", "n-votes", "n-agree", "n-disagree")


def parse_votes(text: str) -> VoteLog:
    """Read Polis's `votes.csv`. Raises InvalidInput with the line that is wrong."""
    _, lines = _table(text, ("comment-id", "voter-id", "vote"))
    values = [_number(line, "vote", number) for number, line in lines]
    times = [_number(line, "timestamp", number) if line.get("timestamp") else 0 for number, line in lines]
    return VoteLog.of([line["voter-id"] for _, line in lines], [line["comment-id"] for _, line in lines], values, times)


def write_votes(log: VoteLog) -> str:
    """Write Polis's `votes.csv`, one row for every vote cast."""
    rows = (
        (int(at), _date(int(at)), log.items[col], log.participants[row], int(vote))
        for at, row, col, vote in zip(log.at, log.rows, log.cols, log.votes, strict=True)
    )
    return _written(_VOTES, rows)


def parse_comments(text: str) -> tuple[Comment, ...]:
    """Read Polis's `comments.csv`. Raises InvalidInput with the line that is wrong."""
    _, lines = _table(text, ("comment-id", "comment-body"))
    return tuple(
        Comment(
            line["comment-id"], line["comment-body"], line.get("author-id") or "",
            *(_number(line, key, number) if line.get(key) else 0 for key in ("agrees", "disagrees", "moderated", "timestamp")),
        )
        for number, line in lines
    )


def write_comments(comments: Iterable[Comment], *, authors: bool = False) -> str:
    """Write Polis's `comments.csv`. Authors are left blank unless asked for (Chatham House Rule)."""
    return _written(_COMMENTS, (
        (c.at, _date(c.at), c.id, c.author if authors else "", c.agrees, c.disagrees, c.moderated, c.text) for c in comments
    ))


def parse_participants_votes(text: str) -> JudgementMatrix:
    """Read Polis's `participants-votes.csv`; its published groups become the segment "group-id".

    Raises InvalidInput with the line that is wrong.
    """
    header, lines = _table(text, ("participant",))
    columns = [name for name in header if name not in _PEOPLE]
    voters, voted, values = [], [], []
    for number, line in lines:
        for name in columns:
            if line.get(name):
                voters.append(line["participant"])
                voted.append(name)
                values.append(_number(line, name, number))
    people = [line["participant"] for _, line in lines]
    matrix = VoteLog.of(voters, voted, values, [0] * len(values), people=people, statements=columns).latest()
    group_of = {line["participant"]: line.get("group-id") or "" for _, line in lines}
    segments = {"group-id": tuple(group_of[name] for name in matrix.participants)} if "group-id" in header else {}
    return JudgementMatrix(matrix.participants, matrix.items, matrix.rows, matrix.cols, matrix.votes, segments)


def write_participants_votes(matrix: JudgementMatrix, groups: Sequence[str] = (), comments: Mapping[str, int] | None = None) -> str:
    """Write Polis's `participants-votes.csv`: row-level research data, not for the public.

    `groups`: one group per participant ("" = none), else the segment "group-id" if there is one; `comments`: statements per author.
    """
    groups = groups or matrix.segments.get("group-id") or ("",) * len(matrix.participants)
    cells: list[dict[int, int]] = [{} for _ in matrix.participants]
    for row, col, vote in zip(matrix.rows, matrix.cols, matrix.votes, strict=True):
        cells[row][int(col)] = int(vote)
    rows = (
        (
            name, groups[index], (comments or {}).get(name, 0), len(cell), sum(v == 1 for v in cell.values()),
            sum(v == -1 for v in cell.values()), *(cell.get(col, "") for col in range(len(matrix.items))),
        )
        for index, (name, cell) in enumerate(zip(matrix.participants, cells, strict=True))
    )
    return _written((*_PEOPLE, *matrix.items), rows)


def _count(cols: Ints, votes: NDArray[np.int8], items: int) -> Tally:
    return Tally(
        np.bincount(cols[votes == 1], minlength=items),
        np.bincount(cols[votes == -1], minlength=items),
        np.bincount(cols, minlength=items),
    )


def _natural(name: str) -> tuple[bool, int, str]:
    """Sort "9" before "10", and numbers before other names."""
    is_number = name.isascii() and name.isdigit()
    return not is_number, int(name) if is_number else 0, name


def _table(text: str, needed: Sequence[str]) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    header = list(reader.fieldnames or ())
    missing = [name for name in needed if name not in header]
    if missing:
        raise InvalidInput("bad_csv", f"the first line has no column “{missing[0]}”", f"it has: {', '.join(header[:8])}")
    return header, [(reader.line_num, line) for line in reader]


def _number(line: Mapping[str, str], key: str, number: int) -> int:
    try:
        return int(line[key])
    except (ValueError, TypeError):
        raise InvalidInput("bad_csv", f"line {number}: “{key}” is not a whole number") from None


def _date(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")


def _written(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
