"""What every kind of event shares: its base class, and the mark on fields that hold personal data; and the base of what pages receive.

Stands below `events` and `wire` so that a mechanism's module can define its own kinds of event, and its own view, beside its rules.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["participant", "facilitator", "researcher", "admin"]
Vote = Literal[-1, 0, 1]


class _PersonalMark:
    """Marks a field whose value can be erased on its own."""


Personal = _PersonalMark()

Text = Annotated[str | None, Personal]


class Sentence(BaseModel):
    """One sentence of a summary, or of a text that a group may stand behind, with what it cites: ids of what was said, voted on or written."""

    model_config = ConfigDict(frozen=True)

    text: str
    utterances: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    critiques: tuple[str, ...] = ()
    stage_id: str | None = None
    minority: bool = False


class ViewBase(BaseModel):
    """Base of all shapes that pages receive: frozen."""

    model_config = ConfigDict(frozen=True)


class PayloadBase(BaseModel):
    """Base of all payloads: frozen, closed, and knowing what in it is whose personal data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject_field: ClassVar[str | None] = None  # names the thing whose text this is (an utterance, a message, …)
    owner_field: ClassVar[str | None] = "participant_id"  # names whose personal data it is

    @classmethod
    def personal_fields(cls) -> tuple[str, ...]:
        """Return the names of the fields that can be erased."""
        return tuple(name for name, field in cls.model_fields.items() if Personal in field.metadata)

    @property
    def subject(self) -> str | None:
        """The id of the thing whose text this event carries."""
        return getattr(self, self.subject_field) if self.subject_field else None

    @property
    def owner(self) -> str | None:
        """The participant whose personal data this event carries."""
        return getattr(self, self.owner_field, None) if self.owner_field else None
