"""Contacts: lists with search, saving, the address's syntax and the likely slip in its domain."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from babel import Locale
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased, joinedload

from extensions import db
from i18n import LANGUAGES, _
from models import Contact, Enrolment, TrainingSession
from models.words import ContactKind
from people.pages import Page, browse, matches

LONGEST_ADDRESS = 254  # RFC 5321, erratum 1690
# The domains most people in France write from: a near miss is likely a slip of the fingers.
COMMON_DOMAINS = (
    "gmail.com", "googlemail.com", "orange.fr", "wanadoo.fr", "free.fr", "sfr.fr", "neuf.fr", "hotmail.fr",
    "hotmail.com", "outlook.fr", "outlook.com", "live.fr", "live.com", "msn.com", "yahoo.fr", "yahoo.com",
    "laposte.net", "bbox.fr", "numericable.fr", "icloud.com", "me.com", "aol.com", "club-internet.fr", "cegetel.net",
    "gmx.fr", "gmx.com", "protonmail.com", "proton.me", "ac-versailles.fr", "ac-paris.fr", "ac-lyon.fr", "ac-nantes.fr",
    "pole-emploi.fr", "francetravail.fr",
)  # fmt: skip

# Those who have one name, not a first and a last one.
NAMED = (ContactKind.COMPANY, ContactKind.FUNDER)
_COUNTRY = re.compile(r"[A-Z]{2}")
_NO_COUNTRY = {"EU", "EZ", "UN", "ZZ", "XA", "XB", "QO"}


def address_problem(address: str) -> str | None:
    """What is wrong with an address, in words for a person; None for one that can be written to.

    Syntax alone (RFC 5321 and 6531, by email-validator): no look-up is made, and .example and .test pass.
    """
    if len(address) > LONGEST_ADDRESS:
        return _("%(most)s caractères au plus.", most=LONGEST_ADDRESS)
    local, at, domain = address.rpartition("@")
    if not at:
        return _("Il manque l'arobase (@).")
    if any(mark.isspace() for mark in address):
        return _("Une adresse ne contient pas d'espace.")
    if not local or not domain:
        return _("Il manque ce qui précède ou ce qui suit l'arobase (@).")
    if "." not in domain:
        return _("La fin de l'adresse n'est pas complète : « %(domain)s ».", domain=domain)
    try:
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return _("Ce n'est pas une adresse e-mail valide.")
    return None


def likely_address(address: str) -> str | None:
    """The address meant when the domain is one slip away from a common one: a@gmial.com → a@gmail.com."""
    local, at, domain = address.strip().rpartition("@")
    meant = _likely_domain(domain.lower()) if at and local else None
    return f"{local}@{meant}" if meant else None


@lru_cache(maxsize=4096)
def _likely_domain(domain: str) -> str | None:
    """The common domain that this one is a slip of; None for a common one itself."""
    if domain in COMMON_DOMAINS:
        return None
    near = [common for common in COMMON_DOMAINS if abs(len(common) - len(domain)) <= 2]
    return next(iter(difflib.get_close_matches(domain, near, 1, 0.86)), None)


def listed(organisation_id: int, kind: ContactKind, words: str = "", cursor: str | None = None) -> Page:
    """A page of contacts of one kind by name, with their companies; `words` over name, address, phone, reference."""
    query = _of(organisation_id, words).where(Contact.kind == kind).options(joinedload(Contact.company))
    return browse(query, (Contact.sort_name, Contact.id), cursor)


def count(organisation_id: int, kind: ContactKind, words: str = "", most: int = 10_001) -> int:
    """How many there are, counted to `most`."""
    query = _of(organisation_id, words).where(Contact.kind == kind).with_only_columns(Contact.id).limit(most)
    return db.session.scalar(select(func.count()).select_from(query.subquery())) or 0


def found(organisation_id: int, words: str, kinds: Sequence[ContactKind], *, without: int | None = None,
          most: int = 20) -> list[Contact]:  # fmt: skip
    """The first contacts that match, of those kinds, leaving out those enrolled in training session `without`."""
    query = _of(organisation_id, words).where(Contact.kind.in_(kinds)).options(joinedload(Contact.company))
    if without is not None:
        enrolled = select(Enrolment.contact_id).where(Enrolment.training_session_id == without)
        query = query.where(Contact.id.not_in(enrolled))
    return list(db.session.scalars(query.order_by(Contact.sort_name, Contact.id).limit(most)))


def companies(organisation_id: int) -> list[tuple[int, str]]:
    """(id, name) of every company, for a select; at most 2,000."""
    query = select(Contact.id, Contact.name).where(
        Contact.organisation_id == organisation_id, Contact.kind == ContactKind.COMPANY
    )
    return [(row.id, row.name) for row in db.session.execute(query.order_by(Contact.sort_name).limit(2000))]


def people_of(company: Contact, most: int = 500) -> list[Contact]:
    """The contacts attached to a company, by name."""
    query = select(Contact).where(Contact.company_id == company.id).order_by(Contact.sort_name, Contact.id)
    return list(db.session.scalars(query.limit(most)))


def sessions_of(contact: Contact, most: int = 100) -> list[TrainingSession]:
    """The training sessions a contact takes part in, the latest first."""
    query = (
        select(TrainingSession)
        .join(Enrolment, Enrolment.training_session_id == TrainingSession.id)
        .where(Enrolment.contact_id == contact.id)
        .order_by(TrainingSession.starts_on.desc().nulls_first(), TrainingSession.id.desc())
    )
    return list(db.session.scalars(query.limit(most)))


def save(contact: Contact, **values: Any) -> Contact:
    """Set the columns given, and what follows from them (name, sort name); the caller commits."""
    for name, value in values.items():
        setattr(contact, name, value.strip() if isinstance(value, str) else value)
    if contact.kind not in NAMED:
        contact.name = full_name(contact.first_name or "", contact.last_name or "")
    contact.sort_name = func.fold_text(sort_words(contact))
    db.session.add(contact)
    return contact


def read_tags(text: str) -> list[str]:
    """Tags as people write them, separated by commas: trimmed, each once, at most 30 of 60 characters."""
    words = (" ".join(word.split())[:60] for word in re.split(r"[,;|]", text))
    return sorted({word for word in words if word}, key=str.casefold)[:30]


@lru_cache(maxsize=4)
def countries(language: str) -> list[tuple[str, str]]:
    """(ISO 3166-1 code, name) by name, without the world's regions."""
    names = Locale(language).territories
    known = [(code, name) for code, name in names.items() if _COUNTRY.fullmatch(code) and code not in _NO_COUNTRY]
    return sorted(known, key=lambda one: unicodedata.normalize("NFD", one[1]).casefold())


def country_name(code: str, language: str) -> str:
    """A country by its code, the code itself where there is none."""
    return dict(countries(language)).get(code, code)


def country_code(text: str) -> str | None:
    """The code of a country given by code or by name in one of our languages; None for no country."""
    code, name = text.strip().upper(), text.strip().casefold()
    known = [one for language in LANGUAGES for one in countries(language)]
    return next((c for c, n in known if c == code or n.casefold() == name), None)


def full_name(first: str, last: str) -> str:
    """First and last name as lists show them."""
    return f"{first} {last}".strip()


def sort_words(contact: Contact) -> str:
    """What a contact is sorted by, before folding: last name first; a company or a funder by its name."""
    if contact.kind in NAMED:
        return contact.name
    return f"{contact.last_name or ''} {contact.first_name or ''}".strip()


def _of(organisation_id: int, words: str) -> Select[Any]:
    company = aliased(Contact)
    query = select(Contact).where(Contact.organisation_id == organisation_id)
    if words.strip():
        phone = func.replace(Contact.phone, " ", "")
        there = select(company.name).where(company.id == Contact.company_id).scalar_subquery()
        company_name = func.coalesce(there, "")
        columns = (Contact.name, Contact.email, Contact.phone, phone, Contact.reference, company_name)
        query = query.where(*matches(words, *columns))
    return query
