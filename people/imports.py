"""CSV imports of contacts and enrolments: a plan that names each line's fate, then exactly that plan carried out.

Idempotent: a line finds its contact by reference, else by e-mail address and kind, else (for companies) by name; the
same file twice changes nothing. The plan carries a fingerprint of the text and of what it would do, so that what is
confirmed is what was shown.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import joinedload

from extensions import db
from i18n import LANGUAGES, _
from models import Contact, Enrolment, Organisation, TrainingSession
from models.words import ContactKind
from people import contacts, training
from people.csv_text import Sheet, fold, read

_COLUMNS = ("first_name", "last_name", "name", "email", "phone", "reference", "language", "offer", "notes")
_MOST = {"first_name": 100, "last_name": 100, "name": 200, "email": 254, "phone": 40, "reference": 60, "offer": 100,
         "notes": 5000}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_KIND_WORDS = {
    ContactKind.LEARNER: ("apprenant", "apprenante", "stagiaire", "learner", "participant", "participante", "eleve"),
    ContactKind.COMPANY: ("entreprise", "societe", "company"),
    ContactKind.FUNDER: ("financeur", "opco", "funder"),
    ContactKind.TRAINER: ("intervenant", "intervenante", "formateur", "formatrice", "trainer"),
    ContactKind.CUSTOMER: ("client", "cliente", "customer", "abonne", "abonnee"),
}
_KIND_OF = {word: kind for kind, words in _KIND_WORDS.items() for word in words}
_LANGUAGE_OF = {"fr": "fr", "francais": "fr", "french": "fr", "en": "en", "anglais": "en", "english": "en"}


@dataclass
class Line:
    """One line of the file and what would become of it: new, updated, unchanged or bad."""

    number: int
    fate: str
    name: str
    email: str
    kind: ContactKind
    problems: list[str] = field(default_factory=list)
    hint: str | None = None
    changes: list[str] = field(default_factory=list)
    enrols: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    company: str = ""
    contact_id: int | None = None


@dataclass
class Plan:
    """What an import would do. `fingerprint` is of the text and of each line's fate."""

    lines: list[Line]
    ignored: tuple[str, ...]
    new_companies: list[str]
    fingerprint: str

    def of(self, fate: str) -> list[Line]:
        """The lines with that fate."""
        return [line for line in self.lines if line.fate == fate]

    @property
    def enrolled(self) -> int:
        """How many people would be enrolled who are not yet."""
        return sum(line.enrols for line in self.lines)

    @property
    def changes_anything(self) -> bool:
        return bool(self.of("new") or self.of("updated") or self.enrolled)


class _Known:
    """The organisation's contacts that the file may mean, found in three queries."""

    def __init__(self, organisation_id: int, sheet: Sheet) -> None:
        def some(name: str) -> list[str]:
            return list({row[name] for _line, row in sheet.rows if row.get(name)})

        lowered = func.lower(Contact.email)
        companies = {fold(name) for name in (*some("company"), *some("name"))}
        wanted = (
            Contact.reference.in_(some("reference")),
            lowered.in_([address.lower() for address in some("email")]),
            Contact.kind == ContactKind.COMPANY,
        )
        self.by_reference: dict[str, Contact] = {}
        self.by_address: dict[tuple[str, ContactKind], Contact] = {}
        self.companies: dict[str, Contact] = {}
        for condition in wanted:
            query = select(Contact).where(Contact.organisation_id == organisation_id, condition)
            for contact in db.session.scalars(query.options(joinedload(Contact.company)).order_by(Contact.id)):
                if contact.reference:
                    self.by_reference.setdefault(contact.reference, contact)
                if contact.email:
                    self.by_address.setdefault((contact.email.lower(), contact.kind), contact)
                if contact.kind is ContactKind.COMPANY and fold(contact.name) in companies:
                    self.companies.setdefault(fold(contact.name), contact)

    def find(self, line: Line) -> Contact | None:
        """The contact a line means: by reference, else by address and kind, else a company by its name."""
        reference, email = line.values.get("reference", ""), line.email.lower()
        if reference and reference in self.by_reference:
            return self.by_reference[reference]
        found = self.by_address.get((email, line.kind)) if email else None
        if found is None and line.kind is ContactKind.COMPANY:
            found = self.companies.get(fold(line.values.get("name", "")))
        # Another reference is another person who shares the mailbox.
        return None if found and reference and found.reference and found.reference != reference else found


def plan(
    organisation: Organisation, csv_text: str, kind: ContactKind, training_session: TrainingSession | None = None
) -> Plan:
    """What importing the text would do; nothing is written. Raises csv_text.Unreadable.

    `kind` is that of lines which name none; with `training_session` each person is enrolled too.
    """
    sheet = read(csv_text)
    known = _Known(organisation.id, sheet)
    enrolled = _enrolled(training_session)
    lines: list[Line] = []
    seen: dict[tuple[Any, ...], int] = {}
    for number, row in sheet.rows:
        line = _read_line(number, row, kind)
        if training_session is not None and line.kind is ContactKind.CUSTOMER:
            line.problems.append(_("Un client ne s'inscrit pas à une session."))
        _decide(line, known)
        for key in _keys(line):
            if seen.setdefault(key, number) != number and line.fate != "bad":
                line.fate = "bad"
                line.problems.append(_("La même personne est déjà à la ligne %(number)s.", number=seen[key]))
        if line.fate != "bad" and training_session is not None:
            line.enrols = line.contact_id not in enrolled
        lines.append(line)
    missing: dict[str, str] = {}  # as first written
    for line in lines:
        if line.company and line.fate != "bad":
            missing.setdefault(fold(line.company), line.company)
    own = {fold(line.name) for line in lines if line.kind is ContactKind.COMPANY and line.fate == "new"}
    new_companies = [name for key, name in missing.items() if key not in known.companies and key not in own]
    return Plan(lines, sheet.ignored, new_companies, _fingerprint(csv_text, kind, training_session, lines))


def carry_out(organisation: Organisation, planned: Plan, training_session: TrainingSession | None = None) -> None:
    """Write what the plan says, in the caller's transaction (the caller commits)."""
    good = [line for line in planned.lines if line.fate != "bad"]
    companies = [line for line in good if line.kind is ContactKind.COMPANY]
    known = _loaded([line.contact_id for line in good if line.contact_id is not None])
    for name in planned.new_companies:
        db.session.add(Contact(organisation_id=organisation.id, kind=ContactKind.COMPANY, name=name))
    touched = {line.number: _write(organisation, line, known, {}) for line in companies}
    db.session.flush()
    names = {line.company for line in good if line.company}
    at = _companies_named(organisation.id, names)
    touched |= {line.number: _write(organisation, line, known, at) for line in good if line not in companies}
    db.session.flush()
    db.session.execute(
        text(
            "UPDATE contact SET sort_name = fold_text(CASE WHEN kind IN ('company', 'funder') THEN name "
            "ELSE trim(last_name || ' ' || first_name) END) WHERE organisation_id = :o AND sort_name = ''"
        ),
        {"o": organisation.id},
    )
    if training_session is not None:
        training.enrol(training_session, [touched[line.number] for line in good])


def one_at_a_time(organisation: Organisation) -> None:
    """Hold the organisation's imports until the transaction ends: a double press must not create anyone twice."""
    db.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('import'), :o)"), {"o": organisation.id})


def _read_line(number: int, row: dict[str, str], default: ContactKind) -> Line:
    problems = []
    kind = default
    if row.get("kind"):
        named = _KIND_OF.get(fold(row["kind"]))
        if named is None:
            problems.append(_("Type inconnu : « %(kind)s ».", kind=row["kind"][:40]))
        kind = named or default
    values: dict[str, Any] = {
        name: " ".join(row[name].split()) if name != "notes" else row[name] for name in _COLUMNS if name in row
    }
    _name(values, kind)
    if not values.get("name"):
        problems.append(_("Il manque le nom."))
    for name, most in _MOST.items():
        if len(values.get(name, "")) > most:
            problems.append(_("Un texte est trop long : %(most)s caractères au plus.", most=most))
    if any(_CONTROL.search(values.get(name, "")) for name in _MOST if name != "notes"):
        problems.append(_("Un caractère invisible n'est pas permis : retapez la ligne."))
    email = values.get("email", "")
    trouble = contacts.address_problem(email) if email else None
    if trouble:
        problems.append(_("Adresse « %(address)s » : %(problem)s", address=email[:80], problem=trouble))
    if "language" in values:
        spoken = _LANGUAGE_OF.get(fold(values["language"]))
        if spoken is None and values["language"]:
            problems.append(_("Langue inconnue : « %(language)s ».", language=values["language"][:40]))
        values["language"] = spoken or next(iter(LANGUAGES))
    if row.get("tags"):
        values["tags"] = contacts.read_tags(row["tags"])
    if row.get("country"):
        values["country"] = contacts.country_code(row["country"]) or ""
        if not values["country"]:
            problems.append(_("Pays inconnu : « %(country)s ».", country=row["country"][:40]))
    hint = None if trouble else contacts.likely_address(email)
    company = " ".join(row.get("company", "").split())[:200] if kind not in contacts.NAMED else ""
    return Line(number, "bad", values.get("name", ""), email, kind, problems, hint, values=values, company=company)


def _name(values: dict[str, Any], kind: ContactKind) -> None:
    """First name, last name and name, from whichever were given."""
    first, last, whole = (values.pop(name, "") for name in ("first_name", "last_name", "name"))
    if kind in contacts.NAMED:
        values["name"] = whole or f"{first} {last}".strip()
        return
    if whole and not last:
        first, _blank, last = whole.rpartition(" ") if not first else (first, "", whole.removeprefix(first).strip())
    if first or last:
        values |= {"first_name": first, "last_name": last, "name": contacts.full_name(first, last)}


def _keys(line: Line) -> Iterable[tuple[Any, ...]]:
    """What no other line of the file may share."""
    reference = line.values.get("reference", "")
    if line.contact_id is not None:
        yield ("contact", line.contact_id)
    if reference:
        yield ("reference", reference)
    elif line.email:
        yield ("email", line.email.lower(), line.kind.value)
    elif line.kind is ContactKind.COMPANY:
        yield ("company", fold(line.name))


def _decide(line: Line, known: _Known) -> None:
    """The line's fate, and which columns it changes. An empty cell changes nothing."""
    if line.problems:
        line.fate = "bad"
        return
    contact = known.find(line)
    if contact is None:
        line.fate = "new"
        return
    if contact.kind is not line.kind:
        line.problems.append(
            _("La référence %(reference)s est déjà celle de %(name)s (%(kind)s).",
              reference=contact.reference, name=contact.name, kind=_(contact.kind.label))
        )  # fmt: skip
        return
    line.contact_id = contact.id
    line.changes = [name for name, value in line.values.items() if value and getattr(contact, name) != value]
    if line.company and (contact.company is None or fold(contact.company.name) != fold(line.company)):
        line.changes.append("company")
    line.fate = "updated" if line.changes else "unchanged"


def _enrolled(training_session: TrainingSession | None) -> set[int | None]:
    if training_session is None:
        return set()
    query = select(Enrolment.contact_id).where(Enrolment.training_session_id == training_session.id)
    return set(db.session.scalars(query))


def _loaded(ids: list[int]) -> dict[int, Contact]:
    """Those contacts by id, a thousand a query."""
    found: dict[int, Contact] = {}
    for start in range(0, len(ids), 1000):
        query = select(Contact).where(Contact.id.in_(ids[start : start + 1000]))
        found |= {contact.id: contact for contact in db.session.scalars(query)}
    return found


def _write(organisation: Organisation, line: Line, known: dict[int, Contact], companies: dict[str, int]) -> Contact:
    if line.contact_id is not None:
        contact = known[line.contact_id]
    else:
        contact = Contact(organisation_id=organisation.id, kind=line.kind)
        db.session.add(contact)
    for name, value in line.values.items():
        if value and (line.contact_id is None or name in line.changes):
            setattr(contact, name, value)
    if line.company and (line.contact_id is None or "company" in line.changes):
        contact.company_id = companies.get(fold(line.company))
    if line.fate != "unchanged":
        contact.sort_name = ""  # told the database to fold it again, at the end
    return contact


def _companies_named(organisation_id: int, names: set[str]) -> dict[str, int]:
    wanted = {fold(name) for name in names}
    query = select(Contact.id, Contact.name).where(
        Contact.organisation_id == organisation_id, Contact.kind == ContactKind.COMPANY
    )
    found: dict[str, int] = {}
    for row in db.session.execute(query.order_by(Contact.id)):
        if fold(row.name) in wanted:
            found.setdefault(fold(row.name), row.id)
    return found


def _fingerprint(csv_text: str, kind: ContactKind, training_session: TrainingSession | None, lines: list[Line]) -> str:
    told: list[Any] = [csv_text, kind.value, training_session.id if training_session else None]
    told += [[line.number, line.fate, line.contact_id, line.changes, line.enrols] for line in lines]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
