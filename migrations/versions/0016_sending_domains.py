"""The domains that mail leaves from, and the history of their checks.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STATES = "state IN ('none', 'good', 'weak', 'unknown', 'bad')"
NOW = sa.text("now()")


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "sending_domain",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("dkim_selector", sa.Text(), server_default="", nullable=False),
        sa.Column("dkim_public_key", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="none", nullable=False),
        sa.Column("next_check_at", moment, server_default=NOW, nullable=False),
        sa.Column("broken_at", moment, nullable=True),
        sa.Column("warned_at", moment, nullable=True),
        sa.Column("created_at", moment, server_default=NOW, nullable=False),
        sa.CheckConstraint(STATES, name=op.f("ck_sending_domain_state")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_sending_domain_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sending_domain")),
        sa.UniqueConstraint("organisation_id", "domain", name=op.f("uq_sending_domain_organisation_id_domain")),
    )
    op.create_index("ix_sending_domain_due", "sending_domain", ["next_check_at"])
    op.create_table(
        "domain_check",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", moment, nullable=False),
        sa.Column("confirmed_at", moment, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("findings", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint(STATES, name=op.f("ck_domain_check_state")),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["sending_domain.id"], name=op.f("fk_domain_check_domain_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_domain_check_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domain_check")),
    )
    op.create_index(
        "ix_domain_check_newest", "domain_check", ["domain_id", sa.text("checked_at DESC"), sa.text("id DESC")]
    )


def downgrade() -> None:
    op.drop_table("domain_check")
    op.drop_table("sending_domain")
