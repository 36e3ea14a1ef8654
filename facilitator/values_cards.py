"""Values cards with help: a short chat that ends in a draft, and proposals of cards that may be one value.

Owns what the model is asked and what of its answer is passed on. What a person tells goes to the model and to nobody else: the ledger holds
that it was asked, when, and with which prompt, but not what came back, since the draft is the person's until they put it up. Never puts up a
card and never makes two cards one: people do. Called by `agent`.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from deliberation.events import Payload
from deliberation.state import RoomState
from deliberation.values import MAX_ANSWERS, MAX_ATTENDS, CardsAlike, Talk, ValueReplied, settings_of
from facilitator import prompts
from facilitator.llm import LanguageModel, Question, ask

PURPOSE = "values"


class ValueDraft(BaseModel):
    """The model's answer: a question, or a draft."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field("", max_length=300)
    title: str = Field("", max_length=80)
    attends: list[str] = Field(default_factory=list, max_length=MAX_ATTENDS)
    story: str = Field("", max_length=1000)


async def reply(
    state: RoomState, person: str, model: LanguageModel | None, new_id: Callable[[], str], clock: Callable[[], float]
) -> list[Payload]:
    """Answer what one person told last: a question, a draft, or the word that there is no answer and the form remains."""
    talk = state.values.talks[person]
    failed = ValueReplied(participant_id=person, failed=True)
    if model is None or state.facilitation.mode != "model":
        return [failed]
    prompt = prompts.load("values")
    member = state.members.get(person)
    question = Question(
        purpose=PURPOSE,
        prompt=prompt,
        system=prompt.filled(language=member.language if member else state.plan.language),
        data=prompts.quoted(_data(talk)),
        answer=ValueDraft,
        first_seq=state.seq,
        last_seq=state.seq,
        max_tokens=500,
    )
    answer = await ask(model, question, new_id(), clock)
    call = answer.call.model_copy(update={"output": ""})
    return [call, _passed_on(answer.value, person, talk, call.call_id) or failed]


def alike(state: RoomState) -> list[CardsAlike]:
    """Return the pairs of standing cards that read alike and that nobody was asked about yet. Takes a moment: run it off the loop."""
    from deliberation.outcomes.text import similar_pairs  # scikit-learn takes seconds to load

    settings, held = settings_of(state), state.values
    if settings is None:
        return []
    cards = held.standing
    texts = [" ".join((card.title, *card.attends)) for card in cards]
    return [
        CardsAlike(first_card=cards[i].card_id, second_card=cards[j].card_id, similarity=round(similarity, 3))
        for i, j, similarity in similar_pairs(texts, settings.alike_from)
        if (cards[i].card_id, cards[j].card_id) not in held.alike
        and (not cards[i].context or not cards[j].context or cards[i].context == cards[j].context)
    ]


def _data(talk: Talk) -> dict[str, object]:
    lines = [{"by": by, "text": text} for by, text in talk.lines]
    return {"situation": talk.context, "talk": lines, "answers_left": max(0, MAX_ANSWERS - talk.told)}


def _passed_on(answer: ValueDraft | None, person: str, talk: Talk, call_id: str) -> ValueReplied | None:
    """Return what the person is shown; None where the answer is neither a question nor a card that would be accepted."""
    if answer is None:
        return None
    title = " ".join(answer.title.split())
    attends = tuple(line for text in answer.attends if 2 <= len(line := " ".join(text.split())) <= 160)
    if len(title) >= 2 and attends:
        return ValueReplied(participant_id=person, title=title, attends=attends, story=answer.story.strip(), call_id=call_id)
    asked = " ".join(answer.question.split())
    return ValueReplied(participant_id=person, text=asked, call_id=call_id) if asked and talk.told < MAX_ANSWERS else None
