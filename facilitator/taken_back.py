"""What was taken back while the facilitator worked: slow work must not bring struck words back.

A model takes seconds. What it was given may be struck, hidden or withdrawn meanwhile, and its text is in the room's log no more when the
result arrives. Pure; called by `agent` for everything that slow work hands to the room.
"""

from __future__ import annotations

from collections.abc import Sequence

from deliberation.consent import Erasure, erased
from deliberation.events import AI, ChatPosted, Event, Payload, StatementAdded, UtteranceFinal
from deliberation.state import RoomState


def without_taken_back(payloads: Sequence[Payload], then: RoomState, now: RoomState) -> list[Payload]:
    """Return what was made from the state `then` as it may be added to the state `now`.

    What rests on, or repeats, words that were there then and are not now goes as it would if they were taken back afterwards
    (`deliberation.consent`): whole texts, and in summaries single sentences. A call to a model stays in the ledger, without its output.
    """
    gone = _gone(then, now)
    if not gone:
        return list(payloads)
    log = [Event(seq, now.at, AI, payload) for seq, payload in enumerate([*gone, *payloads], 1)]
    kept = erased(log, [Erasure("subject", payload.subject or "") for payload in gone])[len(gone) :]
    return [e.payload for e, before in zip(kept, payloads, strict=True) if _says(e.payload) or not _says(before)]


def _says(payload: Payload) -> bool:
    return getattr(payload, "text", None) is not None or payload.kind in ("ai.called", "summary.proposed")


def _gone(then: RoomState, now: RoomState) -> list[Payload]:
    """Return what was usable then and is not now, as it was said."""
    words = {u.utterance_id for u in now.utterances.values() if u.usable}
    messages = {c.message_id for c in now.chat.values() if c.text and not c.hidden}
    statements = {s.statement_id for s in now.statements.values() if s.text and not s.withdrawn}
    return [
        *(
            UtteranceFinal(
                utterance_id=u.utterance_id, participant_id=u.participant_id, started_at=u.started_at, ended_at=u.ended_at, text=u.text
            )
            for u in then.utterances.values()
            if u.usable and u.utterance_id not in words
        ),
        *(
            ChatPosted(message_id=c.message_id, participant_id=c.participant_id, text=c.text)
            for c in then.chat.values()
            if c.text and not c.hidden and c.message_id not in messages
        ),
        *(
            StatementAdded(statement_id=s.statement_id, participant_id=s.participant_id, text=s.text)
            for s in then.statements.values()
            if s.text and not s.withdrawn and s.statement_id not in statements
        ),
    ]  # fmt: skip
