"""Find the operators that refused something without reading all the others.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_email_figure_refusing", "email_figure", ["organisation_id", "grain", "day"],
        postgresql_include=["key", "number"], postgresql_where=sa.text("facet = 'operator' AND outcome = 'error'"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_email_figure_refusing", "email_figure")
