"""The pace per account and recipient domain, the drains at work, and a lane of their own for limited domains.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "pace",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=True),
        sa.Column("lines", sa.SmallInteger(), nullable=True),
        sa.Column("slowed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("slowed_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("slowed_rate", sa.Float(), nullable=True),
        sa.Column("whole_rate", sa.Float(), nullable=True),
        sa.Column("slowed_lines", sa.Float(), nullable=True),
        sa.Column("whole_lines", sa.Float(), nullable=True),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("turn", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("per_minute > 0 AND lines > 0", name=op.f("ck_pace_limits")),
        sa.PrimaryKeyConstraint("account_id", "domain", name=op.f("pk_pace")),
    )
    op.create_table(
        "drain",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lines", sa.SmallInteger(), nullable=False),
        sa.Column("sent", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("owner", "account_id", name=op.f("pk_drain")),
    )
    op.add_column("outbox_entry", sa.Column("lane", sa.Text(), server_default="", nullable=False))
    op.drop_index("ix_outbox_due", table_name="outbox_entry")
    op.create_index(
        "ix_outbox_due", "outbox_entry", ["sender_id", "lane", "priority", "next_attempt_at"], postgresql_where=_WAITING
    )


def downgrade() -> None:
    op.drop_index("ix_outbox_due", table_name="outbox_entry")
    op.create_index(
        "ix_outbox_due", "outbox_entry", ["sender_id", "priority", "next_attempt_at"], postgresql_where=_WAITING
    )
    op.drop_column("outbox_entry", "lane")
    op.drop_table("drain")
    op.drop_table("pace")
