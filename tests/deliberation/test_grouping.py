from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberation.design import Groups
from deliberation.grouping import OpenRoom, Plan, Waiting, group_sizes, merges, plan_groups

GROUPS = Groups(min_size=3, target_size=4, max_size=5, wait_seconds=60, late_join_minutes=10)


def people(count: int, at: float = 0.0, **segments: str) -> list[Waiting]:
    return [Waiting(f"p{n:03}", at, segments) for n in range(count)]


def plan(waiting: list[Waiting], now: float, rooms: list[OpenRoom] | None = None, groups: Groups = GROUPS) -> Plan:
    return plan_groups(waiting, rooms or [], groups, now, seed=1)


def room(name: str, members: int, opened_at: float = 0.0) -> OpenRoom:
    return OpenRoom(name, opened_at, {f"{name}-{n}": {} for n in range(members)})


def test_nobody_waiting_means_nothing_to_do() -> None:
    assert plan([], 0) == Plan()


def test_a_full_group_forms_at_once() -> None:
    assert plan(people(4), 0) == Plan(form=(("p000", "p001", "p002", "p003"),))


def test_a_smaller_group_forms_when_the_longest_waiter_has_waited() -> None:
    waiting = [Waiting("a", 0), Waiting("b", 30), Waiting("c", 50)]
    assert plan(waiting, 59) == Plan(next_check_at=60)
    assert plan(waiting, 60) == Plan(form=(("a", "b", "c"),))


def test_too_few_wait_for_an_arrival() -> None:
    assert plan(people(2), 1000) == Plan()


@pytest.mark.parametrize(
    ("count", "waited", "sizes"),
    [
        (3, 0, ()),
        (3, 60, (3,)),
        (4, 0, (4,)),
        (5, 0, (5,)),
        (6, 0, (4,)),
        (7, 0, (4,)),
        (7, 60, (4, 3)),
        (8, 0, (4, 4)),
        (10, 0, (5, 5)),
        (11, 60, (4, 4, 3)),
    ],
)
def test_sizes_keep_to_the_target_and_spread_a_rest(count: int, waited: float, sizes: tuple[int, ...]) -> None:
    assert group_sizes([0.0] * count, GROUPS, waited) == sizes


def test_a_latecomer_joins_a_running_room_after_a_short_patience() -> None:
    late = [Waiting("late", 100)]
    assert plan(late, 100, [room("r1", 4)]) == Plan(next_check_at=115)
    assert plan(late, 115, [room("r1", 4)]) == Plan(fill=(("late", "r1"),))


@pytest.mark.parametrize(("members", "opened_at"), [(5, 0.0), (4, -500.0)], ids=["full", "too far on"])
def test_a_room_that_is_full_or_too_far_on_takes_nobody(members: int, opened_at: float) -> None:
    assert plan([Waiting("late", 100)], 200, [room("r1", members, opened_at)]) == Plan()


def test_the_emptiest_room_is_filled_first_and_none_beyond_its_size() -> None:
    rooms = [room("r1", 4), room("r2", 3)]
    filled = plan(people(2, at=0), 60, rooms)
    assert dict(filled.fill) == {"p000": "r2", "p001": "r1"}
    assert dict(plan(people(2, at=0), 60, [room("r1", 4)]).fill) == {"p000": "r1"}


def test_those_who_can_form_a_group_of_their_own_do_not_fill_rooms() -> None:
    assert plan(people(3, at=0), 30, [room("r1", 2)]) == Plan(next_check_at=60)


def test_people_who_have_met_meet_others_next_time() -> None:
    first = plan(people(16), 0)
    met: dict[str, set[str]] = {}
    for group in first.form:
        for a, b in combinations(group, 2):
            met.setdefault(a, set()).add(b), met.setdefault(b, set()).add(a)
    again = [Waiting(p.participant_id, 0, {}, frozenset(met[p.participant_id])) for p in people(16)]
    second = plan(again, 0)
    assert sorted(len(group) for group in second.form) == [4, 4, 4, 4]
    assert not any(b in met[a] for group in second.form for a, b in combinations(group, 2))


def test_a_latecomer_is_put_with_people_not_met_before() -> None:
    late = [Waiting("late", 0, {}, frozenset({"r1-0"}))]
    assert plan(late, 60, [room("r1", 3), room("r2", 4)]).fill == (("late", "r2"),)


def test_segments_named_by_the_design_are_mixed() -> None:
    sides = [Waiting(f"p{n:03}", 0, {"side": "for" if n < 8 else "against"}) for n in range(16)]
    mixed = plan(sides, 0, groups=GROUPS.model_copy(update={"balance_by": ("side",)}))
    side = {p.participant_id: p.segments["side"] for p in sides}
    assert [sum(side[p] == "for" for p in group) for group in mixed.form] == [2, 2, 2, 2]


GROUPS_ANY = (
    st.tuples(st.integers(2, 8), st.integers(2, 8), st.integers(2, 8))
    .map(sorted)
    .map(
        lambda sizes: Groups(
            min_size=sizes[0], target_size=sizes[1], max_size=sizes[2], wait_seconds=30, balance_by=("side",)
        )
    )
)
WAITING = st.lists(
    st.tuples(
        st.floats(0, 100), st.sampled_from(["for", "against", "unsure"]), st.frozensets(st.integers(0, 30), max_size=5)
    ),
    max_size=30,
).map(
    lambda rows: [
        Waiting(f"p{n}", at, {"side": side}, frozenset(f"p{m}" for m in met)) for n, (at, side, met) in enumerate(rows)
    ]
)
ROOMS = st.lists(st.tuples(st.integers(0, 8), st.floats(-1000, 100)), max_size=4).map(
    lambda rows: [room(f"r{n}", members, opened) for n, (members, opened) in enumerate(rows)]
)


@settings(max_examples=150, deadline=None)
@given(WAITING, ROOMS, GROUPS_ANY, st.floats(100, 200), st.integers(0, 5), st.randoms(use_true_random=False))
def test_any_plan_seats_each_once_within_the_sizes(
    waiting: list[Waiting], rooms: list[OpenRoom], groups: Groups, now: float, seed: int, random: Any
) -> None:
    made = plan_groups(waiting, rooms, groups, now, seed)
    seated = [p for group in made.form for p in group] + [p for p, _ in made.fill]
    assert len(set(seated)) == len(seated) and set(seated) <= {w.participant_id for w in waiting}
    assert all(groups.min_size <= len(group) <= groups.max_size for group in made.form)
    after = {r.room_id: len(r.members) + sum(room_id == r.room_id for _, room_id in made.fill) for r in rooms}
    assert all(after[room_id] <= groups.max_size for _, room_id in made.fill)
    assert made.next_check_at is None or made.next_check_at > now
    left = [w for w in waiting if w.participant_id not in seated]
    assert len(left) < groups.target_size
    if len(left) >= groups.min_size:
        assert now - min(w.joined_at for w in left) < groups.wait_seconds
    shuffled = list(waiting)
    random.shuffle(shuffled)
    assert plan_groups(shuffled, rooms, groups, now, seed) == made


def sized(**rooms: int) -> list[OpenRoom]:
    return [OpenRoom(name, 0.0, {f"{name}{n}": {} for n in range(size)}) for name, size in rooms.items()]


@pytest.mark.parametrize(
    ("rooms", "moves"),
    [
        ({"a": 4, "b": 3}, {}),  # nobody is too few
        ({"a": 2, "b": 4, "c": 3}, {"a0": "c", "a1": "b"}),  # to the smallest first
        ({"a": 1, "b": 2, "c": 5}, {"a0": "b"}),  # one move saves the other
        ({"a": 2, "b": 5, "c": 5}, {"a0": "b", "a1": "c"}),
        ({"a": 2, "b": 6}, {}),  # there is no place for both
        ({"a": 2}, {}),
    ],
)
def test_groups_that_are_too_small_are_dissolved_where_others_have_places(rooms: dict[str, int], moves: dict[str, str]) -> None:
    assert dict(merges(sized(**rooms), Groups(min_size=3, target_size=4, max_size=6))) == moves
