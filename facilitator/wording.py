"""Wording: finds the words for a move, in the language of those who read it.

Owns the use of `catalogues/{en,es,ar}.json` (one file per language; adding a language is one file). A card to the whole room is written
in the design's language, a private one in its reader's. Never decides whether something is said. Called by `agent`.
"""

from __future__ import annotations

from collections.abc import Mapping

from deliberation.state import RoomState
from facilitator.moves import Say
from facilitator.text import catalogue, count_words


def written(move: Say, state: RoomState) -> tuple[str, str]:
    """Return the text of a move and its reason.

    Variants of a text take turns, by how often the rule has spoken already, so that the same log gives the same words; a message keeps to
    the design's word limit where one of them does (the shortest is taken where none does).
    """
    language = language_for(move, state)
    entry = catalogue(language)
    words = {**move.words, "name": display_name(state, move.about, language)}
    texts = [_fill(variant, words) for variant in entry[move.rule]]
    if move.weight == "message":
        limit = state.facilitation.budget.max_words
        texts = [text for text in texts if count_words(text) <= limit] or [min(texts, key=count_words)]
    times = sum(made.rule == move.rule for made in state.interventions.values())
    return texts[times % len(texts)], _fill(entry[f"{move.rule}.why"][0], move.words)


def language_for(move: Say, state: RoomState) -> str:
    """Return the language that a move is written in."""
    if move.to is not None and len(move.to) == 1 and move.to[0] in state.members:
        return state.members[move.to[0]].language
    return state.plan.language


def display_name(state: RoomState, participant_id: str | None, language: str) -> str:
    """Return a member's name, or the seat's where the name is erased or there is none."""
    member = state.members.get(participant_id or "")
    if member is None:
        return ""
    return member.name or phrase(language, "participant", seat=member.seat)


def phrase(language: str, key: str, **words: str | int) -> str:
    """Return one entry of a language's catalogue, filled."""
    return _fill(catalogue(language)[key][0], words)


def _fill(template: str, words: Mapping[str, str | int]) -> str:
    """Fill the placeholders; what people wrote is put in as it is, braces included."""
    parts = template.split("{")
    filled = parts[0] + "".join(
        str(words.get(name, "")) + rest for name, _, rest in (part.partition("}") for part in parts[1:])
    )
    return " ".join(filled.split())
