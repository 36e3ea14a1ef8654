from __future__ import annotations

import random
import warnings
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberation.errors import InvalidInput
from deliberation.outcomes.ballots import Count, Ranking, Settings, count, parse_ballots, schulze
from deliberation.outcomes.record import Ballot

OPTIONS = ("0", "1", "2", "3")


def election(text: str) -> list[Ranking]:
    """Read "8: a c d b, 2: b a" (equal ranks as "a=c"); options left out come last."""
    rankings: list[Ranking] = []
    for part in text.split(","):
        number, order = part.split(":")
        rankings += [tuple(tuple(group.split("=")) for group in order.split())] * int(number)
    return rankings


SCHULZE_EXAMPLES = [
    # Schulze, "The Schulze method of voting" (arXiv 1804.02973), examples 1–13 of section 3: ballots, winners, some strongest paths.
    ("8: a c d b, 2: b a d c, 4: c d b a, 4: d b a c, 3: d c b a", "abcd", "d", {"ab": 14, "da": 13, "db": 19, "cb": 15}),
    ("3: a c d b, 9: b a c d, 8: c d a b, 5: d a b c, 5: d b c a", "abcd", "c", {"ca": 18, "cb": 20, "db": 21, "ab": 17}),
    (
        "5: a c b e d, 5: a d e c b, 8: b e d a c, 3: c a b e d, 7: c a e b d, 2: c b a d e, 7: d c e b a, 8: e b a d c",
        "abcde", "e", {"ab": 28, "ad": 30, "bd": 33, "ea": 25, "ed": 31},
    ),
    ("3: a b c d, 2: c b d a, 2: d a b c, 2: d b c a", "abcd", "bd", {"bc": 7, "da": 6}),
    ("12: a b c d, 6: a d b c, 9: b c d a, 15: c d a b, 21: d b a c", "abcd", "d", {"da": 45, "db": 42, "bc": 48}),
    ("8: a c d b, 2: b c d a, 3: b d a c, 5: c b d a, 1: c d b a, 3: d a b c, 1: d b a c", "abcd", "ac", {"cd": 16, "ab": 14}),
    (
        "3: a d e b c f, 3: b f e c d a, 4: c a b f d e, 1: d b c e f a, 4: d e f a b c, 2: e c b d f a, 2: f a c d b e",
        "abcdef", "a", {},
    ),
    (
        "3: a d e b c f, 3: b f e c d a, 4: c a b f d e, 1: d b c e f a, 4: d e f a b c, 2: e c b d f a, 2: f a c d b e, 2: a e f c b d",
        "abcdef", "d", {},
    ),
    (
        "3: a b d c, 5: a d b c, 1: a d c b, 2: b a d c, 2: b d c a, 4: c a b d, 6: c b a d, 2: d b c a, 5: d c a b",
        "abcd", "a", {"ab": 18, "ad": 21, "ca": 19},
    ),
    (
        "3: a b d e c, 5: a d e b c, 1: a d e c b, 2: b a d e c, 2: b d e c a, 4: c a b d e, 6: c b a d e, 2: d b e c a, 5: d e c a b",
        "abcde", "b", {"ba": 19, "ab": 18, "de": 30},
    ),
    ("5: a c d b, 2: b c d a, 4: b d a c, 2: c d a b", "abcd", "a", {}),
    ("5: a e c d b, 2: b c d a e, 4: b d a e c, 2: c d a b e", "abcde", "b", {}),
    (
        "6: a b c d, 8: a=b, 8: a=c, 18: a=c d, 8: a=c=d, 40: b, 4: c b d, 9: c d a, 8: c=d, 14: d a b, 11: d b c, 4: d c a",
        "abcd", "d", {"ab": 67, "da": 50, "dc": 72},
    ),
    (
        "9: a d b e c, 6: b c a d e, 5: b c d e a, 2: c d b e a, 6: d e c b a, 14: e a c b d, 2: e c a b d, 1: e d a c b",
        "abcde", "b", {"ba": 27, "ec": 32, "ad": 31},
    ),
    ("9: a d b e c, 1: b a c e d, 6: c b a d e, 2: c d b e a, 5: c d e a b, 6: d e c a b, 14: e b a c d, 2: e b c a d", "abcde", "e", {}),
    ("2: a b c, 2: b c a, 1: c a b", "abc", "ab", {"bc": 4}),
]


@pytest.mark.parametrize(("ballots", "options", "winners", "paths"), SCHULZE_EXAMPLES)
def test_schulze_gives_the_published_results(ballots: str, options: str, winners: str, paths: dict[str, int]) -> None:
    outcome = schulze(election(ballots), tuple(options))
    assert outcome.winners == tuple(winners)
    strength = {(link.winner, link.loser): link.path for link in outcome.links}
    strength |= {(link.loser, link.winner): link.path_back for link in outcome.links}
    for pair, expected in paths.items():
        assert strength[pair[0], pair[1]] == expected


def test_schulze_ranks_everybody_in_the_45_voter_example() -> None:
    outcome = schulze(election(SCHULZE_EXAMPLES[2][0]), tuple("abcde"))
    assert outcome.order == (("e",), ("a",), ("c",), ("b",), ("d",))


RANKINGS = st.lists(st.permutations(OPTIONS), min_size=1, max_size=12)
WEAK = st.lists(st.lists(st.integers(1, 3), min_size=4, max_size=4), min_size=1, max_size=9)
TRUNCATED = st.lists(st.tuples(st.permutations(OPTIONS), st.integers(1, 4)), min_size=1, max_size=10)


def strict(rankings: Sequence[Sequence[str]]) -> list[Ballot]:
    return [Ballot(str(i), ranking=tuple((option,) for option in order)) for i, order in enumerate(rankings)]


def winners(outcome: Count) -> list[int]:
    return sorted(int(option) for option in outcome.winners)


@settings(max_examples=60, deadline=None)
@given(RANKINGS)
def test_plurality_irv_and_schulze_agree_with_pref_voting(rankings: list[list[str]]) -> None:
    from pref_voting.iterative_methods import instant_runoff
    from pref_voting.margin_based_methods import beat_path
    from pref_voting.profiles_with_ties import ProfileWithTies
    from pref_voting.scoring_methods import plurality

    # Its class for strict orders compiles for ten seconds; this one counts the same.
    profile = ProfileWithTies([{int(option): place for place, option in enumerate(order)} for order in rankings], candidates=[0, 1, 2, 3])
    ballots = strict(rankings)
    assert winners(count(ballots, Settings("plurality", options=OPTIONS))) == plurality(profile)
    assert winners(count(ballots, Settings("irv", options=OPTIONS))) == instant_runoff(profile)
    # Without ties and gaps winning votes and margins order links alike.
    assert winners(count(ballots, Settings("schulze", options=OPTIONS))) == beat_path(profile)


@settings(max_examples=60, deadline=None)
@given(WEAK)
def test_schulze_by_winning_votes_agrees_with_pref_voting_on_weak_orders(ranks: list[list[int]]) -> None:
    from pref_voting.margin_based_methods import beat_path
    from pref_voting.profiles_with_ties import ProfileWithTies

    profile = ProfileWithTies([dict(enumerate(rank)) for rank in ranks], candidates=[0, 1, 2, 3])
    ballots = [
        Ballot(str(i), ranking=tuple(g for level in (1, 2, 3) if (g := tuple(str(c) for c in range(4) if rank[c] == level))))
        for i, rank in enumerate(ranks)
    ]
    theirs = beat_path(profile, strength_function=lambda a, b: profile.support(a, b))
    assert winners(count(ballots, Settings("schulze", options=OPTIONS))) == theirs


@settings(max_examples=60, deadline=None)
@given(TRUNCATED)
def test_irv_on_short_ballots_agrees_with_pref_voting(short: list[tuple[list[str], int]]) -> None:
    from pref_voting.iterative_methods import instant_runoff_for_truncated_linear_orders
    from pref_voting.profiles_with_ties import ProfileWithTies

    profile = ProfileWithTies(
        [{int(option): place for place, option in enumerate(order[:length])} for order, length in short], candidates=[0, 1, 2, 3]
    )
    ballots = strict([order[:length] for order, length in short])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = instant_runoff_for_truncated_linear_orders(profile)
    assert winners(count(ballots, Settings("irv", options=OPTIONS))) == theirs


def test_approval_agrees_with_abcvoting() -> None:
    from abcvoting.abcrules import compute_av
    from abcvoting.preferences import Profile

    generator = random.Random(1)
    for _ in range(25):
        approvals = [generator.sample(range(4), generator.randint(1, 3)) for _ in range(generator.randint(1, 9))]
        profile = Profile(4)
        profile.add_voters(approvals)
        theirs = sorted(next(iter(committee)) for committee in compute_av(profile, committeesize=1, resolute=False))
        ballots = [Ballot(str(i), approves=tuple(str(c) for c in approved)) for i, approved in enumerate(approvals)]
        assert winners(count(ballots, Settings("approval", options=OPTIONS))) == theirs


def test_quadratic_voting_equals_the_hand_worked_cases() -> None:
    # 100 power all on a; 100 split evenly: roots a 10 + √50, b √50; squares a 150 + 20√50 = 291.42, b 50; scaled to 200.
    ballots = [Ballot("x", allocation={"a": 1}, power=100), Ballot("y", allocation={"a": 3, "b": 3}, power=100)]
    outcome = count(ballots, Settings("quadratic", "given"))
    scores = {s.option: s.score for s in outcome.scores}
    assert scores["a"] == pytest.approx(200 * 291.42135623730951 / 341.42135623730951)
    assert sum(scores.values()) == pytest.approx(200) and outcome.winners == ("a",)
    # Four voters of one each on b outweigh one of nine on a: (4·1)² = 16 > 9.
    many = [Ballot("big", allocation={"a": 1}, power=9), *(Ballot(str(i), allocation={"b": 1}) for i in range(4))]
    assert count(many, Settings("quadratic", "given")).winners == ("b",)
    assert count(many, Settings("weighted", "given")).winners == ("a",)


def test_weighted_voting_spreads_power_in_proportion() -> None:
    ballots = [Ballot("x", allocation={"a": 3, "b": 1}, power=2), Ballot("y", allocation={"b": 5}, power=1)]
    given_power = {s.option: s.score for s in count(ballots, Settings("weighted", "given")).scores}
    equal_power = {s.option: s.score for s in count(ballots, Settings("weighted")).scores}
    assert given_power == {"a": 1.5, "b": 1.5} and equal_power == {"a": 0.75, "b": 1.25}
    assert count(ballots, Settings("weighted", "given")).winners == ("a", "b"), "exact: a tie is a tie"


def test_tied_first_places_are_split_and_thirds_stay_exact() -> None:
    ballots = [Ballot(str(i), ranking=(("a", "b", "c"),)) for i in range(3)]
    outcome = count(ballots, Settings("irv"))
    assert outcome.winners == ("a", "b", "c") and outcome.rounds[0].scores == {"a": 1, "b": 1, "c": 1}


def test_irv_tells_each_round_and_what_was_exhausted() -> None:
    outcome = count(
        [Ballot(str(i), ranking=r) for i, r in enumerate(election("4: a, 3: b a, 2: c"))], Settings("irv", options=("a", "b", "c"))
    )
    assert [r.eliminated for r in outcome.rounds] == [("c",), ()]
    assert outcome.rounds[1].exhausted == 2 and outcome.winners == ("a",)
    assert outcome.order == (("a",), ("b",), ("c",))


def test_empty_ballots_do_not_count_as_people() -> None:
    outcome = count([Ballot("x", approves=("a",)), Ballot("y")], Settings("approval", options=("a", "b")))
    assert outcome.people == 1 and [s.share for s in outcome.scores] == [1, 0]


@pytest.mark.parametrize(
    "ballot",
    [Ballot("x", ranking=(("z",),)), Ballot("x", ranking=(("a",), ("a",))), Ballot("x", power=-1), Ballot("x", allocation={"a": -1})],
)
def test_a_ballot_that_breaks_the_rules_is_refused(ballot: Ballot) -> None:
    with pytest.raises(InvalidInput):
        count([ballot], Settings(options=("a", "b")))


def test_ballots_are_read_from_csv() -> None:
    text = 'voter,ranking,approves,allocation,power\nx,a > b = c,"a; b",a: 3; b: 1,2\ny,,,,\n'
    first, second = parse_ballots(text)
    assert first == Ballot("x", (("a",), ("b", "c")), ("a", "b"), {"a": 3.0, "b": 1.0}, 2.0)
    assert second == Ballot("y")
    with pytest.raises(InvalidInput, match="line 2"):
        parse_ballots("voter,power\nx,much\n")
