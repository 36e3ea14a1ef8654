"""Translation: what was said, into a reader's language; the original always stays beside it.

Owns the question to the model and the check of its answer. Never replaces an original. Without a model, or for an answer that fails the
check, there is no translation and the original is shown. Called by whoever shows captions or cards to people of several languages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from deliberation.events import AiCalled
from facilitator import prompts
from facilitator.llm import LanguageModel, Question, ask

AT_ONCE = 20  # texts of one question
LENGTHS = (0.3, 3.5)  # how many times as long as the original a translation may be
_NUMBER = re.compile(r"\d+")


class TranslatedText(BaseModel):
    """One text of the model's answer."""

    model_config = ConfigDict(extra="forbid")

    n: int
    text: str = Field(max_length=4000)


class TranslationAnswer(BaseModel):
    """The model's answer."""

    model_config = ConfigDict(extra="forbid")

    translations: list[TranslatedText] = Field(max_length=AT_ONCE)


@dataclass(frozen=True, slots=True)
class Translated:
    """Translations in the order of the originals, None where there is none; and the ledger's entry."""

    texts: tuple[str | None, ...]
    call: AiCalled | None


async def translate(
    texts: Sequence[str],
    language: str,
    model: LanguageModel | None,
    call_id: str,
    clock: Callable[[], float],
    *,
    first_seq: int,
    last_seq: int,
) -> Translated:
    """Translate up to 20 texts that the events `first_seq`..`last_seq` hold."""
    assert len(texts) <= AT_ONCE, "more texts than one question takes"
    if model is None or not texts:
        return Translated((None,) * len(texts), None)
    prompt = prompts.load("translate")
    question = Question(
        purpose="translation",
        prompt=prompt,
        system=prompt.filled(language=language),
        data=prompts.quoted({"texts": [{"n": n, "text": text} for n, text in enumerate(texts, 1)]}),
        answer=TranslationAnswer,
        first_seq=first_seq,
        last_seq=last_seq,
    )
    answer = await ask(model, question, call_id, clock)
    by_number = {item.n: item.text.strip() for item in answer.value.translations} if answer.value else {}
    return Translated(
        tuple(_checked(text, by_number.get(n)) for n, text in enumerate(texts, 1)),
        answer.call,
    )


def _checked(original: str, translation: str | None) -> str | None:
    """Return a translation that can be one: of like length, with the same numbers."""
    if not translation:
        return None
    ratio = len(translation) / max(1, len(original))
    fits = LENGTHS[0] <= ratio <= LENGTHS[1] or abs(len(translation) - len(original)) <= 12
    return translation if fits and _numbers(original) == _numbers(translation) else None


def _numbers(text: str) -> list[int]:
    return sorted(int(number) for number in _NUMBER.findall(text))
