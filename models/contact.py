"""Contacts: whoever can be written to, of the four kinds."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Boolean, Computed, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.words import ContactKind


class Contact(Model):
    """A learner, a company, a trainer or a customer. `name` is what lists show: for people, first and last name."""

    __tablename__ = "contact"
    __table_args__ = (
        one_of("kind", ContactKind),
        UniqueConstraint("public_id"),
        Index("ix_contact_kind_name", "organisation_id", "kind", "sort_name", "id"),
        Index("ix_contact_company", "company_id"),
        Index("ix_contact_tags", "tags", postgresql_using="gin"),
        Index("ix_contact_country", "organisation_id", "country"),
        Index("ix_contact_offer", "organisation_id", "offer"),
        Index("ix_contact_reference", "organisation_id", "reference"),
        Index("ix_contact_folded", "folded", postgresql_using="gin", postgresql_ops={"folded": "gin_trgm_ops"}),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("C", 8))
    kind: Mapped[ContactKind] = word(ContactKind, nullable=False)
    first_name: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    last_name: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    name: Mapped[str] = mapped_column(Text, nullable=False)
    # unaccent(lower(last first)), written by whoever saves the contact: a code-point collation sorts badly
    sort_name: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    email: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    phone: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    reference: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    language: Mapped[str] = mapped_column(Text, nullable=False, server_default="fr")
    country: Mapped[str] = mapped_column(Text, nullable=False, server_default="FR")  # ISO 3166-1 alpha-2
    offer: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    notes: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    # whether opens may be measured: what the person said, None where they said nothing
    measured: Mapped[bool | None] = mapped_column(Boolean)
    company_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="SET NULL"))
    created_at: Mapped[created]
    # what is searched: name, address, phone (as typed, and without blanks), reference
    folded: Mapped[str] = mapped_column(
        Text,
        Computed(
            "fold_text(name || ' ' || first_name || ' ' || last_name || ' ' || email || ' ' || phone || ' ' || "
            "replace(phone, ' ', '') || ' ' || reference)",
            persisted=True,
        ),
        nullable=False,
        deferred=True,
    )

    company: Mapped[Contact | None] = relationship(remote_side="Contact.id")
