"""How many e-mails asked for on a day became what, kept for charts.

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_OUTCOMES = "'opened', 'delivered', 'sent', 'waiting', 'error', 'cancelled'"


def upgrade() -> None:
    op.create_table(
        "email_figure",
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("facet", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.CheckConstraint("grain IN ('day', 'month')", name=op.f("ck_email_figure_grain")),
        sa.CheckConstraint(f"outcome IN ({_OUTCOMES})", name=op.f("ck_email_figure_outcome")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_email_figure_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "organisation_id", "grain", "day", "facet", "key", "outcome", name=op.f("pk_email_figure")
        ),
    )
    op.create_table(
        "figure_state",
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("kept_from", sa.Date(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cost", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_figure_state_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_figure_state")),
    )


def downgrade() -> None:
    op.drop_table("figure_state")
    op.drop_table("email_figure")
