"""Drafting for outcomes: while no room is open any more, a model writes clauses from what bridges, and a statement for those the slate leaves out.

Owns when a model is asked, and with what; `facilitator.outcome_texts` asks and checks, the store keeps the answer with its ledger entry,
and `server/outcomes` hands the texts to the methods. Nobody waits for it: until there is an answer, or where there is no model, clauses are
extracted. Never asks while a room or a survey is open, nor twice about the same votes, unless the model failed (then again after a rest).

Invariant: a draft is shown only with the very votes it was written from (`basis`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from deliberation.errors import Conflict, InvalidInput, ParleyError
from deliberation.outcomes.disclosure import MINIMUM
from deliberation.outcomes.drafts import Draft
from deliberation.outcomes.record import Record
from deliberation.outcomes.result import Result, as_json
from facilitator.llm import LanguageModel
from facilitator.outcome_texts import Voted, Written, extracted_clauses, write_clauses, write_for_left_out
from server.storage.records import DraftPurpose, DraftRecord
from server.storage.store import Store

if TYPE_CHECKING:
    from server.outcomes import Computed, OutcomeBook

log = structlog.get_logger()

WAITING = 16  # deliberations whose drafts are asked for at a time; more are asked for when their outcome is next looked at
REST_SECONDS = 300.0  # before a model that failed is asked about the same votes again
DRAFTED = ("clauses", "draft")  # parameters that hold texts
METHOD_OF: Mapping[DraftPurpose, str] = {"clauses": "agreement", "left-out": "slate"}


def with_drafts(
    method: str, parameters: Mapping[str, Any], record: Record, language: str, stored: Sequence[DraftRecord]
) -> dict[str, Any]:
    """Return a method's parameters with what was drafted for it: what is `stored` for these very votes, else extracted."""
    texts = {one.purpose: one.texts for one in stored if one.texts}
    if method == "slate":
        return {**parameters, **({"draft": as_json(texts["left-out"][0])} if "left-out" in texts else {})}
    clauses: Sequence[Draft] = texts["clauses"] if "clauses" in texts else _extracted(record, parameters, language)
    return {**parameters, "clauses": as_json(clauses)}


def without_drafts(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a method's parameters as everybody may see them: its figures show the texts, but for those that stand for too few people."""
    return {name: value for name, value in parameters.items() if name not in DRAFTED}


def compute_with(
    method: str, parameters: Mapping[str, Any], record: Record, language: str, stored: Sequence[DraftRecord]
) -> Result:
    """Compute a method with what was drafted for it; without what is stored where that does not fit (any more)."""
    from deliberation.outcomes import registry

    try:
        return registry.compute(method, record, with_drafts(method, parameters, record, language, stored))
    except InvalidInput as error:
        if not stored or not error.code.startswith("unfounded_"):
            raise
        log.warning("a draft does not fit the votes that it was written from", method=method, code=error.code)
        return registry.compute(method, record, with_drafts(method, parameters, record, language, ()))


def _extracted(record: Record, parameters: Mapping[str, Any], language: str) -> tuple[Draft, ...]:
    from deliberation.outcomes import registry

    figures = registry.compute("agreement", record, {**parameters, "infer": False}).figures
    return extracted_clauses(bridging(record, figures), language)


def bridging(record: Record, figures: Mapping[str, Any]) -> list[Voted]:
    """Return the statements that bridge, of an agreement's figures."""
    text = {item.id: item.text for item in record.items}
    named = set(figures["bridging"])
    return [Voted(one["item"], text[one["item"]], one["bridge"]) for one in figures["statements"] if one["item"] in named]


class Drafter:
    """Has a model draft what outcomes lack, one deliberation after the other. `run` it in a task of the application."""

    def __init__(
        self, book: OutcomeBook, store: Store, model: LanguageModel, new_id: Callable[[], str], clock: Callable[[], float]
    ) -> None:
        self._book = book
        self._store = store
        self._model = model
        self._new_id = new_id
        self._clock = clock
        self._waiting: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self._asked: dict[tuple[str, DraftPurpose, str], float] = {}
        self._busy: set[str] = set()
        book.drafter = self

    def consider(self, found: Computed) -> bool:
        """Note a fresh outcome; say whether something is being drafted for it."""
        deliberation_id = found.design.id
        if deliberation_id not in self._busy and self._wanted(found) and not self._waiting.full():
            self._busy.add(deliberation_id)
            self._waiting.put_nowait(deliberation_id)
        return deliberation_id in self._busy

    async def run(self) -> None:
        """Draft what `consider` found wanting, until cancelled."""
        while True:
            deliberation_id = await self._waiting.get()
            try:
                await self._draft(deliberation_id)
            except ParleyError as error:
                log.warning("an outcome's texts could not be drafted", deliberation=deliberation_id, code=error.code)
            except Exception:
                log.exception("an outcome's texts could not be drafted", deliberation=deliberation_id)
            finally:
                self._busy.discard(deliberation_id)

    def _wanted(self, found: Computed) -> list[DraftPurpose]:
        if found.design.facilitation.mode != "model" or not found.logs.settled:
            return []
        here = {result.method for result in found.results}
        have = {one.purpose for one in found.logs.drafts if one.basis == found.basis}
        rested = self._clock() - REST_SECONDS
        return [
            purpose
            for purpose, method in METHOD_OF.items()
            if method in here and purpose not in have and self._asked.get((found.design.id, purpose, found.basis), -math.inf) <= rested
        ]

    async def _draft(self, deliberation_id: str) -> None:
        found = await self._book.computed(deliberation_id)
        figures = {result.method: result.figures for result in found.results}
        for purpose in self._wanted(found):
            asked = deliberation_id, purpose, found.basis
            self._asked[asked] = self._clock()
            written = await (self._clauses if purpose == "clauses" else self._left_out)(found, figures[METHOD_OF[purpose]])
            if written is None:  # there is nothing to write from, and with these votes there never will be
                self._asked[asked] = math.inf
                continue
            if written.call.outcome not in ("ok", "repaired"):
                continue
            record = DraftRecord(deliberation_id, purpose, found.basis, self._clock(), written.drafts, written.call)
            try:
                await self._store.keep_draft(record, found.logs.written)
            except Conflict:  # something it was written from is gone: other votes than these may be asked about
                self._asked[asked] = math.inf
                continue
            log.info(
                "an outcome's texts were drafted", deliberation=deliberation_id, purpose=purpose, texts=len(written.drafts),
                rejected=written.rejected,
            )  # fmt: skip

    async def _clauses(self, found: Computed, figures: Mapping[str, Any]) -> Written | None:
        statements = bridging(found.gathered.record, figures)
        return await write_clauses(found.design, statements, self._model, self._new_id, self._clock) if statements else None

    async def _left_out(self, found: Computed, figures: Mapping[str, Any]) -> Written | None:
        few = figures["left_out"]
        if few is None or few["people"] < MINIMUM or not few["agreed"]:
            return None
        text = {item.id: item.text for item in found.gathered.record.items}
        listed = [text[seat["item"]] for seat in figures["seats"]]
        agreed = [Voted(one["item"], text[one["item"]], 0.0, one["agrees"], one["disagrees"]) for one in few["agreed"]]
        return await write_for_left_out(found.design, listed, agreed, self._model, self._new_id, self._clock)
