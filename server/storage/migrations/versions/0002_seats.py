"""Invitations that give a limited number of seats."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("links") as links:
        links.add_column(sa.Column("seats", sa.Integer))
        links.add_column(sa.Column("used", sa.Integer, nullable=False, server_default="0"))
