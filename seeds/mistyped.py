"""What the demo has for correcting an address: a learner whose address has a slip, with all that failed because of it,
and colleagues whose addresses show how their company writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from markupsafe import escape
from sqlalchemy import select

from extensions import db
from mail.compose import Draft
from models import Address, Contact, DocumentKind, Organisation, Sender, TrainingSession, User
from models.words import ContactKind
from people import contacts, training
from seeds import documents
from seeds.bulk import plain
from seeds.load import Loader, Plan
from seeds.names import LETTERS
from seeds.stories import STORIES

# The practice post office delivers to whoever is written to as "recu": what is corrected arrives.
SLIP = "gilles.renard.recu@wanado.fr"
_COLLEAGUES = (("Aline", "Prévost"), ("Bruno", "Carpentier"), ("Estelle", "Marchal"))


def keep(organisation: Organisation, company: Contact, sessions: Sequence[TrainingSession]) -> None:
    """Give them to a new organisation: one letter of each kind failed, the convocation of the last session newest."""
    domain = company.email.partition("@")[2]
    for number, (first, last) in enumerate(_COLLEAGUES):
        _learner(organisation, company, first, last, f"{plain(first)}.{plain(last)}@{domain}", number)
    gilles = _learner(organisation, company, "Gilles", "Renard", SLIP, 9)
    db.session.flush()
    address = Address(organisation_id=organisation.id, address=SLIP, name=gilles.name, domain="wanado.fr")
    db.session.add(address)
    for one in sessions:
        training.enrol(one, [gilles])
    db.session.flush()
    past, soon = sessions[0], sessions[-1]
    wanted = [(past, "convocation", 9), (past, "evaluation_hot", 3), (past, "certificate", 2), (soon, "free", 1),
              (soon, "convocation", 0)]  # fmt: skip
    now = datetime.now(UTC)
    plans = []
    for run, kind, days in wanted:
        at = datetime.combine(now.date() - timedelta(days=days + 2), time(8, 40), UTC)
        attached = documents.attached(DocumentKind(kind), run, gilles, at) if LETTERS[kind][3] else ()
        _weight, subject, words, _filename = LETTERS[kind]
        said = words.format(first=gilles.first_name, title=run.title) + f"{organisation.name}\n"
        html = "".join(f"<p>{escape(line)}</p>" for line in said.splitlines() if line)
        draft = Draft(SLIP, gilles.name, gilles.id, run.id, kind, subject.format(title=run.title), html, said, attached)
        plans.append(Plan(draft, address.id, at, STORIES["unknown_domain"]))
    sender = db.session.scalars(select(Sender).where(Sender.organisation_id == organisation.id)).first()
    by = db.session.scalars(
        select(User).where(User.organisation_id == organisation.id).order_by(User.id.desc()).limit(1)
    ).one()  # fmt: skip
    assert sender is not None
    db.session.commit()
    with Loader(organisation, sender, by) as loader:
        loader.write(plans)


def _learner(
    organisation: Organisation, company: Contact, first: str, last: str, email: str, number: int
) -> Contact:  # fmt: skip
    return contacts.save(
        Contact(organisation_id=organisation.id, kind=ContactKind.LEARNER), first_name=first, last_name=last,
        email=email, phone=f"06 44 00 12 {30 + number}", reference=f"LEA-{90000 + number}", company_id=company.id,
    )  # fmt: skip
