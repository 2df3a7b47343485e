"""Quarantine: the addresses an organisation has stopped writing to, one row a spell.

Nothing is taken from the history before: an address that is still dead shows it at the next e-mail, and is entered then.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "suppression",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "public_id", sa.Text(), nullable=False,
            server_default=sa.text("'Q-' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)"),
        ),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("email_id", sa.BigInteger(), nullable=True),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by_id", sa.BigInteger(), nullable=True),
        sa.Column("lifted_note", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "reason IN ('user_unknown', 'domain_unknown', 'moved', 'complaint')", name=op.f("ck_suppression_reason")
        ),
        sa.ForeignKeyConstraint(["email_id"], ["email.id"], name=op.f("fk_suppression_email_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["lifted_by_id"], ["user.id"], name=op.f("fk_suppression_lifted_by_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_suppression_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression")),
        sa.UniqueConstraint("public_id", name=op.f("uq_suppression_public_id")),
    )  # fmt: skip
    op.create_index(
        "uq_suppression_address", "suppression", ["organisation_id", "address"], unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )  # fmt: skip
    op.create_index("ix_suppression_spells", "suppression", ["organisation_id", "address", "lifted_at"])
    op.create_index(
        "ix_suppression_newest", "suppression", ["organisation_id", sa.text("shown_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("lifted_at IS NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_suppression_lifted", "suppression", ["organisation_id", sa.text("lifted_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("lifted_at IS NOT NULL"),
    )  # fmt: skip
    op.create_index("ix_suppression_email", "suppression", ["email_id"])


def downgrade() -> None:
    op.drop_table("suppression")
