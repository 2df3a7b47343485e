"""Types of e-mail that people may leave, and who left.

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "opt_out",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("email_id", sa.BigInteger(), nullable=True),
        sa.Column("left_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restored_by_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("left_by IN ('page', 'one_click')", name=op.f("ck_opt_out_left_by")),
        sa.ForeignKeyConstraint(["email_id"], ["email.id"], name=op.f("fk_opt_out_email_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_opt_out_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["restored_by_id"], ["user.id"], name=op.f("fk_opt_out_restored_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opt_out")),
        sa.UniqueConstraint("public_id", name=op.f("uq_opt_out_public_id")),
    )
    op.create_index(
        "uq_opt_out_address", "opt_out", ["organisation_id", "address", "type"], unique=True,
        postgresql_where=sa.text("restored_at IS NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_opt_out_newest", "opt_out", ["organisation_id", sa.text("created_at DESC"), sa.text("id DESC")]
    )
    op.create_index("ix_opt_out_email", "opt_out", ["email_id"])
    op.add_column(
        "organisation",
        sa.Column("optional_types", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("organisation", "optional_types")
    op.drop_table("opt_out")
