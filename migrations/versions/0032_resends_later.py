"""A resend in number may wait for a moment: no e-mail of it is asked for before, and a later one leaves them to it.

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


_VERDICTS = (
    "on_its_way", "gone", "wrong_address", "quarantined", "silent", "received", "arrived_since", "recent", "resent",
    "accepted", "twice", "session_over", "answered", "paid", "same_again",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("resend_run", sa.Column("not_before", sa.DateTime(timezone=True)))
    _allow((*_VERDICTS, "planned"))


def downgrade() -> None:
    op.execute("UPDATE resend_row SET verdict = 'recent' WHERE verdict = 'planned'")
    _allow(_VERDICTS)
    op.drop_column("resend_run", "not_before")


def _allow(verdicts: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_resend_row_verdict"), "resend_row", type_="check")
    listed = ", ".join(f"'{verdict}'" for verdict in verdicts)
    op.create_check_constraint(op.f("ck_resend_row_verdict"), "resend_row", f"verdict IN ({listed})")
