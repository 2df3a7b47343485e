"""Which servers cannot be reached, and what a job that ended before its time held.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "server_away",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_server_away")),
    )
    # The reaper's facts alone: a few rows, so it costs the others nothing.
    op.execute(
        "CREATE INDEX ix_delivery_event_job ON delivery_event ((data ->> 'job')) "
        "WHERE source = 'reaper' AND data ->> 'job' IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_event_job", table_name="delivery_event")
    op.drop_table("server_away")
