"""What a rule may decide: plain frozen data, without ids and without wording.

Owns the shapes between policies (which make them), `wording` (which finds the words) and `agent` (which turns them into events). Never
decides anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from deliberation.events import Payload
from deliberation.state import RoomState

Action = Literal["speak", "decline", "move_on", "more_time", "here", "call_human"]
Weight = Literal["interface", "message", "safety"]


@dataclass(frozen=True, slots=True)
class Say:
    """Say something: `rule` names the rule and its entry in the catalogues.

    `to` None is the whole room. `about` is whose name stands for {name}. `words` fill the placeholders of text and reason; `numbers` are
    the figures that made the rule fire, kept in the event. Only a `message` is bound by the budget.
    """

    rule: str
    weight: Weight = "message"
    to: tuple[str, ...] | None = None
    about: str | None = None
    words: Mapping[str, str | int] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class CallHuman:
    """Ask for a human facilitator; `why` carries no names and no words of anybody."""

    participant_id: str | None
    why: str


@dataclass(frozen=True, slots=True)
class AskOthers:
    """Ask the others privately whether what somebody said was all right."""

    participant_id: str
    subject_id: str
    asked: tuple[str, ...]
    why: str


Move = Say | CallHuman | AskOthers

Act = Callable[[Callable[[RoomState], Sequence[Payload]]], Awaitable[None]]
"""Appends to a room's log what a function makes of the state of that very moment: words may be taken back until then."""
