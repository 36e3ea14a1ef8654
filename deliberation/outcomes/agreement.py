"""Agreement across segments: what every part of the public agrees on (collective dialogues).

Owns: agreement with each statement by segment, bridge = the lowest of them, polarisation = highest − lowest (Konya et al. 2023,
"Democratic policy development using collective dialogues and AI", arXiv 2311.02242, §3.2 bridging-based ranking), the inference of
missing votes with its confidence and hold-out accuracy, and the evidence that each drafted clause rests on. Never drafts a clause
(`facilitator` does, and the text is handed in) and never lets an inferred vote stand in for a cast one. Pure; called by `registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize_scalar

from deliberation.errors import InvalidInput
from deliberation.outcomes.drafts import Draft
from deliberation.outcomes.factorisation import Fit, factorise
from deliberation.outcomes.votes import JudgementMatrix

VERSION = "2"
Floats = NDArray[np.float64]
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Settings:
    """`segment`: the attribute to compare by ("" = the first there is); segments of fewer than `min_people` judges are left out.

    `penalty` (ridge, once for each person and item) was chosen on Polis's open data; `bridge` is the least agreement that counts as
    bridging. `clauses` were drafted from bridging statements.
    """

    segment: str = ""
    min_people: int = 5
    bridge: float = 0.5
    infer: bool = True
    penalty: float = 2.0
    hold_out: float = 0.2
    clauses: tuple[Draft, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SegmentAgreement:
    """One segment on one statement.

    `agreement` = agrees / (agrees + disagrees) of those who took a side, None under `min_people` who saw it; `with_inferred` adds the
    expected agreement of those who have not seen it. `people` saw it, passes included.
    """

    segment: str
    agrees: int
    disagrees: int
    people: int
    agreement: float | None
    with_inferred: float | None


@dataclass(frozen=True, slots=True)
class StatementAgreement:
    """One statement over the segments; bridge and polarisation are of cast votes, None where fewer than two segments can be compared."""

    item: str
    people: int
    agreement: float | None
    bridge: float | None
    polarisation: float | None
    bridge_with_inferred: float | None
    by_segment: tuple[SegmentAgreement, ...]


@dataclass(frozen=True, slots=True)
class Inference:
    """How well missing votes can be told: share of held-out votes told rightly, by the model and by each statement's majority.

    `certainty` maps a score to a probability of agreement, 1/(1 + e^(−certainty · score)), fitted on the held-out votes.
    """

    held_out: int
    accuracy: float
    majority_accuracy: float
    certainty: float
    inferred: int


@dataclass(frozen=True, slots=True)
class InferredVote:
    """A vote nobody cast: who, on what, which way it would go, and how sure the model is (0.5–1)."""

    participant: str
    item: str
    vote: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause drafted from bridging statements: the lowest bridge among them, the fewest people who judged one, and all their figures."""

    draft: Draft
    people: int
    bridge: float
    evidence: tuple[StatementAgreement, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Statements by falling bridge; `bridging` are those at or above the threshold, `clauses` what was drafted from them."""

    segment: str
    segments: tuple[str, ...]
    people: int
    statements: tuple[StatementAgreement, ...]
    bridging: tuple[str, ...]
    clauses: tuple[Clause, ...]
    inference: Inference | None


def agreement(matrix: JudgementMatrix, settings: Settings = Settings()) -> Agreement:
    """Compare the segments on every statement. Raises InvalidInput where the votes carry no segment, or a clause rests on what does not bridge."""
    if not settings.segment and not matrix.segments:
        raise InvalidInput("no_segments", "the votes carry no segment to compare by", "name one, or use opinion groups as segments")
    name = settings.segment or next(iter(matrix.segments))
    label = matrix.segment(name)
    ids = tuple(sorted({value for value in label if value}))
    member = np.array([ids.index(value) if value else -1 for value in label], dtype=np.int64)
    agrees, disagrees, seen = (_by_segment(matrix, member, len(ids), vote) for vote in (1, -1, None))
    report, extra, unseen = None, np.zeros_like(agrees), np.zeros_like(agrees)
    if settings.infer:
        report = hold_out_accuracy(matrix, settings)
    if report:
        fit = fit_votes(matrix, settings)
        extra, unseen = _expected(matrix, fit, report.certainty, member, len(ids))
    tally = matrix.tally()
    statements = []
    for i, item in enumerate(matrix.items):
        by_segment = tuple(
            _segment(ids[s], agrees[s, i], disagrees[s, i], seen[s, i], extra[s, i], unseen[s, i], settings) for s in range(len(ids))
        )
        sides = int(tally.agrees[i] + tally.disagrees[i])
        compared = [s.agreement for s in by_segment if s.agreement is not None]
        inferred = [s.with_inferred for s in by_segment if s.with_inferred is not None]
        enough = len(compared) >= 2
        statements.append(StatementAgreement(
            item, int(tally.seen[i]), float(tally.agrees[i] / sides) if sides else None,
            min(compared) if enough else None, max(compared) - min(compared) if enough else None,
            min(inferred) if len(inferred) >= 2 else None, by_segment,
        ))
    statements.sort(key=lambda s: (s.bridge is None, -(s.bridge or 0.0)))
    bridging = {s.item: s for s in statements if s.bridge is not None and s.bridge >= settings.bridge}
    clauses = tuple(_clause(draft, bridging) for draft in settings.clauses)
    people = int((matrix.votes_per_person() > 0).sum())
    return Agreement(name, ids, people, tuple(statements), tuple(bridging), clauses, report)


def _clause(draft: Draft, bridging: Mapping[str, StatementAgreement]) -> Clause:
    unfounded = [item for item in draft.items if item not in bridging]
    if unfounded or not draft.items:
        raise InvalidInput("unfounded_clause", f"a clause rests on bridging statements; not one: {', '.join(unfounded) or 'none named'}")
    evidence = tuple(bridging[item] for item in dict.fromkeys(draft.items))
    return Clause(draft, min(s.people for s in evidence), min(s.bridge or 0.0 for s in evidence), evidence)


def fit_votes(matrix: JudgementMatrix, settings: Settings = Settings(), among: NDArray[np.bool_] | None = None) -> Fit:
    """Fit agrees (1) and disagrees (−1), passes left out; `among` (v,) restricts to some of the votes."""
    sided = matrix.votes != 0
    if among is not None:
        sided = sided & among
    values = sparse.csr_matrix((matrix.votes[sided].astype(float), (matrix.rows[sided], matrix.cols[sided])), matrix.shape)
    return factorise(values, intercept_penalty=settings.penalty, factor_penalty=settings.penalty, per_vote=False, seed=settings.seed)


def hold_out_accuracy(matrix: JudgementMatrix, settings: Settings = Settings()) -> Inference | None:
    """Hide a share of the agrees and disagrees, tell them from the rest, and report; None with fewer than 20 such votes."""
    sided = np.flatnonzero(matrix.votes != 0)
    hidden = np.random.default_rng(settings.seed).permutation(sided)[: round(len(sided) * settings.hold_out)]
    if len(sided) < 20 or not len(hidden):
        return None
    kept = np.ones(len(matrix.votes), dtype=bool)
    kept[hidden] = False
    rows, cols, truth = matrix.rows[hidden], matrix.cols[hidden], matrix.votes[hidden].astype(float)
    scores = fit_votes(matrix, settings, kept).predict(rows, cols)
    majority = np.bincount(matrix.cols[kept], weights=matrix.votes[kept], minlength=len(matrix.items))[cols]
    fitted = minimize_scalar(
        lambda slope: float(np.logaddexp(0, -slope * scores * truth).sum()), bounds=(0.0, 20.0), method="bounded"
    )
    n, m = matrix.shape
    return Inference(
        len(hidden), float(((scores > 0) == (truth > 0)).mean()), float(((majority > 0) == (truth > 0)).mean()), float(fitted.x),
        n * m - len(matrix.votes),
    )


def inferred_votes(matrix: JudgementMatrix, settings: Settings = Settings(), least: float = 0.8) -> tuple[InferredVote, ...]:
    """Return the votes nobody cast that can be told with confidence of at least `least`. Whoever saw a statement is never inferred."""
    report = hold_out_accuracy(matrix, settings)
    if report is None:
        return ()
    fit = fit_votes(matrix, settings)
    votes = []
    for start in range(0, len(matrix.participants), _CHUNK):
        probability, missing = _probabilities(matrix, fit, report.certainty, start)
        sure = missing & (np.maximum(probability, 1 - probability) >= least)
        for row, col in zip(*np.nonzero(sure), strict=True):
            p = float(probability[row, col])
            votes.append(InferredVote(matrix.participants[start + row], matrix.items[col], 1 if p >= 0.5 else -1, max(p, 1 - p)))
    return tuple(votes)


def _segment(
    name: str, agrees: float, disagrees: float, seen: float, extra: float, unseen: float, settings: Settings
) -> SegmentAgreement:
    sides = agrees + disagrees
    enough = seen >= settings.min_people and sides > 0
    return SegmentAgreement(
        name, int(agrees), int(disagrees), int(seen), float(agrees / sides) if enough else None,
        float((agrees + extra) / (sides + unseen)) if enough and settings.infer else None,
    )


def _by_segment(matrix: JudgementMatrix, member: NDArray[np.int64], segments: int, vote: int | None) -> Floats:
    chosen = member[matrix.rows] >= 0
    if vote is not None:
        chosen &= matrix.votes == vote
    cells = member[matrix.rows[chosen]] * len(matrix.items) + matrix.cols[chosen]
    counts = np.bincount(cells, minlength=segments * len(matrix.items))
    return counts.reshape(segments, len(matrix.items)).astype(float)


def _expected(
    matrix: JudgementMatrix, fit: Fit, certainty: float, member: NDArray[np.int64], segments: int
) -> tuple[Floats, Floats]:
    """Sum, by segment and statement, the probability of agreement of those who have not seen it, and how many they are."""
    extra = np.zeros((segments, len(matrix.items)))
    unseen = np.zeros_like(extra)
    for start in range(0, len(matrix.participants), _CHUNK):
        probability, missing = _probabilities(matrix, fit, certainty, start)
        labels = member[start : start + _CHUNK]
        known = labels >= 0
        np.add.at(extra, labels[known], (probability * missing)[known])
        np.add.at(unseen, labels[known], missing[known].astype(float))
    return extra, unseen


def _probabilities(matrix: JudgementMatrix, fit: Fit, certainty: float, start: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return P(agree) and what is unseen for one chunk of participants, both (chunk, items). People without votes stay out."""
    stop = min(start + _CHUNK, len(matrix.participants))
    first, last = np.searchsorted(matrix.rows, [start, stop])
    missing = np.ones((stop - start, len(matrix.items)), dtype=bool)
    missing[matrix.rows[first:last] - start, matrix.cols[first:last]] = False
    missing[missing.all(axis=1)] = False
    rows = np.arange(start, stop)[:, None]
    scores = fit.predict(rows, np.arange(len(matrix.items))[None, :])
    return 1.0 / (1.0 + np.exp(-np.clip(certainty * scores, -30.0, 30.0))), missing
