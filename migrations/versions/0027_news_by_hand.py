"""Delivery events of the kind `unsubscribed`, opt-outs told by a provider, and providers' news that a person dealt with.

The constraint on delivery events is put back without looking at the rows there are: what the shorter list held, the
longer one holds.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

KINDS = (
    "requested", "deferred", "released", "outcome_unknown", "refused", "not_sent", "accepted", "relayed", "expanded",
    "delayed", "delivered", "auto_replied", "machine_opened", "bounced", "opened", "clicked", "confirmed", "displayed",
    "corrected", "complained", "copy_failed", "resent", "copied",
)  # fmt: skip
OUTCOMES = ("waiting", "applied", "ignored", "orphan", "trial")


def upgrade() -> None:
    _list("delivery_event", "kind", *KINDS, "unsubscribed")
    _list("opt_out", "left_by", "page", "one_click", "provider")
    _list("provider_event", "outcome", *OUTCOMES, "dismissed")
    op.add_column("provider_event", sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("provider_event", sa.Column("handled_by_id", sa.BigInteger(), nullable=True))
    op.add_column("provider_event", sa.Column("handled_note", sa.Text(), server_default="", nullable=False))
    op.create_foreign_key(
        op.f("fk_provider_event_handled_by_id"), "provider_event", "user", ["handled_by_id"], ["id"], ondelete="SET NULL"
    )
    op.create_index(
        "ix_provider_event_handled_by", "provider_event", ["handled_by_id"],
        postgresql_where=sa.text("handled_by_id IS NOT NULL"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_provider_event_handled_by", "provider_event")
    op.drop_constraint(op.f("fk_provider_event_handled_by_id"), "provider_event")
    for name in ("handled_note", "handled_by_id", "handled_at"):
        op.drop_column("provider_event", name)
    op.execute("UPDATE provider_event SET outcome = 'ignored' WHERE outcome = 'dismissed'")
    op.execute("UPDATE opt_out SET left_by = 'page' WHERE left_by = 'provider'")
    op.execute("DELETE FROM delivery_event WHERE kind = 'unsubscribed'")
    _list("provider_event", "outcome", *OUTCOMES)
    _list("opt_out", "left_by", "page", "one_click")
    _list("delivery_event", "kind", *KINDS)


def _list(table: str, column: str, *words: str) -> None:
    listed, name = ", ".join(f"'{word}'" for word in words), f"ck_{table}_{column}"
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IN ({listed})) NOT VALID")
