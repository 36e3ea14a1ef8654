"""From a room's stages of values and of cases to the common record: their items, and who judged what.

Cards with the same words are one value, whichever groups wrote them; a card that people confirmed to say the same as another keeps its words
and names that other as its parent. A card's story is a quote: it is there where its author agreed to be quoted. Texts come from the released
log. Never makes pseudonyms (`gather` does). Pure; called by `gather`, room by room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, replace

from deliberation.events import Event
from deliberation.outcomes.record import Item, Judgement, content_hash
from deliberation.state import RoomState
from deliberation.values import CardAdded


@dataclass(frozen=True, slots=True)
class Judged:
    """One person's judgement; `participant` of the judgement is still empty."""

    person: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Story:
    """The story on a card, to be quoted: its item, its label in the released log, the author's own id and label there, and the words."""

    item: str
    label: str
    person: str
    shown: str
    text: str


@dataclass(frozen=True, slots=True)
class Room:
    """One room: its state, the same as released, and both logs. `strict`: no times of their own, no authors."""

    state: RoomState
    released: RoomState
    stored_log: tuple[Event, ...]
    released_log: tuple[Event, ...]
    strict: bool

    def at(self, event: Event) -> float:
        """Return the time that a judgement is told with."""
        return float(round(self.state.closed_at or self.state.at)) if self.strict else round(event.at, 3)

    def cards(self) -> list[tuple[CardAdded, CardAdded]]:
        """Return the cards as stored and as released; redaction keeps their number and order."""
        stored = [e.payload for e in self.stored_log if isinstance(e.payload, CardAdded)]
        released = [e.payload for e in self.released_log if isinstance(e.payload, CardAdded)]
        return list(zip(stored, released, strict=True))


def cards_of(
    room: Room, numbers: MutableMapping[str, str], known: MutableMapping[str, Item], author: Callable[[str], str]
) -> dict[str, str]:
    """Add a room's cards to `known` items, numbered in `numbers` by their words; return the item of each that stands, by card id.

    `author` gives a participant's pseudonym.
    """
    state, found = room.state, dict[str, str]()
    cards = room.cards()
    for own, shown in cards:
        if state.values.cards[own.card_id].withdrawn or not own.title or not shown.title:
            continue
        item = numbers.setdefault(content_hash("\n".join((own.title, *(own.attends or ())))), f"v{len(numbers) + 1}")
        found[own.card_id] = item
        before = known.get(item)
        kept = dict(before.attributes) if before else {"contexts": "", "origin": "seed" if own.participant_id is None else "participant"}
        kept["contexts"] = "\n".join(dict.fromkeys([*filter(None, kept["contexts"].split("\n")), *filter(None, [shown.context])]))
        for name, value in (("rooms", state.number), ("rounds", state.round)):
            kept[name] = " ".join(dict.fromkeys([*kept.get(name, "").split(), str(value)]))
        if shown.attends:
            kept["attends"] = "\n".join(shown.attends)
        at = round(state.values.cards[own.card_id].at, 0 if room.strict else 3)
        by = author(own.participant_id) if own.participant_id else ""
        made = before or Item(item, "value", shown.title, by, at=at, licence=state.plan.consent.licence)
        known[item] = replace(made, attributes=kept)
    for card_id, name in state.values.canonical().items():
        mine, parent = found.get(card_id), found.get(name)
        if mine and parent and mine != parent and not known[mine].parent:
            known[mine] = replace(known[mine], parent=parent)
    return found


def stories(room: Room, items: dict[str, str]) -> Iterator[Story]:
    """Yield the stories on standing cards of those who agreed to be quoted."""
    for own, shown in room.cards():
        author = room.state.members.get(own.participant_id or "")
        if own.card_id in items and shown.story and author is not None and author.consent.get("quote"):
            yield Story(items[own.card_id], shown.card_id, author.participant_id, shown.participant_id or "", shown.story)


def compared(room: Room, items: dict[str, str]) -> Iterator[Judged]:
    """Yield the answers to "which of the two is wiser?"; contexts are told as they may leave the room."""
    stages = zip(room.state.plan.agenda, room.released.plan.agenda, strict=True)
    contexts = {own: shown for ours, theirs in stages for own, shown in zip(ours.values.contexts, theirs.values.contexts, strict=True)}
    for event in room.stored_log:
        e = event.payload
        if e.kind == "values.wiser" and e.from_card in items and e.to_card in items:
            judgement = Judgement(
                "", items[e.from_card], "wiser", e.answer, room.at(event), versus=items[e.to_card], context=contexts.get(e.context, "")
            )
            yield Judged(e.participant_id, judgement)


def cases_of(room: Room, known: MutableMapping[str, Item]) -> None:
    """Add the design's cases and response templates to `known` items."""
    for stage in room.released.plan.agenda:
        if stage.kind == "cases":
            for case in stage.cases.cases:
                parent = f"case-{case.varies}" if case.varies else ""
                known[f"case-{case.id}"] = Item(f"case-{case.id}", "case", case.text, parent=parent, attributes=dict(case.dimensions))
            for template in stage.cases.templates:
                name = f"{stage.id}-{template.id}"
                known[name] = Item(name, "template", template.text)


def rated(room: Room) -> Iterator[Judged]:
    """Yield the ratings of responses to cases."""
    for event in room.stored_log:
        e = event.payload
        if e.kind == "case.rated":
            item = f"{e.stage_id}-{e.template}"
            yield Judged(e.participant_id, Judgement("", item, "rating", e.value, room.at(event), context=f"case-{e.case}"))
