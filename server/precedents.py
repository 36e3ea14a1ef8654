"""A new case put to a deliberation's case law: its nearest judged cases, with what everybody may see of the judgements.

Owns the join of precedents and public figures; never keeps the question. Takes a moment (text similarity over all cases): its caller runs it
off the loop. Called by `server/http/precedents`.
"""

from __future__ import annotations

from deliberation.errors import NotFound
from server.http.models import Answered, AnsweredPrecedent
from server.outcome_plans import figures_for_everybody
from server.outcomes import Computed


def answer(found: Computed, text: str) -> Answered:
    """Return the precedents of a case in words. Raises `NotFound("no_cases")` where no case has been judged."""
    from deliberation.outcomes.cases import CaseView, precedents  # here, since SciPy takes seconds to load

    result = next((result for result in found.results if result.method == "cases"), None)
    if result is None:
        raise NotFound("no_cases", "There are no judged cases here yet.")
    figures = figures_for_everybody(result)
    judged = {case["case"]: case["templates"] for case in figures.get("cases", ())}
    cases = [item for item in found.gathered.record.items if item.kind == "case"]
    made = precedents(text, cases, [CaseView(case.id, case.parent, (), ()) for case in cases])
    return Answered(
        none=made.none,
        precedents=tuple(
            AnsweredPrecedent(case=one.case, similarity=round(one.similarity, 3), words=one.words, templates=judged.get(one.case, []))
            for one in made.precedents
        ),
    )
