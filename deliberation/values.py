"""Values cards in a room: written, found alike, and compared; two kinds of stage, `values` and, after the talk, `wiser`.

Owns the stages' settings, their events, their commands, what a room remembers of them and what is allowed; what each viewer sees is
`values_view`'s. A card is about one of the design's contexts. Two cards that read alike become one value only when people say so: the author of the later one, or a
majority, and never against either author. The ranking is `outcomes.moral_graph`'s; what a model drafts is `facilitator.values_cards`'s, and
stays between the two until its author puts it up. Pure; listed by `design`, `events`, `commands`, `state`, `room` and `view`.

Invariants: a later answer to the same question counts; nobody is asked to compare a value with itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from deliberation.command import CommandBase, Id
from deliberation.errors import Conflict, InvalidInput, NotAllowed, NotFound, TooMany
from deliberation.payload import PayloadBase, Personal, Text

if TYPE_CHECKING:
    from deliberation.design import Stage
    from deliberation.state import RoomState

MAX_ATTENDS = 8
MAX_ANSWERS = 4  # answers in one guided chat: after that the form is at hand
KINDS = ("values", "wiser")

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=80)]
Attend = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=160)]
Story = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Context = Annotated[str, Field(min_length=1, max_length=200)]


class SeedCard(BaseModel):
    """A card of the organiser's, so that groups have some values in common; without `context` it is compared in all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Title
    attends: tuple[Attend, ...] = Field((), max_length=MAX_ATTENDS)
    context: str = ""


class ValuesSettings(BaseModel):
    """How values are collected and compared.

    `contexts`: the situations that a card may be about, in words that end the sentence "What matters when …". `cards_each`: cards that one
    person may write. `alike_from`: similarity (0–1) from which two cards are proposed as one. `comparisons`: pairs that each person is asked
    about, the same for all members of a group.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    contexts: tuple[Context, ...] = Field((), max_length=8)
    seeds: tuple[SeedCard, ...] = Field((), max_length=20)
    cards_each: int = Field(3, ge=1, le=10)
    alike_from: float = Field(0.5, gt=0, le=1)
    comparisons: int = Field(12, ge=1, le=60)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if len(set(self.contexts)) < len(self.contexts):
            raise ValueError("values: name each context once")
        if any(seed.context and seed.context not in self.contexts for seed in self.seeds):
            raise ValueError("values: the context of a seed has to be one of the contexts")
        return self


# -- events


class CardAdded(PayloadBase):
    """A value that somebody lives by in a context; `participant_id` None for the organiser's. `call_id`: a model's draft that its author took up."""

    subject_field = "card_id"
    kind: Literal["values.added"] = "values.added"
    card_id: str
    participant_id: str | None
    context: str
    title: Text
    attends: Annotated[tuple[str, ...] | None, Personal] = ()
    story: Text = ""
    call_id: str | None = None


class CardWithdrawn(PayloadBase):
    """A card was taken back by its author, or hidden by a facilitator."""

    owner_field = None
    kind: Literal["values.withdrawn"] = "values.withdrawn"
    card_id: str
    by: Literal["author", "facilitator"]


class CardsAlike(PayloadBase):
    """Two cards read alike (`similarity` 0–1): people are asked whether they are one. `second_card` is the later one."""

    owner_field = None
    kind: Literal["values.alike"] = "values.alike"
    first_card: str
    second_card: str
    similarity: float


class SameAnswered(PayloadBase):
    """Somebody's answer to whether two cards are one value."""

    kind: Literal["values.same"] = "values.same"
    participant_id: str
    first_card: str
    second_card: str
    same: bool


class CardsMerged(PayloadBase):
    """People confirmed that two cards are one value; the first stands for both."""

    owner_field = None
    kind: Literal["values.merged"] = "values.merged"
    first_card: str
    second_card: str


class WiserAnswered(PayloadBase):
    """Is `to_card` wiser than `from_card` in this context? 1 wiser, -1 not wiser, 0 unsure."""

    kind: Literal["values.wiser"] = "values.wiser"
    participant_id: str
    from_card: str
    to_card: str
    context: str
    answer: Literal[-1, 0, 1]


class ValueTold(PayloadBase):
    """What somebody told the drafting assistant; nobody else ever sees it."""

    kind: Literal["values.told"] = "values.told"
    participant_id: str
    context: str
    text: Text


class ValueReplied(PayloadBase):
    """The assistant's question, or its draft of a card (`title` set), for one person only. `failed`: there was no answer, the form remains."""

    kind: Literal["values.replied"] = "values.replied"
    participant_id: str
    text: Text = ""
    title: Text = None
    attends: Annotated[tuple[str, ...] | None, Personal] = ()
    story: Text = ""
    call_id: str | None = None
    failed: bool = False


ValuesPayload = CardAdded | CardWithdrawn | CardsAlike | SameAnswered | CardsMerged | WiserAnswered | ValueTold | ValueReplied


# -- commands


class AddCard(CommandBase):
    """Put up a values card; `call_id` names the assistant's draft that it was made from."""

    type: Literal["values.add"] = "values.add"
    context: Context
    title: Title
    attends: tuple[Attend, ...] = Field(min_length=1, max_length=MAX_ATTENDS)
    story: Story = ""
    call_id: Id | None = None


class WithdrawCard(CommandBase):
    """Take a card back (its author), or hide it (a facilitator)."""

    type: Literal["values.withdraw"] = "values.withdraw"
    card_id: Id


class AnswerSame(CommandBase):
    """Say whether two cards that read alike are one value."""

    type: Literal["values.same"] = "values.same"
    first_card: Id
    second_card: Id
    same: bool


class AnswerWiser(CommandBase):
    """Compare two values in a context; changeable until the stage ends."""

    type: Literal["values.wiser"] = "values.wiser"
    from_card: Id
    to_card: Id
    context: Context
    answer: Literal[-1, 0, 1]


class TellValue(CommandBase):
    """Tell the drafting assistant something; it asks on, or drafts a card."""

    type: Literal["values.tell"] = "values.tell"
    context: Context
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


ValuesCommand = AddCard | WithdrawCard | AnswerSame | AnswerWiser | TellValue


# -- state


@dataclass(frozen=True, slots=True)
class Card:
    """One values card. `context` is empty for one that stands in all contexts."""

    card_id: str
    participant_id: str | None
    context: str
    title: str
    attends: tuple[str, ...]
    story: str
    at: float
    call_id: str | None = None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Alike:
    """Two cards that read alike, and who says that they are one."""

    first_card: str
    second_card: str
    similarity: float
    answers: Mapping[str, bool] = field(default_factory=dict)
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A card as a model drafted it."""

    title: str
    attends: tuple[str, ...]
    story: str
    call_id: str | None


@dataclass(frozen=True, slots=True)
class Talk:
    """One person's guided chat: lines of (by, text), by "me" or "ai"; `waiting` for the assistant's answer; `failed` when none came."""

    context: str
    lines: tuple[tuple[str, str], ...] = ()
    draft: Draft | None = None
    waiting: bool = False
    failed: bool = False
    number: int = 0  # of the latest answer, counted over the room

    @property
    def told(self) -> int:
        """How many answers the person has given."""
        return sum(by == "me" for by, _ in self.lines)


@dataclass(frozen=True, slots=True)
class Values:
    """A room's cards, pairs that read alike, comparisons (by person, then by from, to and context) and private chats by person."""

    cards: Mapping[str, Card] = field(default_factory=dict)
    alike: Mapping[tuple[str, str], Alike] = field(default_factory=dict)
    wiser: Mapping[str, Mapping[tuple[str, str, str], int]] = field(default_factory=dict)
    talks: Mapping[str, Talk] = field(default_factory=dict)
    told: int = 0  # answers to the assistant so far

    @property
    def standing(self) -> tuple[Card, ...]:
        """The cards that have not been taken back, oldest first."""
        return tuple(card for card in self.cards.values() if not card.withdrawn)

    def canonical(self) -> dict[str, str]:
        """Map each standing card to the one that stands for its value: the oldest of those confirmed to be the same."""
        group = {card_id: card_id for card_id in self.cards}
        for pair in self.alike.values():
            if pair.merged:
                kept, folded = group[pair.first_card], group[pair.second_card]
                group = {card_id: kept if name == folded else name for card_id, name in group.items()}
        first: dict[str, str] = {}
        return {card.card_id: first.setdefault(group[card.card_id], card.card_id) for card in self.standing}


def fold(held: Values, payload: ValuesPayload, at: float) -> Values:
    """Return a room's values after one more event."""
    match payload:
        case CardAdded() as e:
            card = Card(
                e.card_id, e.participant_id, e.context, e.title or "", e.attends or (), e.story or "", at, e.call_id, withdrawn=e.title is None
            )
            talks = {who: talk for who, talk in held.talks.items() if who != e.participant_id or e.call_id is None}
            return replace(held, cards={**held.cards, e.card_id: card}, talks=talks)
        case CardWithdrawn() as e if e.card_id in held.cards:
            return replace(held, cards={**held.cards, e.card_id: replace(held.cards[e.card_id], withdrawn=True)})
        case CardsAlike() as e if {e.first_card, e.second_card} <= held.cards.keys():
            return replace(held, alike={**held.alike, (e.first_card, e.second_card): Alike(e.first_card, e.second_card, e.similarity)})
        case SameAnswered() as e if pair := held.alike.get((e.first_card, e.second_card)):
            pair = replace(pair, answers={**pair.answers, e.participant_id: e.same})
            return replace(held, alike={**held.alike, (e.first_card, e.second_card): pair})
        case CardsMerged() as e if pair := held.alike.get((e.first_card, e.second_card)):
            return replace(held, alike={**held.alike, (e.first_card, e.second_card): replace(pair, merged=True)})
        case WiserAnswered() as e:
            mine = {**held.wiser.get(e.participant_id, {}), (e.from_card, e.to_card, e.context): int(e.answer)}
            return replace(held, wiser={**held.wiser, e.participant_id: mine})
        case ValueTold() as e:
            talk = held.talks.get(e.participant_id)
            if talk is None or talk.context != e.context or talk.failed:
                talk = Talk(e.context)
            talk = replace(talk, lines=(*talk.lines, ("me", e.text or "")), draft=None, waiting=True, number=held.told + 1)
            return replace(held, talks={**held.talks, e.participant_id: talk}, told=held.told + 1)
        case ValueReplied() as e if talk := held.talks.get(e.participant_id):
            draft = Draft(e.title, e.attends or (), e.story or "", e.call_id) if e.title else None
            lines = (*talk.lines, ("ai", e.text)) if e.text else talk.lines
            talk = replace(talk, lines=lines, draft=draft, waiting=False, failed=e.failed)
            return replace(held, talks={**held.talks, e.participant_id: talk})
    return held


def seeds(stage: Stage) -> list[CardAdded]:
    """Return the organiser's cards of a stage that begins now."""
    return [
        CardAdded(card_id=f"{stage.id}-card-{n}", participant_id=None, context=seed.context, title=seed.title, attends=seed.attends)
        for n, seed in enumerate(stage.values.seeds, 1)
    ]


def settings_of(state: RoomState) -> ValuesSettings | None:
    """Return the settings of the newest stage of values that has begun; None where there has been none."""
    begun = state.stage.index + 1 if state.stage else 0
    stages = [stage for stage in state.plan.agenda[:begun] if stage.kind == "values"]
    return stages[-1].values if stages else None


def comparisons(held: Values, settings: ValuesSettings) -> tuple[tuple[str, str, str], ...]:
    """Return the pairs of values (older, newer, context) that a group is asked about, neighbours first, so that all values come up early."""
    canonical = held.canonical()
    standing = [card for card in held.standing if canonical[card.card_id] == card.card_id]
    ranked = []
    for number, context in enumerate(settings.contexts):
        here = [card.card_id for card in standing if card.context in ("", context)]
        for i, first in enumerate(here):
            for j in range(i + 1, len(here)):
                ranked.append((j - i, i, number, first, here[j], context))
    return tuple((first, second, context) for *_, first, second, context in sorted(ranked)[: settings.comparisons])


def asked(held: Values, settings: ValuesSettings, participant_id: str) -> Iterator[tuple[str, str, str]]:
    """Yield one person's questions (from, to, context): half of a group is asked about a pair the other way round, by a hash."""
    for first, second, context in comparisons(held, settings):
        toss = hashlib.sha256(f"{participant_id}\0{first}\0{second}\0{context}".encode()).digest()[0] & 1
        yield (second, first, context) if toss else (first, second, context)


# -- decisions


def decide(state: RoomState, me: str, command: ValuesCommand, new_id: str) -> list[ValuesPayload]:
    """Return what a participant's command leads to. Raises `Conflict` outside its stage, `NotFound`, `NotAllowed`, `TooMany`, `InvalidInput`."""
    held = state.values
    match command:
        case AddCard():
            return [_add(state, me, command, new_id)]
        case WithdrawCard():
            card = _card(held, command.card_id)
            if card.participant_id != me:
                raise NotAllowed("not_yours", "Only its author can take a card back.")
            return [] if card.withdrawn else [CardWithdrawn(card_id=card.card_id, by="author")]
        case AnswerSame():
            _stage(state, *KINDS)
            return _same(state, me, command)
        case AnswerWiser():
            settings = _stage(state, "wiser")
            question = command.from_card, command.to_card, command.context
            if question not in set(asked(held, settings, me)):
                raise NotFound("no_such_comparison", "These two values are not compared.")
            if held.wiser.get(me, {}).get(question) == command.answer:
                return []
            return [WiserAnswered(participant_id=me, **command.model_dump(exclude={"type"}))]
        case TellValue():
            settings = _stage(state, "values")
            talk = held.talks.get(me)
            if state.facilitation.mode != "model" or state.facilitation_paused:
                raise Conflict("no_assistant", "There is no assistant here; please write the card in the form.")
            if command.context not in settings.contexts:
                raise InvalidInput("unknown_context", "This is none of the situations that this stage is about.")
            if talk is not None and talk.waiting:
                raise Conflict("assistant_busy", "The assistant is still answering.")
            if talk is not None and talk.context == command.context and not talk.failed and talk.told >= MAX_ANSWERS:
                raise TooMany("talk_over", "That is as long as this chat goes; please write the card in the form.")
            return [ValueTold(participant_id=me, context=command.context, text=command.text)]


def hide(state: RoomState, command: WithdrawCard) -> list[CardWithdrawn]:
    """Return what a facilitator's command to hide a card leads to. Raises `NotFound`."""
    card = _card(state.values, command.card_id)
    return [] if card.withdrawn else [CardWithdrawn(card_id=card.card_id, by="facilitator")]


def _stage(state: RoomState, *kinds: str) -> ValuesSettings:
    stage, settings = state.current_stage, settings_of(state)
    if stage is None or stage.kind not in kinds or settings is None:
        raise Conflict("stage_over", "This is not what the group is doing now.")
    return settings


def _card(held: Values, card_id: str) -> Card:
    card = held.cards.get(card_id)
    if card is None:
        raise NotFound("no_such_card", "There is no such card.")
    return card


def _add(state: RoomState, me: str, command: AddCard, card_id: str) -> CardAdded:
    settings, held = _stage(state, "values"), state.values
    if command.context not in settings.contexts:
        raise InvalidInput("unknown_context", "This is none of the situations that this stage is about.")
    if sum(card.participant_id == me for card in held.standing) >= settings.cards_each:
        raise TooMany("too_many_cards", f"Everyone may write up to {settings.cards_each} cards.")
    words = _words(command.title, command.attends)
    if any(card.context == command.context and _words(card.title, card.attends) == words for card in held.standing):
        raise Conflict("card_exists", "This card is already there.")
    talk = held.talks.get(me)
    drafted = talk.draft.call_id if talk and talk.draft else None
    if command.call_id is not None and command.call_id != drafted:
        raise NotFound("no_such_draft", "There is no such draft.")
    return CardAdded(participant_id=me, card_id=card_id, **command.model_dump(exclude={"type"}))


def _words(title: str, attends: Sequence[str]) -> tuple[str, ...]:
    return tuple(text.casefold() for text in (title, *attends))


def _same(state: RoomState, me: str, command: AnswerSame) -> list[ValuesPayload]:
    held = state.values
    pair = held.alike.get((command.first_card, command.second_card))
    if pair is None:
        raise NotFound("no_such_pair", "Nobody was asked about these two cards.")
    if pair.merged:
        raise Conflict("already_one", "These two cards are one value already.")
    if pair.answers.get(me) == command.same:
        return []
    answers = {**pair.answers, me: command.same}
    payloads: list[ValuesPayload] = [SameAnswered(participant_id=me, **command.model_dump(exclude={"type"}))]
    if _confirmed(state, pair, answers):
        payloads.append(CardsMerged(first_card=pair.first_card, second_card=pair.second_card))
    return payloads


def _confirmed(state: RoomState, pair: Alike, answers: Mapping[str, bool]) -> bool:
    """The author of the later card may give it up; a majority may say so too, but not against either author."""
    authors = [held.participant_id for held in (state.values.cards[pair.first_card], state.values.cards[pair.second_card])]
    if any(author is not None and answers.get(author) is False for author in authors):
        return False
    voters = state.voters
    many = 2 * sum(same for who, same in answers.items() if who in voters) > len(voters)
    return many or (authors[1] is not None and answers.get(authors[1]) is True)
