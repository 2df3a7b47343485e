"""first tables

Revision ID: 0001
Revises:
Create Date: 2026-11-22 04:32:41.522852

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA public")
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public")
    # unaccent() is only STABLE, so an index needs this wrapper: text as searches and sorts see it.
    op.execute(
        "CREATE FUNCTION fold_text(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT "
        "AS $$ SELECT public.unaccent('public.unaccent'::regdictionary, lower($1)) $$"
    )
    op.create_table(
        "blob",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), server_default="Europe/Paris", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("registration", sa.Text(), server_default="", nullable=False),
        sa.Column("track_opens", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
    )
    op.create_table(
        "address",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_address_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address")),
        sa.UniqueConstraint("organisation_id", "address", "name", name=op.f("uq_address_organisation_id_address_name")),
    )
    op.create_index("ix_address_domain", "address", ["organisation_id", "domain"], unique=False)
    op.create_table(
        "contact",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("first_name", sa.Text(), server_default="", nullable=False),
        sa.Column("last_name", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_name", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="fr", nullable=False),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("company_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('learner', 'company', 'trainer', 'customer')", name=op.f("ck_contact_kind")),
        sa.ForeignKeyConstraint(
            ["company_id"], ["contact.id"], name=op.f("fk_contact_company_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_contact_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("public_id", name=op.f("uq_contact_public_id")),
    )
    op.create_index("ix_contact_company", "contact", ["company_id"], unique=False)
    op.create_index("ix_contact_kind_name", "contact", ["organisation_id", "kind", "sort_name", "id"], unique=False)
    op.create_index("ix_contact_reference", "contact", ["organisation_id", "reference"], unique=False)
    op.create_table(
        "inbound_message",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_inbound_message_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_message")),
    )
    op.create_index("ix_inbound_message_outcome", "inbound_message", ["outcome", "id"], unique=False)
    op.create_index("uq_inbound_message_sha256", "inbound_message", ["sha256"], unique=True)
    op.create_table(
        "sender",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.Text(), server_default="", nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("return_path", sa.Text(), nullable=False),
        sa.Column("bounce_address", sa.Text(), server_default="", nullable=False),
        sa.Column("connections", sa.SmallInteger(), server_default=sa.text("4"), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_why", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("return_path IN ('own', 'fixed', 'verp')", name=op.f("ck_sender_return_path")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_sender_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sender")),
        sa.UniqueConstraint("organisation_id", "address", name=op.f("uq_sender_organisation_id_address")),
    )
    op.create_index(
        "uq_sender_default", "sender", ["organisation_id"], unique=True, postgresql_where=sa.text("is_default")
    )
    op.create_table(
        "training_session",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'planned', 'finished', 'cancelled')", name=op.f("ck_training_session_state")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_training_session_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_session")),
        sa.UniqueConstraint("public_id", name=op.f("uq_training_session_public_id")),
    )
    op.create_index(
        "ix_training_session_start", "training_session", ["organisation_id", "starts_on", "id"], unique=False
    )
    op.create_table(
        "user",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), server_default="fr", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('staff', 'manager', 'admin')", name=op.f("ck_user_role")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_user_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
    )
    op.create_index("ix_user_organisation", "user", ["organisation_id"], unique=False)
    op.create_index("uq_user_email", "user", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "api_token",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_api_token_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_api_token_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_api_token_secret_sha256")),
    )
    op.create_index("ix_api_token_organisation", "api_token", ["organisation_id"], unique=False)
    op.create_table(
        "enrolment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("training_session_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_enrolment_contact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_enrolment_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["training_session_id"],
            ["training_session.id"],
            name=op.f("fk_enrolment_training_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
        sa.UniqueConstraint(
            "training_session_id", "contact_id", name=op.f("uq_enrolment_training_session_id_contact_id")
        ),
    )
    op.create_index("ix_enrolment_contact", "enrolment", ["contact_id"], unique=False)
    op.create_table(
        "mailing",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("request_key", sa.Text(), nullable=False),
        sa.Column("requested_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_mailing_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["requested_by_id"], ["user.id"], name=op.f("fk_mailing_requested_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailing")),
        sa.UniqueConstraint("organisation_id", "request_key", name=op.f("uq_mailing_organisation_id_request_key")),
    )
    op.create_table(
        "module",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("training_session_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_module_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_module_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["training_session_id"],
            ["training_session.id"],
            name=op.f("fk_module_training_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_module")),
    )
    op.create_index("ix_module_training_session", "module", ["training_session_id", "starts_at"], unique=False)
    op.create_table(
        "email",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("mailing_id", sa.BigInteger(), nullable=True),
        sa.Column("address_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("training_session_id", sa.BigInteger(), nullable=True),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("requested_by_id", sa.BigInteger(), nullable=True),
        sa.Column("resend_of_id", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("attachment_count", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("open_measured", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("status_rank", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("status_occurred_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("status_source", sa.Text(), server_default="", nullable=False),
        sa.Column("status_event_id", sa.Text(), server_default="", nullable=False),
        sa.Column("marks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "reason IN ('address_syntax', 'domain_unknown', 'user_unknown', 'moved', 'mailbox_disabled', 'mailbox_full', 'too_big', 'spam', 'authentication', 'blocked', 'content', 'policy', 'greylisted', 'throttled', 'unreachable', 'expired', 'suppressed', 'sender_rejected', 'not_prepared', 'cancelled', 'too_late', 'unknown')",
            name=op.f("ck_email_reason"),
        ),
        sa.CheckConstraint(
            "status IN ('requested', 'uncertain', 'sent', 'delivered', 'opened', 'undeliverable', 'failed')",
            name=op.f("ck_email_status"),
        ),
        sa.ForeignKeyConstraint(["address_id"], ["address.id"], name=op.f("fk_email_address_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_email_contact_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["mailing_id"], ["mailing.id"], name=op.f("fk_email_mailing_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_email_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["requested_by_id"], ["user.id"], name=op.f("fk_email_requested_by_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["resend_of_id"], ["email.id"], name=op.f("fk_email_resend_of_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["sender.id"], name=op.f("fk_email_sender_id")),
        sa.ForeignKeyConstraint(
            ["training_session_id"],
            ["training_session.id"],
            name=op.f("fk_email_training_session_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email")),
        sa.UniqueConstraint("public_id", name=op.f("uq_email_public_id")),
    )
    op.create_index(
        "ix_email_address",
        "email",
        ["address_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=None,
    )
    op.create_index(
        "ix_email_contact",
        "email",
        ["contact_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("contact_id IS NOT NULL"),
    )
    op.create_index(
        "ix_email_mailing", "email", ["mailing_id"], unique=False, postgresql_where=sa.text("mailing_id IS NOT NULL")
    )
    op.create_index(
        "ix_email_newest",
        "email",
        ["organisation_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=None,
    )
    op.create_index(
        "ix_email_resend_of",
        "email",
        ["resend_of_id"],
        unique=False,
        postgresql_where=sa.text("resend_of_id IS NOT NULL"),
    )
    op.create_index(
        "ix_email_session",
        "email",
        ["training_session_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("training_session_id IS NOT NULL"),
    )
    op.create_index(
        "ix_email_status",
        "email",
        ["organisation_id", "status", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=None,
    )
    op.create_index(
        "ix_email_type",
        "email",
        ["organisation_id", "type", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=None,
    )
    op.create_table(
        "attachment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("email_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["email_id"], ["email.id"], name=op.f("fk_attachment_email_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_attachment_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sa.UniqueConstraint("email_id", "position", name=op.f("uq_attachment_email_id_position")),
    )
    op.create_index("ix_attachment_blob", "attachment", ["sha256"], unique=False)
    op.create_table(
        "delivery_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("email_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_event_id", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempt", sa.SmallInteger(), nullable=True),
        sa.Column("smtp_code", sa.SmallInteger(), nullable=True),
        sa.Column("enhanced_code", sa.Text(), nullable=True),
        sa.Column("diagnostic", sa.Text(), nullable=True),
        sa.Column("remote_host", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("inbound_message_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('requested', 'deferred', 'released', 'outcome_unknown', 'refused', 'not_sent', 'accepted', 'relayed', 'expanded', 'delayed', 'delivered', 'auto_replied', 'machine_opened', 'bounced', 'opened', 'clicked', 'confirmed', 'displayed', 'corrected', 'complained', 'copy_failed', 'resent')",
            name=op.f("ck_delivery_event_kind"),
        ),
        sa.CheckConstraint(
            "reason IN ('address_syntax', 'domain_unknown', 'user_unknown', 'moved', 'mailbox_disabled', 'mailbox_full', 'too_big', 'spam', 'authentication', 'blocked', 'content', 'policy', 'greylisted', 'throttled', 'unreachable', 'expired', 'suppressed', 'sender_rejected', 'not_prepared', 'cancelled', 'too_late', 'unknown')",
            name=op.f("ck_delivery_event_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["email_id"], ["email.id"], name=op.f("fk_delivery_event_email_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["inbound_message_id"],
            ["inbound_message.id"],
            name=op.f("fk_delivery_event_inbound_message_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_delivery_event_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_event")),
    )
    op.create_index(
        "uq_delivery_event_fact", "delivery_event", ["email_id", "source", "source_event_id", "kind"], unique=True
    )
    op.create_table(
        "email_content",
        sa.Column("email_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("skeleton", sa.LargeBinary(), nullable=False),
        sa.Column("cuts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("smtputf8", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["email_id"], ["email.id"], name=op.f("fk_email_content_email_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("email_id", name=op.f("pk_email_content")),
    )
    op.create_table(
        "outbox_entry",
        sa.Column("email_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt_count", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("give_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'waiting') = (owner IS NULL)", name=op.f("ck_outbox_entry_owned_unless_waiting")),
        sa.CheckConstraint("state IN ('waiting', 'claimed', 'data_begun')", name=op.f("ck_outbox_entry_state")),
        sa.ForeignKeyConstraint(["email_id"], ["email.id"], name=op.f("fk_outbox_entry_email_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_outbox_entry_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["sender.id"], name=op.f("fk_outbox_entry_sender_id")),
        sa.PrimaryKeyConstraint("email_id", name=op.f("pk_outbox_entry")),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox_entry",
        ["sender_id", "priority", "next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_outbox_leases",
        "outbox_entry",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state <> 'waiting'"),
    )


def downgrade():
    op.drop_index("ix_outbox_leases", table_name="outbox_entry", postgresql_where=sa.text("state <> 'waiting'"))
    op.drop_index("ix_outbox_due", table_name="outbox_entry", postgresql_where=sa.text("state = 'waiting'"))
    op.drop_table("outbox_entry")
    op.drop_table("email_content")
    op.drop_index("uq_delivery_event_fact", table_name="delivery_event")
    op.drop_table("delivery_event")
    op.drop_index("ix_attachment_blob", table_name="attachment")
    op.drop_table("attachment")
    op.drop_index("ix_email_type", table_name="email", postgresql_where=None)
    op.drop_index("ix_email_status", table_name="email", postgresql_where=None)
    op.drop_index("ix_email_session", table_name="email", postgresql_where=sa.text("training_session_id IS NOT NULL"))
    op.drop_index("ix_email_resend_of", table_name="email", postgresql_where=sa.text("resend_of_id IS NOT NULL"))
    op.drop_index("ix_email_newest", table_name="email", postgresql_where=None)
    op.drop_index("ix_email_mailing", table_name="email", postgresql_where=sa.text("mailing_id IS NOT NULL"))
    op.drop_index("ix_email_contact", table_name="email", postgresql_where=sa.text("contact_id IS NOT NULL"))
    op.drop_index("ix_email_address", table_name="email", postgresql_where=None)
    op.drop_table("email")
    op.drop_index("ix_module_training_session", table_name="module")
    op.drop_table("module")
    op.drop_table("mailing")
    op.drop_index("ix_enrolment_contact", table_name="enrolment")
    op.drop_table("enrolment")
    op.drop_index("ix_api_token_organisation", table_name="api_token")
    op.drop_table("api_token")
    op.drop_index("uq_user_email", table_name="user")
    op.drop_index("ix_user_organisation", table_name="user")
    op.drop_table("user")
    op.drop_index("ix_training_session_start", table_name="training_session")
    op.drop_table("training_session")
    op.drop_index("uq_sender_default", table_name="sender", postgresql_where=sa.text("is_default"))
    op.drop_table("sender")
    op.drop_index("uq_inbound_message_sha256", table_name="inbound_message")
    op.drop_index("ix_inbound_message_outcome", table_name="inbound_message")
    op.drop_table("inbound_message")
    op.drop_index("ix_contact_reference", table_name="contact")
    op.drop_index("ix_contact_kind_name", table_name="contact")
    op.drop_index("ix_contact_company", table_name="contact")
    op.drop_table("contact")
    op.drop_index("ix_address_domain", table_name="address")
    op.drop_table("address")
    op.drop_table("organisation")
    op.drop_table("blob")
    op.execute("DROP FUNCTION fold_text(text)")
    op.execute("DROP EXTENSION pg_trgm")
    op.execute("DROP EXTENSION unaccent")
