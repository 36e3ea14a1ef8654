"""What each viewer sees of a room's values: all cards without their authors, one's own answers, and one's own chat with the assistant.

Nothing else of anybody's is shown: neither how others compare values nor what they told the assistant. Pure; listed by `wire` and `view`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from deliberation.payload import ViewBase
from deliberation.values import MAX_ANSWERS, Talk, asked, comparisons, settings_of

if TYPE_CHECKING:
    from deliberation.state import RoomState



class ValuesCardView(ViewBase):
    """One card. `stands_for`: the cards that were confirmed to say the same, itself left out."""

    card_id: str
    context: str
    title: str
    attends: tuple[str, ...]
    story: str
    mine: bool
    seed: bool
    drafted: bool
    stands_for: tuple[str, ...]


class AlikeView(ViewBase):
    """Two cards that read alike and are not one yet; `mine`: one of them is the viewer's."""

    first_card: str
    second_card: str
    mine: bool
    my_answer: bool | None
    same: int
    different: int


class ComparisonView(ViewBase):
    """One question to the viewer: whether `to_card` is wiser than `from_card` in this context."""

    from_card: str
    to_card: str
    context: str
    my_answer: int | None


class LineView(ViewBase):
    """One line of the viewer's chat with the drafting assistant."""

    by: Literal["me", "ai"]
    text: str


class DraftView(ViewBase):
    """A draft that only the viewer sees until they put it up."""

    title: str
    attends: tuple[str, ...]
    story: str
    call_id: str | None


class TalkView(ViewBase):
    """The viewer's own chat with the drafting assistant; `over`: no more answers are taken."""

    context: str
    lines: tuple[LineView, ...]
    draft: DraftView | None
    waiting: bool
    failed: bool
    over: bool


class ValuesView(ViewBase):
    """Values in a room. `cards` are those that stand, each once, also where several were confirmed to be one.

    `writing` and `comparing` say what the stage is for now; `guided`: a drafting assistant may be asked; `compared`: members who have
    answered every comparison.
    """

    contexts: tuple[str, ...]
    cards_each: int
    writing: bool
    comparing: bool
    guided: bool
    cards: dict[str, ValuesCardView]
    alike: dict[str, AlikeView]
    comparisons: tuple[ComparisonView, ...]
    compared: int
    talk: TalkView | None


def view(state: RoomState, participant_id: str | None) -> ValuesView | None:
    """Return the values of a room as one viewer may see them; None before the first stage of values."""
    settings, held = settings_of(state), state.values
    if settings is None:
        return None
    kind = state.current_stage.kind if state.open and state.current_stage else ""
    canonical = held.canonical()
    me = participant_id or ""
    mine = held.wiser.get(me, {})
    pairs = comparisons(held, settings) if kind != "values" else ()
    told = {
        person: sum((a, b, c) in done or (b, a, c) in done for a, b, c in pairs) for person, done in held.wiser.items()
    }
    talk = held.talks.get(me)
    return ValuesView(
        contexts=settings.contexts,
        cards_each=settings.cards_each,
        writing=kind == "values",
        comparing=kind == "wiser",
        guided=kind == "values" and state.facilitation.mode == "model" and not state.facilitation_paused,
        cards={
            card.card_id: ValuesCardView(
                card_id=card.card_id,
                context=card.context,
                title=card.title,
                attends=card.attends,
                story=card.story,
                mine=participant_id is not None and card.participant_id == participant_id,
                seed=card.participant_id is None,
                drafted=card.call_id is not None,
                stands_for=tuple(other for other, name in canonical.items() if name == card.card_id and other != card.card_id),
            )
            for card in held.standing
        },
        alike={
            f"{pair.first_card} {pair.second_card}": AlikeView(
                first_card=pair.first_card,
                second_card=pair.second_card,
                mine=me in (held.cards[pair.first_card].participant_id, held.cards[pair.second_card].participant_id),
                my_answer=pair.answers.get(me),
                same=sum(pair.answers.values()),
                different=len(pair.answers) - sum(pair.answers.values()),
            )
            for pair in held.alike.values()
            if not pair.merged and {pair.first_card, pair.second_card} <= canonical.keys()
        },
        comparisons=tuple(
            ComparisonView(from_card=a, to_card=b, context=context, my_answer=mine.get((a, b, context)))
            for a, b, context in (asked(held, settings, me) if pairs and participant_id is not None else ())
        ),
        compared=sum(count == len(pairs) for count in told.values()) if pairs else 0,
        talk=_talk(talk) if talk else None,
    )


def _talk(talk: Talk) -> TalkView:
    draft = talk.draft
    return TalkView(
        context=talk.context,
        lines=tuple(LineView(by="me" if by == "me" else "ai", text=text) for by, text in talk.lines),
        draft=DraftView(title=draft.title, attends=draft.attends, story=draft.story, call_id=draft.call_id) if draft else None,
        waiting=talk.waiting,
        failed=talk.failed,
        over=talk.told >= MAX_ANSWERS,
    )
