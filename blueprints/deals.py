"""What is written about an opportunity: a free e-mail, or one that carries a quote; and the files of an opportunity.

A deal is a matter of its own (blueprints.matters): its recipients are the contact and the people of the company, its
files those put there or added with the e-mail, its e-mails belong to the opportunity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from flask import request, url_for
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from blueprints.matters import Choice, Matter
from errors import UserMistake
from extensions import db
from i18n import _
from mail.compose import Draft, File, Writing
from mail.letters import Words
from models import Contact, Document, DocumentKind, Email, Opportunity, Stage, User
from models.words import N_, ContactKind, EmailType
from people import opportunities

_BEFORE_QUOTED = (Stage.LEAD, Stage.QUALIFIED)


def framed(opportunity: Opportunity) -> dict[str, Any]:
    """What opportunities/_layout.html needs."""
    return {"opportunity": opportunity}


def quotes(opportunity: Opportunity) -> list[Document]:
    """The files put there, newest first."""
    query = select(Document).where(Document.opportunity_id == opportunity.id, Document.withdrawn_at.is_(None))
    return list(db.session.scalars(query.order_by(Document.id.desc()).limit(100)))


def keep(opportunity: Opportunity, file: File, by: User) -> Document:
    """Put a file there, once however often it is sent; the caller commits."""
    known = next((d for d in quotes(opportunity) if (d.sha256, d.filename) == (file.sha256, file.filename)), None)
    if known is None:
        known = Document(
            organisation_id=opportunity.organisation_id, opportunity_id=opportunity.id, kind=DocumentKind.UPLOADED,
            filename=file.filename, sha256=file.sha256, made_by_id=by.id,
        )  # fmt: skip
        db.session.add(known)
    return known


@dataclass
class Deal(Matter):
    """Writing about one opportunity; `type` is FREE or QUOTE. There is no training session."""

    opportunity: Opportunity = None  # type: ignore[assignment]

    layout = "opportunities/_layout.html"
    preview = "opportunities/preview.html"
    of_session = False

    @classmethod
    def of(cls, opportunity: Opportunity, type: EmailType, by: User) -> Deal:
        kind = DocumentKind.UPLOADED if type is EmailType.QUOTE else None
        return cls(None, by.organisation, type, kind=kind, opportunity=opportunity)  # type: ignore[arg-type]

    @property
    def subject(self) -> Opportunity:
        return self.opportunity

    @property
    def frame(self) -> dict[str, Any]:
        return framed(self.opportunity)

    @property
    def tab(self) -> str:
        return "quote" if self.kind else "new"

    @property
    def title(self) -> str:
        return _("Devis") if self.kind else _("Nouvel e-mail")

    @property
    def back(self) -> str:
        return url_for("opportunities.emails", public_id=self.opportunity.public_id)

    @cached_property
    def audience(self) -> dict[ContactKind, list[Contact]]:
        found: dict[ContactKind, list[Contact]] = {}
        for contact in opportunities.audience(self.opportunity):
            found.setdefault(contact.kind, []).append(contact)
        return found

    @cached_property
    def last(self) -> dict[int, Any]:
        """The newest quote sent to each person."""
        query = (
            select(Email)
            .where(Email.opportunity_id == self.opportunity.id, Email.type == self.type.value,
                   Email.contact_id.is_not(None))
            .ext(distinct_on(Email.contact_id))
            .order_by(Email.contact_id, Email.created_at.desc(), Email.id.desc())
        )  # fmt: skip
        return {email.contact_id: email for email in db.session.scalars(query)} if self.kind else {}

    def first_choice(self, who: str, named: Sequence[str]) -> list[Contact]:
        everyone = [contact for people in self.audience.values() for contact in people]
        chosen = [contact for contact in everyone if contact.public_id in named]
        return chosen or [self.opportunity.contact]

    def words(self) -> dict[str, Words]:
        """The template's words; those of a free e-mail are about a session, so its subject is the opportunity's."""
        words = super().words()
        if self.kind is None:
            return {"fr": replace(words["fr"], subject=self.opportunity.title)}
        return words

    @cached_property
    def uploads(self) -> list[Document]:
        return quotes(self.opportunity)

    @cached_property
    def choices(self) -> list[Choice]:
        return [Choice(document.public_id, document.filename) for document in self.uploads] if self.kind else []

    def first_files(self) -> list[str]:
        """The newest quote, unless another was asked for by its address."""
        asked = request.args.get("document", "")
        known = [choice.value for choice in self.choices]
        return [asked] if asked in known else known[:1]

    def files(self, names: Sequence[str], contact: Contact, by: User) -> tuple[File, ...]:
        return tuple(
            File(document.filename, document.sha256, document.blob.size, document.blob.media_type)
            for document in reversed(self.uploads)
            if document.public_id in names
        )

    def foreseen(self, names: Sequence[str], contact: Contact) -> list[tuple[str, Document | None, str]]:
        found: list[tuple[str, Document | None, str]] = []
        for document in reversed(self.uploads):
            if document.public_id in names:
                ids = {"public_id": self.opportunity.public_id, "document_id": document.public_id}
                found.append((document.filename, document, url_for("opportunities.file", **ids)))
        return found

    def writing(self, words: dict[str, Words], author: User, leaving: bool) -> Writing:
        return Writing(self.type.value, words, self.organisation, None, author)

    def about(self, draft: Draft) -> Draft:
        if self.kind is not None and not draft.files:
            raise UserMistake(N_("Joignez le devis : choisissez un fichier, ou ajoutez-en un."), "files")
        return replace(draft, opportunity_id=self.opportunity.id)

    @property
    def may_advance(self) -> bool:
        """Whether sending the quote can bring the opportunity to "quote sent"."""
        return self.kind is not None and self.opportunity.stage in _BEFORE_QUOTED

    def sent(self, kept: Sequence[File], by: User) -> None:
        """Keep the files that were added, and move the stage where the sender asked for it."""
        for file in kept:
            keep(self.opportunity, file, by)
        if self.may_advance and request.form.get("advance") == "1":
            opportunities.move(self.opportunity, Stage.QUOTED, by)
