"""Outgoing webhooks: endpoints, what is told to each, every try.

The four indexes of webhook_delivery that are not partial serve its history page (all, by state), the e-mail's own
deletion, and the uniqueness of webhook-id; organisations without an endpoint never write there.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_REASONS = (
    "address_syntax", "domain_unknown", "user_unknown", "moved", "mailbox_disabled", "mailbox_full", "too_big", "spam",
    "authentication", "blocked", "content", "policy", "greylisted", "throttled", "unreachable", "expired",
    "suppressed", "sender_rejected", "not_prepared", "cancelled", "too_late", "unknown",
)  # fmt: skip
_TROUBLES = (
    "answer", "redirect", "name", "private", "unreachable", "tls", "timeout", "broken", "secret", "lost",
)  # fmt: skip


def _one_of(table: str, column: str, words: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{column}"))


def _moment(name: str, nullable: bool = True, default: str | None = None) -> sa.Column:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text(default) if default else None, nullable=nullable
    )


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("types", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text(), nullable=True),
        _moment("old_secret_until"),
        _moment("paused_at"),
        _moment("off_at"),
        sa.Column("off_why", sa.Text(), nullable=True),
        _moment("failing_since"),
        sa.Column("failure_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _moment("rest_until"),
        _moment("last_tried_at"),
        sa.Column("last_code", sa.SmallInteger(), nullable=True),
        sa.Column("last_trouble", sa.Text(), nullable=True),
        sa.Column("created_by_id", sa.BigInteger(), nullable=True),
        _moment("created_at", nullable=False, default="now()"),
        _one_of("webhook_endpoint", "off_why", ("gone", "failing")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user.id"], name=op.f("fk_webhook_endpoint_created_by_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_webhook_endpoint_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
        sa.UniqueConstraint("public_id", name=op.f("uq_webhook_endpoint_public_id")),
    )  # fmt: skip
    op.create_index("ix_webhook_endpoint_organisation", "webhook_endpoint", ["organisation_id"])
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("email_id", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        _moment("occurred_at", nullable=False),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("by_hand", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("try_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries_before", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _moment("next_attempt_at", nullable=False, default="now()"),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("last_code", sa.SmallInteger(), nullable=True),
        sa.Column("last_trouble", sa.Text(), nullable=True),
        _moment("created_at", nullable=False, default="now()"),
        _moment("finished_at"),
        _one_of("webhook_delivery", "state", ("waiting", "delivered", "failed")),
        _one_of("webhook_delivery", "reason", _REASONS),
        _one_of("webhook_delivery", "last_trouble", _TROUBLES),
        sa.ForeignKeyConstraint(
            ["email_id"], ["email.id"], name=op.f("fk_webhook_delivery_email_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_delivery_endpoint_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_webhook_delivery_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("message_id", name=op.f("uq_webhook_delivery_message_id")),
    )  # fmt: skip
    op.create_index(
        "ix_webhook_delivery_due", "webhook_delivery", ["endpoint_id", "by_hand", "next_attempt_at"],
        postgresql_where=sa.text("state = 'waiting'"),
    )  # fmt: skip
    op.create_index("ix_webhook_delivery_newest", "webhook_delivery", ["endpoint_id", sa.text("id DESC")])
    op.create_index("ix_webhook_delivery_state", "webhook_delivery", ["endpoint_id", "state", sa.text("id DESC")])
    op.create_index("ix_webhook_delivery_email", "webhook_delivery", ["email_id"])
    op.create_index(
        "ix_webhook_delivery_finished", "webhook_delivery", ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )  # fmt: skip
    op.create_table(
        "webhook_try",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _moment("started_at", nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        _one_of("webhook_try", "trouble", _TROUBLES),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["webhook_delivery.id"], name=op.f("fk_webhook_try_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_try")),
    )
    op.create_index("ix_webhook_try_delivery", "webhook_try", ["delivery_id", "id"])


def downgrade() -> None:
    op.drop_table("webhook_try")
    op.drop_table("webhook_delivery")
    op.drop_table("webhook_endpoint")
