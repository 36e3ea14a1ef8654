"""What a model drafts from the statements of all rooms."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "drafts",
        sa.Column("deliberation_id", sa.String(64), sa.ForeignKey("deliberations.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("purpose", sa.String(16), primary_key=True),
        sa.Column("basis", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("texts", sa.Text, nullable=False),
        sa.Column("call", sa.Text, nullable=False),
    )
