"""Where a participant's words went, and with what share: what they see of themselves, and nobody else's.

Called by the HTTP handlers. Shares are `deliberation.outcomes.credit`'s, derivations `contributions`'; this reads the rooms that somebody was in
and, where the privacy mode keeps authors, the outcome of all rooms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from deliberation.errors import NotFound
from deliberation.events import Event
from deliberation.outcomes import contributions
from deliberation.outcomes.gather import pseudonym
from deliberation.outcomes.record import Item, Judgement
from deliberation.room import fold_all
from deliberation.state import RoomState
from server.http.models import CreditShare, CreditUse, OwnCredit
from server.outcomes import Computed
from server.storage.released import PRIVACY_KEY
from server.storage.store import Store


async def own_credit(store: Store, participant_id: str, computed: Computed) -> OwnCredit:
    """Return what rests on a participant's words. Raises `NotFound`."""
    logs = [await store.events(room_id) for room_id in await store.rooms_of(participant_id)]
    key = (await store.secret(PRIVACY_KEY)).encode()
    return await asyncio.to_thread(_own, logs, participant_id, computed, key)


def _own(logs: Sequence[Sequence[Event]], participant_id: str, computed: Computed, key: bytes) -> OwnCredit:
    uses: dict[str, CreditUse] = {}
    shares: list[CreditShare] = []
    for state in map(fold_all, logs):
        if state.practice:
            continue
        items = items_of(state)
        uses |= _uses(items, participant_id)
        shares += _shares(items, participant_id, state.number)
    if computed.design.privacy.mode != "chatham-house":
        shares += _shares(list(computed.gathered.record.items), pseudonym(key, participant_id), None)
    return OwnCredit(licence=computed.design.consent.licence, uses=uses, shares=tuple(shares))


def items_of(state: RoomState) -> list[Item]:
    """Return a room's contributions, statements, summary and what it agreed on, by the ids and people of the room itself."""
    standing = {s.statement_id: s for s in state.statements.values() if not s.withdrawn and s.text}
    statements = [
        Item(
            key, "statement", s.text, s.participant_id or "",
            sources=tuple(u for u in s.supports if u in state.utterances and state.utterances[u].usable), licence=state.plan.consent.licence,
        )
        for key, s in standing.items()
    ]  # fmt: skip

    def words(kind: str, id: str) -> str:
        if kind == "utterance":
            return state.utterances[id].text
        return state.summary.sentences[int(id)].text if state.summary else ""

    named = dict(zip(standing, standing, strict=True))
    found = contributions.of_room(state, lambda u: u, named, lambda p: p, words, whole_seconds=False)
    votes = [Judgement(p, key, "vote", value) for key, s in standing.items() for p, value in s.votes.items()]
    agreed = contributions.outcome([*statements, *found], votes, state.plan.consent.licence)
    return [*statements, *found, *([agreed] if agreed else [])]


def _uses(items: list[Item], author: str) -> dict[str, CreditUse]:
    text = {item.id: item for item in items}
    found = {}
    for item in items:
        if item.author != author or item.kind not in ("contribution", "response"):
            continue
        used = [one for one in text.values() if item.id in one.sources]
        found[item.id] = CreditUse(
            statements=tuple(one.text for one in used if one.kind == "statement"),
            sentences=tuple(one.text for one in used if one.kind == "sentence"),
        )
    return found


def _shares(items: list[Item], author: str, room: int | None) -> list[CreditShare]:
    """Return an author's share of the summary and of what was agreed in one room, or (room None) of the outcome of all rooms."""
    # Here, since PROV and what it needs take a second to load, which a server's start has not.
    from deliberation.outcomes.credit import credit

    mine = {item.id for item in items if item.author == author}
    outcomes = [item.id for item in items if item.kind == "outcome" and (room is not None or item.id == contributions.OUTCOME)]
    found = []
    for outcome in outcomes:
        kept: Mapping[str, float] = credit(items, outcome)
        share = sum(amount for item, amount in kept.items() if item in mine)
        if share > 0:
            found.append(CreditShare(what="agreed" if outcome == contributions.OUTCOME else "summary", room=room, share=round(share, 4)))
    return found


def provenance_of(computed: Computed, *, full: bool) -> str:
    """Return the derivations of the outcome as PROV-JSON; for the public without people and without hashes of what was said.

    Raises `NotFound` where there is no outcome yet.
    """
    from deliberation.outcomes.credit import provenance

    items = [item for item in computed.gathered.record.items if item.kind not in ("question", "option")]
    if not any(item.kind == "outcome" for item in items):
        raise NotFound("no_outcome", "There is no outcome yet.")
    return provenance(items, anonymous=not full)
