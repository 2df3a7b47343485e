"""What stopped a making of documents is kept with its values; the row's own lock is its lease.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "document_run",
        sa.Column("values", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    )
    op.drop_column("document_run", "taken_until")


def downgrade() -> None:
    op.add_column("document_run", sa.Column("taken_until", sa.DateTime(timezone=True), nullable=True))
    op.drop_column("document_run", "values")
