"""The demo's returns: a report about an e-mail too old to be sure of, and a message that no reader could digest.

Both wait under Configuration › Retours; neither has changed anything.
"""

from __future__ import annotations

import hashlib
from email.message import EmailMessage

from sqlalchemy import func, select

from extensions import db
from mail import inbound
from models import Address, Email, InboundMessage, Organisation, Sender
from models.words import Status

_MAILBOX = "maildir:demo"


def wait(organisation: Organisation) -> None:
    """File both, once; the caller commits."""
    sender = db.session.scalars(
        select(Sender).where(Sender.organisation_id == organisation.id, Sender.is_default)
    ).first()
    address = db.session.scalars(
        select(Address.address).join(Email, Email.address_id == Address.id)
        .where(Email.organisation_id == organisation.id, Email.status == Status.SENT)
        .order_by(Email.created_at).limit(1)
    ).first()  # fmt: skip
    known = db.session.scalar(
        select(func.count(InboundMessage.id)).where(InboundMessage.organisation_id == organisation.id)
    )
    if sender is None or address is None or known:
        return
    for outcome, kind, raw, summary in (
        ("orphan", "bounce", _report(sender.address, address), {
            "subject": "Message non distribué", "from": "Messagerie <mailer-daemon@operateur.example>",
            "recipients": [[address, "failed", "mailbox_full"]],
        }),
        ("poison", "", _nested(sender.address), {
            "subject": "Fwd: Fwd: Fwd: Convocation", "from": "Passerelle <passerelle@filtre.example>",
        }),
    ):  # fmt: skip
        db.session.add(InboundMessage(
            organisation_id=organisation.id, sha256=hashlib.sha256(raw).hexdigest(), mailbox=_MAILBOX, kind=kind,
            outcome=outcome, size=len(raw), raw=raw[: inbound.KEPT], summary=summary, tries=3 if not kind else 1,
        ))  # fmt: skip


def _report(ours: str, address: str) -> bytes:
    """A refusal in an operator's own words, without any of our marks."""
    message = EmailMessage()
    message["From"] = "Messagerie <mailer-daemon@operateur.example>"
    message["To"] = ours
    message["Subject"] = "Message non distribué"
    message["Auto-Submitted"] = "auto-replied"
    message.set_content(
        "Bonjour,\n\nVotre message n'a pas pu être remis au destinataire suivant :\n\n"
        f"  <{address}>\n\nMotif : 552 5.2.2 La boîte aux lettres du destinataire est pleine.\n"
    )
    return message.as_bytes()


def _nested(ours: str) -> bytes:
    """Parts in parts in parts."""
    head = f"From: Passerelle <passerelle@filtre.example>\nTo: {ours}\nSubject: Fwd: Fwd: Fwd: Convocation\n"
    parts = "".join(f"Content-Type: multipart/mixed; boundary=B{n}\n\n--B{n}\n" for n in range(400))
    return (head + "MIME-Version: 1.0\n" + parts).encode()
