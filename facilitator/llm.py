"""The language model's contract, and the one way to ask it: structured, bounded in time and size, and always in the ledger.

Owns: `LanguageModel` (what an implementation must do), `ask` (schema, validation, one repair), `Guarded` (deadline, concurrency,
circuit breaker). Never decides what to do with an answer, and never raises for a model that fails: the outcome says so.
`openai_llm` implements the protocol; `agent` and `drafting`/`summary` ask.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from deliberation.errors import Unavailable
from deliberation.events import AiCalled
from facilitator.prompts import Prompt

Outcome = Literal["ok", "repaired", "timeout", "invalid", "unavailable", "refused", "open_circuit"]
T = TypeVar("T", bound=BaseModel)

DEADLINE_SECONDS = 8.0
MAX_ANSWER_CHARS = 20_000  # longer answers are no answers
LEDGER_CHARS = 8_000  # of an answer that are kept in the ledger


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request. `system` is our wording, `user` quoted data; `schema` is the JSON Schema of the wanted answer."""

    system: str
    user: str
    schema_name: str
    schema: dict[str, Any]
    max_tokens: int
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What came back, as text."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0


class ModelFailure(Unavailable):
    """The model gave no answer; `outcome` says in which way."""

    def __init__(self, outcome: Outcome, message: str = "The language model gave no answer.") -> None:
        super().__init__("model_failed", message)
        self.outcome: Outcome = outcome


class LanguageModel(Protocol):
    """A model. `deadline_seconds` bounds one question, repair included; `max_input_chars` what `user` may hold."""

    @property
    def name(self) -> str:
        """The model's name, as the ledger shows it."""
        ...

    @property
    def deadline_seconds(self) -> float:
        """How long one question may take."""
        ...

    @property
    def max_input_chars(self) -> int:
        """How much data fits into one question."""
        ...

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer within `request.timeout_seconds`, or raise `ModelFailure`."""
        ...


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """What to ask: prompt and data, the shape of the answer, and what the ledger says about it."""

    purpose: str
    prompt: Prompt
    system: str
    data: str
    answer: type[T]
    first_seq: int
    last_seq: int
    max_tokens: int = 1200


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What came of it: `value` None unless the outcome is ok or repaired; `call` is the ledger's entry."""

    value: T | None
    call: AiCalled


async def ask(model: LanguageModel, question: Question[T], call_id: str, clock: Callable[[], float]) -> Answer[T]:
    """Ask a model for a structured answer; an answer in the wrong form is sent back once.

    Never raises for a failing model. `clock` gives seconds; the deadline holds for both attempts together.
    """
    began = clock()
    schema = question.answer.model_json_schema()
    system, tokens_in, tokens_out, text = question.system, 0, 0, ""
    value: T | None = None
    outcome: Outcome = "invalid"
    for attempt, good in enumerate(("ok", "repaired")):
        left = model.deadline_seconds - (clock() - began)
        if attempt and left <= 0:
            break
        request = ModelRequest(system, question.data, question.answer.__name__, schema, question.max_tokens, left)
        try:
            reply = await model.complete(request)
        except ModelFailure as failure:
            outcome = failure.outcome
            break
        text = reply.text
        tokens_in, tokens_out = tokens_in + reply.tokens_in, tokens_out + reply.tokens_out
        value, problem = _parse(text, question.answer)
        if value is not None:
            outcome = "ok" if good == "ok" else "repaired"
            break
        system = (
            f"{question.system}\n\nYour last answer was not usable: {problem} Answer again with the JSON object only."
        )
    call = AiCalled(
        call_id=call_id,
        purpose=question.purpose,
        model=model.name,
        prompt=question.prompt.name,
        prompt_hash=question.prompt.hash,
        first_seq=question.first_seq,
        last_seq=question.last_seq,
        output=value.model_dump_json() if value is not None else text[:LEDGER_CHARS],
        latency_ms=max(0, round((clock() - began) * 1000)),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        outcome=outcome,
    )
    return Answer(value, call)


def _parse(text: str, answer: type[T]) -> tuple[T | None, str]:
    """Return the answer, or None and what is wrong with it (in our words, never in the model's)."""
    if len(text) > MAX_ANSWER_CHARS:
        return None, "It was far too long."
    start = text.find("{")
    if start < 0:
        return None, "It held no JSON object."
    try:
        first, _ = json.JSONDecoder().raw_decode(text, start)  # small models go on talking, or say it again
        return answer.model_validate(first), ""
    except (ValueError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            return None, "It was not valid JSON."
        wrong = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in wrong["loc"] if isinstance(part, int) or part in answer.model_fields)
        return None, f"At “{place or 'the top'}”: {wrong['type'].replace('_', ' ')}."


@dataclass(slots=True)
class Breaker:
    """Circuit breaker: after `limit` failures in a row nothing is asked for `rest_seconds`, then one question tries again.

    Invariant: `failures` counts consecutive failures; `opened_at` is set exactly while the circuit is open.
    """

    limit: int = 3
    rest_seconds: float = 30.0
    failures: int = 0
    opened_at: float | None = None

    def allows(self, now: float) -> bool:
        """Tell whether a question may be asked; a question let through an open circuit restarts its rest."""
        if self.opened_at is None:
            return True
        if now - self.opened_at < self.rest_seconds:
            return False
        self.opened_at = now
        return True

    def record(self, *, worked: bool, now: float) -> None:
        """Note how a question went."""
        self.failures = 0 if worked else self.failures + 1
        self.opened_at = now if self.failures >= self.limit else None


class Guarded:
    """A model behind a deadline, a limit on questions at a time, and a circuit breaker; shared by all rooms of a server.

    Questions beyond `at_once` wait in line, but no longer than their own deadline. Refusals are answers: they do not open the circuit.
    """

    def __init__(
        self, model: LanguageModel, clock: Callable[[], float], *, at_once: int = 4, breaker: Breaker | None = None
    ) -> None:
        self._model = model
        self._clock = clock
        self._slots = asyncio.Semaphore(at_once)
        self._breaker = breaker or Breaker()

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def deadline_seconds(self) -> float:
        """How long one question may take."""
        return self._model.deadline_seconds

    @property
    def max_input_chars(self) -> int:
        """How much data fits into one question."""
        return self._model.max_input_chars

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer, or raise `ModelFailure` in time."""
        if not self._breaker.allows(self._clock()):
            raise ModelFailure("open_circuit", "The language model has failed repeatedly; it rests.")
        try:
            async with asyncio.timeout(request.timeout_seconds), self._slots:
                reply = await self._model.complete(request)
        except TimeoutError:
            self._breaker.record(worked=False, now=self._clock())
            raise ModelFailure("timeout", "The language model did not answer in time.") from None
        except ModelFailure as failure:
            self._breaker.record(worked=failure.outcome == "refused", now=self._clock())
            raise
        self._breaker.record(worked=True, now=self._clock())
        return reply
