"""Do the outcome methods keep their promises, on real votes and at scale?

Run: python benchmarks/outcomes.py [--quick]

Real votes: two Polis conversations (The Computational Democracy Project, CC BY 4.0), read from ../shared/data/votes where they are present;
without them those aims are not judged. Bridging against consensus is shown twice: as it is, with the divide's zero half-way between the sides
(see deliberation/outcomes/bridging.py), and with the zero where the penalty leaves it; the second has no aim. Scale: 100,000 people × 1,000 statements × 5 million votes, drawn with three camps (--quick: a tenth
of the people and votes; times, memory and growth are then shown but not judged). Ends with one JSON line: name, figures, aims, met, missed, not_judged.
Exits 1 where an aim is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_rand_score

from deliberation.outcomes import agreement, bridging, moral_graph, opinion_groups
from deliberation.outcomes.votes import JudgementMatrix, parse_comments, parse_participants_votes, parse_votes

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "votes"
PEOPLE, STATEMENTS, VOTES = 100_000, 1_000, 5_000_000
GIB = 1024**3

AIMS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "brexit_tallies_wrong": ("= 0 comments", lambda v: v == 0),
    "seattle_tallies_wrong": ("= 0 comments", lambda v: v == 0),
    "brexit_latest_votes_wrong": ("= 0 cells", lambda v: v == 0),
    "seattle_latest_votes_wrong": ("= 0 cells", lambda v: v == 0),
    "brexit_consensus_error": ("<= 1e-12 against a count by hand over the published groups", lambda v: v <= 1e-12),
    "seattle_consensus_error": ("<= 1e-12 against a count by hand over the published groups", lambda v: v <= 1e-12),
    "brexit_adjusted_rand": (">= 0.85 at the published k", lambda v: v >= 0.85),
    "brexit_inference_accuracy": (">= 0.80, mean of 5 seeds", lambda v: v >= 0.80),
    "brexit_inference_over_majority": ("> 0", lambda v: v > 0),
    "seattle_inference_over_majority": ("> 0", lambda v: v > 0),
    "brexit_bridging_vs_consensus": ("Spearman >= 0.90", lambda v: v >= 0.90),
    "seattle_bridging_vs_consensus": ("Spearman >= 0.90", lambda v: v >= 0.90),
    "map_seconds": ("<= 20 s at 5 million votes", lambda v: v <= 20),
    "bridging_seconds": ("<= 60 s at 5 million votes", lambda v: v <= 60),
    "peak_gib": ("<= 4 GiB", lambda v: v <= 4),
    "map_growth": ("<= 1.25 (exponent of processor seconds against votes; 1 is linear)", lambda v: v <= 1.25),
    "bridging_growth": ("<= 1.25 per step of the fit", lambda v: v <= 1.25),
    "moral_graph_seconds": ("<= 5 s for 10,000 values and 100,000 edges", lambda v: v <= 5),
}
FULL_SIZE_ONLY = {"map_seconds", "bridging_seconds", "peak_gib", "map_growth", "bridging_growth"}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a tenth of the people and votes")
    quick = options.parse_args().quick
    figures: dict[str, Any] = {}
    for prefix, folder in (("brexit", "brexit-consensus"), ("seattle", "15-per-hour-seattle")):
        if (DATA / folder).is_dir():
            figures |= {f"{prefix}_{key}": value for key, value in real_votes(DATA / folder).items()}
        else:
            say(f"{folder}: no data here, not judged")
    figures |= scale(PEOPLE // 10 if quick else PEOPLE, VOTES // 10 if quick else VOTES)
    figures["moral_graph_seconds"] = moral_graph_seconds()

    met, missed, not_judged = [], [], []
    for name, (_, holds) in AIMS.items():
        if name not in figures or (quick and name in FULL_SIZE_ONLY):
            not_judged.append(name)
        else:
            (met if holds(figures[name]) else missed).append(name)
    aims = {name: aim for name, (aim, _) in AIMS.items()}
    print(
        json.dumps(
            {
                "name": "outcomes",
                "figures": figures,
                "aims": aims,
                "met": met,
                "missed": missed,
                "not_judged": not_judged,
            }
        )
    )
    return 1 if missed else 0


def real_votes(folder: Path) -> dict[str, float]:
    """Hold every method against the published figures of one conversation."""
    log = parse_votes((folder / "votes.csv").read_text())
    published = parse_participants_votes((folder / "participants-votes.csv").read_text())
    tally = log.tally()
    place = {name: index for index, name in enumerate(log.items)}
    wrong = sum(
        (tally.agrees[place[c.id]], tally.disagrees[place[c.id]]) != (c.agrees, c.disagrees)
        for c in parse_comments((folder / "comments.csv").read_text())
    )
    ours, theirs = log.latest().dense(), published.dense()
    differing = int((~((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))).sum())

    by_published = opinion_groups.opinion_groups(published, opinion_groups.Settings(groups_from="group-id"))
    by_hand = consensus_by_hand(folder / "participants-votes.csv")
    error = max(abs(s.consensus - by_hand[s.item]) for s in by_published.statements)

    k = len(by_published.groups)
    found = opinion_groups.opinion_groups(published, opinion_groups.Settings(groups=k)).rows.groups
    pairs = [(a, b) for a, b in zip(published.segment("group-id"), found, strict=True) if a and b]
    rand = adjusted_rand_score([a for a, _ in pairs], [b for _, b in pairs])

    reports = [agreement.hold_out_accuracy(published, agreement.Settings(seed=seed)) for seed in range(5)]
    accuracy = float(np.mean([r.accuracy for r in reports if r]))
    majority = float(np.mean([r.majority_accuracy for r in reports if r]))

    bridged = bridging.bridging(published)
    rated = [s for s in by_published.statements if s.people >= 5]
    score = {item.item: (item.intercept, item.intercept - bridged.moved * item.factor) for item in bridged.items}
    rho, rho_unmoved = (spearmanr([s.consensus for s in rated], [score[s.item][n] for s in rated])[0] for n in (0, 1))
    figures = {
        "tallies_wrong": float(wrong),
        "latest_votes_wrong": float(differing),
        "consensus_error": error,
        "adjusted_rand": float(rand),
        "inference_accuracy": accuracy,
        "inference_over_majority": accuracy - majority,
        "bridging_vs_consensus": float(rho),
        "bridging_unmoved_vs_consensus": float(rho_unmoved),
        "statements_compared": float(len(rated)),
    }
    say(f"{folder.name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    return figures


def consensus_by_hand(file: Path) -> dict[str, float]:
    """Group-informed consensus over the published groups, counted cell by cell without any of our code."""
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    statements = [name for name in rows[0] if name.isdigit()]
    groups = sorted({row["group-id"] for row in rows if row["group-id"]})
    consensus = {}
    for statement in statements:
        votes = {
            group: Counter(row[statement] for row in rows if row["group-id"] == group and row[statement])
            for group in groups
        }
        consensus[statement] = math.prod((votes[g]["1"] + 1) / (votes[g].total() + 2) for g in groups)
    return consensus


def scale(people: int, votes: int) -> dict[str, float]:
    """Time the map and bridging at a quarter, a half and all of the size."""
    sizes, map_times, step_times = [], [], []
    map_seconds = bridging_seconds = 0.0
    for share in (4, 2, 1):
        matrix, camp = draw(people // share, STATEMENTS, votes // share)
        started, used = time.perf_counter(), time.process_time()
        outcome = opinion_groups.opinion_groups(matrix)
        map_seconds, map_cpu = time.perf_counter() - started, time.process_time() - used
        started, used = time.perf_counter(), time.process_time()
        bridged = bridging.bridging(matrix)
        bridging_seconds, bridging_cpu = time.perf_counter() - started, time.process_time() - used
        recovered = adjusted_rand_score(camp, outcome.rows.groups)
        say(
            f"{len(matrix.votes):>9,} votes: map {map_seconds:.2f} s ({len(outcome.groups)} groups, adjusted Rand {recovered:.3f}), "
            f"bridging {bridging_seconds:.2f} s ({bridged.iterations} steps)"
        )
        sizes.append(len(matrix.votes))
        map_times.append(map_cpu)
        step_times.append(bridging_cpu / bridged.iterations)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB
    return {
        "people": float(people),
        "votes": float(sizes[-1]),
        "map_seconds": map_seconds,
        "bridging_seconds": bridging_seconds,
        "peak_gib": peak,
        "map_growth": growth(sizes, map_times),
        "bridging_growth": growth(sizes, step_times),
    }


def draw(people: int, statements: int, votes: int) -> tuple[JudgementMatrix, Any]:
    """Draw three camps whose members vote with them up to noise, a tenth of the votes passes."""
    rng = np.random.default_rng(0)
    cells = np.unique(rng.integers(0, people * statements, round(votes * 1.06)))
    cells = np.sort(rng.permutation(cells)[:votes])
    rows, cols = (cells // statements).astype(np.int32), (cells % statements).astype(np.int32)
    camp = rng.integers(0, 3, people)
    opinion = rng.normal(size=(3, statements))
    cast = np.sign(opinion[camp[rows], cols] + rng.normal(0.0, 0.8, len(rows))).astype(np.int8)
    cast[rng.random(len(cast)) < 0.1] = 0
    matrix = JudgementMatrix(tuple(map(str, range(people))), tuple(map(str, range(statements))), rows, cols, cast)
    return matrix, camp


def growth(sizes: list[int], seconds: list[float]) -> float:
    """Slope of log seconds against log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def moral_graph_seconds() -> float:
    pairs = np.random.default_rng(0).integers(0, 10_000, (100_000, 2))
    edges = [(str(a), str(b), 0.5) for a, b in pairs.tolist() if a != b]
    started = time.perf_counter()
    moral_graph.rank(edges)
    seconds = time.perf_counter() - started
    say(f"moral graph, 10,000 values and 100,000 edges: {seconds:.2f} s")
    return seconds


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
