"""Asking for help about an e-mail: a letter through the outbox, to the organisation's admins or to the house's support.

It leaves from the organisation's default sender with Reply-To the person who asks; it is plain text, frozen and kept in
the history as any other. Who may ask, and the words that stand in the form, are the page's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select

from errors import UserMistake
from extensions import db, settings
from mail import headers, mime, outbox
from mail.compose import Draft, unreachable
from models import Contact, Email, Organisation, Sender, User
from models.words import N_, ContactKind, EmailType, Role

LONGEST = 10_000  # characters of a message
ADMINISTRATOR, SUPPORT = "administrator", "support"


@dataclass(frozen=True)
class _From:
    """A sender as mail.mime takes it, with another Reply-To."""

    name: str
    address: str
    reply_to: str


def administrators(organisation_id: int) -> list[User]:
    """The active admins who can be written to."""
    query = select(User).where(User.organisation_id == organisation_id, User.active, User.role == Role.ADMIN)
    return [user for user in db.session.scalars(query.order_by(User.id)) if _can_be_written_to(user)]


def ask(about: Email, whom: str, subject: str, message: str, *, by: User, request_key: str) -> list[Email]:
    """Write to the admins or to the support about that e-mail, in the caller's transaction; the same `request_key`
    writes once. Raises UserMistake without words, without anybody to write to, or without a sender."""
    subject, message = " ".join(subject.split())[:200], message.replace("\r\n", "\n").strip()[:LONGEST]
    if not message or not subject:
        raise UserMistake(N_("Écrivez un objet et un message."), "message")
    headers.one_line(subject)
    people = [(user.email, user.name) for user in administrators(about.organisation_id)]
    if whom == SUPPORT:
        people = [(settings().support_email or "", "")] if settings().support_email else []
    if not people:
        raise UserMistake(N_("Personne ne peut recevoir cette demande."), "message")
    senders = select(Sender).where(Sender.organisation_id == about.organisation_id)
    sender = db.session.scalars(senders.order_by(Sender.is_default.desc(), Sender.id).limit(1)).first()
    if sender is None:
        raise UserMistake(N_("Aucun expéditeur n'est configuré."), "message")
    drafts = [
        Draft(address, name, None, about.training_session_id, EmailType.SUPPORT.value, subject, "", message + "\n",
              opportunity_id=about.opportunity_id)
        for address, name in people
    ]  # fmt: skip
    return outbox.post(
        drafts, organisation=db.session.get_one(Organisation, about.organisation_id), sender=sender, by=by,
        request_key=request_key, bulk=False, freeze=partial(_freeze, reply_to=by.email),
    )  # fmt: skip


def _freeze(draft: Draft, sender: Sender, *, reply_to: str, **rest: Any) -> mime.Frozen:
    return mime.freeze(draft, _From(sender.name, sender.address, reply_to), **rest)


def _can_be_written_to(user: User) -> bool:
    return unreachable(Contact(kind=ContactKind.LEARNER, name=user.name, email=user.email)) is None
