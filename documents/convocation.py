"""The convocation of one learner to one training session, as a tagged PDF (PDF/UA-1).

The words are French or English by the learner's language, the hours in the organisation's zone. What is said goes to
typst as data, so nothing a person typed is read as markup. Storing and attaching it is left to whoever sends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from documents import dates, printing
from documents.printing import MEDIA_TYPE, Look, printable
from i18n import french
from models import Contact, Module, Organisation, TrainingSession

__all__ = ["MEDIA_TYPE", "filename", "pdf", "said"]
_WORDS: dict[str, dict[str, str]] = {
    "fr": {
        "heading": "Convocation", "title": "Convocation de %(name)s",
        "intro": "Nous avons le plaisir de vous convier à la session de formation suivante, à laquelle vous êtes "
        "inscrit(e). Nous vous prions de bien vouloir vous y présenter aux jours et heures indiqués ci-dessous.",
        "reference": "Référence", "dates": "Dates", "place": "Lieu", "schedule": "Déroulement", "day": "Jour",
        "hours": "Horaires", "subject": "Module", "practical": "Informations pratiques", "stamp": "Signature et cachet",
        "arrive": "Présentez-vous un quart d'heure avant le début de la première séance.",
        "bring": "Munissez-vous de cette convocation, d'une pièce d'identité et de quoi prendre des notes.",
        "attendance": "Une feuille d'émargement est à signer à chaque demi-journée.",
        "access": "Si votre situation demande un aménagement (handicap, contrainte d'accès), dites-le-nous dès que "
        "possible.",
        "call": "En cas d'empêchement ou de retard, prévenez-nous : %(phone)s.",
        "call_without": "En cas d'empêchement ou de retard, prévenez-nous en répondant à l'e-mail reçu.",
        "closing": "Dans l'attente de vous accueillir, nous vous prions d'agréer l'expression de nos salutations "
        "distinguées.",
        "dated": "Le %(date)s", "signature": "Pour l'organisme de formation,",
        "registration": "Déclaration d'activité enregistrée sous le numéro %(number)s. Cet enregistrement ne vaut pas "
        "agrément de l'État.",
        "phone": "Tél. : %(phone)s", "filename": "Convocation",
    },
    "en": {
        "heading": "Joining instructions", "title": "Joining instructions for %(name)s",
        "intro": "We are pleased to invite you to the training session below, on which you are enrolled. Please attend "
        "on the days and at the times shown.",
        "reference": "Reference", "dates": "Dates", "place": "Place", "schedule": "Schedule", "day": "Day",
        "hours": "Hours", "subject": "Module", "practical": "Practical information", "stamp": "Signature and stamp",
        "arrive": "Please arrive a quarter of an hour before the first session begins.",
        "bring": "Please bring this document, proof of identity and something to take notes with.",
        "attendance": "An attendance sheet is signed every half-day.",
        "access": "If you need any adjustment (disability, access), please tell us as soon as possible.",
        "call": "If you cannot come or will be late, please let us know: %(phone)s.",
        "call_without": "If you cannot come or will be late, please let us know by replying to our e-mail.",
        "closing": "We look forward to welcoming you.",
        "dated": "%(date)s", "signature": "For the training organisation,",
        "registration": "Training provider registered under number %(number)s (French declaration of activity).",
        "phone": "Tel. %(phone)s", "filename": "Joining instructions",
    },
}  # fmt: skip


def filename(training_session: TrainingSession, learner: Contact) -> str:
    """`Convocation FOR-2026-014.pdf`: one name for a whole mailing in one language."""
    reference = re.sub(r"[^\w .-]", "", training_session.reference).strip(" .")[:60]
    return f"{_WORDS[_language(learner)]['filename']} {reference}".strip() + ".pdf"


def pdf(
    training_session: TrainingSession, learner: Contact, organisation: Organisation, today: date | None = None
) -> bytes:
    """The PDF. The same data on the same day (`today`, default the organisation's) give the same bytes."""
    today = today or dates.today(organisation.timezone)
    said_now = said(training_session, learner, organisation, today)
    return printing.pdf("convocation.typ", said_now, Look.of(organisation), today)


def _language(learner: Contact) -> str:
    return learner.language if learner.language in _WORDS else "fr"


def said(
    training_session: TrainingSession, learner: Contact, organisation: Organisation, today: date,
    followed: list[Module] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Everything the document says, in the learner's language: what typst gets and tests read. `followed` are the
    modules the learner follows, where the caller knows them already."""
    followed = dates.followed(training_session, learner) if followed is None else followed
    language, zone = _language(learner), organisation.timezone

    def word(key: str, **values: str) -> str:
        text = french(_WORDS[language][key]) if language == "fr" else _WORDS[language][key]
        return text % values if values else text

    modules = [
        [
            dates.long_date(dates.local_day(m.starts_at, zone), language),
            _hours(m.starts_at, m.ends_at, zone, language),
            m.title or training_session.title,
            m.place or training_session.place,
        ]
        for m in followed
    ]
    first, last = dates.days_of(training_session, zone, followed)
    facts = [
        (word("reference"), training_session.reference),
        (word("dates"), dates.span(first, last, language)),
        (word("place"), training_session.place),
    ]
    call = word("call", phone=organisation.phone) if organisation.phone else word("call_without")
    data: dict[str, Any] = printable({
        "language": language,
        "title": word("title", name=learner.name),
        "heading": word("heading"),
        "intro": word("intro"),
        "organisation": {"name": organisation.name, "lines": _letterhead(organisation, word)},
        "learner": {"name": learner.name, "lines": [learner.company.name] if learner.company else []},
        "session": {"title": training_session.title, "facts": [(name, value) for name, value in facts if value]},
        "modules": modules,
        "show_places": len({place for *_, place in modules}) > 1,
        "practical": [word("arrive"), word("bring"), word("attendance"), call, word("access")],
        "closing": word("closing"),
        "dated": word("dated", date=dates.plain_date(today, language)),
        "signature": word("signature"),
        "footer": _footer(organisation, word),
        "words": {key: word(key) for key in ("schedule", "day", "hours", "subject", "place", "practical", "stamp")},
    })  # fmt: skip
    return data


def _letterhead(organisation: Organisation, word: Callable[..., str]) -> list[str]:
    lines = [line.strip() for line in organisation.address.splitlines() if line.strip()]
    return [*lines, word("phone", phone=organisation.phone)] if organisation.phone else lines


def _footer(organisation: Organisation, word: Callable[..., str]) -> str:
    if not organisation.registration:
        return organisation.name
    return f"{organisation.name} – " + word("registration", number=organisation.registration)


def _hours(start: datetime, end: datetime, zone: str, language: str) -> str:
    hours = f"{dates.hour(start, zone, language)} – {dates.hour(end, zone, language)}"
    if dates.local_day(start, zone) != dates.local_day(end, zone):
        hours += f" ({dates.plain_date(dates.local_day(end, zone), language)})"
    return hours
