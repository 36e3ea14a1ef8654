"""Prompts: wording for the model, one file each, versioned and hashed so that the ledger can name exactly what was asked.

The first line of a file is `version: N`; the rest is the text, with {placeholders}. What people said never goes in here: it is sent as
JSON in a message of its own (`quoted`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from deliberation.state import RoomState, Utterance


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt. `name` is `file@version`; `hash` the first 16 hex digits of the file's SHA-256."""

    name: str
    text: str
    hash: str

    def filled(self, **words: str | int) -> str:
        """Return the text with its placeholders filled."""
        return self.text.format(**words)


@lru_cache(maxsize=32)
def load(name: str) -> Prompt:
    """Return a prompt of the `prompts` folder."""
    raw = (files("facilitator") / "prompts" / f"{name}.md").read_text("utf-8")
    head, _, text = raw.partition("\n")
    key, _, version = head.partition(":")
    assert key == "version" and version.strip().isdigit(), f"prompts/{name}.md must begin with 'version: N'"
    return Prompt(f"{name}@{version.strip()}", text.strip(), hashlib.sha256(raw.encode()).hexdigest()[:16])


def numbered(state: RoomState, utterances: Iterable[Utterance]) -> list[dict[str, Any]]:
    """Return speech as the model gets it: n is the utterance's place in the room's log, speakers are seats, never names."""
    places = {utterance_id: n for n, utterance_id in enumerate(state.utterances, 1)}
    return [
        {"n": places[u.utterance_id], "speaker": f"P{state.members[u.participant_id].seat}", "text": u.text}
        for u in utterances
        if u.participant_id in state.members
    ]


def utterance_at(state: RoomState, n: int) -> Utterance | None:
    """Return the utterance that `numbered` calls n."""
    said = list(state.utterances.values())
    return said[n - 1] if 1 <= n <= len(said) else None


def quoted(data: Mapping[str, Any]) -> str:
    """Return data as JSON, so that no speech can end its own quotation."""
    return json.dumps(data, ensure_ascii=False)
