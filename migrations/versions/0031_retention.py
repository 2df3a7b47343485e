"""What e-mails said is not kept for ever: the organisations' rules, what was erased and when, and what must stay.

Organisations that are there already have thirty days to look at the rule before anything of theirs is erased.

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def _moment(name: str, **more: object) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), **more)


def upgrade() -> None:
    op.create_table(
        "retention",
        sa.Column(
            "organisation_id", sa.BigInteger, sa.ForeignKey("organisation.id", ondelete="CASCADE"), primary_key=True,
            autoincrement=False,
        ),
        sa.Column("years", sa.SmallInteger, nullable=False, server_default="5"),
        _moment("effective_at", nullable=False, server_default=sa.text("now()")),
        _moment("reached_at"),
        sa.Column("reached_id", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("erased_count", sa.BigInteger, nullable=False, server_default="0"),
        _moment("last_erased_at"),
        sa.Column("untold_emails", sa.Integer, nullable=False, server_default="0"),
        sa.Column("untold_reports", sa.Integer, nullable=False, server_default="0"),
    )  # fmt: skip
    op.create_table(
        "retention_wait",
        sa.Column(
            "email_id", sa.BigInteger, sa.ForeignKey("email.id", ondelete="CASCADE"), primary_key=True,
            autoincrement=False,
        ),
        sa.Column(
            "organisation_id", sa.BigInteger, sa.ForeignKey("organisation.id", ondelete="CASCADE"), nullable=False
        ),
    )  # fmt: skip
    op.create_index("ix_retention_wait_organisation", "retention_wait", ["organisation_id", "email_id"])
    op.create_table(
        "leaving_file",
        sa.Column("sha256", sa.Text, sa.ForeignKey("blob.sha256", ondelete="CASCADE"), primary_key=True),
        _moment("leave_after", nullable=False, server_default=sa.text("now() + interval '1 hour'")),
    )
    op.create_index("ix_leaving_file_leave_after", "leaving_file", ["leave_after"])
    op.add_column("email_content", _moment("erased_at"))
    op.add_column("email_content", sa.Column("erased_years", sa.SmallInteger))
    op.add_column("inbound_message", _moment("erased_at"))
    op.add_column("blob", _moment("erased_at"))
    op.add_column("blob", sa.Column("in_letters", sa.Boolean, nullable=False, server_default=sa.false()))
    # what letters show from within (a logo) and is no attachment of theirs; nothing else tells of logos of before
    op.execute("UPDATE blob SET in_letters = true FROM organisation WHERE logo_sha256 = sha256")
    op.execute(
        "UPDATE blob SET in_letters = true WHERE media_type LIKE 'image/%' AND sha256 IN ("
        "SELECT cut ->> 1 FROM email_content, jsonb_array_elements(cuts) AS cut WHERE NOT EXISTS ("
        "SELECT FROM attachment WHERE attachment.email_id = email_content.email_id AND attachment.sha256 = cut ->> 1))"
    )
    op.execute(
        "INSERT INTO retention (organisation_id, effective_at) SELECT id, now() + interval '30 days' FROM organisation"
    )


def downgrade() -> None:
    op.drop_column("blob", "in_letters")
    op.drop_column("blob", "erased_at")
    op.drop_column("inbound_message", "erased_at")
    op.drop_column("email_content", "erased_years")
    op.drop_column("email_content", "erased_at")
    op.drop_table("leaving_file")
    op.drop_table("retention_wait")
    op.drop_table("retention")
