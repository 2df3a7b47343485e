"""Trials of senders, line by line; keys that sign what a domain sends.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
_PHASES = "'connect', 'tls', 'ehlo', 'starttls', 'auth', 'mail', 'rcpt', 'data'"
_TROUBLES = (
    "'name', 'forbidden', 'refused', 'unreachable', 'timeout', 'certificate', 'tls', 'no_starttls', 'no_auth', "
    "'secret', 'token', 'credentials', 'busy', 'sender', 'recipient', 'message', 'broken', 'greeting', 'lost'"
)


def _owned(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation_id"], ["organisation.id"], name=op.f(f"fk_{table}_organisation_id"), ondelete="CASCADE"
    )


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "sender_trial",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("asked_by_id", sa.BigInteger(), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("created_at", moment, server_default=NOW, nullable=False),
        sa.Column("started_at", moment, nullable=True),
        sa.Column("finished_at", moment, nullable=True),
        sa.Column("arrived", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("lines", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("tls", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint(f"phase IN ({_PHASES})", name=op.f("ck_sender_trial_phase")),
        sa.CheckConstraint(f"trouble IN ({_TROUBLES})", name=op.f("ck_sender_trial_trouble")),
        _owned("sender_trial"),
        sa.ForeignKeyConstraint(["sender_id"], ["sender.id"], name=op.f("fk_sender_trial_sender_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["smtp_account.id"], name=op.f("fk_sender_trial_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["user.id"], name=op.f("fk_sender_trial_asked_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sender_trial")),
        sa.UniqueConstraint("public_id", name=op.f("uq_sender_trial_public_id")),
    )
    op.create_index("ix_sender_trial_sender", "sender_trial", ["sender_id", "id"])
    op.create_index(
        "ix_sender_trial_account", "sender_trial", ["account_id"], postgresql_where=sa.text("account_id IS NOT NULL")
    )
    op.create_index(
        "ix_sender_trial_waiting", "sender_trial", ["id"], postgresql_where=sa.text("finished_at IS NULL")
    )
    op.create_index("ix_sender_trial_organisation", "sender_trial", ["organisation_id", "id"])
    op.create_table(
        "dkim_key",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", moment, server_default=NOW, nullable=False),
        sa.Column("checked_at", moment, nullable=True),
        sa.Column("published_at", moment, nullable=True),
        sa.Column("lost_at", moment, nullable=True),
        _owned("dkim_key"),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["sending_domain.id"], name=op.f("fk_dkim_key_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dkim_key")),
        sa.UniqueConstraint("domain_id", "selector", name=op.f("uq_dkim_key_domain_id_selector")),
    )
    op.create_index("ix_dkim_key_organisation", "dkim_key", ["organisation_id"])


def downgrade() -> None:
    op.drop_table("dkim_key")
    op.drop_table("sender_trial")
