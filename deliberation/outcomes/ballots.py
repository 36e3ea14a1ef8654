"""Counting ballots: approval, plurality, instant runoff, Schulze, weighted and quadratic (Inclusive.AI's set).

Owns the rules, each written out plainly and nowhere else in Parley (the facilitator's group statement is chosen by `schulze` too). Never
decides which rule to use. Pure, exact (fractions inside, so ties are ties), anonymous and neutral. Called by `registry` and by
`facilitator.drafting`. The tests hold every rule against pref_voting or abcvoting on random profiles.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from deliberation.errors import InvalidInput
from deliberation.outcomes.record import Ballot

VERSION = "1"
Rule = Literal["approval", "plurality", "irv", "schulze", "weighted", "quadratic"]
Ranking = tuple[tuple[str, ...], ...]
"""Groups from best to worst; options in one group are tied."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`rule`; `power`: everybody's counts the same or as given on the ballot; `options`: those on the ballot paper, else all named.

    `seats`: how many options win; with a tie for the last seat all the tied ones are among the winners. `paper`: which ballots are counted.
    """

    rule: Rule = "schulze"
    power: Literal["equal", "given"] = "equal"
    options: tuple[str, ...] = ()
    seats: int = 1
    paper: str = ""


@dataclass(frozen=True, slots=True)
class OptionScore:
    """An option's score under the rule, and its share (0–1) of all scores. For Schulze the score is the number of options it beats."""

    option: str
    score: float
    share: float


@dataclass(frozen=True, slots=True)
class Round:
    """One round of instant runoff: first choices of each option still in, power without a choice left, and who went out."""

    scores: Mapping[str, float]
    exhausted: float
    eliminated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """How strongly `winner` beats `loser`: votes for it head to head, votes against, and the strength of the strongest path each way."""

    winner: str
    loser: str
    votes: float
    against: float
    path: float
    path_back: float


@dataclass(frozen=True, slots=True)
class Count:
    """An outcome: `order` from best to worst with ties; `winners` are its first groups, until the seats are filled; `people` cast a ballot that says something."""

    rule: Rule
    people: int
    power: float
    winners: tuple[str, ...]
    order: Ranking
    scores: tuple[OptionScore, ...]
    rounds: tuple[Round, ...] = ()
    links: tuple[Link, ...] = ()


def count(ballots: Sequence[Ballot], settings: Settings = Settings()) -> Count:
    """Count ballots by the rule. Raises InvalidInput for an option not on the paper, a double ranking, or negative power or amounts."""
    ballots = _on_paper(ballots, settings.paper)
    options = settings.options or _named(ballots)
    for ballot in ballots:
        _check(ballot, options)
    said = [ballot for ballot in ballots if _says_something(ballot, settings.rule)]
    powers = [Fraction(ballot.power) if settings.power == "given" else Fraction(1) for ballot in said]
    result = _RULES[settings.rule](said, powers, options)
    total = sum((Fraction(score) for score in result.scores.values()), Fraction(0))
    return Count(
        settings.rule, len(said), float(sum(powers)), _winners(result.order, settings.seats) if said else (), result.order,
        tuple(OptionScore(name, float(score), float(score / total) if total else 0.0) for name, score in result.scores.items()),
        result.rounds, result.links,
    )


def _on_paper(ballots: Sequence[Ballot], paper: str) -> list[Ballot]:
    """Return the ballots of one paper; without a name, of the only one there is."""
    papers = sorted({ballot.paper for ballot in ballots})
    if paper == "" and "" not in papers and papers:
        if len(papers) > 1:
            raise InvalidInput("which_paper", f"there are several ballots: {', '.join(papers)}", "choose one with the parameter “paper”")
        paper = papers[0]
    return [ballot for ballot in ballots if ballot.paper == paper]


def _winners(order: Ranking, seats: int) -> tuple[str, ...]:
    won: tuple[str, ...] = ()
    for tied in order:
        if len(won) >= seats:
            break
        won += tied
    return won


def schulze(rankings: Sequence[Ranking], options: Sequence[str], powers: Sequence[float] | None = None) -> Count:
    """Rank options by Schulze's method from rankings alone; see `count`. Options left out of a ranking come last, tied."""
    weights = powers or [1.0] * len(rankings)
    ballots = [
        Ballot(str(index), ranking=ranking, power=power)
        for index, (ranking, power) in enumerate(zip(rankings, weights, strict=True))
    ]
    return count(ballots, Settings("schulze", "given", tuple(options)))


def parse_ballots(text: str) -> tuple[Ballot, ...]:
    """Read ballots from CSV, one a line.

    Columns: voter, and any of ranking ("a > b = c"), approves ("a; b"), allocation ("a: 3; b: 1"), power, paper. Raises InvalidInput with the
    line that is wrong.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    ballots = []
    for line in reader:
        try:
            ballots.append(Ballot(
                line["voter"],
                tuple(_names(group, "=") for group in (line.get("ranking") or "").split(">") if group.strip()),
                _names(line.get("approves") or "", ";"),
                {name.strip(): float(amount) for name, _, amount in (part.rpartition(":") for part in _names(line.get("allocation") or "", ";"))},
                float(line.get("power") or 1),
                line.get("paper") or "",
            ))
        except (KeyError, ValueError):
            raise InvalidInput("bad_csv", f"line {reader.line_num} is not a ballot", "columns: voter, ranking, approves, allocation, power") from None
    return tuple(ballots)


def write_ballots(ballots: Sequence[Ballot]) -> str:
    """Return ballots as the CSV that `parse_ballots` reads."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("voter", "ranking", "approves", "allocation", "power", "paper"))
    writer.writerows(cells(ballot) for ballot in ballots)
    return out.getvalue()


def cells(ballot: Ballot) -> tuple[str, str, str, str, str, str]:
    """Return a ballot as one line of that CSV: voter, ranking, approves, allocation, power, paper."""
    return (
        ballot.participant,
        " > ".join(" = ".join(group) for group in ballot.ranking),
        "; ".join(ballot.approves),
        "; ".join(f"{option}: {amount:g}" for option, amount in ballot.allocation.items()),
        f"{ballot.power:g}",
        ballot.paper,
    )


def _names(text: str, separator: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(separator) if part.strip())


@dataclass(frozen=True, slots=True)
class _Counted:
    scores: Mapping[str, Fraction]
    order: Ranking
    rounds: tuple[Round, ...] = ()
    links: tuple[Link, ...] = ()


_Votes = Sequence[Ballot]
_Powers = Sequence[Fraction]


def _approval(ballots: _Votes, powers: _Powers, options: Sequence[str]) -> _Counted:
    """Brams & Fishburn 1978: an option's score is the power of those who approve of it."""
    scores = dict.fromkeys(options, Fraction(0))
    for ballot, power in zip(ballots, powers, strict=True):
        for option in set(ballot.approves):
            scores[option] += power
    return _Counted(scores, _by_score(scores))


def _plurality(ballots: _Votes, powers: _Powers, options: Sequence[str]) -> _Counted:
    """First choices only; a ballot whose first place is tied is split equally."""
    scores, _ = _first_choices(ballots, powers, options)
    return _Counted(scores, _by_score(scores))


def _irv(ballots: _Votes, powers: _Powers, options: Sequence[str]) -> _Counted:
    """Instant runoff: the option with the fewest first choices goes out, all of them at once where several are tied.

    Ends when one option has more than half of the power still in play, or all that are left are tied.
    """
    left = list(options)
    out: list[tuple[str, ...]] = []
    rounds = []
    scores: dict[str, Fraction] = {}
    while left:
        scores, exhausted = _first_choices(ballots, powers, left)
        lowest = min(scores.values())
        losers = tuple(option for option in left if scores[option] == lowest)
        decided = 2 * max(scores.values()) > sum(scores.values()) or len(losers) == len(left)
        eliminated = () if decided else losers
        rounds.append(Round({option: float(score) for option, score in scores.items()}, float(exhausted), eliminated))
        if decided:
            break
        out.insert(0, losers)
        left = [option for option in left if option not in losers]
    final = {option: scores.get(option, Fraction(0)) for option in options}
    return _Counted(final, (*_by_score(scores), *out), tuple(rounds))


def _schulze(ballots: _Votes, powers: _Powers, options: Sequence[str]) -> _Counted:
    """Schulze 2011, "A new monotonic, clone-independent, reversal symmetric, and Condorcet-consistent single-winner election method".

    Strength of a link: winning votes (§2.1: the order ≻_win). Strongest paths by Floyd–Warshall (§2.3.1); a beats b where p[a, b] > p[b, a].
    """
    prefer = {(a, b): Fraction(0) for a in options for b in options if a != b}
    for ballot, power in zip(ballots, powers, strict=True):
        place = {option: index for index, group in enumerate(ballot.ranking) for option in group}
        last = len(ballot.ranking)
        for a, b in prefer:
            if place.get(a, last) < place.get(b, last):
                prefer[a, b] += power
    path = {(a, b): votes if votes > prefer[b, a] else Fraction(0) for (a, b), votes in prefer.items()}
    for through in options:
        for a in options:
            for b in options:
                if len({a, b, through}) == 3:
                    path[a, b] = max(path[a, b], min(path[a, through], path[through, b]))
    beats = {option: {b for b in options if b != option and path[option, b] > path[b, option]} for option in options}
    order: list[tuple[str, ...]] = []
    left = list(options)
    while left:
        # The relation is transitive (Schulze 2011, §4.1), so some option is always unbeaten.
        best = tuple(option for option in left if not any(option in beats[other] for other in left))
        order.append(best)
        left = [option for option in left if option not in best]
    links = tuple(
        Link(a, b, float(prefer[a, b]), float(prefer[b, a]), float(path[a, b]), float(path[b, a]))
        for a in options for b in options if b in beats[a]
    )
    return _Counted({option: Fraction(len(beats[option])) for option in options}, tuple(order), links=links)


def _weighted(ballots: _Votes, powers: _Powers, options: Sequence[str]) -> _Counted:
    """Each voter spreads their power over options in proportion to the allocation (Snapshot's weighted voting)."""
    scores = dict.fromkeys(options, Fraction(0))
    for ballot, power in zip(ballots, powers, strict=True):
        total = sum((Fraction(amount) for amount in ballot.allocation.values()), Fraction(0))
        for option, amount in ballot.allocation.items():
            scores[option] += power * Fraction(amount) / total
    return _Counted(scores, _by_score(scores))


def _quadratic(ballots: _Votes, powers: _Powers, options: Sequence[str]) -> _Counted:
    """Snapshot's form of quadratic voting (snapshot.js, `voting/quadratic.ts`).

    An option's raw score is (Σ_voters √(power · share))², scores are then scaled to sum to the total power.
    """
    roots = dict.fromkeys(options, 0.0)
    for ballot, power in zip(ballots, powers, strict=True):
        total = math.fsum(ballot.allocation.values())
        for option, amount in ballot.allocation.items():
            roots[option] += math.sqrt(float(power) * amount / total)
    raw = {option: root * root for option, root in roots.items()}
    scale = float(sum(powers)) / math.fsum(raw.values()) if math.fsum(raw.values()) else 0.0
    # Square roots are not exact: what differs by less than 10⁻⁹ is a tie.
    scores = {option: Fraction(round(score * scale, 9)) for option, score in raw.items()}
    return _Counted(scores, _by_score(scores))


_RULES: dict[Rule, Callable[[_Votes, _Powers, Sequence[str]], _Counted]] = {
    "approval": _approval, "plurality": _plurality, "irv": _irv, "schulze": _schulze, "weighted": _weighted, "quadratic": _quadratic,
}


def _first_choices(ballots: _Votes, powers: _Powers, left: Sequence[str]) -> tuple[dict[str, Fraction], Fraction]:
    scores = dict.fromkeys(left, Fraction(0))
    exhausted = Fraction(0)
    for ballot, power in zip(ballots, powers, strict=True):
        best = next((tied for group in ballot.ranking if (tied := [option for option in group if option in scores])), [])
        for option in best:
            scores[option] += power / len(best)
        if not best:
            exhausted += power
    return scores, exhausted


def _by_score(scores: Mapping[str, Fraction]) -> Ranking:
    return tuple(tuple(o for o in scores if scores[o] == level) for level in sorted(set(scores.values()), reverse=True))


def _named(ballots: Sequence[Ballot]) -> tuple[str, ...]:
    named: set[str] = set()
    for ballot in ballots:
        named |= set(ballot.approves) | set(ballot.allocation) | {option for group in ballot.ranking for option in group}
    return tuple(sorted(named))


def _check(ballot: Ballot, options: Sequence[str]) -> None:
    ranked = [option for group in ballot.ranking for option in group]
    unknown = ({*ranked, *ballot.approves, *ballot.allocation}) - set(options)
    if unknown:
        raise InvalidInput("unknown_option", f"“{min(unknown)}” is not on the ballot paper")
    if len(ranked) != len(set(ranked)):
        raise InvalidInput("ranked_twice", "a ballot ranks an option twice")
    if ballot.power < 0 or any(amount < 0 for amount in ballot.allocation.values()):
        raise InvalidInput("negative_power", "power and allocations cannot be negative")


def _says_something(ballot: Ballot, rule: Rule) -> bool:
    if rule == "approval":
        return bool(ballot.approves)
    if rule in ("weighted", "quadratic"):
        return sum(ballot.allocation.values()) > 0
    return any(ballot.ranking)
