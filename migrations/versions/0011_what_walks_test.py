"""The history's indexes carry what their walks test, so that no walked e-mail is looked up; words of sessions.

docs/decisions/0008-history-indexes.md says which question each one serves and what it costs. The table is vacuumed
after a few per cent of it changed: an index alone answers only where e-mails are known to be visible to all.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NEWEST = ["created_at DESC", "id DESC"]
_SENT = "coalesce(sent_at, '-infinity'::timestamptz) DESC"
# index: (what it is ordered by, which e-mails, what it carries)
_INDEXES = {
    "ix_email_newest": (["organisation_id", *_NEWEST], None, ["address_id", "contact_id"]),
    "ix_email_sent": (["organisation_id", _SENT, "id DESC"], None, ["sent_at", "status"]),
    "ix_email_updated": (["organisation_id", "updated_at DESC", "id DESC"], None, ["status"]),
    "ix_email_address": (["address_id", *_NEWEST], None, ["status", "type"]),
    "ix_email_contact": (["contact_id", *_NEWEST], "contact_id IS NOT NULL", ["status", "type"]),
    "ix_email_sender": (["sender_id", *_NEWEST], None, ["status"]),
    "ix_email_requested_by": (["requested_by_id", *_NEWEST], "requested_by_id IS NOT NULL", ["status"]),
    "ix_email_reason": (["organisation_id", "reason", *_NEWEST], "reason IS NOT NULL", ["status", "type"]),
    "ix_email_untreated": (
        ["organisation_id", *_NEWEST], "treated_at IS NULL AND status IN ('undeliverable', 'failed')",
        ["status", "type", "reason"],
    ),
    "ix_email_treated": (["organisation_id", *_NEWEST], "treated_at IS NOT NULL", ["status", "type"]),
    "ix_email_resent": (["organisation_id", *_NEWEST], "(marks & 32) <> 0", ["status", "type"]),
}
_VACUUM = {
    "autovacuum_vacuum_insert_scale_factor": 0.02,
    "autovacuum_vacuum_scale_factor": 0.02,
    "autovacuum_analyze_scale_factor": 0.02,
}


def _make(carrying: bool) -> None:
    for name, (keys, where, carried) in _INDEXES.items():
        op.drop_index(name, table_name="email")
        partial = sa.text(where) if where else None
        columns = [sa.text(key) for key in keys]
        more = {"postgresql_include": carried} if carrying else {}
        op.create_index(name, "email", columns, unique=False, postgresql_where=partial, **more)


def upgrade() -> None:
    _make(carrying=True)
    op.execute(
        "CREATE INDEX ix_training_session_words ON training_session "
        "USING gin (words_of(organisation_id, (title || ' ') || reference))"
    )
    op.execute(f"ALTER TABLE email SET ({', '.join(f'{name} = {value}' for name, value in _VACUUM.items())})")


def downgrade() -> None:
    op.execute(f"ALTER TABLE email RESET ({', '.join(_VACUUM)})")
    op.drop_index("ix_training_session_words", table_name="training_session")
    _make(carrying=False)
