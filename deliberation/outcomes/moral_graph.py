"""The moral graph: which values people, after talking, find wiser than which others, in which context.

Owns: proposals for merging values cards, votes "is this one wiser?" summed to edges, which edges are kept, and the ranking. Method:
Klingefjord, Lowe & Edelman 2024, "What are human values, and how do we align AI to them?" (arXiv 2404.10636, §5) and its released code
(meaningalignment, `moral-graph.ts`): T = wiser + not wiser + unsure + less wise; likelihood = (wiser − less wise)/T; an edge is kept with
wiser ≥ 2, likelihood ≥ .33, entropy ≤ 1.69 bits over the four answers; PageRank with d = .85, edges weighted by likelihood, no
redistribution of what dangling values hold. Never drafts a card and never merges two without people saying so. Pure; called by `registry`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from deliberation.outcomes.record import Item, Record, unite
from deliberation.outcomes.text import similar_pairs

VERSION = "2"
_ABOUT_A_CARD = ("contexts", "origin", "papers", "rooms", "rounds", "cohorts")  # attributes that are no words of it


@dataclass(frozen=True, slots=True)
class Settings:
    """The paper's thresholds. `same` lists confirmed pairs of values that are one; `propose` is the similarity from which to ask."""

    least_wiser: int = 2
    least_likelihood: float = 0.33
    most_entropy: float = 1.69
    damping: float = 0.85
    propose: float = 0.5
    same: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WiserVote:
    """One answer to "is `to` wiser than `source` in this context?": 1 wiser, −1 not wiser, 0 unsure."""

    participant: str
    source: str
    to: str
    context: str
    answer: int


@dataclass(frozen=True, slots=True)
class Edge:
    """`to` against `source`: answers, their summary, and whether it is kept. `less_wise` counts answers the other way round."""

    source: str
    to: str
    contexts: tuple[str, ...]
    wiser: int
    not_wiser: int
    unsure: int
    less_wise: int
    people: int
    likelihood: float
    entropy: float
    kept: bool


@dataclass(frozen=True, slots=True)
class RankedValue:
    """A value with its rank score (PageRank; they sum to less than 1 where values dangle) and the contexts in which it is wiser."""

    value: str
    title: str
    score: float
    contexts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MergeProposal:
    """Two values whose cards read alike; a person says whether they are one."""

    first: str
    second: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Preference:
    """A pair for tuning a model: in `context`, the text `chosen` over the text `rejected`, with the likelihood of the edge that it is."""

    source: str
    to: str
    context: str
    chosen: str
    rejected: str
    weight: float


@dataclass(frozen=True, slots=True)
class MoralGraph:
    """The outcome: values on kept edges by falling score; all edges, kept or not; merges to ask about; preference pairs."""

    people: int
    values: tuple[RankedValue, ...]
    edges: tuple[Edge, ...]
    proposals: tuple[MergeProposal, ...]
    preferences: tuple[Preference, ...]


def moral_graph(record: Record, settings: Settings = Settings()) -> MoralGraph:
    """Build the graph from items of kind "value" and judgements of kind "wiser".

    A value whose parent is another value was confirmed to be the same as that one.
    """
    cards = {item.id: item for item in record.items if item.kind == "value"}
    confirmed = tuple((card.parent, card.id) for card in cards.values() if card.parent in cards)
    canonical = unite(cards, (*confirmed, *settings.same))
    votes = [
        WiserVote(j.participant, canonical.get(j.item, j.item), canonical.get(j.versus, j.versus), j.context, round(j.value))
        for j in sorted(record.judgements, key=lambda j: j.at) if j.kind == "wiser" and j.confidence is None
    ]
    edges = summarise(votes, settings)
    kept = [edge for edge in edges if edge.kept]
    scores = rank([(edge.source, edge.to, edge.likelihood) for edge in kept], settings.damping)
    values = tuple(
        RankedValue(
            name, _title(cards.get(name)), score, tuple(sorted({c for edge in kept if edge.to == name for c in edge.contexts}))
        )
        for name, score in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    )
    kept_cards = [card for name, card in cards.items() if canonical[name] == name]
    preferences = tuple(
        Preference(edge.source, edge.to, context, card_text(cards[edge.to]), card_text(cards[edge.source]), edge.likelihood)
        for edge in kept if edge.to in cards and edge.source in cards for context in edge.contexts
    )
    return MoralGraph(len({vote.participant for vote in votes}), values, edges, propose(kept_cards, settings.propose), preferences)


def propose(cards: Sequence[Item], least: float) -> tuple[MergeProposal, ...]:
    """Name pairs of cards that read alike, most alike first."""
    pairs = similar_pairs([card_text(card) for card in cards], least)
    return tuple(MergeProposal(cards[i].id, cards[j].id, similarity) for i, j, similarity in pairs)


def summarise(votes: Iterable[WiserVote], settings: Settings = Settings()) -> tuple[Edge, ...]:
    """Sum answers to edges. A person's last answer on a pair in a context counts; a value is never compared with itself."""
    latest = {(v.participant, v.source, v.to, v.context): v for v in votes if v.source != v.to}
    answers: dict[tuple[str, str], list[WiserVote]] = {}
    for vote in latest.values():
        answers.setdefault((vote.source, vote.to), []).append(vote)
    edges = []
    for source, to in sorted({*answers, *((b, a) for a, b in answers)}):
        own, reverse = answers.get((source, to), []), answers.get((to, source), [])
        counts = [sum(v.answer == a for v in own) for a in (1, -1, 0)] + [sum(v.answer == 1 for v in reverse)]
        likelihood, entropy = summary(*counts)
        kept = counts[0] >= settings.least_wiser and likelihood >= settings.least_likelihood and entropy <= settings.most_entropy
        both = own + reverse
        if own or counts[3]:
            edges.append(Edge(
                source, to, tuple(sorted({v.context for v in both})), counts[0], counts[1], counts[2], counts[3],
                len({v.participant for v in both}), likelihood, entropy, kept,
            ))
    return tuple(edges)


def summary(wiser: int, not_wiser: int, unsure: int, less_wise: int) -> tuple[float, float]:
    """Return (likelihood, entropy in bits) of the four answers; (0, 0) where there is none."""
    counts = (wiser, not_wiser, unsure, less_wise)
    total = sum(counts)
    if not total:
        return 0.0, 0.0
    entropy = -sum(count / total * math.log2(count / total) for count in counts if count)
    return (wiser - less_wise) / total, entropy


def rank(edges: Iterable[tuple[str, str, float]], damping: float = 0.85, tolerance: float = 1e-12) -> Mapping[str, float]:
    """Return PageRank of (source, to, weight > 0) edges, without redistributing what dangling values hold.

    x = (1 − d)/n + d · Wᵀx with W's rows summing to 1; a value with no wiser one passes nothing on, so scores sum to less than 1.
    Power iteration; O(edges) a step, and the error shrinks by d with every step.
    """
    listed = list(edges)
    names = sorted({name for source, to, _ in listed for name in (source, to)})
    if not names:
        return {}
    index = {name: i for i, name in enumerate(names)}
    sources = np.array([index[source] for source, _, _ in listed])
    targets = np.array([index[to] for _, to, _ in listed])
    weights = np.array([weight for _, _, weight in listed], dtype=float)
    out = np.bincount(sources, weights=weights, minlength=len(names))
    flow = sparse.csr_matrix((weights / out[sources], (targets, sources)), (len(names), len(names)))
    scores = np.full(len(names), 1 / len(names))
    moved = 1.0
    while moved > tolerance:
        updated = (1 - damping) / len(names) + damping * (flow @ scores)
        moved = float(np.abs(updated - scores).sum())
        scores = updated
    return {name: float(score) for name, score in zip(names, scores, strict=True)}


def card_text(card: Item) -> str:
    """Return a values card as one text: its title and what to attend to."""
    told = (card.attributes[key] for key in sorted(card.attributes) if key not in _ABOUT_A_CARD)
    return " ".join([card.text, *told]).strip()


def _title(card: Item | None) -> str:
    return card.text if card else ""
