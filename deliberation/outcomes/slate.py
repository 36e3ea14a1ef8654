"""A slate of k statements that stands for everybody: each statement for its own n/k people, and nobody left out who could be united.

Owns greedy balanced selection, the balanced matching of people to statements, and a verifier of balanced justified representation
(Fish, Gölz, Parkes, Procaccia, Rusak, Shapira & Wüthrich 2023, "Generative social choice", arXiv 2309.01291, Algorithm 1 and
Definition 1). Utilities are exact: they are handed in, or read off cast votes. Never writes a statement: it says what the largest group
that the slate leaves out agrees with, and takes in the statement that `facilitator` had a model draft for them (the paper's generative
query). Nobody has voted on that one, so it has no utility and no seat. Pure; called by `registry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from deliberation.errors import InvalidInput
from deliberation.outcomes.drafts import Draft
from deliberation.outcomes.votes import JudgementMatrix

VERSION = "2"
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Settings:
    """`size`: seats on the slate (k); the values of a cast vote and of an unseen statement.

    `draft` is a statement for those the slate leaves out, from what they agree with; `shared` is how many statements are named as that.
    """

    size: int = 5
    agree: float = 1.0
    passed: float = 0.5
    disagree: float = 0.0
    unseen: float = 0.0
    shared: int = 8
    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """A coalition that could be united: each member values `statement` at `threshold` or more, and what stands for them at less."""

    statement: int
    threshold: float
    coalition: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """A statement on the slate; `people` it stands for, `seats` it holds, its mean utility to them, and how many of all value it fully."""

    item: str
    seats: int
    people: int
    mean_utility: float
    supporters: int


@dataclass(frozen=True, slots=True)
class Held:
    """How those whom the slate leaves out voted on one statement; `people` of them saw it."""

    item: str
    agrees: int
    disagrees: int
    people: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Whom the slate serves least: at most n/k `people` who do not fully agree with their statement, what most of them agree with, a draft.

    Others may not fully agree with theirs either; among equals the order of the participants decides.
    """

    people: int
    mean_utility: float
    agreed: tuple[Held, ...]
    draft: Draft | None


@dataclass(frozen=True, slots=True)
class SlateRows:
    """Row level: the statement that stands for each participant, and its utility to them."""

    participants: tuple[str, ...]
    items: tuple[str, ...]
    utilities: Floats


@dataclass(frozen=True, slots=True)
class Slate:
    """The outcome. `justified` is what the verifier said of it; `total_utility` sums over everybody's statement.

    `left_out` is None where everybody fully agrees with what stands for them.
    """

    size: int
    people: int
    seats: tuple[Seat, ...]
    total_utility: float
    justified: bool
    left_out: LeftOut | None
    rows: SlateRows


def slate(matrix: JudgementMatrix, settings: Settings = Settings()) -> Slate:
    """Choose the slate from cast votes. People who judged nothing take no part.

    Raises InvalidInput where nobody did, or where the draft rests on what those left out do not agree with.
    """
    taking_part = np.flatnonzero(matrix.votes_per_person() > 0)
    if not len(taking_part):
        raise InvalidInput("no_votes", "a slate needs votes")
    utilities = np.full(matrix.shape, settings.unseen)
    utilities[matrix.rows, matrix.cols] = np.array([settings.disagree, settings.passed, settings.agree])[matrix.votes + 1]
    utilities = utilities[taking_part]
    chosen, greedy = select(utilities, settings.size)
    assigned = match(utilities, chosen, at_least=utilities[np.arange(len(taking_part)), greedy])
    own = utilities[np.arange(len(taking_part)), assigned]
    seats = tuple(
        Seat(
            matrix.items[item], chosen.count(item), int((assigned == item).sum()),
            float(own[assigned == item].mean()) if (assigned == item).any() else 0.0,
            int((utilities[:, item] >= settings.agree).sum()),
        )
        for item in dict.fromkeys(chosen)
    )
    rows = SlateRows(
        tuple(matrix.participants[i] for i in taking_part), tuple(matrix.items[item] for item in assigned), own
    )
    justified = violation(utilities, assigned, len(chosen)) is None
    left_out = _left_out(matrix, taking_part, own, len(chosen), settings)
    return Slate(len(chosen), len(taking_part), seats, float(own.sum()), justified, left_out, rows)


def select(utilities: Floats, size: int) -> tuple[list[int], Ints]:
    """Choose `size` statements greedily; return them in order, and the statement each person was taken for.

    `utilities`: (n, m). In each step the statement whose r-th most willing unmatched supporter values it most is taken, r = n/k
    rounded so that all are matched in the end; those r leave. Equal scores: the larger sum over those r, then a statement not yet
    chosen, then the lower index. A statement may be chosen again where no other would do as well: without that, a coalition larger
    than n/k could be denied. Raises InvalidInput for a slate without seats or statements. O(k · n · m).
    """
    people, statements = utilities.shape
    if size < 1 or not statements or not people:
        raise InvalidInput("empty_slate", "a slate needs at least one seat, one statement and one person")
    size = min(size, people)
    left = np.arange(people)
    taken_for = np.zeros(people, dtype=np.int64)
    chosen: list[int] = []
    for group in _group_sizes(people, size):
        ranked = -np.partition(-utilities[left], group - 1, axis=0)[:group]
        scores, sums = ranked.min(axis=0), ranked.sum(axis=0)
        best = max(range(statements), key=lambda item: (scores[item], sums[item], item not in chosen, -item))
        supporters = np.argsort(-utilities[left, best], kind="stable")[:group]
        taken_for[left[supporters]] = best
        left = np.delete(left, supporters)
        chosen.append(best)
    return chosen, taken_for


def match(utilities: Floats, chosen: Sequence[int], at_least: Floats | None = None) -> Ints:
    """Match people to the slate's seats, ⌊n/k⌋ or ⌈n/k⌉ to each, with the greatest total utility; return each person's statement.

    With `at_least` (n,), only matchings that give everybody at least that much are considered. Handing in what the greedy choice gave
    keeps its guarantee: raising people's utilities cannot create a violation. A transportation problem, so the simplex method's
    solution is whole (Schrijver 1986, "Theory of linear and integer programming", §19).
    """
    people, size = len(utilities), len(chosen)
    gains = utilities[:, list(chosen)]
    allowed = np.ones_like(gains, dtype=bool) if at_least is None else gains >= at_least[:, None] - 1e-12
    person, seat = np.nonzero(allowed)
    ones = np.ones(len(person))
    each_once = sparse.csr_matrix((ones, (person, np.arange(len(person)))), (people, len(person)))
    load = sparse.csr_matrix((ones, (seat, np.arange(len(person)))), (size, len(person)))
    least, most = people // size, -(-people // size)
    solution = linprog(
        -gains[allowed], A_eq=each_once, b_eq=np.ones(people), A_ub=sparse.vstack([load, -load]),
        b_ub=np.concatenate([np.full(size, most), np.full(size, -least)]), bounds=(0, 1), method="highs-ds",
    )
    assert solution.success, "the greedy matching itself is feasible"
    taken = solution.x > 0.5
    matched = np.zeros(people, dtype=np.int64)
    matched[person[taken]] = np.asarray(chosen)[seat[taken]]
    return matched


def violation(utilities: Floats, matched: Ints, size: int) -> Violation | None:
    """Return the largest coalition that breaks balanced justified representation, or None where there is none.

    Definition 1: at least n/k people, a statement α and a threshold θ such that each of them has u(α) ≥ θ while the statement that
    stands for them gives less than θ. `matched`: (n,) statement indices. O(m · n log n).
    """
    people, statements = utilities.shape
    own = utilities[np.arange(people), matched]
    worst: tuple[int, int, float] | None = None
    for statement in range(statements):
        value = utilities[:, statement]
        better = np.flatnonzero(value > own)
        thresholds = np.unique(value[better])
        # In (own, value] at θ: started below θ, minus ended below θ.
        united = np.searchsorted(np.sort(own[better]), thresholds) - np.searchsorted(np.sort(value[better]), thresholds)
        if len(united) and united.max() * size >= people and (worst is None or united.max() > worst[0]):
            worst = int(united.max()), statement, float(thresholds[united.argmax()])
    if worst is None:
        return None
    _, statement, threshold = worst
    coalition = np.flatnonzero((utilities[:, statement] >= threshold) & (own < threshold))
    return Violation(statement, threshold, tuple(int(person) for person in coalition))


def certain_violation(utilities: Floats, chosen: Sequence[int], size: int) -> Violation | None:
    """Return a coalition that breaks justified representation *however* people are matched.

    Nothing on the slate reaches θ for any of them. None does not prove a slate fair; a matching that passes `violation` does.
    """
    return violation(utilities, np.asarray(chosen)[utilities[:, list(chosen)].argmax(axis=1)], size)


def unrepresented(own: Floats, size: int, enough: float) -> Ints:
    """Return the people, at most n/k, whose statement gives them least and less than `enough`: whom the generative query is asked for."""
    order = np.argsort(own, kind="stable")[: -(-len(own) // size)]
    few: Ints = order[own[order] < enough]
    return few


def _left_out(matrix: JudgementMatrix, taking_part: Ints, own: Floats, size: int, settings: Settings) -> LeftOut | None:
    few = unrepresented(own, size, settings.agree)
    if not len(few):
        if settings.draft is not None:
            raise InvalidInput("unfounded_draft", "a statement was drafted for people whom the slate leaves out; it leaves out nobody")
        return None
    theirs = np.isin(matrix.rows, taking_part[few])
    cols, votes = matrix.cols[theirs], matrix.votes[theirs]
    agrees, disagrees, seen = (
        np.bincount(cols[chosen], minlength=len(matrix.items)) for chosen in (votes == 1, votes == -1, np.ones(len(votes), dtype=bool))
    )
    most = sorted(np.flatnonzero(2 * agrees > len(few)), key=lambda item: (-agrees[item], item))[: settings.shared]
    agreed = tuple(Held(matrix.items[i], int(agrees[i]), int(disagrees[i]), int(seen[i])) for i in most)
    if settings.draft is not None and not {*settings.draft.items} <= {held.item for held in agreed}:
        raise InvalidInput("unfounded_draft", "a statement for people whom the slate leaves out rests on what most of them agree with")
    return LeftOut(len(few), float(own[few].mean()), agreed, settings.draft)


def _group_sizes(people: int, size: int) -> list[int]:
    return [people // size + (1 if seat < people % size else 0) for seat in range(size)]
