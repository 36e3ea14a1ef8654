"""Who is shown where, and what a connection carries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.media.subscription import LAYER_SHARES, BandwidthCap, VideoSource, allocate, assign

NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(st.lists(NAMES, max_size=12), st.integers(0, 7))
def test_people_keep_their_slot_and_the_most_important_have_one(rounds: list[list[str]], count: int) -> None:
    slots: list[str | None] = [None] * count
    for publishers in rounds:
        before = list(slots)
        slots = assign(slots, publishers)
        shown = [m for m in slots if m is not None]
        assert sorted(shown) == sorted(publishers[:count])
        for old, new in zip(before, slots, strict=True):
            assert new == old or old is None or old not in publishers[:count]


def sources(*rates: float, layered: bool = True) -> list[VideoSource]:
    return [VideoSource(name, rate, layered) for name, rate in zip("abcdefgh", rates, strict=False)]


def test_without_a_limit_everything_is_sent() -> None:
    allocation = allocate(None, sources(1e6, 1e6), "all")
    assert (allocation.layers, allocation.level) == ({"a": 2, "b": 2}, "full")


def test_upper_layers_go_before_videos_and_the_least_important_video_goes_first() -> None:
    four = sources(1e6, 1e6, 1e6, 1e6)
    assert allocate(3.2e6, four, "all").level == "reduced"
    assert allocate(3.2e6, four, "all").layers == {"a": 2, "b": 2, "c": 1, "d": 1}
    assert allocate(1.7e6, four, "all").layers == {"a": 0, "b": 0, "c": 0, "d": 0}
    few = allocate(1.3e6, four, "all")
    assert (set(few.layers), few.level) == ({"a", "b", "c"}, "few")
    assert allocate(0.3e6, four, "all").level == "audio"


def test_video_without_layers_is_sent_whole_or_not() -> None:
    assert allocate(1.5e6, sources(1e6, 1e6, layered=False), "all").layers == {"a": 2}


def test_the_members_own_choice_wins_over_a_good_connection() -> None:
    three = sources(1e6, 1e6, 1e6)
    assert set(allocate(None, three, "few").layers) == {"a", "b"}
    assert allocate(None, three, "none").layers == {}


@given(st.lists(st.floats(1e4, 2e6), max_size=8), st.floats(0, 1e7), st.booleans())
def test_a_budget_is_never_exceeded(rates: list[float], budget: float, layered: bool) -> None:
    some = sources(*rates, layered=layered)
    allocation = allocate(budget, some, "all")
    spent = sum(
        s.bits_per_second * LAYER_SHARES[allocation.layers[s.member_id]]
        for s in some
        if s.member_id in allocation.layers
    )
    assert spent <= budget + 1


def link(cap: BandwidthCap, capacity: float, seconds: int, at: float, demand: float = 3e6) -> tuple[list[float], float]:
    """Run a receiver behind a link of that capacity; returns what was sent each second and the time."""
    sent = []
    for _ in range(seconds):
        wanted = demand if cap.bits_per_second is None else min(demand, cap.bits_per_second)
        loss = max(0.0, 1 - capacity / wanted)
        cap.update(at, wanted, demand, min(capacity, 1.5 * wanted), loss)
        sent.append(wanted)
        at += 1
    return sent, at


def test_a_narrow_link_is_found_within_seconds_and_tried_ever_less_often() -> None:
    cap = BandwidthCap()
    sent, _ = link(cap, 500_000, 300, 0.0)
    assert all(s <= 650_000 for s in sent[12:20])
    over = [i for i, s in enumerate(sent) if s > 500_000]
    assert sum(1 for i in over if i > 150) <= sum(1 for i in over if i <= 150) / 2
    assert max(sent[12:]) < 900_000


def test_a_link_that_recovers_is_used_again() -> None:
    cap = BandwidthCap()
    _, at = link(cap, 300_000, 30, 0.0)
    assert cap.bits_per_second is not None
    sent, _ = link(cap, 50e6, 120, at)
    assert cap.bits_per_second is None and sent[-1] == 3e6


def test_low_estimates_count_only_in_a_row() -> None:
    cap = BandwidthCap()
    for second, estimate in enumerate((5e5, 5e5, 2e6, 5e5, 5e5)):
        cap.update(second, 1e6, 1e6, estimate, 0.0)
        assert cap.bits_per_second is None
    cap.update(6.0, 1e6, 1e6, 5e5, 0.0)
    assert cap.bits_per_second is not None and cap.bits_per_second < 5e5


def test_a_receiver_that_is_late_itself_is_not_taken_for_a_narrow_line() -> None:
    cap = BandwidthCap()
    for second in range(60):
        cap.update(second, 1e6, 1e6, 0.8e6, 0.01)
    assert cap.bits_per_second is None


def test_estimates_at_negligible_rates_are_ignored() -> None:
    cap = BandwidthCap()
    for second in range(10):
        cap.update(second, 40_000, 1e6, 20_000, 0.0)
    assert cap.bits_per_second is None
