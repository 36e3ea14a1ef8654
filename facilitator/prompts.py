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

from deliberation.design import Design
from deliberation.errors import InvalidInput
from deliberation.state import RoomState, Utterance


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt. `name` is `file@version`, or `variant/file@version`; `hash` the first 16 hex digits of the file's SHA-256."""

    name: str
    text: str
    hash: str

    def filled(self, **words: str | int) -> str:
        """Return the text with its placeholders filled."""
        return self.text.format(**words)


@lru_cache(maxsize=32)
def load(name: str, variant: str = "") -> Prompt:
    """Return a prompt of the `prompts` folder: in a variant's wording (`prompts/VARIANT/`) where that has one."""
    folder = files("facilitator") / "prompts"
    own = folder / variant / f"{name}.md" if variant in variants() else None
    file, label = (own, f"{variant}/{name}") if own is not None and own.is_file() else (folder / f"{name}.md", name)
    raw = file.read_text("utf-8")
    head, _, text = raw.partition("\n")
    key, _, version = head.partition(":")
    assert key == "version" and version.strip().isdigit(), f"prompts/{label}.md must begin with 'version: N'"
    return Prompt(f"{label}@{version.strip()}", text.strip(), hashlib.sha256(raw.encode()).hexdigest()[:16])


def variants() -> tuple[str, ...]:
    """Return the named variants of the prompts, for the arms of an experiment."""
    return tuple(sorted(entry.name for entry in (files("facilitator") / "prompts").iterdir() if entry.is_dir()))


def check(design: Design) -> None:
    """Raise `InvalidInput("no_such_prompts")` where a design, or one of its arms, names prompts that there are not."""
    named = {design.facilitation.prompts, *(design.facilitation.of_arm(arm.name).prompts for arm in design.facilitation.arms)}
    if unknown := sorted(named - {"", *variants()}):
        raise InvalidInput(
            "no_such_prompts", f"There are no prompts “{unknown[0]}”.", f"There are: {', '.join(variants()) or 'none but the usual ones'}."
        )


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
