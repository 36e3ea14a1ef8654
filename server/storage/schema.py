"""The tables, as SQLAlchemy sees them; `migrations/` makes them, and a test keeps the two the same.

Owns names and types only. JSON is kept as text with ASCII escapes, so that any character a person can type is accepted by both databases.

What people said and are called is in `personal` (rows that events point at) and in `participants.personal`, nowhere else: erasing is
deleting there. `drafts` holds what a model wrote from many rooms' statements: it goes with the first of them. `erasures` remembers what was erased, by id, so that a late correction or an old backup cannot bring it back.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

deliberations = Table(
    "deliberations",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("design", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("closed_at", Double),
)

participants = Table(
    "participants",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("deliberation_id", String(64), ForeignKey("deliberations.id", ondelete="CASCADE"), nullable=False),
    Column("room_id", String(64)),
    Column("joined_at", Double, nullable=False),
    Column("language", String(16), nullable=False),
    Column("consent", Text, nullable=False),
    Column("consent_version", Text, nullable=False),
    Column("answers", Text, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("cohort", String(64), nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("withdrawn_at", Double),
    Column("personal", Text),
    Index(None, "deliberation_id"),
)

rooms = Table(
    "rooms",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("deliberation_id", String(64), ForeignKey("deliberations.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("practice", Boolean, nullable=False),
    Column("arm", String(64), nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("last_seq", Integer, nullable=False),
    Column("purged_at", Double),
    Index(None, "deliberation_id"),
)

events = Table(
    "events",
    METADATA,
    Column("room_id", String(64), ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("data", Text, nullable=False),
    Index(None, "room_id", "kind"),
)

personal = Table(
    "personal",
    METADATA,
    Column("room_id", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("owner", String(64)),
    Column("subject", String(64)),
    Column("data", Text, nullable=False),
    ForeignKeyConstraint(["room_id", "seq"], ["events.room_id", "events.seq"], ondelete="CASCADE"),
    Index(None, "owner"),
)

erasures = Table(
    "erasures",
    METADATA,
    Column("room_id", String(64), primary_key=True),
    Column("target", String(80), primary_key=True),  # "subject:<id>", "words:<participant>", "name:<participant>", "audio:<participant>"
    Column("at", Double, nullable=False),
)

links = Table(
    "links",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("deliberation_id", String(64), ForeignKey("deliberations.id", ondelete="CASCADE")),
    Column("participant_id", String(64)),
    Column("issued_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("revoked_at", Double),
    Column("seats", Integer),
    Column("used", Integer, nullable=False, server_default="0"),
    Column("cohort", String(64)),
    Column("opened", Integer, nullable=False, server_default="0"),
    Index(None, "deliberation_id"),
)

drafts = Table(
    "drafts",
    METADATA,
    Column("deliberation_id", String(64), ForeignKey("deliberations.id", ondelete="CASCADE"), primary_key=True),
    Column("purpose", String(16), primary_key=True),
    Column("basis", String(64), nullable=False),
    Column("at", Double, nullable=False),
    Column("texts", Text, nullable=False),
    Column("call", Text, nullable=False),
)

settings = Table(
    "settings",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
