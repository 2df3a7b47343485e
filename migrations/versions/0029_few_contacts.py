"""Contacts by country and by offer, for segments whose rule few answer (138 ms became 6 at ten million e-mails); the
index of failures nobody has dealt with carries the marks, so that they are counted in it alone.

docs/decisions/0008-history-indexes.md says what they cost.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_UNTREATED = "treated_at IS NULL AND status IN ('undeliverable', 'failed')"


def _untreated(carried: list[str]) -> None:
    op.drop_index("ix_email_untreated", table_name="email")
    op.create_index(
        "ix_email_untreated", "email", ["organisation_id", sa.text("created_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text(_UNTREATED), postgresql_include=carried,
    )  # fmt: skip


def upgrade() -> None:
    op.create_index("ix_contact_country", "contact", ["organisation_id", "country"])
    op.create_index("ix_contact_offer", "contact", ["organisation_id", "offer"])
    _untreated(["status", "type", "reason", "marks"])


def downgrade() -> None:
    _untreated(["status", "type", "reason"])
    op.drop_index("ix_contact_offer", table_name="contact")
    op.drop_index("ix_contact_country", table_name="contact")
