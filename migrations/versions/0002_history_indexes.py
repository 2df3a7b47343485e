"""History indexes: folded words of recipients and subjects, and what keeps every filter of the history flat.

docs/decisions/history-indexes.md says which query each index serves and what it costs.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NEWEST = [sa.text("created_at DESC"), sa.text("id DESC")]


def upgrade() -> None:
    # The words of a text as searches see them: maximal runs of letters and digits, folded. The text search parser
    # would read 2026-0042 as a negative number and 12/11 as a path, so that parts of them were never found. Each word
    # carries its organisation, so that a search in a small one does not walk through a large one's words.
    split = (
        "array_remove(string_to_array($1 || '/' || regexp_replace(left(public.fold_text(left($2, 500)), 500), "
        "'[^[:alnum:]]+', ' ' || $1 || '/', 'g'), ' '), $1 || '/')"
    )
    op.execute(
        "CREATE FUNCTION words_of(organisation bigint, text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE "
        f"STRICT AS $$ SELECT array_to_tsvector({split}) $$"
    )
    # Every word of the question must begin a word of the text.
    op.execute(
        "CREATE FUNCTION words_query(organisation bigint, text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE "
        "STRICT AS $$ SELECT CASE WHEN cardinality(words) = 0 THEN ''::tsquery "
        "ELSE ('''' || array_to_string(words, ''':* & ''') || ''':*')::tsquery END "
        f"FROM (SELECT {split}) AS t (words) $$"
    )
    op.add_column(
        "address",
        sa.Column("folded", sa.Text(), sa.Computed("fold_text(address || ' ' || name)", persisted=True), nullable=False),
    )
    op.add_column(
        "address",
        sa.Column(
            "words", postgresql.TSVECTOR(), sa.Computed("words_of(organisation_id, address || ' ' || name)", persisted=True), nullable=False
        ),
    )
    op.add_column(
        "email",
        sa.Column("subject_words", postgresql.TSVECTOR(), sa.Computed("words_of(organisation_id, subject)", persisted=True), nullable=False),
    )
    op.create_index(
        "ix_address_folded", "address", ["folded"], postgresql_using="gin", postgresql_ops={"folded": "gin_trgm_ops"}
    )
    op.create_index("ix_address_words", "address", ["words"], postgresql_using="gin")
    op.create_index("ix_email_subject_words", "email", ["subject_words"], postgresql_using="gin")
    op.drop_index("ix_email_status", "email")
    op.drop_index("ix_email_type", "email")
    with_files = sa.text("(attachment_count > 0)")
    # An index-only scan of an expression needs what it is made of.
    also = {"postgresql_include": ["attachment_count"]}
    op.create_index("ix_email_status", "email", ["organisation_id", "status", with_files, *NEWEST], **also)
    op.create_index("ix_email_type", "email", ["organisation_id", "type", "status", with_files, *NEWEST], **also)
    op.create_index(
        "ix_email_sent",
        "email",
        ["organisation_id", sa.text("coalesce(sent_at, '-infinity'::timestamptz) DESC"), sa.text("id DESC")],
    )
    op.create_index("ix_email_updated", "email", ["organisation_id", sa.text("updated_at DESC"), sa.text("id DESC")])


def downgrade() -> None:
    for name in ("ix_email_updated", "ix_email_sent", "ix_email_type", "ix_email_status", "ix_email_subject_words"):
        op.drop_index(name, "email")
    op.create_index("ix_email_type", "email", ["organisation_id", "type", *NEWEST])
    op.create_index("ix_email_status", "email", ["organisation_id", "status", *NEWEST])
    op.drop_column("email", "subject_words")
    for name in ("ix_address_words", "ix_address_folded"):
        op.drop_index(name, "address")
    op.drop_column("address", "words")
    op.drop_column("address", "folded")
    op.execute("DROP FUNCTION words_query(bigint, text)")
    op.execute("DROP FUNCTION words_of(bigint, text)")
