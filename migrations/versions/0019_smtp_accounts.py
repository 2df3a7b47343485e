"""SMTP accounts of an organisation's own, and which one a sender leaves by.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "smtp_account",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), server_default=sa.text("587"), nullable=False),
        sa.Column("security", sa.Text(), server_default="starttls", nullable=False),
        sa.Column("auth", sa.Text(), server_default="password", nullable=False),
        sa.Column("username", sa.Text(), server_default="", nullable=False),
        sa.Column("secret", sa.LargeBinary(), server_default=sa.text("''"), nullable=False),
        sa.Column("connections", sa.SmallInteger(), server_default=sa.text("4"), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=True),
        sa.Column("messages_per_connection", sa.Integer(), server_default=sa.text("100"), nullable=False),
        sa.Column("minutes_per_connection", sa.SmallInteger(), server_default=sa.text("5"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("security IN ('starttls', 'tls', 'none')", name=op.f("ck_smtp_account_security")),
        sa.CheckConstraint("auth IN ('password', 'xoauth2', 'none')", name=op.f("ck_smtp_account_auth")),
        sa.CheckConstraint("port BETWEEN 1 AND 65535", name=op.f("ck_smtp_account_port")),
        sa.CheckConstraint(
            "connections > 0 AND per_minute > 0 AND messages_per_connection > 0 AND minutes_per_connection > 0",
            name=op.f("ck_smtp_account_limits"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_smtp_account_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_smtp_account")),
        sa.UniqueConstraint("public_id", name=op.f("uq_smtp_account_public_id")),
        sa.UniqueConstraint("organisation_id", "name", name=op.f("uq_smtp_account_organisation_id_name")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_smtp_account_organisation_id_id")),
    )
    op.add_column("sender", sa.Column("account_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_sender_organisation_id_account_id"), "sender", "smtp_account",
        ["organisation_id", "account_id"], ["organisation_id", "id"],
    )  # fmt: skip
    op.create_index(
        "ix_sender_account", "sender", ["account_id"], postgresql_where=sa.text("account_id IS NOT NULL")
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_sender_account", table_name="sender")
    op.drop_constraint(op.f("fk_sender_organisation_id_account_id"), "sender", type_="foreignkey")
    op.drop_column("sender", "account_id")
    op.drop_table("smtp_account")
