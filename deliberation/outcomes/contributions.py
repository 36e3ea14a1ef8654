"""Contributions and what was made of them: the derivations that credit flows back along.

Owns which items a room's words become in the record: each utterance that something rests on is a contribution of its speaker (in a survey, every
answer is a response); a sentence of the group's summary rests on what it cites; a summary, on its sentences; the outcome of all rooms, on the
statements that most people agreed with. Each carries licence, consent scopes and expiry. Never decides what cites what: the log says so.
Pure; called by `gather`, and by the server for what a participant sees of their own words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from deliberation.outcomes.record import Item, Judgement
from deliberation.state import RoomState, Utterance

OUTCOME = "outcome"
QUESTION = "question"
DAY_SECONDS = 86_400
MIN_ANSWERS = 5
"""A word that fewer answers hold is no theme: it could tell whose it is."""


def of_room(
    state: RoomState, label: Callable[[str], str | None], items: Mapping[str, str], author: Callable[[str], str],
    words: Callable[[str, str], str], *, whole_seconds: bool,
) -> list[Item]:
    """Return what one room contributed.

    `label` gives an utterance's name in the record (None: it is not to be there), `items` the statements' items by id, `author` a participant's
    pseudonym ("" for none), `words` an id's text as it may be shown: of ("utterance", id) or ("sentence", its place).
    """  # fmt: skip
    plan, ended = state.plan, state.closed_at or state.at
    expires = float(round(ended + plan.privacy.retention_days * DAY_SECONDS))
    licence = plan.consent.licence

    def at(moment: float) -> float:
        return round(moment, 0 if whole_seconds else 3)

    def name_of(utterance_id: str) -> str | None:
        said = state.utterances.get(utterance_id)
        return label(utterance_id) if said is not None and said.usable else None

    sentences: list[Item] = []
    summary = state.summary
    prefix = f"r{state.number}"
    for place, sentence in enumerate(summary.sentences if summary else ()):
        named = (name_of(u) for u in sentence.utterances)
        sources = (*(u for u in named if u), *(items[s] for s in sentence.statements if s in items))
        text = words("sentence", str(place))
        if summary is not None and sentence.text and text and sources:
            sentences.append(
                Item(
                    f"{prefix}.summary.{place + 1}", "sentence", text, sources=tuple(dict.fromkeys(sources)), at=at(summary.at),
                    licence=licence, expires=expires,
                )
            )
    cited = {u for s in state.statements.values() if s.statement_id in items for u in s.supports}
    cited |= {u for one in (summary.sentences if summary else ()) for u in one.utterances}
    survey = state.number == 0
    found = [
        _contribution(u, name, author(u.participant_id), words("utterance", u.utterance_id), state, licence, expires, at(u.started_at))
        for u in state.utterances.values()
        if (u.utterance_id in cited or survey) and (name := name_of(u.utterance_id))
    ]
    if sentences:
        found += sentences
        found.append(
            Item(
                f"{prefix}.summary", "outcome", f"Summary of group {state.number}", sources=tuple(s.id for s in sentences),
                at=sentences[0].at, licence=licence, expires=expires,
            )
        )
    return found  # fmt: skip


def _contribution(
    said: Utterance, name: str, author: str, text: str, state: RoomState, licence: str, expires: float, at: float
) -> Item:
    member = state.members.get(said.participant_id)
    scopes = tuple(scope for scope, given in (member.consent if member else {}).items() if given) if author else ()
    survey = state.number == 0
    return Item(
        name, "response" if survey else "contribution", text, author, parent=QUESTION if survey else "", at=at, licence=licence,
        scopes=scopes, expires=expires, attributes={"language": said.language, "written": "yes" if said.written and author else ""},
    )  # fmt: skip


def outcome(items: Collection[Item], judgements: Iterable[Judgement], licence: str) -> Item | None:
    """Return the outcome of all rooms: it rests on the statements that more than half of those who took a side agree with."""
    votes: dict[tuple[str, str], float] = {(j.participant, j.item): j.value for j in judgements if j.kind == "vote"}
    balance: dict[str, float] = {}
    for (_, item), value in votes.items():
        balance[item] = balance.get(item, 0.0) + value
    held = tuple(item.id for item in items if item.kind == "statement" and balance.get(item.id, 0.0) > 0)
    return Item(OUTCOME, "outcome", "What the groups agree on", sources=held, licence=licence) if held else None


def with_themes(items: Sequence[Item], words_of: Callable[[str, str], Collection[str]]) -> list[Item]:
    """Return the items with each answer's themes: the words of it that at least `MIN_ANSWERS` people's answers hold."""
    answers = [item for item in items if item.kind == "response"]
    held: dict[str, set[str]] = {}
    words = {item.id: set(words_of(item.text, item.attributes.get("language", "en"))) for item in answers}
    for item in answers:
        for word in words[item.id]:
            held.setdefault(word, set()).add(item.author or item.id)
    common = {word for word, people in held.items() if len(people) >= MIN_ANSWERS}
    return [
        replace(item, attributes={**item.attributes, "themes": ", ".join(sorted(words[item.id] & common))})
        if item.id in words
        else item
        for item in items
    ]
