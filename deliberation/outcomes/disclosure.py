"""What of an outcome may be shown to the public, and what of the participants to a researcher.

Owns two rules. Public: no aggregate over fewer than five people, none that can be told by subtracting its neighbours, nothing row by row.
Research: no combination of segments that fewer than five people share. Relies on the two conventions of `result`: aggregates carry
`people`, row-level data sits under `rows`. Never decides who may see what (links do). Pure; called by the server's public pages and
exports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from deliberation.outcomes.record import Participant

MINIMUM = 5
"""Fewest people an aggregate may cover (a usual threshold of statistical offices for frequency tables)."""
OTHER = "other"


def public(figures: Any, minimum: int = MINIMUM) -> Any:
    """Return plain JSON figures without rows, small aggregates replaced by {"people": None, "suppressed": true} and their names.

    An aggregate is an object with a number under "people". Its own texts (names, ids) stay; numbers and everything nested in it go.
    Where exactly one of a list of aggregates is suppressed, the next smallest goes too: it could be had by subtraction otherwise.
    """
    if isinstance(figures, Mapping):
        if _is_small(figures, minimum):
            return _suppressed(figures)
        return {key: public(value, minimum) for key, value in figures.items() if key != "rows"}
    if isinstance(figures, list):
        small = [_is_small(entry, minimum) for entry in figures]
        if sum(small) == 1:
            others = [i for i, entry in enumerate(figures) if not small[i] and _people(entry) is not None]
            if others and not _are_separate(figures):
                small[min(others, key=lambda i: _people(figures[i]) or 0)] = True
        shown = [public(entry, minimum) for entry, gone in zip(figures, small, strict=True) if not gone]
        # Behind the others and by name: a place in a ranking would tell the figure.
        return shown + sorted((_suppressed(e) for e, gone in zip(figures, small, strict=True) if gone), key=repr)
    return figures


def coarsen(participants: Sequence[Participant], minimum: int = MINIMUM) -> tuple[Participant, ...]:
    """Return participants whose combination of mode, cohort and segments is shared by at least `minimum` of them.

    First every value held by fewer becomes "other"; then, while a combination is still too rare, the segment with the most different
    values is dropped, for everybody (k-anonymity by generalisation and suppression: Sweeney 2002). Where mode and cohort alone single
    people out, those few are left out. Row order is kept.
    """
    people = list(participants)
    for name in sorted({key for person in people for key in person.segments}):
        held = Counter(person.segments.get(name) for person in people)
        people = [
            replace(p, segments={**p.segments, name: OTHER}) if name in p.segments and held[p.segments[name]] < minimum else p
            for p in people
        ]
    while True:
        shared = Counter(_combination(person) for person in people)
        names = sorted({key for person in people for key in person.segments})
        if min(shared.values(), default=minimum) >= minimum or not names:
            return tuple(person for person in people if shared[_combination(person)] >= minimum)
        widest = max(names, key=lambda name: len({person.segments.get(name) for person in people}))
        people = [replace(p, segments={k: v for k, v in p.segments.items() if k != widest}) for p in people]


def _combination(person: Participant) -> tuple[Any, ...]:
    return person.mode, person.cohort, person.expert, tuple(sorted(person.segments.items()))


def _people(entry: Any) -> int | None:
    people = entry.get("people") if isinstance(entry, Mapping) else None
    return people if isinstance(people, int) else None


def _is_small(entry: Any, minimum: int) -> bool:
    people = _people(entry)
    return people is not None and 0 < people < minimum


def _are_separate(entries: Sequence[Any]) -> bool:
    """Whether the entries are different statements, clauses, or pairs of values, not parts of one whole: then nothing can be had by subtraction."""
    return any(isinstance(entry, Mapping) and entry.keys() & {"item", "source", "draft"} for entry in entries)


def _suppressed(entry: Any) -> dict[str, Any]:
    kept = {key: value for key, value in entry.items() if isinstance(value, str)}
    return {**kept, "people": None, "suppressed": True}
