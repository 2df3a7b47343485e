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
from sqlalchemy.orm import joinedload

from extensions import db
from i18n import LANGUAGES, _
from models import Contact, Enrolment, TrainingSession
from models.words import ContactKind
from people import people_search
from people.pages import PAGE, Page, browse

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
_ID_AT_THE_END = re.compile(r"(?:^|\()(C-[0-9a-z]{1,20})\)?$")
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
    """A page of contacts of one kind by name, with their companies; `words` over name, address, phone, reference and
    the company's name."""
    query = people_search.narrowed(_of(organisation_id, kind), organisation_id, words, None if cursor else PAGE + 1)
    return browse(query.options(joinedload(Contact.company)), (Contact.sort_name, Contact.id), cursor)


def count(organisation_id: int, kind: ContactKind, words: str = "", most: int = 10_001) -> int:
    """How many there are, counted to `most`."""
    query = _of(organisation_id, kind).where(*people_search.tests(organisation_id, words))
    ids = query.with_only_columns(Contact.id).limit(most)
    return db.session.scalar(select(func.count()).select_from(ids.subquery())) or 0


def found(organisation_id: int, words: str, kinds: Sequence[ContactKind], *, without: int | None = None,
          most: int = 20) -> list[Contact]:  # fmt: skip
    """The first contacts that match, of those kinds, leaving out those enrolled in training session `without`."""
    query = people_search.narrowed(_of(organisation_id, *kinds), organisation_id, words, most)
    query = query.options(joinedload(Contact.company))
    if without is not None:
        enrolled = select(Enrolment.contact_id).where(Enrolment.training_session_id == without)
        query = query.where(Contact.id.not_in(enrolled))
    return list(db.session.scalars(query.order_by(Contact.sort_name, Contact.id).limit(most)))


def companies_named(organisation_id: int, text: str, most: int = 10) -> tuple[list[Contact], list[Contact]]:
    """(those that a text names, those that it may mean) among the companies: by public id, alone or after the name
    as suggestions write it, or by the whole name; else the first `most` that hold its words."""
    whose = _of(organisation_id, ContactKind.COMPANY)
    by_id = _ID_AT_THE_END.search(text.strip())
    if by_id:
        named = list(db.session.scalars(whose.where(Contact.public_id == by_id[1])))
        if named:
            return named, []
    folded = func.fold_text(" ".join(text.replace("\0", "").split()))
    named = list(db.session.scalars(whose.where(Contact.sort_name == folded).order_by(Contact.id).limit(most)))
    return named, [] if named else found(organisation_id, text, [ContactKind.COMPANY], most=most)


def company_texts(companies: Sequence[Contact]) -> list[tuple[str, str]]:
    """(what a field holds for a company, what tells it from others): its name, with its id where another has it too."""
    names = [company.sort_name for company in companies]
    return [
        (one.name if names.count(one.sort_name) == 1 else f"{one.name} ({one.public_id})", one.email or one.reference)
        for one in companies
    ]


def company_text(company: Contact) -> str:
    """What a field holds for that company, so that companies_named() finds it and no other."""
    named, _meant = companies_named(company.organisation_id, company.name)
    return company.name if named == [company] else f"{company.name} ({company.public_id})"


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


def _of(organisation_id: int, *kinds: ContactKind) -> Select[Any]:
    among = Contact.kind == kinds[0] if len(kinds) == 1 else Contact.kind.in_(kinds)
    return select(Contact).where(Contact.organisation_id == organisation_id, among)
