"""What a simulated participant thinks in stages of values and of cases: which card they write, which value they find wiser, how they judge.

Owns a small stock of values, from those that simulated people find less wise to those they find wiser, so that a group's answers agree in the
main and differ in detail. Pure: the same view and the same dice give the same commands. Called by `habits`, which says when.
"""

from __future__ import annotations

import hashlib
from random import Random

from deliberation.casework import CasesView, RateCase
from deliberation.values import AddCard, AnswerSame, AnswerWiser
from deliberation.values_view import ValuesView

STOCK: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Speed", ("how quickly an answer can be given", "what can wait")),
    ("Correctness", ("which facts are certain", "what the sources say")),
    ("Plain words", ("which words the person uses", "what they have understood so far")),
    ("Their own choice", ("what the person wants for themselves", "which options they see")),
    ("Patience", ("what has not been said yet", "when a pause does good")),
    ("Being there", ("what the person feels now", "whether they are alone", "who could be with them")),
)  # from less to more wise
FIRM = 0.85  # how often an answer follows that order

ValuesAct = AddCard | AnswerSame | AnswerWiser


def card(values: ValuesView, dice: Random) -> AddCard | None:
    """Return a card that is not there yet; None where there is nothing left to write."""
    taken = {one.title for one in values.cards.values()}
    free = [one for one in STOCK if one[0] not in taken]
    mine = sum(one.mine for one in values.cards.values())
    if not free or mine >= values.cards_each:
        return None
    title, attends = dice.choice(free)
    return AddCard(context=dice.choice(values.contexts), title=title, attends=attends)


def next_answer(values: ValuesView, dice: Random) -> ValuesAct | None:
    """Return the answer to the next open question about values, if there is one."""
    if values.writing or values.comparing:
        for pair in values.alike.values():
            if pair.my_answer is None:
                return AnswerSame(first_card=pair.first_card, second_card=pair.second_card, same=dice.random() < 0.8)
    for one in values.comparisons if values.comparing else ():
        if one.my_answer is None:
            higher = _wisdom(values.cards[one.to_card].title) > _wisdom(values.cards[one.from_card].title)
            answer = (1 if higher else -1) if dice.random() < FIRM else 0
            return AnswerWiser(from_card=one.from_card, to_card=one.to_card, context=one.context, answer=answer)
    return None


def next_rating(stage: CasesView, dice: Random) -> RateCase | None:
    """Return the next rating that is missing, if there is one: near what the response is worth in that case to everybody."""
    for case in stage.cases if stage.open else ():
        for template in stage.templates:
            if template.id not in stage.mine.get(case.id, {}):
                worth = 1 + _toss(case.varies or case.id, template.id) % 5
                value = min(5, max(1, worth + dice.choice((-1, 0, 0, 1))))
                return RateCase(stage_id=stage.stage_id, case=case.id, template=template.id, value=value)
    return None


def _wisdom(title: str) -> int:
    known = [name for name, _ in STOCK]
    return known.index(title) * 10 if title in known else _toss(title) % 60


def _toss(*words: str) -> int:
    return hashlib.sha256("\0".join(words).encode()).digest()[0]
