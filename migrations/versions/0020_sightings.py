"""Looks at an e-mail's marks until they are judged; whose opens and clicks are measured.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sighting",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("email_id", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column(
            "seen_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("network", sa.LargeBinary(), nullable=False),
        sa.Column("machine", sa.Text(), server_default="", nullable=False),
        sa.Column("judged", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("mark IN ('pixel', 'link')", name=op.f("ck_sighting_mark")),
        sa.ForeignKeyConstraint(["email_id"], ["email.id"], name=op.f("fk_sighting_email_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sighting")),
    )
    op.create_index("ix_sighting_due", "sighting", ["seen_at"], postgresql_where=sa.text("NOT judged"))
    op.create_index("ix_sighting_network", "sighting", ["network", "seen_at"])
    op.create_index("ix_sighting_email", "sighting", ["email_id"])
    op.add_column(
        "organisation", sa.Column("track_by_consent", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column(
        "organisation",
        sa.Column("untracked_types", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column("template", sa.Column("track_links", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("contact", sa.Column("measured", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("contact", "measured")
    op.drop_column("template", "track_links")
    op.drop_column("organisation", "untracked_types")
    op.drop_column("organisation", "track_by_consent")
    op.drop_table("sighting")
