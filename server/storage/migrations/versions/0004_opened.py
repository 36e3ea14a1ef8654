"""How often an invitation's page was loaded."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("links") as links:
        links.add_column(sa.Column("opened", sa.Integer, nullable=False, server_default="0"))
