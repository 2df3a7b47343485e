"""Accounts with providers, their calls and their events.

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
NO = sa.text("false")


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "provider_account",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("signed", sa.Boolean(), server_default=NO, nullable=False),
        sa.Column("polled", sa.Boolean(), server_default=NO, nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("polled_at", moment, nullable=True),
        sa.Column("polled_to", moment, nullable=True),
        sa.Column("poll_trouble", sa.Text(), server_default="", nullable=False),
        sa.Column("trial_at", moment, nullable=True),
        sa.Column("trial_answer", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", moment, server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_provider_account_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_account")),
        sa.UniqueConstraint("public_id", name=op.f("uq_provider_account_public_id")),
        sa.UniqueConstraint("token", name=op.f("uq_provider_account_token")),
    )
    op.create_index("ix_provider_account_organisation", "provider_account", ["organisation_id"])
    op.create_table(
        "provider_call",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("trial", sa.Boolean(), server_default=NO, nullable=False),
        sa.Column("received_at", moment, server_default=NOW, nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'applied', 'unreadable')", name=op.f("ck_provider_call_state")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["provider_account.id"], name=op.f("fk_provider_call_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_provider_call_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_call")),
    )
    op.create_index(
        "uq_provider_call_nonce", "provider_call", ["account_id", "nonce"], unique=True,
        postgresql_where=sa.text("nonce IS NOT NULL"),
    )  # fmt: skip
    op.create_index("ix_provider_call_waiting", "provider_call", ["id"], postgresql_where=sa.text("state = 'waiting'"))
    op.create_index("ix_provider_call_received", "provider_call", ["received_at"])
    op.create_table(
        "provider_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("call_id", sa.BigInteger(), nullable=True),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), server_default="", nullable=False),
        sa.Column("message_id", sa.Text(), server_default="", nullable=False),
        sa.Column("said", postgresql.JSONB(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("email_id", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", moment, nullable=True),
        sa.Column("occurred_at", moment, nullable=False),
        sa.Column("received_at", moment, server_default=NOW, nullable=False),
        sa.CheckConstraint(
            "outcome IN ('waiting', 'applied', 'ignored', 'orphan', 'trial')", name=op.f("ck_provider_event_outcome")
        ),
        sa.CheckConstraint("via IN ('webhook', 'poll')", name=op.f("ck_provider_event_via")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["provider_account.id"], name=op.f("fk_provider_event_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["provider_call.id"], name=op.f("fk_provider_event_call_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["email_id"], ["email.id"], name=op.f("fk_provider_event_email_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_provider_event_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_event")),
        sa.UniqueConstraint("account_id", "key", name=op.f("uq_provider_event_account_id_key")),
    )
    op.create_index("ix_provider_event_newest", "provider_event", ["account_id", sa.text("id DESC")])
    op.create_index(
        "ix_provider_event_waiting", "provider_event", ["next_try_at"], postgresql_where=sa.text("outcome = 'waiting'")
    )
    op.create_index(
        "ix_provider_event_orphans", "provider_event", ["organisation_id", sa.text("id DESC")],
        postgresql_where=sa.text("outcome = 'orphan'"),
    )  # fmt: skip
    op.create_index(
        "ix_provider_event_email", "provider_event", ["email_id"], postgresql_where=sa.text("email_id IS NOT NULL")
    )
    op.create_index("ix_provider_event_received", "provider_event", ["received_at"])


def downgrade() -> None:
    op.drop_table("provider_event")
    op.drop_table("provider_call")
    op.drop_table("provider_account")
