"""Indexes for the history's filters by sender, by who asked, by reason, by what was resent or dealt with.

Four of the six hold a few per cent of the e-mails. Each keeps its filter flat as the table grows, for a value that is
rare too: along the date index alone a reason that nobody has would be looked for in every e-mail.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEWEST = [sa.text("created_at DESC"), sa.text("id DESC")]
_INDEXES = {
    "ix_email_sender": (["sender_id"], None),
    "ix_email_requested_by": (["requested_by_id"], "requested_by_id IS NOT NULL"),
    "ix_email_reason": (["organisation_id", "reason"], "reason IS NOT NULL"),
    "ix_email_untreated": (["organisation_id"], "treated_at IS NULL AND status IN ('undeliverable', 'failed')"),
    "ix_email_treated": (["organisation_id"], "treated_at IS NOT NULL"),
    "ix_email_resent": (["organisation_id"], "(marks & 32) <> 0"),
}


def upgrade() -> None:
    for name, (columns, where) in _INDEXES.items():
        partial = sa.text(where) if where else None
        op.create_index(name, "email", [*columns, *_NEWEST], unique=False, postgresql_where=partial)


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, table_name="email")
