"""What the store hands out about deliberations, participants, rooms and links: frozen, without behaviour. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deliberation.design import Design
from deliberation.events import AiCalled
from deliberation.outcomes.drafts import Draft

LinkRole = Literal["invitation", "preview", "participant", "facilitator", "researcher", "admin"]


@dataclass(frozen=True, slots=True)
class DeliberationRecord:
    """A deliberation as it stands; its rooms keep the design that was valid when they opened."""

    deliberation_id: str
    design: Design
    created_at: float
    closed_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether people may still join."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class ParticipantRecord:
    """One person in one deliberation. `name` and `segments` are personal: None and empty once erased.

    `answers` is the opening poll (question id → value), `consent` what is agreed to now, `room_id` the room they sit in, if any.
    """

    participant_id: str
    deliberation_id: str
    joined_at: float
    name: str | None
    language: str = "en"
    consent: Mapping[str, bool] = field(default_factory=dict)
    consent_version: str = ""
    segments: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)
    mode: Literal["online", "on-site", "survey", "chat"] = "online"
    cohort: str = "main"
    simulated: bool = False
    room_id: str | None = None
    withdrawn_at: float | None = None


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """One room and how much is in its log."""

    room_id: str
    deliberation_id: str
    number: int
    round: int
    practice: bool
    arm: str
    opened_at: float
    closed_at: float | None
    last_seq: int
    members: int = 0
    utterances: int = 0
    statements: int = 0

    @property
    def survey(self) -> bool:
        """Whether this is the log of a deliberation's survey, in which nobody meets (see `deliberation.survey`)."""
        return self.number == 0 and not self.practice

    @property
    def meeting(self) -> bool:
        """Whether people met here for the deliberation itself."""
        return self.number > 0 and not self.practice


DraftPurpose = Literal["clauses", "left-out"]


@dataclass(frozen=True, slots=True)
class DraftRecord:
    """What a model wrote for a deliberation's outcome: `texts` that passed the gate, from the votes whose hash is `basis`; `call` is the ledger's."""

    deliberation_id: str
    purpose: DraftPurpose
    basis: str
    at: float
    texts: tuple[Draft, ...]
    call: AiCalled


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """One issued link. The token itself is never kept.

    An invitation with `seats` lets so many people join; `used` have; `opened` is how often its page was loaded. Whoever joins by one with a `cohort` belongs to it.
    """

    link_id: str
    role: LinkRole
    deliberation_id: str | None
    participant_id: str | None
    issued_at: float
    expires_at: float
    revoked_at: float | None = None
    seats: int | None = None
    used: int = 0
    cohort: str | None = None
    opened: int = 0
