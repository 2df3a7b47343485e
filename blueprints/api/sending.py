"""Sending: POST /emails for one or thousands of recipients, and resends.

A request becomes drafts exactly as given: nothing is merged, nothing sanitised (what shows a body does that).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import orjson
from email_validator import EmailNotValidError, validate_email
from flask import Response, g, request
from sqlalchemy import func, select

import mail
from blueprints.api import replays, templates, uploads
from blueprints.api.door import answer, blueprint, organisation, own, scoped
from blueprints.api.emails import email_url
from blueprints.api.reading import pointer
from blueprints.api.schemas import (
    EmailsRequest,
    Idempotency,
    InlineFile,
    Posted,
    PostedEmails,
    Recipient,
    ResendRequest,
)
from blueprints.problems import Problem, of_mistake
from documents import blobs
from documents.html_limits import too_heavy
from errors import UserMistake
from extensions import db, settings
from mail import headers, quarantine
from mail.compose import Draft, File
from mail.resend import Ask, Mode, resend
from mail.words_of_html import words_of
from models import Address, AuditAction, Contact, Email, Sender, Template, TrainingSession
from models.words import Reason, Status
from people import audit
from people.tokens import Access

# What a mailing's bodies may come to in all: they are frozen one by one, and written together.
MOST_BYTES = 256 * 1024 * 1024
FURTHEST = timedelta(days=366)
Contacts = Mapping[str, Contact]
EXAMPLE = {
    "recipients": [{"email": "lea.petit@mail.example", "name": "Léa Petit"}], "subject": "Votre facture",
    "html": "<p>Bonjour Léa</p>", "type": "invoice",
}  # fmt: skip


@blueprint.post("/emails")
@scoped(Access.SEND)
@blueprint.input(Idempotency, location="headers", arg_name="idempotency")
@blueprint.input(EmailsRequest, arg_name="asked", example=EXAMPLE)
@blueprint.output(PostedEmails, 202)
def post_emails(idempotency: Idempotency, asked: EmailsRequest) -> Response:
    """Send an e-mail to one or many.

    Each recipient gets an e-mail of their own, with a status of its own. Accepted means kept for good: workers send it
    within seconds. With Idempotency-Key a request may be repeated until it is answered. What goes to an address in
    quarantine is kept too, and has failed at once: status failed, reason suppressed.
    """
    _check_words(asked)
    key, replayed = replays.request_key(idempotency.key, request.get_data())
    template = templates.found(asked.template) if asked.template else None
    session, contacts = _session(asked.session), _contacts(asked.recipients)
    sender = _sender(asked.sender, template)
    files = tuple(_file(n, file) for n, file in enumerate(asked.attachments))
    _check_size(asked, files)
    people = _people(asked.recipients, contacts)
    if template is not None:
        drafts = templates.drafts(template, people, session, asked.data or {}, asked.language or "fr", files)
        if sum(len(draft.html) + len(draft.text) for draft in drafts) > MOST_BYTES:
            raise Problem(413, "So large a body for so many: send to fewer recipients at a time.")
    else:
        drafts = _drafts(asked, people, session, files)
    try:
        emails = mail.post(drafts, organisation=organisation(), sender=sender, by=g.token.user, request_key=key)
    except UserMistake as mistake:
        raise of_mistake(mistake, pointer(mistake.field or "")) from mistake
    items = [
        _posted(email, draft.recipient, draft.name, recipient.contact, asked.session)
        for email, draft, recipient in zip(emails, drafts, asked.recipients, strict=True)
    ]
    audit.sent(AuditAction.EMAILS_SENT, emails, session or "", type=drafts[0].type)
    db.session.commit()
    return _accepted(items, replayed)


def _check_words(asked: EmailsRequest) -> None:
    """Own words whole, or a template and none of them."""
    given = asked.model_fields_set
    if asked.template is None:
        missing = "subject" if asked.subject is None else "text" if asked.html is None and asked.text is None else ""
        if missing:
            said = "Give subject with html, text or both; or template."
            raise Problem(422, said, [{"detail": "Missing.", "pointer": pointer(missing)}])
        if asked.html and too_heavy(asked.html):
            said = "It holds more than any program shows: elements too deep within each other, or 100,000 times &."
            raise Problem(422, said, [{"detail": said, "pointer": pointer("html")}])
        for name in sorted({"data", "language"} & given):
            raise Problem(422, "Only with template.", [{"detail": "Only with template.", "pointer": pointer(name)}])
    for name in sorted({"subject", "html", "text", "type"} & given if asked.template else ()):
        said = "The template says this: give one or the other."
        raise Problem(422, said, [{"detail": said, "pointer": pointer(name)}])


def _drafts(
    asked: EmailsRequest, people: Sequence[templates.Person], session: TrainingSession | None, files: tuple[File, ...]
) -> list[Draft]:
    """What was written, as it stands, to each."""
    text = asked.text or words_of(asked.html)
    return [
        Draft(
            recipient=address, name=name, contact_id=contact.id if contact else None,
            training_session_id=session.id if session else None, type=asked.type, subject=asked.subject,
            html=asked.html or "", text=text, files=files,
        )
        for address, name, contact in people
    ]  # fmt: skip


@blueprint.post("/emails/<email_id>/resends")
@scoped(Access.ADMIN)
@blueprint.input(Idempotency, location="headers", arg_name="idempotency")
@blueprint.input(ResendRequest, arg_name="asked")
@blueprint.output(PostedEmails, 202)
def post_resend(email_id: str, idempotency: Idempotency, asked: ResendRequest) -> Response:
    """Send an e-mail again: a new e-mail with the same content, to the same address or a corrected one.

    Or made anew, with words above it, later. 409 while the first one is still on its way, and where what it was about
    is gone. To an address in quarantine the new e-mail fails at once, with reason suppressed.
    """
    email = own(Email, email_id)
    if asked.to:
        _check_address(asked.to, pointer("to"))
    how = Ask(asked.to, Mode(asked.mode), asked.preface or "", _moment(asked.send_at))
    key, replayed = replays.request_key(idempotency.key, _told(email, asked))
    try:
        new = resend(email, by=g.token.user, request_key=key, ask=how)
    except UserMistake as mistake:
        raise of_mistake(mistake, pointer("preface") if mistake.field == "preface" else "",
                         422 if mistake.field == "preface" else 409) from mistake  # fmt: skip
    to = db.session.get_one(Address, new.address_id)
    contact = new.contact_id and db.session.get_one(Contact, new.contact_id).public_id
    session = new.training_session_id and db.session.get_one(TrainingSession, new.training_session_id).public_id
    items = [_posted(new, to.address, to.name, contact or None, session or None)]
    audit.sent(AuditAction.EMAIL_RESENT, [new], email, to=to.address, mode=how.mode.value)
    db.session.commit()
    return _accepted(items, replayed)


def _told(email: Email, asked: ResendRequest) -> bytes:
    """What the Idempotency-Key stands for. As it always was where nothing but an address is said."""
    told = asked.model_dump(exclude_none=True, exclude_defaults=True)
    more = [told] if told.keys() - {"to"} else []
    return orjson.dumps(["resend", email.public_id, asked.to, *more])


def _moment(text: str | None) -> datetime | None:
    """When to send. Raises Problem for a moment that does not exist, or is further than a year away."""
    where = [{"detail": "Within a year.", "pointer": pointer("send_at")}]
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError) as error:
        raise Problem(422, "send_at is no moment.", where) from error
    if moment is not None and moment > datetime.now(UTC) + FURTHEST:
        raise Problem(422, "send_at is further than a year away.", where)
    return moment


def _posted(email: Email, address: str, name: str, contact: str | None, session: str | None) -> Posted:
    # A repeated request gets the first answer again: that of the moment when it was asked for.
    held = email.status_source == quarantine.SOURCE
    return Posted(
        id=email.public_id, status=Status.FAILED if held else Status.REQUESTED,
        reason=Reason.SUPPRESSED if held else None, recipient=address, name=name, subject=email.subject,
        type=email.type, contact=contact, session=session, created_at=email.created_at,
    )  # fmt: skip


def _accepted(items: list[Posted], replayed: Mapping[str, str]) -> Response:
    located = {"Location": email_url(items[0].id)} if len(items) == 1 else {}
    return answer(PostedEmails(items=items), 202, {**located, **replayed})


def _session(public_id: str | None) -> TrainingSession | None:
    if public_id is None:
        return None
    query = select(TrainingSession).where(
        TrainingSession.public_id == public_id, TrainingSession.organisation_id == organisation().id
    )
    return db.session.scalar(query) or _unknown("session", pointer("session"))


def _sender(address: str | None, template: Template | None) -> Sender:
    query = select(Sender).where(Sender.organisation_id == organisation().id)
    if address is None:
        own = query.where(Sender.id == template.sender_id) if template and template.sender_id else None
        sender = db.session.scalar(query.where(Sender.is_default) if own is None else own)
        if sender is None:
            raise Problem(409, "There is no default sender yet: an administrator sets one up in Configuration.")
        return sender
    found = db.session.scalar(query.where(func.lower(Sender.address) == address.lower()).limit(1))
    return found or _unknown("sender with that address", pointer("sender"))


def _contacts(recipients: Sequence[Recipient]) -> Contacts:
    """public id → contact, of those that the recipients name; 404 where one is not the organisation's."""
    wanted = {recipient.contact for recipient in recipients if recipient.contact}
    if not wanted:
        return {}
    query = select(Contact).where(Contact.organisation_id == organisation().id, Contact.public_id.in_(wanted))
    found = {contact.public_id: contact for contact in db.session.scalars(query)}
    for n, recipient in enumerate(recipients):
        if recipient.contact and recipient.contact not in found:
            _unknown("contact", pointer("recipients", n, "contact"))
    return found


def _people(recipients: Sequence[Recipient], contacts: Contacts) -> list[tuple[str, str, Contact | None]]:
    """(address, name, contact) of each recipient. Raises Problem with all that is wrong at once."""
    people: list[tuple[str, str, Contact | None]] = []
    wrong: list[dict[str, str]] = []
    for n, recipient in enumerate(recipients):
        contact = contacts.get(recipient.contact or "")
        address = recipient.email or (contact.email if contact else "")
        said = "Give email, or a contact who has an address." if not address else address_problem(address)
        if said:
            wrong.append({"detail": said, "pointer": pointer("recipients", n, "email")})
        name = recipient.name if recipient.name is not None else contact.name if contact else ""
        people.append((address.strip(), name, contact))
    if wrong:
        many = f"{len(wrong)} of {len(recipients)} recipients cannot be written to: nothing was sent."
        raise Problem(422, many, wrong[:50])
    return people


def address_problem(address: str) -> str | None:
    """What is wrong with an address, None for one that can be written to (by its syntax; no look-up is made)."""
    try:
        validate_email(address.strip(), check_deliverability=False, allow_smtputf8=True, test_environment=True)
        headers.wire_address(address.strip())
    except EmailNotValidError as error:
        return str(error)
    except UserMistake:
        return "The address cannot stand in a message."
    return None


def _check_address(address: str, where: str) -> None:
    if said := address_problem(address):
        raise Problem(422, said, [{"detail": said, "pointer": where}])


def _unknown(what: str, where: str) -> NoReturn:
    raise Problem(404, f"There is no such {what}.", [{"detail": "Unknown.", "pointer": where}])


def _file(n: int, asked: InlineFile) -> File:
    where = pointer("attachments", n)
    try:
        if asked.id is not None and asked.content is None:
            return uploads.found(asked.id, asked.filename) or _unknown("upload, or it is too old", where + "/id")
        if asked.content is None or asked.filename is None or asked.id is not None:
            said = "Give content and filename, or the id of an upload."
            raise Problem(422, said, [{"detail": said, "pointer": where}])
        data = base64.b64decode(asked.content.translate({10: None, 13: None}), validate=True)
        return File.of(asked.filename, blobs.store(data, asked.filename))
    except (binascii.Error, ValueError) as error:
        said = "This is no base64."
        raise Problem(422, said, [{"detail": said, "pointer": where + "/content"}]) from error
    except UserMistake as mistake:
        raise of_mistake(mistake, where, 413 if "limit" in mistake.values else 422) from mistake


def _check_size(asked: EmailsRequest, files: Sequence[File]) -> None:
    body = len(asked.html or "") + len(asked.text or "")
    most = settings().max_email
    if body + sum(file.size for file in files) * 4 // 3 > most:
        raise Problem(413, f"An e-mail may have {most} bytes at most, attachments in base64 included.")
    if body * len(asked.recipients) > MOST_BYTES:
        raise Problem(413, "So large a body for so many: send to fewer recipients at a time.")
