from __future__ import annotations

import math
import time

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberation.outcomes.moral_graph import Settings, WiserVote, moral_graph, rank, summarise, summary
from deliberation.outcomes.record import Item, Judgement, Record


def votes(source: str, to: str, wiser: int, not_wiser: int = 0, unsure: int = 0, context: str = "c") -> list[WiserVote]:
    answers = [1] * wiser + [-1] * not_wiser + [0] * unsure
    return [WiserVote(f"{source}{to}{i}", source, to, context, answer) for i, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("counts", "likelihood", "entropy"),
    [
        ((4, 0, 0, 0), 1.0, 0.0),
        ((2, 1, 1, 0), 0.5, 1.5),
        ((1, 1, 1, 1), 0.0, 2.0),
        ((3, 0, 0, 1), 0.5, -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))),
        ((0, 0, 0, 0), 0.0, 0.0),
    ],
)
def test_likelihood_and_entropy_equal_the_hand_worked_cases(counts: tuple[int, ...], likelihood: float, entropy: float) -> None:
    assert summary(*counts) == pytest.approx((likelihood, entropy))


@pytest.mark.parametrize(
    ("cast", "kept"),
    [
        (votes("a", "b", 2), True),
        (votes("a", "b", 1), False),  # wiser < 2
        (votes("a", "b", 2, 2, 2), True),  # likelihood 1/3 = .333 ≥ .33, entropy log2 3 = 1.585
        (votes("a", "b", 2, 3, 2), False),  # likelihood 2/7 < .33
        (votes("a", "b", 4, 1, 1) + votes("b", "a", 1), True),  # (4 − 1)/7 = .43, entropy 1.66
        (votes("a", "b", 5, 2, 2) + votes("b", "a", 1), False),  # (5 − 1)/10 = .4, entropy 1.76 > 1.69
    ],
)
def test_edges_are_kept_by_the_three_thresholds(cast: list[WiserVote], kept: bool) -> None:
    edge = next(e for e in summarise(cast) if (e.source, e.to) == ("a", "b"))
    assert edge.kept is kept


def test_an_answer_the_other_way_round_counts_as_less_wise() -> None:
    edges = {(e.source, e.to): e for e in summarise(votes("a", "b", 3, 1) + votes("b", "a", 2, 1))}
    assert (edges["a", "b"].wiser, edges["a", "b"].not_wiser, edges["a", "b"].less_wise) == (3, 1, 2)
    assert edges["a", "b"].likelihood == pytest.approx(1 / 6) and edges["b", "a"].less_wise == 3


def test_only_a_person_s_last_answer_counts_and_a_value_is_not_wiser_than_itself() -> None:
    cast = [WiserVote("p", "a", "b", "c", 1), WiserVote("p", "a", "b", "c", -1), WiserVote("p", "a", "a", "c", 1)]
    (edge,) = summarise(cast)
    assert (edge.wiser, edge.not_wiser, edge.people) == (0, 1, 1)


EDGES = st.dictionaries(
    st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda e: e[0] != e[1]), st.floats(0.33, 1), min_size=1, max_size=20
)


@settings(max_examples=60, deadline=None)
@given(EDGES)
def test_the_rank_differs_from_networkx_by_the_dangling_rule_alone(weights: dict[tuple[int, int], float]) -> None:
    ours = rank([(str(a), str(b), w) for (a, b), w in weights.items()])
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(str(a), str(b), w) for (a, b), w in weights.items()])
    theirs = nx.pagerank(graph, alpha=0.85, tol=1e-12, max_iter=1000)
    total = sum(ours.values())
    # Handing dangling mass to everybody alike scales every score by the same factor; with nothing dangling there is no difference.
    assert all(ours[name] / total == pytest.approx(theirs[name], abs=1e-8) for name in graph)
    dangling = [name for name in graph if graph.out_degree(name) == 0]
    assert (total < 1 - 1e-9) is bool(dangling)
    lost = 0.85 * sum(ours[name] for name in dangling)
    assert 0.15 + 0.85 * total - lost == pytest.approx(total, abs=1e-9), "what is missing is exactly what dangles"


def test_ten_thousand_values_and_a_hundred_thousand_edges_are_ranked_within_five_seconds() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 10_000, (100_000, 2))
    edges = [(str(a), str(b), 0.5) for a, b in pairs.tolist() if a != b]
    started = time.perf_counter()
    scores = rank(edges)
    assert time.perf_counter() - started < 5
    assert len(scores) > 9_900


def record() -> Record:
    cards = (
        Item("v1", "value", "Honesty", attributes={"attend": "truths that matter even when they hurt"}),
        Item("v2", "value", "Kindness", attributes={"attend": "what the person can bear to hear now"}),
        Item("v3", "value", "Honesty", attributes={"attend": "truths that matter, even when they hurt"}),
    )
    judged = [("p1", "v1", "v2"), ("p2", "v3", "v2"), ("p3", "v1", "v2")]
    return Record(items=cards, judgements=tuple(
        Judgement(who, source, "wiser", 1, versus=to, context="bad news") for who, source, to in judged
    ))


def test_cards_that_read_alike_are_proposed_and_merged_only_once_confirmed() -> None:
    asked = moral_graph(record())
    assert [(p.first, p.second) for p in asked.proposals] == [("v1", "v3")]
    assert {(e.source, e.to): e.wiser for e in asked.edges if e.wiser} == {("v1", "v2"): 2, ("v3", "v2"): 1}
    confirmed = moral_graph(record(), Settings(same=(("v1", "v3"),)))
    assert {(e.source, e.to): e.wiser for e in confirmed.edges if e.wiser} == {("v1", "v2"): 3}
    assert confirmed.proposals == ()


def test_the_graph_ranks_values_and_gives_preference_pairs_with_their_context() -> None:
    outcome = moral_graph(record(), Settings(same=(("v1", "v3"),)))
    assert [v.value for v in outcome.values] == ["v2", "v1"]
    assert outcome.values[0].contexts == ("bad news",) and outcome.people == 3
    (pair,) = outcome.preferences
    assert pair.context == "bad news" and pair.chosen.startswith("Kindness") and pair.rejected.startswith("Honesty")
    assert pair.weight == 1


def test_no_votes_make_no_graph() -> None:
    outcome = moral_graph(Record(items=(Item("v1", "value", "Honesty"),)))
    assert outcome.values == () and outcome.edges == ()


def test_a_value_with_a_parent_was_confirmed_to_be_the_same() -> None:
    base = record()
    merged = tuple(Item(i.id, "value", i.text, parent="v1" if i.id == "v3" else "", attributes=i.attributes) for i in base.items)
    outcome = moral_graph(Record(items=merged, judgements=base.judgements))
    assert {(e.source, e.to): e.wiser for e in outcome.edges if e.wiser} == {("v1", "v2"): 3} and outcome.proposals == ()
