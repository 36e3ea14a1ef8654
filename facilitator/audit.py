"""The steering audit: whether the facilitator treats the same talk alike, whoever says it.

Runs rules, drafting and summary on a room's transcript as it is, with the speakers' names moved on by one, and with their positions moved
on by one (everyone says what their neighbour said), and compares: whom it prompts, whose words it reuses, whose statements it words as
negations, by person and by segment. It claims nothing about how people would respond. Called by `parley audit`; changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from typing import Any

from deliberation.equity import shares, spoken_seconds
from deliberation.events import AI, Event, MemberJoined, Payload
from deliberation.room import fold
from deliberation.state import RoomState
from facilitator import drafting, summary
from facilitator.agent import payload_of
from facilitator.drafting import Draft
from facilitator.extraction import discussed
from facilitator.llm import LanguageModel
from facilitator.policies import decide
from facilitator.replay import replay
from facilitator.text import contains_any, count_words

MAX_TICKS = 4 * 3600  # seconds of a room that are replayed


@dataclass(frozen=True, slots=True)
class Portrait:
    """What the facilitator did with one version of the talk; all maps go by position in the original talk.

    `prompts` counts messages that concern somebody, `reused` is each one's share of the cited utterances of statements and summary,
    `spoken` the share of the words said, `negated` the share of drafted statements that are negations.
    """

    prompts: Mapping[str, int]
    spoken: Mapping[str, float]
    reused: Mapping[str, float]
    negated: float
    statements: tuple[str, ...]
    method: str


async def audit(events: Sequence[Event], model: LanguageModel | None = None) -> dict[str, Any]:
    """Audit one room's log; return plain JSON values.

    `differences` lists what changed although only names, or only positions, did: prompts that do not follow the position, statements that
    are not the same. With the rules and extraction alone it must be empty; with a model it measures the model.
    """
    talk = [event for event in events if event.actor != AI]
    people = [e.payload.participant_id for e in talk if isinstance(e.payload, MemberJoined)]
    as_it_is = await _portrait(talk, people, {p: p for p in people}, model)
    renamed = await _portrait(_with_names_moved(talk, people), people, {p: p for p in people}, model)
    moved = {who: people[(index + 1) % len(people)] for index, who in enumerate(people)}
    back = {new: old for old, new in moved.items()}
    swapped = await _portrait(_with_positions_moved(talk, moved), people, back, model)
    replayed = replay(events)
    return {
        "as_it_is": asdict(as_it_is),
        "names_swapped": asdict(renamed),
        "positions_swapped": asdict(swapped),
        "differences": {
            "names_swapped": _differences(as_it_is, renamed),
            "positions_swapped": _differences(as_it_is, swapped),
        },
        "by_segment": _by_segment(talk, as_it_is),
        "decisions": replayed.decisions,
        "reproduced": replayed.share,
        "note": "This compares what the facilitator says. It claims nothing about how people would respond.",
    }


async def _portrait(
    talk: Sequence[Event], people: Sequence[str], position: Mapping[str, str], model: LanguageModel | None
) -> Portrait:
    state, prompts = _facilitated(talk)
    numbers = count(1)

    def new_id() -> str:
        return f"audit-{next(numbers)}"

    drafts = await drafting.draft(state, model, new_id, lambda: state.at)
    made = await summary.summarise(state, model, new_id, lambda: state.at)
    speaker = {u.utterance_id: position[u.participant_id] for u in state.utterances.values()}
    cited = Counter(speaker[key] for key in _cited(drafts.drafts, made.sentences))
    words = Counter[str]()
    for u in discussed(state):
        words[position[u.participant_id]] += count_words(u.text)
    negated = sum(contains_any(d.text, state.plan.language, "negation") for d in drafts.drafts)
    return Portrait(
        prompts={who: sum(1 for p in prompts if position.get(p) == who) for who in people},
        spoken=_shares(words, people),
        reused=_shares(cited, people),
        negated=round(negated / len(drafts.drafts), 3) if drafts.drafts else 0.0,
        statements=tuple(d.text for d in drafts.drafts),
        method=made.method,
    )


def _facilitated(talk: Sequence[Event]) -> tuple[RoomState, list[str]]:
    """Let the rules watch the talk second by second; return the last state and whom each message concerned."""
    state = RoomState()
    prompts: list[str] = []
    now = talk[0].at if talk else 0.0
    for event in talk[:]:
        for _ in range(MAX_TICKS):
            if now >= event.at or state.design is None:
                break
            now += 1.0
            state = _let_rules_act(state, now, prompts)
        state = fold(state, Event(state.seq + 1, event.at, event.actor, event.payload))
    return state, prompts


def _let_rules_act(state: RoomState, now: float, prompts: list[str]) -> RoomState:
    for move in decide(state, now):
        payload: Payload = payload_of(move, state, partial("rule-{}".format, state.seq))
        about = getattr(payload, "about", None)
        if about is not None:
            prompts.append(about)
        state = fold(state, Event(state.seq + 1, now, AI, payload))
    return state


def _cited(drafts: Iterable[Draft], sentences: Iterable[Any]) -> list[str]:
    return [key for d in drafts for key in d.supports] + [key for s in sentences for key in s.utterances]


def _shares(counts: Counter[str], people: Sequence[str]) -> dict[str, float]:
    total = sum(counts.values()) or 1
    return {who: round(counts[who] / total, 4) for who in people}


def _with_names_moved(talk: Iterable[Event], people: Sequence[str]) -> list[Event]:
    """Give everyone the name of the next seat."""
    talk = list(talk)
    names = {e.payload.participant_id: e.payload.name for e in talk if isinstance(e.payload, MemberJoined)}
    following = {who: names[people[(index + 1) % len(people)]] for index, who in enumerate(people)}
    return [
        Event(e.seq, e.at, e.actor, e.payload.model_copy(update={"name": following[e.payload.participant_id]}))
        if isinstance(e.payload, MemberJoined)
        else e
        for e in talk
    ]


def _with_positions_moved(talk: Iterable[Event], moved: Mapping[str, str]) -> list[Event]:
    """Let everyone do and say what another did and said; who sits where, and what they are called, stays."""
    result: list[Event] = []
    for event in talk:
        who = getattr(event.payload, "participant_id", None)
        if isinstance(who, str) and who in moved and not isinstance(event.payload, MemberJoined):
            payload = event.payload.model_copy(update={"participant_id": moved[who]})
            event = Event(event.seq, event.at, moved.get(event.actor, event.actor), payload)
        result.append(event)
    return result


def _differences(one: Portrait, other: Portrait) -> list[str]:
    found = [
        f"prompts about the same position: {one.prompts[who]} and {other.prompts[who]}"
        for who in one.prompts
        if one.prompts[who] != other.prompts[who]
    ]
    found += [f"a statement only in the first: {text}" for text in one.statements if text not in other.statements]
    found += [f"a statement only in the second: {text}" for text in other.statements if text not in one.statements]
    return found


def _by_segment(talk: Sequence[Event], portrait: Portrait) -> dict[str, dict[str, dict[str, float]]]:
    """Return, for each segment and value, the share of words said, of words reused, of talk time, and prompts per person."""
    state = RoomState()
    for event in talk:
        state = fold(state, Event(state.seq + 1, event.at, event.actor, event.payload))
    talked = shares(spoken_seconds(state, state.at))
    result: dict[str, dict[str, dict[str, float]]] = {}
    for key in sorted({key for m in state.members.values() for key in m.segments}):
        for value in sorted({m.segments[key] for m in state.members.values() if key in m.segments}):
            who = [m.participant_id for m in state.members.values() if m.segments.get(key) == value]
            result.setdefault(key, {})[value] = {
                "people": float(len(who)),
                "words_said": round(sum(portrait.spoken.get(p, 0.0) for p in who), 4),
                "words_reused": round(sum(portrait.reused.get(p, 0.0) for p in who), 4),
                "talk_time": round(sum(talked.get(p, 0.0) for p in who), 4),
                "prompts_per_person": round(sum(portrait.prompts.get(p, 0) for p in who) / len(who), 3),
            }
    return result
