"""Translation: what a room shows, into each reader's language; the original always stays beside it.

Owns the question to the model, the check of its answer, and `Translator`, which stands beside one room and keeps its readers supplied. Never
replaces an original, and never keeps the room waiting: for an answer that comes late, or fails the check, the original is shown alone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from pydantic import BaseModel, ConfigDict, Field

from deliberation.events import AiCalled, Event, Payload
from deliberation.state import RoomState
from deliberation.translations import Original, TextTranslated, originals
from facilitator import prompts
from facilitator.llm import LanguageModel, Question, ask
from facilitator.moves import Act

AT_ONCE = 12  # texts of one question: few enough for an answer within the deadline
LOOK_BACK = 60  # texts, the newest first, that are looked at; what is older stays as it is
REST_SECONDS = 30.0  # after a question that got no answer at all
KEPT = 2000  # translations that one room remembers by their text
NAMES = {"en": "English", "es": "Spanish", "ar": "Arabic"}
LENGTHS = (0.3, 3.5)  # how many times as long as the original a translation may be
_NUMBER = re.compile(r"\d+")


class TranslatedText(BaseModel):
    """One text of the model's answer."""

    model_config = ConfigDict(extra="forbid")

    n: int
    text: str = Field(max_length=1900)  # llama.cpp's grammars repeat nothing more than 2000 times


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
    variant: str = "",
) -> Translated:
    """Translate up to `AT_ONCE` texts that the events `first_seq`..`last_seq` hold."""
    assert len(texts) <= AT_ONCE, "more texts than one question takes"
    if model is None or not texts:
        return Translated((None,) * len(texts), None)
    prompt = prompts.load("translate", variant)
    question = Question(
        purpose="translation",
        prompt=prompt,
        system=prompt.filled(language=NAMES.get(language, language)),
        data=prompts.quoted({"texts": [{"n": n, "text": text} for n, text in enumerate(texts, 1)]}),
        answer=TranslationAnswer,
        first_seq=first_seq,
        last_seq=last_seq,
        max_tokens=200 + 2 * sum(len(text) for text in texts),
    )
    answer = await ask(model, question, call_id, clock)
    by_number = {item.n: item.text.strip() for item in answer.value.translations} if answer.value else {}
    return Translated(
        tuple(_checked(text, by_number.get(n)) for n, text in enumerate(texts, 1)),
        answer.call,
    )


class Translator:
    """Keeps one room's readers supplied: a part of the room (`server.rooms.room.Part`).

    One question at a time, the newest texts first, and each text once per language: an answer that fails the check is not asked for again, and
    the same text (a card's wording) is asked for once. A model that does not answer is left alone for `REST_SECONDS`. Between two questions the newest state is looked at, so nothing queues up; what has been
    overtaken by `LOOK_BACK` newer texts is left untranslated.
    """

    def __init__(
        self,
        model: LanguageModel,
        act: Act,
        new_id: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        self._model = model
        self._act = act
        self._new_id = new_id
        self._clock = clock
        self._state: RoomState | None = None
        self._news = asyncio.Event()
        self._rests_until = 0.0
        self._known: dict[tuple[str, str], str | None] = {}  # (text, language) → translation, None where there is none

    def on_events(self, events: Sequence[Event], state: RoomState) -> None:
        """Take note of the newest state; never blocks."""
        self._state = state
        self._news.set()

    async def run(self) -> None:
        """Translate what the readers of the newest state need, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._state is not None and self._state.open and await self._step(self._state):
                pass

    async def close(self) -> None:
        """Nothing to free."""

    async def _step(self, state: RoomState) -> bool:
        """Do the translations into one language that are due; tell whether there were any."""
        if self._clock() < self._rests_until:
            return False
        for language in sorted({member.language for member in state.present}):
            due = self._due(state, language)
            if not due:
                continue
            asked = list(dict.fromkeys(o.text for o in due if (o.text, language) not in self._known))[:AT_ONCE]
            call: AiCalled | None = None
            if asked:
                made = await translate(
                    asked,
                    language,
                    self._model,
                    self._new_id(),
                    self._clock,
                    first_seq=1,
                    last_seq=state.seq,
                    variant=state.facilitation.prompts,
                )
                call = made.call
                if call is not None and call.outcome in ("timeout", "unavailable", "open_circuit"):
                    self._rests_until = self._clock() + REST_SECONDS
                else:
                    self._remember(language, asked, made.texts)
            payloads: list[Payload] = []
            if call is not None:  # the texts stand in their own events, which are erased with their originals
                payloads.append(call.model_copy(update={"output": ""}))
            done = {o.subject_id: (o.text, self._event(o, language, call, asked)) for o in due if self._known.get((o.text, language))}
            await self._act(partial(_with_standing, payloads, done))
            return True
        return False

    def _due(self, state: RoomState, language: str) -> list[Original]:
        """Return what lacks a translation into a language and has not failed."""
        return [
            original
            for original in islice(originals(state), LOOK_BACK)
            if original.language != language
            and language not in state.translations.get(original.subject_id, {})
            and self._known.get((original.text, language), "") is not None
        ]

    def _remember(self, language: str, texts: Sequence[str], translations: Sequence[str | None]) -> None:
        for text, translation in zip(texts, translations, strict=True):
            self._known[text, language] = translation
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]

    def _event(self, original: Original, language: str, call: AiCalled | None, asked: Sequence[str]) -> TextTranslated:
        return TextTranslated(
            subject_id=original.subject_id,
            participant_id=original.participant_id,
            language=language,
            text=self._known[original.text, language],
            call_id=call.call_id if call is not None and original.text in asked else None,
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


def _with_standing(
    payloads: Sequence[Payload], done: Mapping[str, tuple[str, Payload]], now: RoomState
) -> list[Payload]:
    """Return the payloads with the translations of what still stands as it was: meanwhile some may have changed, or be gone."""
    standing = {o.subject_id: o.text for o in originals(now)}
    return [*payloads, *(event for key, (text, event) in done.items() if standing.get(key) == text)]
