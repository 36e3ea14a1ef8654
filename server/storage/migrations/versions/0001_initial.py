"""Deliberations, participants, rooms, event logs, personal rows, erasures, links, settings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "deliberations",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("design", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("closed_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_deliberations"),
    )
    op.create_table(
        "participants",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("deliberation_id", sa.String(64), nullable=False),
        sa.Column("room_id", sa.String(64)),
        sa.Column("joined_at", sa.Double, nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("consent", sa.Text, nullable=False),
        sa.Column("consent_version", sa.Text, nullable=False),
        sa.Column("answers", sa.Text, nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("cohort", sa.String(64), nullable=False),
        sa.Column("simulated", sa.Boolean, nullable=False),
        sa.Column("withdrawn_at", sa.Double),
        sa.Column("personal", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_participants"),
        sa.ForeignKeyConstraint(
            ["deliberation_id"], ["deliberations.id"], name="fk_participants_deliberation_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_participants_deliberation_id", "participants", ["deliberation_id"])
    op.create_table(
        "rooms",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("deliberation_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("practice", sa.Boolean, nullable=False),
        sa.Column("arm", sa.String(64), nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("closed_at", sa.Double),
        sa.Column("last_seq", sa.Integer, nullable=False),
        sa.Column("purged_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_rooms"),
        sa.ForeignKeyConstraint(
            ["deliberation_id"], ["deliberations.id"], name="fk_rooms_deliberation_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_rooms_deliberation_id", "rooms", ["deliberation_id"])
    op.create_table(
        "events",
        sa.Column("room_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq", name="pk_events"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_events_room_id", ondelete="CASCADE"),
    )
    op.create_index("ix_events_room_id_kind", "events", ["room_id", "kind"])
    op.create_table(
        "personal",
        sa.Column("room_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("subject", sa.String(64)),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "seq", name="pk_personal"),
        sa.ForeignKeyConstraint(
            ["room_id", "seq"], ["events.room_id", "events.seq"], name="fk_personal_room_id_seq", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_personal_owner", "personal", ["owner"])
    op.create_table(
        "erasures",
        sa.Column("room_id", sa.String(64), nullable=False),
        sa.Column("target", sa.String(80), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "target", name="pk_erasures"),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("deliberation_id", sa.String(64)),
        sa.Column("participant_id", sa.String(64)),
        sa.Column("issued_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("revoked_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
        sa.ForeignKeyConstraint(
            ["deliberation_id"], ["deliberations.id"], name="fk_links_deliberation_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_links_deliberation_id", "links", ["deliberation_id"])
    op.create_table(
        "settings",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_settings"),
    )
