"""Who meets whom: which waiting people form a group now, and who fills a free place in a running room.

Pure: people, rooms, settings, time and a seed in; a plan out. Called by the lobby whenever somebody arrives or leaves, a room opens or
closes, and at the plan's own `next_check_at`. The same input gives the same plan, whatever order people are listed in.

The rule: `target_size` people form a group at once; after `wait_seconds` of the longest waiter, `min_size` or more do. Who could not form
a group of their own that way is put into a running room with a free place, after a short patience in which others may still arrive.
Within one plan, groups avoid pairs who have met before (first) and mix the design's `balance_by` segments (second): a greedy deal, then
swaps while they help (the usual local search for the social golfer problem; exactness is not needed at these sizes).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from deliberation.design import Groups

FILL_PATIENCE_SHARE = 0.25  # of `wait_seconds`: how long somebody waits for a new group before joining a running room
MAX_SWAP_TRIALS = 5_000  # bounds the local search to about 0.1 s


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody without a group. `joined_at` is when they began to wait; `met` are the people they have sat with in earlier rounds."""

    participant_id: str
    joined_at: float
    segments: Mapping[str, str] = field(default_factory=dict)
    met: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """A running room (not a practice room). `members` maps those who hold a seat (here or away) to their segments."""

    room_id: str
    opened_at: float
    members: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now: places to fill, groups to form, and when waiting alone can change the plan (None: only an arrival can)."""

    fill: tuple[tuple[str, str], ...] = ()  # (participant_id, room_id)
    form: tuple[tuple[str, ...], ...] = ()
    next_check_at: float | None = None


def plan_groups(
    waiting: Sequence[Waiting], open_rooms: Sequence[OpenRoom], groups: Groups, now: float, seed: int
) -> Plan:
    """Return the plan at `now` (Unix seconds). Every waiting person appears in it at most once."""
    queue = sorted(waiting, key=lambda w: (w.joined_at, w.participant_id))
    sizes = group_sizes([w.joined_at for w in queue], groups, now)
    grouped, rest = queue[: sum(sizes)], queue[sum(sizes) :]
    form = _deal(grouped, sizes, groups.balance_by, Random(seed))
    fill: list[tuple[str, str]] = []
    rooms = [r for r in open_rooms if now - r.opened_at < groups.late_join_minutes * 60]
    places = sum(max(0, groups.max_size - len(r.members)) for r in rooms)
    next_check_at = None
    if rest and len(rest) >= groups.min_size:
        next_check_at = rest[0].joined_at + groups.wait_seconds
    elif rest and places:
        fill_at = rest[0].joined_at + groups.wait_seconds * FILL_PATIENCE_SHARE
        if now >= fill_at:
            fill = _fill(rest, rooms, groups)
        else:
            next_check_at = fill_at
    return Plan(tuple(fill), form, next_check_at)


def merges(open_rooms: Sequence[OpenRoom], groups: Groups) -> tuple[tuple[str, str], ...]:
    """Return who moves where so that no group stays below `min_size`: pairs of participant and room.

    The smallest group is dissolved first, and only where all its people find a place; they go to the smallest groups that have one, which
    may save another from being too small.
    """
    members = {room.room_id: list(room.members) for room in sorted(open_rooms, key=lambda r: (len(r.members), r.room_id))}
    moves: list[tuple[str, str]] = []
    for room_id in tuple(members):
        people = members[room_id]
        if not people or len(people) >= groups.min_size:
            continue
        others = {other: len(there) for other, there in members.items() if other != room_id and there}
        if sum(max(0, groups.max_size - size) for size in others.values()) < len(people):
            continue
        for person in people:
            to = min((other for other, size in others.items() if size < groups.max_size), key=lambda other: (others[other], other))
            others[to] += 1
            members[to].append(person)
            moves.append((person, to))
        members[room_id] = []
    last = dict(moves)
    return tuple(last.items())


def group_sizes(joined_at: Sequence[float], groups: Groups, now: float) -> tuple[int, ...]:
    """Return the sizes of the groups to form now from people who began to wait at `joined_at` (ascending); the rest waits on.

    Full groups form at once. A rest that is too small for a group of its own is spread over them up to `max_size`; one that is large
    enough forms a group when its longest waiter has waited, evened out with the full ones.
    """
    count = len(joined_at)
    full, rest = divmod(count, groups.target_size)
    if rest >= groups.min_size:
        if now - joined_at[count - rest] >= groups.wait_seconds:
            return _even(count, full + 1)
    elif rest <= full * (groups.max_size - groups.target_size):
        return _even(count, full)
    return (groups.target_size,) * full


def _even(count: int, parts: int) -> tuple[int, ...]:
    return tuple(count // parts + (index < count % parts) for index in range(parts)) if parts else ()


def _fill(rest: Sequence[Waiting], rooms: Sequence[OpenRoom], groups: Groups) -> list[tuple[str, str]]:
    seats = {room.room_id: dict(room.members) for room in rooms}
    fill = []
    for person in rest:
        free = [room_id for room_id, members in seats.items() if len(members) < groups.max_size]
        if not free:
            break

        def cost(room_id: str, person: Waiting = person) -> tuple[int, int, int, str]:
            members = seats[room_id]
            alike = sum(
                other.get(key) == person.segments.get(key) for other in members.values() for key in groups.balance_by
            )
            return (len(person.met & members.keys()), len(members), alike, room_id)

        room_id = min(free, key=cost)
        seats[room_id][person.participant_id] = person.segments
        fill.append((person.participant_id, room_id))
    return fill


def _deal(
    people: Sequence[Waiting], sizes: Sequence[int], balance_by: Sequence[str], random: Random
) -> tuple[tuple[str, ...], ...]:
    """Put people into groups of these sizes; a group lists its members in order of arrival."""
    if len(sizes) <= 1:
        return (tuple(p.participant_id for p in people),) if sizes else ()
    here = {p.participant_id for p in people}
    order = list(people)
    random.shuffle(order)
    order.sort(key=lambda p: (-len(p.met & here), [p.segments.get(key, "") for key in balance_by]))
    dealt: list[list[Waiting]] = [[] for _ in sizes]
    for person in order:
        free = [index for index, size in enumerate(sizes) if len(dealt[index]) < size]
        best = min(free, key=lambda i: (_strain(person, dealt[i], balance_by), len(dealt[i]) / sizes[i], i))
        dealt[best].append(person)
    _swap(dealt, balance_by)
    rank = {p.participant_id: index for index, p in enumerate(people)}
    return tuple(tuple(sorted((p.participant_id for p in group), key=rank.__getitem__)) for group in dealt)


def _strain(person: Waiting, group: Sequence[Waiting], balance_by: Sequence[str]) -> tuple[int, int]:
    """How badly a person fits into a group of others: people met before, then people alike."""
    met = sum(p.participant_id in person.met or person.participant_id in p.met for p in group)
    alike = Counter((key, p.segments.get(key)) for p in group for key in balance_by)
    return met, sum(alike[key, person.segments.get(key)] for key in balance_by)


def _swap(dealt: list[list[Waiting]], balance_by: Sequence[str]) -> None:
    """Swap two people of different groups while that lowers the sum of strains, within `MAX_SWAP_TRIALS`."""
    trials = 0
    improved = True
    while improved:
        improved = False
        for a, group_a in enumerate(dealt):
            for group_b in dealt[a + 1 :]:
                for i in range(len(group_a)):
                    others_a = group_a[:i] + group_a[i + 1 :]
                    for j in range(len(group_b)):
                        trials += 1
                        if trials > MAX_SWAP_TRIALS:
                            return
                        others_b = group_b[:j] + group_b[j + 1 :]
                        before = _sum(
                            _strain(group_a[i], others_a, balance_by), _strain(group_b[j], others_b, balance_by)
                        )
                        after = _sum(
                            _strain(group_b[j], others_a, balance_by), _strain(group_a[i], others_b, balance_by)
                        )
                        if after < before:
                            group_a[i], group_b[j] = group_b[j], group_a[i]
                            others_a = group_a[:i] + group_a[i + 1 :]
                            improved = True


def _sum(one: tuple[int, int], two: tuple[int, int]) -> tuple[int, int]:
    return one[0] + two[0], one[1] + two[1]
