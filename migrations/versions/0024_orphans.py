"""What came back and matched nothing, or could not be read: whose it is, what it says, who dealt with it.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "inbound_message",
        sa.Column(
            "public_id",
            sa.Text(),
            server_default=sa.text("'R-' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)"),
            nullable=False,
        ),
    )
    op.add_column("inbound_message", sa.Column("summary", postgresql.JSONB(), nullable=True))
    op.add_column("inbound_message", sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("inbound_message", sa.Column("handled_by_id", sa.BigInteger(), nullable=True))
    op.add_column("inbound_message", sa.Column("handled_note", sa.Text(), server_default="", nullable=False))
    op.create_foreign_key(
        op.f("fk_inbound_message_handled_by_id"), "inbound_message", "user", ["handled_by_id"], ["id"], ondelete="SET NULL"
    )
    op.create_unique_constraint(op.f("uq_inbound_message_public_id"), "inbound_message", ["public_id"])
    op.create_index(
        "ix_inbound_message_waiting",
        "inbound_message",
        ["organisation_id", "outcome", sa.text("id DESC")],
        postgresql_where=sa.text("outcome IN ('orphan', 'poison')"),
    )
    op.create_index("ix_inbound_message_handled_by", "inbound_message", ["handled_by_id"])


def downgrade() -> None:
    op.drop_index("ix_inbound_message_handled_by", "inbound_message")
    op.drop_index("ix_inbound_message_waiting", "inbound_message")
    op.drop_constraint(op.f("uq_inbound_message_public_id"), "inbound_message")
    op.drop_constraint(op.f("fk_inbound_message_handled_by_id"), "inbound_message")
    for name in ("handled_note", "handled_by_id", "handled_at", "summary", "public_id"):
        op.drop_column("inbound_message", name)
