"""Invitations into a cohort."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("links") as links:
        links.add_column(sa.Column("cohort", sa.String(64)))
