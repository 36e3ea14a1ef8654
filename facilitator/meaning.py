"""Likeness of meaning, where an embedding model is configured: what the citation check asks beside comparing words.

Owns the one question (all texts at once, bounded in time) and the cosine. Never decides whether a sentence is shown: `citations` does, with
the number it gets; without a model, or for one that fails, there is none and words alone count. Called by `summary`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from deliberation.events import AiCalled
from facilitator.llm import ModelFailure

PURPOSE = "embedding"


class Embedder(Protocol):
    """An embedding model. `deadline_seconds` bounds one question."""

    @property
    def name(self) -> str:
        """The model's name, as the ledger shows it."""
        ...

    @property
    def deadline_seconds(self) -> float:
        """How long one question may take."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text, all of one length; raise `ModelFailure` where there are none."""
        ...


@dataclass(frozen=True, slots=True)
class Likeness:
    """For each sentence how like the closest of its sources it is, -1..1, None where that is unknown; and the ledger's entry."""

    values: tuple[float | None, ...]
    call: AiCalled | None = None


async def closest(
    embedder: Embedder | None,
    cited: Sequence[tuple[str, Sequence[str]]],
    call_id: str,
    clock: Callable[[], float],
    last_seq: int,
) -> Likeness:
    """Compare sentences with the texts they cite: (sentence, sources)."""
    unknown = (None,) * len(cited)
    texts = list(dict.fromkeys(text for sentence, sources in cited for text in (sentence, *sources)))
    if embedder is None or not texts:
        return Likeness(unknown)
    began = clock()
    vectors: dict[str, list[float]] = {}
    outcome = "ok"
    try:
        async with asyncio.timeout(embedder.deadline_seconds):
            found = await embedder.embed(texts)
        if len(found) == len(texts) and len({len(v) for v in found}) == 1 and all(math.isfinite(x) for v in found for x in v):
            vectors = dict(zip(texts, found, strict=True))
        else:
            outcome = "invalid"
    except TimeoutError:
        outcome = "timeout"
    except ModelFailure as failure:
        outcome = failure.outcome
    call = AiCalled(
        call_id=call_id,
        purpose=PURPOSE,
        model=embedder.name,
        prompt="",
        prompt_hash="",
        first_seq=1,
        last_seq=last_seq,
        output="",
        latency_ms=max(0, round((clock() - began) * 1000)),
        outcome=outcome,
    )
    if not vectors:
        return Likeness(unknown, call)
    return Likeness(
        tuple(max((cosine(vectors[text], vectors[s]) for s in sources), default=None) for text, sources in cited), call
    )


def cosine(some: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of the angle between two vectors, -1..1; 0 for a vector of zeros."""
    lengths = math.hypot(*some) * math.hypot(*other)
    return sum(a * b for a, b in zip(some, other, strict=True)) / lengths if lengths else 0.0
