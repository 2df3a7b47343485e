"""The demo: two organisations with their people, a year of sessions, some history, and the session to try sending on.

make() does nothing to an organisation that exists. The six learners of the demo session have addresses that the
practice post office knows how to treat, so that sending shows the six statuses within a minute.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from markupsafe import escape
from sqlalchemy import select, text

from extensions import db
from mail.compose import Draft, File
from models import Address, Contact, DocumentKind, Organisation, Sender, TrainingSession, User
from models.words import ContactKind, ReturnPath, Role, SessionState
from people import accounts, contacts, training
from people.training import ModuleRow
from seeds import (
    acts,
    dealing,
    documents,
    enclosed,
    finding,
    keeping,
    mistyped,
    news,
    opportunities,
    paces,
    practice_account,
    practice_webhook,
    quarantine,
    reasons,
    returns,
    templates,
)
from seeds import domains as sending_domains
from seeds import plans as planned
from seeds import providers as sending_providers
from seeds.bulk import plain
from seeds.load import Loader, Plan
from seeds.names import COMPANIES, FIRST, LAST, LETTERS, PLACES, TITLES
from seeds.stories import STORIES

DEMO_SESSION = "Accueil et premiers secours"
# Each as the practice post office treats the address: Envoyé, Reçu, Reçu et ouvert, Réception impossible,
# Erreur à l'envoi, Demandé (a try later, Envoyé).
SIX = (
    ("Camille", "Bernard", "camille.bernard"),
    ("Karim", "Haddad", "karim.haddad.recu"),
    ("Léa", "Fontaine", "lea.fontaine.lu"),
    ("Hugo", "Morel", "hugo.morel.plein"),
    ("Inès", "Garnier", "ines.garnier.inconnu"),
    ("Paul", "Lemaire", "paul.lemaire.attente"),
)
_DOMAIN = "courrier.example"


def make() -> dict[str, Any]:
    """Make what is missing of the demo; {"demo": "made" or "kept", "accounts": […]}."""
    db.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('demo'))"))
    made = False
    if _find("Atelier Cassiopée") is None:
        made = True
        cassiopee = _organisation(
            "Atelier Cassiopée", "cassiopee.example", "18 rue des Étoiles, 44000 Nantes", "02 40 00 12 34",
            "52 44 01234 44",
            ((Role.ADMIN, "Agnès Kermadec"), (Role.MANAGER, "Mathieu Rolland"), (Role.STAFF, "Sophie Lambert")),
        )  # fmt: skip
        _cassiopee(cassiopee)
    if _find("Formation Boréale") is None:
        made = True
        boreale = _organisation(
            "Formation Boréale", "boreale.example", "3 quai de l'Aurore, 59000 Lille", "03 20 00 56 78",
            "32 59 05678 59", ((Role.ADMIN, "Brune Vandamme"),),
        )  # fmt: skip
        _boreale(boreale)
    templates.keep(_find("Atelier Cassiopée"), "#274690", logo=True)
    templates.keep(_find("Formation Boréale"), "#0b6e4f")
    planned.keep(_find("Atelier Cassiopée"))
    if made:  # what is slowed grows back, and is not slowed anew at each start
        paces.keep(_find("Atelier Cassiopée"))
    practice_webhook.keep(_find("Atelier Cassiopée"), made)
    sending_providers.keep(_find("Atelier Cassiopée"))
    for name in ("Atelier Cassiopée", "Formation Boréale"):
        sending_domains.keep(_find(name))
        acts.keep(_find(name))
    practice_account.keep(_find("Atelier Cassiopée"))
    db.session.commit()
    return {"demo": "made" if made else "kept", "accounts": list(accounts.DEMO_ACCOUNTS)}


def _find(name: str) -> Organisation | None:
    return db.session.scalar(select(Organisation).where(Organisation.name == name))


def _organisation(
    name: str, domain: str, address: str, phone: str, registration: str, people: Sequence[tuple[Role, str]]
) -> Organisation:
    organisation = Organisation(name=name, address=address, phone=phone, registration=registration, track_opens=True)
    db.session.add(organisation)
    db.session.flush()
    password = accounts.hash_password(accounts.DEMO_PASSWORD)
    db.session.add_all(
        User(
            organisation_id=organisation.id, email=f"{role.value}@{domain}", name=who, role=role, password_hash=password
        )
        for role, who in people
    )
    db.session.add(
        Sender(
            organisation_id=organisation.id, name=name, address=f"formation@{domain}", is_default=True,
            return_path=ReturnPath.VERP, bounce_address=f"retours@{domain}",
        )
    )  # fmt: skip
    db.session.flush()
    return organisation


def _cassiopee(organisation: Organisation) -> None:
    chance = random.Random(7)
    companies = [_company(organisation, name, chance) for name in COMPANIES[:10]]
    db.session.flush()
    learners = [
        _person(organisation, ContactKind.LEARNER, chance, chance.choice([*companies, None])) for _n in range(34)
    ]
    trainers = [_person(organisation, ContactKind.TRAINER, chance) for _n in range(6)]
    customers = [_person(organisation, ContactKind.CUSTOMER, chance) for _n in range(5)]
    six = [
        _contact(organisation, ContactKind.LEARNER, first, last, f"{local}@{_DOMAIN}", chance, companies[place % 2])
        for place, (first, last, local) in enumerate(SIX)
    ]
    db.session.flush()
    today = training.today(organisation)
    theirs = _session(organisation, DEMO_SESSION, "APS-2026-12", 9, 2, PLACES[0], today)
    training.enrol(theirs, [*six, trainers[0], *companies[:2]])
    # from half a year ago to three months ahead; the one that runs now is among them
    starts = (-190, -160, -118, -84, -55, -33, -14, -1, 4, 21, 44, 92)
    plans: list[tuple[TrainingSession, list[Contact]]] = []
    for place, offset in enumerate(starts):
        title, code = TITLES[place]
        reference = f"{code}-{(today + timedelta(days=offset)):%Y-%m}"
        where = PLACES[place % len(PLACES)]
        days = 1 + place % 3
        made = _session(organisation, title, reference, offset, max(days, 3 if offset == -1 else days), where, today)
        some = chance.sample(learners, 5 + place % 5)
        training.enrol(made, [*some, trainers[place % len(trainers)], companies[place % len(companies)]])
        plans.append((made, some))
    finding.keep(organisation, customers, learners)
    # tomorrow, were it a Sunday: there is always one at risk to look at
    soon = _session(organisation, "Gestes et postures : recyclage", f"GPR-{today:%Y-%m}", 1, 1, PLACES[2], today)
    plans.append((soon, opportunities.soon(soon, learners, [trainers[1], companies[2]])))
    draft = _session(organisation, TITLES[13][0], "", None, 0, "", today)
    draft.state, draft.notes = SessionState.DRAFT, "En attente de l'accord de l'entreprise."
    db.session.flush()
    of_reasons = [(one.first, one.last, one.address) for one in reasons.PEOPLE]
    examples, theirs_too = _examples(organisation, chance, companies[0], today, reasons.SESSION, of_reasons)
    of_news = [(first, last, f"{plain(first)}.{plain(last)}@{_DOMAIN}") for first, last, _story in news.PEOPLE]
    told, told_too = _examples(organisation, chance, companies[1], today, news.SESSION, of_news)
    documents.describe(organisation, [theirs, *(made for made, _some in plans), examples, told])
    opportunities.keep(organisation, companies, today)
    _history(organisation, plans, chance)
    documents.fill(organisation, plans)
    dealing.keep(organisation, soon)
    quarantine.keep(organisation)
    quarantine.complain(organisation)
    mistyped.keep(organisation, companies[0], [plans[6][0], plans[10][0]])
    news.keep(organisation, told, told_too, lambda run, one, at: _files("convocation", run, one, at))
    reasons.keep(organisation, examples, theirs_too, lambda run, one, at: _files("convocation", run, one, at))
    enclosed.keep(organisation, plans[7][0], trainers[1])
    keeping.keep(organisation, customers[0])
    returns.wait(organisation)


def _examples(
    organisation: Organisation, chance: random.Random, company: Contact, today: date, title: str,
    people: Sequence[tuple[str, str, str]],
) -> tuple[TrainingSession, list[Contact]]:  # fmt: skip
    """A session whose every e-mail shows another thing that can become of one, and its learners in their order."""
    learners = [
        _contact(organisation, ContactKind.LEARNER, first, last, address, chance, company)
        for first, last, address in people
    ]
    db.session.flush()
    number = 1 if title == reasons.SESSION else 2
    run = _session(organisation, title, f"EXE-{today:%Y-%m}-{number}", 12, 1, PLACES[1], today)
    training.enrol(run, learners)
    return run, learners


def _boreale(organisation: Organisation) -> None:
    chance = random.Random(11)
    company = _company(organisation, "Chantiers du Nord", chance)
    db.session.flush()
    learners = [_person(organisation, ContactKind.LEARNER, chance, company) for _n in range(8)]
    db.session.flush()
    today = training.today(organisation)
    plans = []
    for place, offset in enumerate((-70, -20, 12)):
        title, code = TITLES[place + 4]
        made = _session(
            organisation, title, f"{code}-B{place + 1}", offset, 2, "3 quai de l'Aurore, 59000 Lille", today
        )
        training.enrol(made, [*learners[place : place + 6], company])
        plans.append((made, learners[place : place + 6]))
    db.session.flush()
    _history(organisation, plans, chance)
    quarantine.keep(organisation)
    _paused(organisation)


def _paused(organisation: Organisation) -> None:
    """A second sender that its server refused yesterday: what a pause looks like, and how one resumes."""
    db.session.add(
        Sender(
            organisation_id=organisation.id, name="Inscriptions Boréale", address="inscriptions@boreale.example",
            paused_at=datetime.now(UTC) - timedelta(hours=19),
            paused_why="535 5.7.8 Authentication credentials invalid",
        )
    )  # fmt: skip
    db.session.commit()


def _company(organisation: Organisation, name: str, chance: random.Random) -> Contact:
    contact = Contact(organisation_id=organisation.id, kind=ContactKind.COMPANY)
    values = {"email": f"contact@{plain(name)[:30]}.example", "phone": _phone(chance, "02")}
    return contacts.save(contact, name=name, reference=f"ENT-{chance.randrange(1000, 9999)}", **values)


def _person(
    organisation: Organisation, kind: ContactKind, chance: random.Random, company: Contact | None = None
) -> Contact:
    first, last = chance.choice(FIRST), chance.choice(LAST)
    domain = company.email.partition("@")[2] if company and chance.random() < 0.5 else _DOMAIN
    email = f"{plain(first)}.{plain(last)}{chance.randrange(10, 99)}@{domain}"
    return _contact(organisation, kind, first, last, email, chance, company)


def _contact(
    organisation: Organisation, kind: ContactKind, first: str, last: str, email: str, chance: random.Random,
    company: Contact | None = None,
) -> Contact:  # fmt: skip
    contact = Contact(organisation_id=organisation.id, kind=kind)
    return contacts.save(
        contact, first_name=first, last_name=last, email=email, phone=_phone(chance, "06"),
        reference=f"{kind.value[:3].upper()}-{chance.randrange(10000, 99999)}",
        company_id=company.id if company else None,
    )  # fmt: skip


def _phone(chance: random.Random, begins: str) -> str:
    return " ".join([begins, *(f"{chance.randrange(100):02d}" for _n in range(4))])


def _session(
    organisation: Organisation, title: str, reference: str, offset: int | None, days: int, place: str, today: date
) -> TrainingSession:
    """A session `offset` days from today, two half-days each; on working days, but for yesterday's and tomorrow's."""
    rows, day = [], today + timedelta(days=offset or 0)
    for number in range(days):
        while day.weekday() > 4 and offset not in (-1, 1):
            day += timedelta(days=1)
        name = (
            ("Matinée", "Après-midi") if days == 1 else (f"Jour {number + 1}, matin", f"Jour {number + 1}, après-midi")
        )
        rows.append(ModuleRow(day, time(9), time(12, 30), name[0]))
        rows.append(ModuleRow(day, time(13, 30), time(17), name[1]))
        day += timedelta(days=1)
    over = bool(rows) and rows[-1].day < today
    state = SessionState.FINISHED if over else SessionState.PLANNED
    return training.save(
        TrainingSession(), organisation, rows, title=title, reference=reference, place=place, state=state
    )


def _history(
    organisation: Organisation, plans: Sequence[tuple[TrainingSession, list[Contact]]], chance: random.Random
) -> None:
    """What was written about those sessions: convocations before, an opinion and a certificate after."""
    sender = db.session.scalars(select(Sender).where(Sender.organisation_id == organisation.id)).one()
    by = db.session.scalars(
        select(User).where(User.organisation_id == organisation.id).order_by(User.id.desc()).limit(1)
    ).one()
    addresses = _addresses(organisation, {c for _made, some in plans for c in some})
    now = datetime.now(UTC)
    made: list[Plan] = []
    for training_session, some in plans:
        assert training_session.starts_on is not None
        begins = datetime.combine(training_session.starts_on, time(8, 10), UTC)
        for kind, days in (("free", -16), ("convocation", -8), ("evaluation_hot", 3), ("certificate", 5)):
            at = begins + timedelta(days=days)
            if at > now - timedelta(hours=30):
                continue
            made += [
                _plan(
                    organisation, training_session, contact, addresses[contact.id], kind,
                    _files(kind, training_session, contact, at), moment, chance,
                )  # fmt: skip
                for contact, moment in zip(some, (at + timedelta(seconds=n) for n in range(99)), strict=False)
            ]
    db.session.commit()
    with Loader(organisation, sender, by) as loader:
        loader.write(sorted(made, key=lambda plan: plan.created))


def _addresses(organisation: Organisation, people: set[Contact]) -> dict[int, int]:
    """contact id → address id, made."""
    made = {
        contact.id: Address(
            organisation_id=organisation.id, address=contact.email, name=contact.name,
            domain=contact.email.partition("@")[2],
        )
        for contact in sorted(people, key=lambda contact: contact.id)
    }  # fmt: skip
    db.session.add_all(made.values())
    db.session.flush()
    return {contact_id: address.id for contact_id, address in made.items()}


def _files(kind: str, training_session: TrainingSession, learner: Contact, at: datetime) -> tuple[File, ...]:
    """What went with a letter of that type: the person's own document."""
    return documents.attached(DocumentKind(kind), training_session, learner, at) if LETTERS[kind][3] else ()


def _plan(
    organisation: Organisation, training_session: TrainingSession, contact: Contact, address_id: int, kind: str,
    files: tuple[File, ...], at: datetime, chance: random.Random,
) -> Plan:  # fmt: skip
    usual = [story for story in STORIES.values() if not story.waits and story.name not in ("uncertain", "complained")]
    story = chance.choices(usual, [one.weight for one in usual])[0]
    _weight, subject, words, _filename = LETTERS[kind]
    title = training_session.title
    said = words.format(first=contact.first_name, title=title) + f"{organisation.name}\n"
    html = "".join(f"<p>{escape(line)}</p>" for line in said.splitlines() if line)
    who = (contact.email, contact.name, contact.id, training_session.id)
    draft = Draft(*who, kind, subject.format(title=title), html, said, files)
    return Plan(draft, address_id, at, story, 0.6 + chance.random() * 2)
