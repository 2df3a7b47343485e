"""Prices of sessions, numbers of invoices, and long makings of documents.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _id() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _created() -> sa.Column:
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def _refers(table: str, column: str, to: str, ondelete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"), ondelete=ondelete)


def upgrade() -> None:
    op.add_column("training_session", sa.Column("price", sa.Numeric(10, 2), nullable=True))
    op.add_column(
        "training_session", sa.Column("vat_rate", sa.Numeric(4, 2), server_default=sa.text("0"), nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_training_session_price"), "training_session", "price >= 0 AND vat_rate >= 0 AND vat_rate < 100"
    )
    op.create_table(
        "invoice_number",
        _id(),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("training_session_id", sa.BigInteger(), nullable=True),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        _created(),
        _refers("invoice_number", "organisation_id", "organisation", "CASCADE"),
        _refers("invoice_number", "training_session_id", "training_session", "SET NULL"),
        _refers("invoice_number", "contact_id", "contact", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_number")),
        sa.UniqueConstraint(
            "organisation_id", "year", "number", name=op.f("uq_invoice_number_organisation_id_year_number")
        ),
        sa.UniqueConstraint(
            "training_session_id", "contact_id", name=op.f("uq_invoice_number_training_session_id_contact_id")
        ),
    )
    op.create_index("ix_invoice_number_contact", "invoice_number", ["contact_id"])
    op.create_table(
        "document_run",
        _id(),
        sa.Column("organisation_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("training_session_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("contact_ids", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("made_by_id", sa.BigInteger(), nullable=True),
        sa.Column("done_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        _created(),
        sa.Column("taken_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        _refers("document_run", "organisation_id", "organisation", "CASCADE"),
        _refers("document_run", "training_session_id", "training_session", "CASCADE"),
        _refers("document_run", "made_by_id", "user", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_run")),
        sa.UniqueConstraint("public_id", name=op.f("uq_document_run_public_id")),
    )
    op.create_index("ix_document_run_session", "document_run", ["training_session_id", "kind", sa.text("id DESC")])
    op.create_index(
        "ix_document_run_waiting", "document_run", ["id"], postgresql_where=sa.text("finished_at IS NULL")
    )


def downgrade() -> None:
    op.drop_table("document_run")
    op.drop_table("invoice_number")
    op.drop_constraint(op.f("ck_training_session_price"), "training_session", type_="check")
    op.drop_column("training_session", "vat_rate")
    op.drop_column("training_session", "price")
