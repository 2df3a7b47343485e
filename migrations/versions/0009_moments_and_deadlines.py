"""A last moment for waiting e-mails, and what the pages of planned e-mails and of events are read by.

Events are listed newest first, by type, by outcome or by customer; plans by session and moment.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NEWEST = [sa.text("created_at DESC"), sa.text("id DESC")]
_OF_EVENTS = {
    "ix_business_event_type": ["organisation_id", "type"],
    "ix_business_event_outcome": ["organisation_id", "outcome"],
    "ix_business_event_contact": ["contact_id"],
}


def upgrade() -> None:
    op.add_column("outbox_entry", sa.Column("not_after", sa.DateTime(timezone=True), nullable=True))
    op.add_column("business_event", sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "business_event",
        sa.Column("values", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.drop_index("ix_business_event_contact", table_name="business_event")
    for name, columns in _OF_EVENTS.items():
        op.create_index(name, "business_event", [*columns, *_NEWEST], unique=False)
    op.create_index("ix_planned_email_session", "planned_email", ["training_session_id", "due_at", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_planned_email_session", table_name="planned_email")
    for name in _OF_EVENTS:
        op.drop_index(name, table_name="business_event")
    op.create_index("ix_business_event_contact", "business_event", ["contact_id"], unique=False)
    op.drop_column("business_event", "values")
    op.drop_column("business_event", "applied_at")
    op.drop_column("outbox_entry", "not_after")
