"""The opinion map: who votes alike, what each group stands for, and what all groups agree on.

Owns the method of Polis (Small et al. 2021, "Polis: scaling deliberation by mapping high dimensional opinion spaces", and its released
code, compdemocracy/polis `math/`): mean-imputed PCA to two axes, projections scaled by √(C / votes), k-means into at most 100 base
clusters, groups of base clusters with k by silhouette, two-proportion tests for what represents a group, and group-informed consensus.
Adds the next round's agenda (vTaiwan's recursion). Never reads text or names an author: statements appear without who wrote them
(Chatham House Rule). Pure; deterministic for a seed. Called by `registry`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.utils.extmath import randomized_svd

from deliberation.errors import InvalidInput
from deliberation.outcomes.votes import JudgementMatrix

VERSION = "1"
Z90 = 1.2816
"""One-sided 90 % point of the normal distribution: Polis's level for "significant" (`stats.clj`)."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KState:
    """What the stability rule remembers between runs: the last best k, how often in a row, and the k shown."""

    last_k: int
    count: int
    shown_k: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Polis's own numbers (`conversation.clj`), except `k_margin`, `min_seen` and `vague_passes`, which are ours.

    The smallest k whose silhouette is within `k_margin` of the best is taken: smaller differences change with the random seed.
    A statement seen by fewer than `min_seen` is neither consensus nor agenda.

    `groups` forces k; `groups_from` takes the groups from a segment of the votes instead of finding them; `previous` carries the
    stability rule's memory; `vague` adds statements that a facilitator or model marked as agreed but vague.
    """

    min_votes: int = 7
    min_people: int = 15
    base_clusters: int = 100
    max_groups: int = 5
    k_buffer: int = 4
    k_margin: float = 0.02
    representative: int = 5
    vague_passes: float = 0.25
    min_seen: int = 5
    groups: int | None = None
    groups_from: str = ""
    previous: KState | None = None
    vague: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Representative:
    """A statement that marks a group: `share` (0–1) of its members who voted that way, `ratio` to everybody else's share, both tests' z."""

    item: str
    direction: Literal["agree", "disagree"]
    votes: int
    people: int
    share: float
    share_z: float
    ratio: float
    ratio_z: float


@dataclass(frozen=True, slots=True)
class Group:
    """One opinion group; `people` in it, `centre` on the map, and what represents it, agreements first."""

    id: str
    people: int
    centre: tuple[float, float]
    representative: tuple[Representative, ...]


@dataclass(frozen=True, slots=True)
class GroupVotes:
    """How one group voted on one statement; `people` saw it."""

    group: str
    agrees: int
    disagrees: int
    people: int


@dataclass(frozen=True, slots=True)
class StatementFigures:
    """One statement over everybody (`agrees` … `people`) and over the groups.

    `consensus` = Π_g (A_g + 1)/(S_g + 2), `consensus_against` the same for disagreement; `divide` is the largest difference between two
    groups' (A_g + 1)/(S_g + 2).
    """

    item: str
    agrees: int
    disagrees: int
    people: int
    consensus: float
    consensus_against: float
    divide: float
    by_group: tuple[GroupVotes, ...]


@dataclass(frozen=True, slots=True)
class AgendaItem:
    """A statement for the next round: it `divides` the groups, or all agree but it is `vague`."""

    item: str
    why: Literal["divides", "vague"]


@dataclass(frozen=True, slots=True)
class MapRows:
    """Row level: position and group ("" = too few votes) of each participant."""

    participants: tuple[str, ...]
    x: Floats
    y: Floats
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpinionMap:
    """The whole outcome. `enough` is False, with `note` saying why, where there are too few people to speak of groups."""

    enough: bool
    note: str
    people: int
    people_grouped: int
    groups: tuple[Group, ...]
    silhouettes: dict[int, float]
    stability: KState | None
    statements: tuple[StatementFigures, ...]
    consensus: tuple[str, ...]
    next_agenda: tuple[AgendaItem, ...]
    rows: MapRows


def opinion_groups(matrix: JudgementMatrix, settings: Settings = Settings()) -> OpinionMap:
    """Place participants, find groups, and weigh every statement. Raises InvalidInput for an unknown `groups_from`."""
    points = project(matrix, settings.seed)
    people = int((matrix.votes_per_person() > 0).sum())
    silhouettes: dict[int, float] = {}
    state = settings.previous
    note = ""
    if settings.groups_from:
        labels = np.array(matrix.segment(settings.groups_from))
    else:
        labels = np.full(len(matrix.participants), "", dtype=object)
        taking_part = participating(matrix, settings)
        if len(taking_part) < settings.min_people:
            note = f"{len(taking_part)} people voted; groups are sought from {settings.min_people} people on"
        elif _distinct(points[taking_part]) < 2:
            note = "everybody voted alike: there are no groups to tell apart"
        else:
            found, silhouettes, state = _find_groups(points[taking_part], settings)
            labels[taking_part] = [str(group) for group in found]
    ids = sorted({str(label) for label in labels if label}, key=lambda name: (len(name), name))
    votes = _group_votes(matrix, labels, ids)
    statements = _statements(matrix, ids, votes)
    judged = [statement for statement in statements if statement.people >= settings.min_seen]
    grouped = tuple(str(label) for label in labels)
    groups = tuple(
        Group(
            name, sum(label == name for label in grouped),
            _centre(points, np.array([label == name for label in grouped])),
            _representative(matrix.items, votes, index, settings.representative),
        )
        for index, name in enumerate(ids)
    )
    return OpinionMap(
        enough=bool(groups), note=note, people=people, people_grouped=sum(group.people for group in groups), groups=groups,
        silhouettes=silhouettes, stability=state, statements=statements, consensus=_consensus(judged, len(ids)),
        next_agenda=_next_agenda(judged, settings), rows=MapRows(matrix.participants, points[:, 0], points[:, 1], grouped),
    )


def project(matrix: JudgementMatrix, seed: int = 0) -> Floats:
    """Return each participant's place on the two main axes, (n, 2).

    An unseen statement counts as that statement's mean (so as 0 once centred), and the place is scaled by √(C / votes) to undo the pull
    towards the middle on those who saw few of the C statements (`pca.clj`, sparsity-aware projection).
    """
    people, statements = matrix.shape
    if not len(matrix.votes):
        return np.zeros((people, 2))
    seen = np.bincount(matrix.cols, minlength=statements)
    means = np.bincount(matrix.cols, weights=matrix.votes, minlength=statements) / np.maximum(seen, 1)
    centred = matrix.values()
    centred.data -= means[matrix.cols]
    axes = randomized_svd(centred, n_components=min(2, people, statements), n_iter=10, random_state=seed)[2]
    places = np.zeros((people, 2))
    places[:, : len(axes)] = centred @ axes.T
    places *= np.sqrt(statements / np.maximum(matrix.votes_per_person(), 1))[:, None]
    return places


def participating(matrix: JudgementMatrix, settings: Settings = Settings()) -> Ints:
    """Return the indices of those whose place means something: at least min(7, C) votes.

    Where they are fewer than `min_people`, those with the most votes join them until they are that many (`conversation.clj`, in-conv).
    """
    votes = matrix.votes_per_person()
    enough = votes >= max(1, min(settings.min_votes, len(matrix.items)))
    short = settings.min_people - int(enough.sum())
    if short > 0:
        others = np.flatnonzero(~enough & (votes > 0))
        enough[others[np.argsort(-votes[others], kind="stable")][:short]] = True
    return np.flatnonzero(enough)


def smooth_k(previous: KState | None, best_k: int, buffer: int) -> KState:
    """Polis's stability rule: show another k only once it was best `buffer` times in a row (`conversation.clj`, group-k-smoother)."""
    count = previous.count + 1 if previous and previous.last_k == best_k else 1
    shown = best_k if previous is None or count >= buffer else previous.shown_k
    return KState(best_k, count, shown)


def group_informed_consensus(agrees: Floats, seen: Floats) -> Floats:
    """Return Π_g (A_g + 1)/(S_g + 2) for counts (groups, statements): high only where every group agrees (Small et al. 2021, §3.5)."""
    product: Floats = np.prod((agrees + 1) / (seen + 2), axis=0)
    return product


def share_test(successes: float, trials: float) -> float:
    """Return z of the share being above one half, with one success added (`stats.clj`, prop-test)."""
    return float(2 * math.sqrt(trials + 1) * ((successes + 1) / (trials + 1) - 0.5))


def difference_test(inside: float, outside: float, trials_inside: float, trials_outside: float) -> float:
    """Return z of the share inside being above the share outside, with one success added on both sides (`stats.clj`, two-prop-test)."""
    n_in, n_out = trials_inside + 1, trials_outside + 1
    pooled = (inside + outside + 2) / (n_in + n_out)
    if pooled >= 1:
        return 0.0
    difference = (inside + 1) / n_in - (outside + 1) / n_out
    return float(difference / math.sqrt(pooled * (1 - pooled) * (1 / n_in + 1 / n_out)))


@dataclass(frozen=True, slots=True)
class _GroupCounts:
    """Votes per group and statement, each (groups, statements)."""

    agrees: Floats
    disagrees: Floats
    seen: Floats


def _find_groups(points: Floats, settings: Settings) -> tuple[Ints, dict[int, float], KState]:
    # People who voted alike differ in their last bits, and k-means leaves the clusters between them empty: only full ones count.
    base = KMeans(min(settings.base_clusters, _distinct(points)), n_init=1, random_state=settings.seed).fit(points)
    full, place, sizes = np.unique(base.labels_, return_inverse=True, return_counts=True)
    centres = base.cluster_centers_[full]
    largest = min(settings.max_groups, 2 + len(centres) // 12)
    wanted = [settings.groups] if settings.groups else list(range(2, largest + 1))
    if max(wanted) > len(centres):
        raise InvalidInput("too_many_groups", f"{len(centres)} distinct places cannot make {max(wanted)} groups")
    clusterings, silhouettes = {}, {}
    for k in wanted:
        labels = KMeans(k, n_init=10, random_state=settings.seed).fit(centres, sample_weight=sizes).labels_
        clusterings[k] = labels
        silhouettes[k] = float(silhouette_score(centres, labels)) if 2 <= k < len(centres) else 0.0
    best = min(k for k in silhouettes if silhouettes[k] >= max(silhouettes.values()) - settings.k_margin)
    state = smooth_k(settings.previous, best, settings.k_buffer)
    if state.shown_k not in clusterings:
        state = KState(best, 1, best)
    return _by_size(clusterings[state.shown_k][place]), silhouettes, state


def _distinct(points: Floats) -> int:
    """Count the places that differ by more than rounding."""
    return len(np.unique(points.round(9), axis=0))


def _by_size(labels: Ints) -> Ints:
    """Name the groups from the largest down, so that the same votes give the same names."""
    sizes = np.bincount(labels)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    renamed: Ints = rank[labels]
    return renamed


def _group_votes(matrix: JudgementMatrix, labels: Sequence[str] | NDArray[Any], ids: Sequence[str]) -> _GroupCounts:
    statements = len(matrix.items)
    index_of = {name: index for index, name in enumerate(ids)}
    group = np.array([index_of.get(str(label), -1) for label in labels], dtype=np.int64)[matrix.rows]

    def count(chosen: NDArray[np.bool_]) -> Floats:
        chosen = chosen & (group >= 0)
        cells = group[chosen] * statements + matrix.cols[chosen]
        return np.bincount(cells, minlength=len(ids) * statements).reshape(len(ids), statements).astype(float)

    return _GroupCounts(count(matrix.votes == 1), count(matrix.votes == -1), count(np.ones(len(matrix.votes), dtype=bool)))


def _statements(matrix: JudgementMatrix, ids: Sequence[str], votes: _GroupCounts) -> tuple[StatementFigures, ...]:
    tally = matrix.tally()
    consensus = group_informed_consensus(votes.agrees, votes.seen)
    against = group_informed_consensus(votes.disagrees, votes.seen)
    shares = (votes.agrees + 1) / (votes.seen + 2)
    divide = shares.max(axis=0) - shares.min(axis=0) if len(ids) else np.zeros(len(matrix.items))
    return tuple(
        StatementFigures(
            name, int(tally.agrees[i]), int(tally.disagrees[i]), int(tally.seen[i]), float(consensus[i]), float(against[i]),
            float(divide[i]),
            tuple(
                GroupVotes(group, int(votes.agrees[g, i]), int(votes.disagrees[g, i]), int(votes.seen[g, i]))
                for g, group in enumerate(ids)
            ),
        )
        for i, name in enumerate(matrix.items)
    )


def _representative(items: Sequence[str], votes: _GroupCounts, group: int, limit: int) -> tuple[Representative, ...]:
    """Choose as Polis does (`repness.clj`, select-rep-comments).

    Significant by both tests, best product of the four figures first; where nothing is, the statement with the strongest difference.
    """
    candidates = []
    for i, item in enumerate(items):
        seen = votes.seen[group, i]
        if not seen:
            continue
        outside_seen = votes.seen[:, i].sum() - seen
        both = []
        for direction, counts in (("agree", votes.agrees), ("disagree", votes.disagrees)):
            inside, outside = counts[group, i], counts[:, i].sum() - counts[group, i]
            share = (inside + 1) / (seen + 2)
            both.append(Representative(
                item, "agree" if direction == "agree" else "disagree", int(inside), int(seen), float(share),
                share_test(inside, seen), float(share / ((outside + 1) / (outside_seen + 2))),
                difference_test(inside, outside, seen, outside_seen),
            ))
        candidates.append(both[0] if both[0].ratio_z > both[1].ratio_z else both[1])
    significant = [c for c in candidates if c.ratio_z > Z90 and c.share_z > Z90]
    if not significant:
        return (max(candidates, key=lambda c: c.ratio_z),) if candidates else ()
    best = sorted(significant, key=lambda c: -c.ratio * c.ratio_z * c.share * c.share_z)[:limit]
    return tuple(sorted(best, key=lambda c: c.direction == "disagree"))


def _consensus(statements: Sequence[StatementFigures], groups: int) -> tuple[str, ...]:
    """Statements on which each group's majority agrees significantly, by falling group-informed consensus."""
    agreed = [s for s in statements if groups and all(_majority(g.agrees, g.people) for g in s.by_group)]
    return tuple(s.item for s in sorted(agreed, key=lambda s: -s.consensus))


def _next_agenda(statements: Sequence[StatementFigures], settings: Settings) -> tuple[AgendaItem, ...]:
    """Return what divides, then what is agreed but vague.

    A statement divides when one group's majority is for it and another's against it, both significantly. It is vague when every group
    leans towards it, yet at least `vague_passes` of those who saw it passed, or somebody marked it so.
    """
    divides, vague = [], []
    for s in statements:
        if any(_majority(g.agrees, g.people) for g in s.by_group) and any(_majority(g.disagrees, g.people) for g in s.by_group):
            divides.append(s)
        elif s.by_group and all(2 * g.agrees > g.agrees + g.disagrees for g in s.by_group):
            passes = (s.people - s.agrees - s.disagrees) / s.people
            if passes >= settings.vague_passes or s.item in settings.vague:
                vague.append(s)
    divides.sort(key=lambda s: -s.divide)
    vague.sort(key=lambda s: -s.consensus)
    return (*(AgendaItem(s.item, "divides") for s in divides), *(AgendaItem(s.item, "vague") for s in vague))


def _majority(votes: int, seen: int) -> bool:
    return votes * 2 > seen and share_test(votes, seen) > Z90


def _centre(points: Floats, members: NDArray[np.bool_]) -> tuple[float, float]:
    x, y = points[members].mean(axis=0)
    return float(x), float(y)
