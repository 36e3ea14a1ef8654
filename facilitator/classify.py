"""Classifying the talk: asks the model for one label of the last minutes, for the ledger, where the content rule reads it.

Owns when to ask and what is shown to the model. Never acts. Called by `agent`; `policies.content` decides on what the ledger then holds.
"""

from __future__ import annotations

from collections.abc import Callable

from deliberation.events import AiCalled
from deliberation.state import RoomState, Utterance
from facilitator import prompts
from facilitator.floor import newest_first, talking_stage
from facilitator.llm import LanguageModel, Question, ask
from facilitator.policies.content import PURPOSE, ContentLabel, may_back, newest

WINDOW_SECONDS = 240.0
MIN_UTTERANCES = 4  # fewer say nothing about a conversation


def is_due(state: RoomState, now: float) -> bool:
    """Tell whether it is time to ask: in a discussion, with enough said since the last time, no more often than the design says."""
    if state.facilitation.mode != "model" or state.facilitation_paused or not talking_stage(state):
        return False
    assert state.stage is not None
    last = newest(state)
    since = max(state.stage.started_at, last.at if last else 0.0)
    if now - since < state.facilitation.content.every_seconds:
        return False
    return sum(u.ended_at > since for u in window(state, now)) >= MIN_UTTERANCES


def window(state: RoomState, now: float) -> list[Utterance]:
    """Return what was said in this stage's last minutes and may back a label, oldest first."""
    start = max(now - WINDOW_SECONDS, state.stage.started_at if state.stage else 0.0)
    recent: list[Utterance] = []
    for u in newest_first(state.utterances):
        if u.ended_at < start:
            break
        if may_back(u):
            recent.append(u)
    return sorted(recent, key=lambda u: u.started_at)


async def label(state: RoomState, model: LanguageModel, call_id: str, clock: Callable[[], float]) -> AiCalled | None:
    """Ask for one label; None where there is nothing to show."""
    stage = state.current_stage
    said = window(state, clock())
    if stage is None or not said:
        return None
    while sum(len(u.text) + 40 for u in said) > model.max_input_chars and len(said) > 1:
        said = said[1:]
    prompt = prompts.load("content", state.facilitation.prompts)
    data = {
        "question": state.plan.question,
        "stage": {"title": stage.title, "prompt": stage.prompt},
        "speech": prompts.numbered(state, said),
    }
    question = Question(
        purpose=PURPOSE,
        prompt=prompt,
        system=prompt.filled(),
        data=prompts.quoted(data),
        answer=ContentLabel,
        first_seq=1,
        last_seq=state.seq,
        max_tokens=200,
    )
    return (await ask(model, question, call_id, clock)).call
