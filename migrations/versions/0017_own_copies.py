"""Delivery events of the kind `copied`: an e-mail that somebody sent to themselves as a copy of another.

The constraint is put back without looking at the rows there are: what the shorter list held, the longer one holds.

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KINDS = (
    "requested", "deferred", "released", "outcome_unknown", "refused", "not_sent", "accepted", "relayed", "expanded",
    "delayed", "delivered", "auto_replied", "machine_opened", "bounced", "opened", "clicked", "confirmed", "displayed",
    "corrected", "complained", "copy_failed", "resent",
)  # fmt: skip


def upgrade() -> None:
    _list(*KINDS, "copied")


def downgrade() -> None:
    _list(*KINDS)


def _list(*kinds: str) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute("ALTER TABLE delivery_event DROP CONSTRAINT ck_delivery_event_kind")
    op.execute(f"ALTER TABLE delivery_event ADD CONSTRAINT ck_delivery_event_kind CHECK (kind IN ({listed})) NOT VALID")
