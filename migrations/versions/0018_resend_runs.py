"""Resends in number: a run, and a row for each e-mail of it.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_STATES = "'draft', 'waiting', 'running', 'done', 'cancelled'"
_VERDICTS = (
    "'on_its_way', 'gone', 'wrong_address', 'quarantined', 'silent', 'received', 'arrived_since', 'recent', 'resent', "
    "'accepted', 'twice', 'session_over', 'answered', 'paid', 'same_again'"
)


def upgrade() -> None:
    op.create_table(
        "resend_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("query", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("row_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_resend_run_state")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_resend_run_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_resend_run_user_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resend_run")),
        sa.UniqueConstraint("public_id", name=op.f("uq_resend_run_public_id")),
    )
    op.create_index("ix_resend_run_newest", "resend_run", ["organisation_id", sa.text("id DESC")])
    op.create_index(
        "ix_resend_run_waiting", "resend_run", ["id"], postgresql_where=sa.text("state IN ('waiting', 'running')")
    )
    op.create_index("ix_resend_run_user", "resend_run", ["user_id"])
    op.create_table(
        "resend_row",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("email_id", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("chosen", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("new_email_id", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(f"verdict IN ({_VERDICTS})", name=op.f("ck_resend_row_verdict")),
        sa.CheckConstraint("outcome IN ('sent', 'refused')", name=op.f("ck_resend_row_outcome")),
        sa.ForeignKeyConstraint(["run_id"], ["resend_run.id"], name=op.f("fk_resend_row_run_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["email_id"], ["email.id"], name=op.f("fk_resend_row_email_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["new_email_id"], ["email.id"], name=op.f("fk_resend_row_new_email_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_resend_row")),
    )
    op.create_index(
        "ix_resend_row_to_go", "resend_row", ["run_id", "position"],
        postgresql_where=sa.text("chosen AND outcome IS NULL"),
    )  # fmt: skip
    op.create_index("ix_resend_row_email", "resend_row", ["email_id"])
    op.create_index(
        "ix_resend_row_new_email", "resend_row", ["new_email_id"],
        postgresql_where=sa.text("new_email_id IS NOT NULL"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("resend_row")
    op.drop_table("resend_run")
