"""What every command shares: its base class, who asks, and the limits on ids and texts.

Stands below `commands` so that a mechanism's module can define its own commands beside its rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from deliberation.payload import Role

Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]


def line(limit: int) -> object:
    """Return the constraint of a text of at most `limit` characters, stripped, not empty."""
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=limit)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `id` is the participant's id for participants, else the link's id."""

    id: str
    role: Role
    name: str = ""


class CommandBase(BaseModel):
    """Base of all commands: frozen and closed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
