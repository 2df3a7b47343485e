"""The demo's automatic e-mails: one session to come with its rules on, and events of every outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from documents import blobs
from extensions import db
from mail.compose import File
from models import BusinessEvent, Organisation, Rule, TrainingSession
from models.words import SessionState
from people import training
from planning import automations, events, plans
from planning.automations import Chosen

_ON = (
    Rule.CONVOCATION, Rule.CONVOCATION_REMINDER, Rule.EVALUATION_HOT, Rule.EVALUATION_HOT_REMINDER, Rule.CERTIFICATE,
    Rule.EVALUATION_COLD, Rule.EVALUATION_COLD_REMINDER,
)  # fmt: skip
_ANNE = {"reference": "CLI-1042", "name": "Anne Roche", "email": "anne.roche.lu@courrier.example", "language": "fr",
         "segments": ["Clients en prélèvement"]}  # fmt: skip
_JOHN = {"reference": "CLI-1077", "name": "John Whitaker", "email": "john.whitaker.recu@courrier.example",
         "language": "en", "segments": ["Clients internationaux"]}  # fmt: skip
_NOBODY = {"reference": "CLI-1090", "name": "Garage du Phare"}
_CARD = {"card": {"brand": "Visa", "last4": "4242", "expires": "2026-10"}, "subscription": {"name": "Sillage Pro"}}


def keep(organisation: Organisation | None) -> None:
    """Switch the rules of a session to come on, and tell the events, unless there are any; the caller commits."""
    if organisation is None:
        return
    known = select(BusinessEvent.id).where(BusinessEvent.organisation_id == organisation.id).limit(1)
    if db.session.scalar(known) is not None:
        return
    for chosen in _to_come(organisation):
        wanted = {rule: Chosen(True, rule.days, rule.at) for rule in _ON}
        automations.choose(organisation.id, chosen, wanted)
        plans.replan(chosen.id)
        for number, enrolment in enumerate(chosen.enrolments):  # so that what leaves arrives, and is read by some
            local = enrolment.contact.email.partition("@")[0]
            enrolment.contact.email = f"{local}.{'lu' if number % 3 else 'recu'}@courrier.example"
    now = datetime.now(UTC)
    for number, (type, customer, data, files) in enumerate(_events(), 1):
        payload = {
            "id": f"evt_demo_{number:02}", "type": type, "customer": customer, "data": data,
            "occurred_at": now - timedelta(minutes=5 * number),
        }  # fmt: skip
        events.take(organisation, "api", payload, files)


def _to_come(organisation: Organisation) -> list[TrainingSession]:
    """The first session that starts in three weeks or so."""
    today = training.today(organisation)
    query = select(TrainingSession).where(
        TrainingSession.organisation_id == organisation.id, TrainingSession.state == SessionState.PLANNED,
        TrainingSession.starts_on > today + timedelta(days=14),
    )  # fmt: skip
    return list(db.session.scalars(query.order_by(TrainingSession.starts_on).limit(1)))


def _events() -> list[tuple[str, dict[str, Any], dict[str, Any], tuple[File, ...]]]:
    """(type, customer, data, files): sent with a file, sent in English, off, without an address, of no known type."""
    invoice = {"invoice": {"number": "F-2026-0042", "amount": 49, "currency": "EUR", "due_on": "2026-12-15"}}
    pdf = File.of("facture-F-2026-0042.pdf", blobs.store(_invoice(), "facture-F-2026-0042.pdf"))
    return [
        ("invoice.issued_to_pay", _ANNE, invoice, (pdf,)),
        ("card.expired", _JOHN, _CARD, ()),
        ("invoice.paid", _ANNE, invoice, ()),
        ("card.expired", _NOBODY, _CARD, ()),
        ("card.replaced", _JOHN, _CARD, ()),
    ]


def _invoice() -> bytes:
    """A page that says what it is, as the smallest PDF that readers take."""
    words = b"BT /F1 24 Tf 72 760 Td (Facture F-2026-0042) Tj 0 -40 Td /F1 14 Tf (49,00 EUR - demonstration) Tj ET"
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(words), words),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]  # fmt: skip
    made, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        offsets.append(len(made))
        made += b"%d 0 obj%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    tail = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(made))
    return made + head + table + tail
