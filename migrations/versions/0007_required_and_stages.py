"""What sessions without a type of training require, and each change of an opportunity's stage.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STAGES = "('lead', 'qualified', 'quoted', 'won', 'lost')"


def upgrade() -> None:
    op.add_column(
        "organisation",
        sa.Column(
            "required", sa.ARRAY(sa.Text()), server_default=sa.text("'{convocation,evaluation_hot,certificate}'"),
            nullable=False,
        ),
    )  # fmt: skip
    op.create_table(
        "stage_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("opportunity_id", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(f"stage IN {_STAGES}", name=op.f("ck_stage_change_stage")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_stage_change_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["opportunity_id"], ["opportunity.id"], name=op.f("fk_stage_change_opportunity_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name=op.f("fk_stage_change_by_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_change")),
    )
    op.create_index("ix_stage_change_opportunity", "stage_change", ["opportunity_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_stage_change_opportunity", table_name="stage_change")
    op.drop_table("stage_change")
    op.drop_column("organisation", "required")
