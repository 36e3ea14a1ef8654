"""The citation check with an embedding model: other words for the same are let through, the same words for something else are not."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from facilitator import meaning, summary
from facilitator.citations import FAR, NEAR, check
from facilitator.llm import ModelFailure
from facilitator.meaning import closest, cosine
from facilitator.openai_llm import OpenAIEmbedder
from tests.facilitator.models import ScriptedModel, fake_server, http
from tests.facilitator.rooms import Room

SAID = "The buses stop running at ten, so nurses walk home late."
OTHER_WORDS = "Nurses have to travel on foot after ten at night."
NOT_SAID = "Buses running at ten stop nurses."


def room() -> Room:
    made = Room(3)
    made.talk([("p1", SAID)])
    return made


def still() -> float:
    return 0.0


class Vectors:
    """Gives texts the vectors it is told."""

    name = "vectors"
    deadline_seconds = 1.0

    def __init__(self, known: dict[str, list[float]] | ModelFailure) -> None:
        self.known = known

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if isinstance(self.known, ModelFailure):
            raise self.known
        return [self.known[text] for text in texts]


@pytest.mark.parametrize(
    ("text", "likeness", "holds"),
    [
        (OTHER_WORDS, None, False),
        (OTHER_WORDS, NEAR - 0.01, False),
        (OTHER_WORDS, NEAR, True),
        (NOT_SAID, None, True),
        (NOT_SAID, FAR, True),
        (NOT_SAID, FAR - 0.01, False),
        ("The king must abdicate at once and pay a golden tribute.", 1.0, False),  # likeness alone is not enough
    ],
)
def test_likeness_moves_the_threshold_both_ways(text: str, likeness: float | None, holds: bool) -> None:
    assert check(room().state, text, ["u1"], (), "en", (), likeness).holds is holds


async def test_a_summary_keeps_a_paraphrase_with_an_embedding_model_and_drops_it_without() -> None:
    answer = json.dumps({"sentences": [{"text": OTHER_WORDS, "utterances": [1]}]})
    vectors = Vectors({OTHER_WORDS: [1.0, 0.1], SAID: [1.0, 0.0]})
    state = room().state
    without = await summary.summarise(state, ScriptedModel(answer), iter("abcdef").__next__, still)
    assert without.method == "extraction:unsupported" and [c.purpose for c in without.calls] == ["summary"]
    made = await summary.summarise(state, ScriptedModel(answer), iter("abcdef").__next__, still, vectors)
    assert [s.text for s in made.sentences] == [OTHER_WORDS]
    assert [(c.purpose, c.outcome) for c in made.calls] == [("summary", "ok"), ("embedding", "ok")]
    assert made.proposed("s").call_id == made.calls[0].call_id


@pytest.mark.parametrize(
    ("embedder", "outcome"),
    [
        (Vectors(ModelFailure("unavailable")), "unavailable"),
        (Vectors({"a": [1.0], "b": [1.0, 2.0]}), "invalid"),
        (Vectors({"a": [1.0], "b": [float("nan")]}), "invalid"),
    ],
)
async def test_an_embedding_model_that_fails_leaves_words_to_count(embedder: Vectors, outcome: str) -> None:
    found = await closest(embedder, [("a", ["b"])], "c", still, 1)
    assert found.values == (None,) and found.call is not None and found.call.outcome == outcome


async def test_without_an_embedding_model_nothing_is_asked() -> None:
    assert await closest(None, [("a", ["b"])], "c", still, 1) == meaning.Likeness((None,))


async def test_vectors_come_from_an_openai_compatible_server_in_the_order_of_the_texts() -> None:
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in ((1, [0.0, 1.0]), (0, [1.0, 0.0]))]
    good = http(200, json.dumps({"object": "list", "data": data, "model": "e", "usage": {"prompt_tokens": 1, "total_tokens": 1}}).encode())
    async with fake_server(good, http(500, b"{}")) as server:
        embedder = OpenAIEmbedder(server.url, "e", None, deadline_seconds=5)
        assert await embedder.embed(["x", "y"]) == [[1.0, 0.0], [0.0, 1.0]]
        assert server.requests[0]["input"] == ["x", "y"]
        with pytest.raises(ModelFailure):
            await embedder.embed(["x"])


def test_the_cosine() -> None:
    assert cosine([1, 0], [2, 0]) == pytest.approx(1) and cosine([1, 0], [0, 3]) == 0 and cosine([0, 0], [1, 1]) == 0
