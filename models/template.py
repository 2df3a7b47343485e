"""Templates of e-mails: what an e-mail of a type is written from, and each version it has had, with its author."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Boolean, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.organisation import User
from models.words import N_, Word


class TemplateFormat(Word):
    """How a template's message is written."""

    TEXT = ("text", N_("Texte seul"))
    HTML = ("html", N_("HTML"))


class Template(Model):
    """The organisation's words for one type of e-mail to one kind of recipient. `kind` is empty where the type has
    one for everybody; `files` names what goes with it: DocumentKind values, "event" for what a business event
    brought; `form_url` is the organisation's own evaluation form (empty: the house's)."""

    __tablename__ = "template"
    __table_args__ = (
        UniqueConstraint("public_id"),
        UniqueConstraint("organisation_id", "type", "kind"),
        Index("ix_template_sender", "sender_id", postgresql_where=text("sender_id IS NOT NULL")),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("T", 8))
    type: Mapped[str] = mapped_column(Text, nullable=False)  # an EmailType's value
    kind: Mapped[str] = mapped_column(Text, nullable=False, server_default="")  # a ContactKind's value, or empty
    name: Mapped[str] = mapped_column(Text, nullable=False)
    # switched on: a business event of this type is written about (dated rules are switched on by models.planning)
    enabled: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))
    files: Mapped[list[str]] = mapped_column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    form_url: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    # each link says when it was followed (mail.links); of those alone whose opens are measured
    track_links: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))
    sender_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("sender.id", ondelete="SET NULL"))
    created_at: Mapped[created]

    versions: Mapped[list[TemplateVersion]] = relationship(
        back_populates="template", cascade="all, delete-orphan", order_by="TemplateVersion.number.desc()"
    )


class TemplateVersion(Model):
    """One saved state of a template's words, never changed; the highest number is the one in use. `text_*` empty
    means: made from the message. English empty means: French for everybody."""

    __tablename__ = "template_version"
    __table_args__ = (one_of("format", TemplateFormat), UniqueConstraint("template_id", "number"))

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    template_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("template.id", ondelete="CASCADE"), nullable=False
    )
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    format: Mapped[TemplateFormat] = word(TemplateFormat, nullable=False, default=TemplateFormat.TEXT)
    subject_fr: Mapped[str] = mapped_column(Text, nullable=False)
    message_fr: Mapped[str] = mapped_column(Text, nullable=False)
    text_fr: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    subject_en: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    message_en: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    text_en: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    author_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    created_at: Mapped[created]

    template: Mapped[Template] = relationship(back_populates="versions")
    author: Mapped[User | None] = relationship()


