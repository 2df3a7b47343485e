"""What should be sent: programmes, templates, documents, evaluations, dated rules, business events, opportunities.

Also the fifth kind of contact, the funder, and what letters and documents show of an organisation.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


_KINDS = ("learner", "company", "trainer", "customer", "funder")


def _kinds(kinds: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f("ck_contact_kind"), "contact", type_="check")
    op.create_check_constraint(op.f("ck_contact_kind"), "contact", f"kind IN ({listed})")


def upgrade() -> None:
    _kinds(_KINDS)
    op.create_table(
        "billing_source",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_billing_source_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_source")),
        sa.UniqueConstraint("public_id", name=op.f("uq_billing_source_public_id")),
    )
    op.create_index("ix_billing_source_organisation", "billing_source", ["organisation_id"], unique=False)
    op.create_table(
        "training_type",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("required", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_training_type_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_type")),
        sa.UniqueConstraint("organisation_id", "name", name=op.f("uq_training_type_organisation_id_name")),
    )
    op.create_table(
        "opportunity",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "stage IN ('lead', 'qualified', 'quoted', 'won', 'lost')", name=op.f("ck_opportunity_stage")
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_opportunity_contact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_opportunity_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_opportunity_owner_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opportunity")),
        sa.UniqueConstraint("public_id", name=op.f("uq_opportunity_public_id")),
    )
    op.create_index("ix_opportunity_contact", "opportunity", ["contact_id"], unique=False)
    op.create_index(
        "ix_opportunity_stage",
        "opportunity",
        ["organisation_id", "stage", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "programme",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), server_default="", nullable=False),
        sa.Column("training_type_id", sa.BigInteger(), nullable=True),
        sa.Column("duration_hours", sa.SmallInteger(), nullable=True),
        sa.Column("audience", sa.Text(), server_default="", nullable=False),
        sa.Column("prerequisites", sa.Text(), server_default="", nullable=False),
        sa.Column("objectives", sa.Text(), server_default="", nullable=False),
        sa.Column("content", sa.Text(), server_default="", nullable=False),
        sa.Column("methods", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_programme_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["training_type_id"], ["training_type.id"], name=op.f("fk_programme_training_type_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme")),
        sa.UniqueConstraint("public_id", name=op.f("uq_programme_public_id")),
    )
    op.create_index("ix_programme_title", "programme", ["organisation_id", "title", "id"], unique=False)
    op.create_index("ix_programme_training_type", "programme", ["training_type_id"], unique=False)
    op.create_table(
        "template",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("files", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("form_url", sa.Text(), server_default="", nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_template_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["sender.id"], name=op.f("fk_template_sender_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template")),
        sa.UniqueConstraint("organisation_id", "type", "kind", name=op.f("uq_template_organisation_id_type_kind")),
        sa.UniqueConstraint("public_id", name=op.f("uq_template_public_id")),
    )
    op.create_index(
        "ix_template_sender", "template", ["sender_id"], unique=False, postgresql_where=sa.text("sender_id IS NOT NULL")
    )
    op.create_table(
        "template_version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("template_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("subject_fr", sa.Text(), nullable=False),
        sa.Column("message_fr", sa.Text(), nullable=False),
        sa.Column("text_fr", sa.Text(), server_default="", nullable=False),
        sa.Column("subject_en", sa.Text(), server_default="", nullable=False),
        sa.Column("message_en", sa.Text(), server_default="", nullable=False),
        sa.Column("text_en", sa.Text(), server_default="", nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("format IN ('text', 'html')", name=op.f("ck_template_version_format")),
        sa.ForeignKeyConstraint(
            ["author_id"], ["user.id"], name=op.f("fk_template_version_author_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_template_version_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["template_id"], ["template.id"], name=op.f("fk_template_version_template_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template_version")),
        sa.UniqueConstraint("template_id", "number", name=op.f("uq_template_version_template_id_number")),
    )
    op.create_table(
        "automation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("training_session_id", sa.BigInteger(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("enabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("days", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.Time(), nullable=False),
        sa.CheckConstraint(
            "rule IN ('convocation', 'convocation_reminder', 'evaluation_pre', 'evaluation_hot', 'evaluation_hot_reminder', 'certificate', 'evaluation_cold', 'evaluation_cold_reminder')",
            name=op.f("ck_automation_rule"),
        ),
        sa.CheckConstraint("days BETWEEN 0 AND 365", name=op.f("ck_automation_days")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_automation_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["training_session_id"],
            ["training_session.id"],
            name=op.f("fk_automation_training_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_automation")),
        sa.UniqueConstraint(
            "organisation_id",
            "training_session_id",
            "rule",
            name=op.f("uq_automation_organisation_id_training_session_id_rule"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_automation_session", "automation", ["training_session_id"], unique=False)
    op.create_table(
        "document",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("training_session_id", sa.BigInteger(), nullable=True),
        sa.Column("opportunity_id", sa.BigInteger(), nullable=True),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("facts_sha256", sa.Text(), server_default="", nullable=False),
        sa.Column("made_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('convocation', 'convention', 'programme', 'rules', 'welcome_booklet', 'attendance_sheet', 'certificate', 'attendance_certificate', 'invoice', 'uploaded')",
            name=op.f("ck_document_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_document_contact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["made_by_id"], ["user.id"], name=op.f("fk_document_made_by_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["opportunity_id"], ["opportunity.id"], name=op.f("fk_document_opportunity_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_document_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_document_sha256")),
        sa.ForeignKeyConstraint(
            ["training_session_id"],
            ["training_session.id"],
            name=op.f("fk_document_training_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint("public_id", name=op.f("uq_document_public_id")),
    )
    op.create_index("ix_document_blob", "document", ["sha256"], unique=False)
    op.create_index(
        "ix_document_contact",
        "document",
        ["contact_id"],
        unique=False,
        postgresql_where=sa.text("contact_id IS NOT NULL"),
    )
    op.create_index(
        "ix_document_newest",
        "document",
        ["training_session_id", "kind", "contact_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_document_opportunity",
        "document",
        ["opportunity_id"],
        unique=False,
        postgresql_where=sa.text("opportunity_id IS NOT NULL"),
    )
    op.create_table(
        "evaluation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("training_session_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("moment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rating", sa.SmallInteger(), nullable=True),
        sa.Column("answers", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint("moment IN ('pre', 'hot', 'cold')", name=op.f("ck_evaluation_moment")),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_evaluation_contact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_evaluation_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["training_session_id"],
            ["training_session.id"],
            name=op.f("fk_evaluation_training_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.UniqueConstraint("public_id", name=op.f("uq_evaluation_public_id")),
        sa.UniqueConstraint(
            "training_session_id",
            "contact_id",
            "moment",
            name=op.f("uq_evaluation_training_session_id_contact_id_moment"),
        ),
    )
    op.create_index("ix_evaluation_contact", "evaluation", ["contact_id"], unique=False)
    op.create_table(
        "recipient_space",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("training_session_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_recipient_space_contact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_recipient_space_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["training_session_id"],
            ["training_session.id"],
            name=op.f("fk_recipient_space_training_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipient_space")),
        sa.UniqueConstraint("public_id", name=op.f("uq_recipient_space_public_id")),
        sa.UniqueConstraint(
            "training_session_id", "contact_id", name=op.f("uq_recipient_space_training_session_id_contact_id")
        ),
    )
    op.create_index("ix_recipient_space_contact", "recipient_space", ["contact_id"], unique=False)
    op.create_table(
        "business_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("files", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("email_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('received', 'sent', 'switched_off', 'no_address', 'unknown_type', 'not_prepared')",
            name=op.f("ck_business_event_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_business_event_contact_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["email_id"], ["email.id"], name=op.f("fk_business_event_email_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_business_event_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_business_event")),
        sa.UniqueConstraint(
            "organisation_id", "source", "event_id", name=op.f("uq_business_event_organisation_id_source_event_id")
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_business_event_public_id")),
    )
    op.create_index("ix_business_event_contact", "business_event", ["contact_id"], unique=False)
    op.create_index(
        "ix_business_event_email",
        "business_event",
        ["email_id"],
        unique=False,
        postgresql_where=sa.text("email_id IS NOT NULL"),
    )
    op.create_index(
        "ix_business_event_newest",
        "business_event",
        ["organisation_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_business_event_waiting",
        "business_event",
        ["id"],
        unique=False,
        postgresql_where=sa.text("outcome = 'received'"),
    )
    op.create_table(
        "planned_email",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("training_session_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("too_late_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("values", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("email_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_by_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "rule IN ('convocation', 'convocation_reminder', 'evaluation_pre', 'evaluation_hot', 'evaluation_hot_reminder', 'certificate', 'evaluation_cold', 'evaluation_cold_reminder')",
            name=op.f("ck_planned_email_rule"),
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'sent', 'cancelled', 'too_late', 'not_needed', 'not_prepared')",
            name=op.f("ck_planned_email_state"),
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_planned_email_contact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["user.id"], name=op.f("fk_planned_email_decided_by_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["email_id"], ["email.id"], name=op.f("fk_planned_email_email_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_planned_email_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["training_session_id"],
            ["training_session.id"],
            name=op.f("fk_planned_email_training_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_planned_email")),
        sa.UniqueConstraint("public_id", name=op.f("uq_planned_email_public_id")),
        sa.UniqueConstraint(
            "training_session_id",
            "contact_id",
            "rule",
            name=op.f("uq_planned_email_training_session_id_contact_id_rule"),
        ),
    )
    op.create_index("ix_planned_email_contact", "planned_email", ["contact_id"], unique=False)
    op.create_index(
        "ix_planned_email_due", "planned_email", ["due_at"], unique=False, postgresql_where=sa.text("state = 'planned'")
    )
    op.create_index(
        "ix_planned_email_email",
        "planned_email",
        ["email_id"],
        unique=False,
        postgresql_where=sa.text("email_id IS NOT NULL"),
    )
    op.create_table(
        "space_visit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_space_visit_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["space_id"], ["recipient_space.id"], name=op.f("fk_space_visit_space_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space_visit")),
    )
    op.create_index("ix_space_visit_space", "space_visit", ["space_id", sa.literal_column("id DESC")], unique=False)
    op.add_column("email", sa.Column("opportunity_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_email_opportunity",
        "email",
        ["opportunity_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("opportunity_id IS NOT NULL"),
        postgresql_include=[],
    )
    op.create_foreign_key(
        op.f("fk_email_opportunity_id"), "email", "opportunity", ["opportunity_id"], ["id"], ondelete="SET NULL"
    )
    op.add_column(
        "enrolment", sa.Column("module_ids", sa.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("organisation", sa.Column("logo_sha256", sa.Text(), nullable=True))
    op.add_column("organisation", sa.Column("accent", sa.Text(), server_default="#0f6e84", nullable=False))
    op.add_column("organisation", sa.Column("quiet_from", sa.Time(), server_default="20:00", nullable=False))
    op.add_column("organisation", sa.Column("quiet_to", sa.Time(), server_default="08:00", nullable=False))
    op.create_foreign_key(op.f("fk_organisation_logo_sha256"), "organisation", "blob", ["logo_sha256"], ["sha256"])
    op.add_column("training_session", sa.Column("programme_id", sa.BigInteger(), nullable=True))
    op.create_index("ix_training_session_programme", "training_session", ["programme_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_training_session_programme_id"),
        "training_session",
        "programme",
        ["programme_id"],
        ["id"],
        ondelete="SET NULL",
    )


def downgrade() -> None:
    op.execute("UPDATE contact SET kind = 'customer' WHERE kind = 'funder'")
    _kinds(_KINDS[:-1])
    op.drop_constraint(op.f("fk_training_session_programme_id"), "training_session", type_="foreignkey")
    op.drop_index("ix_training_session_programme", table_name="training_session")
    op.drop_column("training_session", "programme_id")
    op.drop_constraint(op.f("fk_organisation_logo_sha256"), "organisation", type_="foreignkey")
    op.drop_column("organisation", "quiet_to")
    op.drop_column("organisation", "quiet_from")
    op.drop_column("organisation", "accent")
    op.drop_column("organisation", "logo_sha256")
    op.drop_column("enrolment", "module_ids")
    op.drop_constraint(op.f("fk_email_opportunity_id"), "email", type_="foreignkey")
    op.drop_index(
        "ix_email_opportunity",
        table_name="email",
        postgresql_where=sa.text("opportunity_id IS NOT NULL"),
        postgresql_include=[],
    )
    op.drop_column("email", "opportunity_id")
    op.drop_index("ix_space_visit_space", table_name="space_visit")
    op.drop_table("space_visit")
    op.drop_index(
        "ix_planned_email_email", table_name="planned_email", postgresql_where=sa.text("email_id IS NOT NULL")
    )
    op.drop_index("ix_planned_email_due", table_name="planned_email", postgresql_where=sa.text("state = 'planned'"))
    op.drop_index("ix_planned_email_contact", table_name="planned_email")
    op.drop_table("planned_email")
    op.drop_index(
        "ix_business_event_waiting", table_name="business_event", postgresql_where=sa.text("outcome = 'received'")
    )
    op.drop_index("ix_business_event_newest", table_name="business_event")
    op.drop_index(
        "ix_business_event_email", table_name="business_event", postgresql_where=sa.text("email_id IS NOT NULL")
    )
    op.drop_index("ix_business_event_contact", table_name="business_event")
    op.drop_table("business_event")
    op.drop_index("ix_recipient_space_contact", table_name="recipient_space")
    op.drop_table("recipient_space")
    op.drop_index("ix_evaluation_contact", table_name="evaluation")
    op.drop_table("evaluation")
    op.drop_index(
        "ix_document_opportunity", table_name="document", postgresql_where=sa.text("opportunity_id IS NOT NULL")
    )
    op.drop_index("ix_document_newest", table_name="document")
    op.drop_index("ix_document_contact", table_name="document", postgresql_where=sa.text("contact_id IS NOT NULL"))
    op.drop_index("ix_document_blob", table_name="document")
    op.drop_table("document")
    op.drop_index("ix_automation_session", table_name="automation")
    op.drop_table("automation")
    op.drop_table("template_version")
    op.drop_index("ix_template_sender", table_name="template", postgresql_where=sa.text("sender_id IS NOT NULL"))
    op.drop_table("template")
    op.drop_index("ix_programme_training_type", table_name="programme")
    op.drop_index("ix_programme_title", table_name="programme")
    op.drop_table("programme")
    op.drop_index("ix_opportunity_stage", table_name="opportunity")
    op.drop_index("ix_opportunity_contact", table_name="opportunity")
    op.drop_table("opportunity")
    op.drop_table("training_type")
    op.drop_index("ix_billing_source_organisation", table_name="billing_source")
    op.drop_table("billing_source")
