"""Small builders shared by the outcome tests."""

from __future__ import annotations

import numpy as np

from deliberation.outcomes.votes import JudgementMatrix, VoteLog


def matrix_of(table: list[list[int | None]], segments: dict[str, list[str]] | None = None) -> JudgementMatrix:
    """Build a matrix from rows of −1, 0, 1 or None (unseen); people are p0…, statements s0…."""
    cells = [(f"p{i}", f"s{j}", vote) for i, row in enumerate(table) for j, vote in enumerate(row) if vote is not None]
    log = VoteLog.of(
        [c[0] for c in cells], [c[1] for c in cells], [c[2] for c in cells], [0] * len(cells),
        people=[f"p{i}" for i in range(len(table))], statements=[f"s{j}" for j in range(len(table[0]))],
    )
    matrix = log.latest()
    place = {name: index for index, name in enumerate(f"p{i}" for i in range(len(table)))}
    ordered = {key: tuple(values[place[name]] for name in matrix.participants) for key, values in (segments or {}).items()}
    return JudgementMatrix(matrix.participants, matrix.items, matrix.rows, matrix.cols, matrix.votes, ordered)


def camps(people: int, statements: int, camps: int, seed: int, seen: float = 0.6, noise: float = 0.1) -> tuple[JudgementMatrix, np.ndarray]:
    """Draw people who vote with their camp except for some noise, on a share of the statements; return them and their camps."""
    rng = np.random.default_rng(seed)
    camp = rng.integers(0, camps, people)
    opinion = rng.choice([-1, 1], size=(camps, statements))
    votes = np.where(rng.random((people, statements)) < noise, -opinion[camp], opinion[camp]).astype(np.int8)
    rows, cols = np.nonzero(rng.random((people, statements)) < seen)
    width = len(str(max(people, statements)))
    matrix = JudgementMatrix(
        tuple(f"p{i:0{width}}" for i in range(people)), tuple(f"s{j:0{width}}" for j in range(statements)),
        rows.astype(np.int32), cols.astype(np.int32), votes[rows, cols],
    )
    return matrix, camp
