"""Contacts' folded words with a trigram index: searching people stays quick with many of them.

Stored, as an address's are: folding a row's six columns at each search was most of what a search took. The phone
number is kept as typed and without blanks, for people search either way.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FOLDED = (
    "fold_text(name || ' ' || first_name || ' ' || last_name || ' ' || email || ' ' || phone || ' ' || "
    "replace(phone, ' ', '') || ' ' || reference)"
)


def upgrade() -> None:
    op.add_column("contact", sa.Column("folded", sa.Text(), sa.Computed(FOLDED, persisted=True), nullable=False))
    op.create_index(
        "ix_contact_folded", "contact", ["folded"], postgresql_using="gin", postgresql_ops={"folded": "gin_trgm_ops"}
    )


def downgrade() -> None:
    op.drop_index("ix_contact_folded", "contact")
    op.drop_column("contact", "folded")
