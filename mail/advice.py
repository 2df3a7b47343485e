"""PURE. Which address was probably meant: a slip of the fingers, the record's, another of the same person, the way the
company writes its people's.

What is suggested is never what was given, never twice, never an address that cannot be written to, never one that is
known to be dead. Reading what is known of a person is left to people.known_addresses, asking the DNS to mail.reach.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from email_validator import EmailNotValidError, validate_email

from errors import UserMistake
from mail import headers
from models.words import N_, Word

MOST = 5
ALIKE = 0.8  # of difflib: "wanado.fr" and "wanadoo.fr" are .95 alike, "free.fe" and "free.fr" .86
ENOUGH = 2  # colleagues who write their address the same way


class Why(Word):
    """Why an address is suggested. The label is a French message id filled with the suggestion's values."""

    RECORD = ("record", N_("L'adresse de la fiche, corrigée depuis."))
    SLIP = ("slip", N_("« %(was)s » ressemble à une faute de frappe."))
    ARRIVED = ("arrived", N_("Une autre adresse de cette personne, où un e-mail est arrivé."))
    PATTERN = ("pattern", N_("Écrite comme celles de ses collègues : %(pattern)s@%(domain)s."))
    OTHER = ("other", N_("Une autre adresse de cette personne."))


@dataclass(frozen=True)
class Known:
    """Another address of the same person; `arrived_at` is when an e-mail last arrived there."""

    address: str
    arrived_at: datetime | None = None


@dataclass(frozen=True)
class Colleague:
    """Somebody of the same company, with the address they have."""

    first_name: str
    last_name: str
    address: str


@dataclass(frozen=True)
class Person:
    """What is known of whom the e-mail was for; all of it may be empty. `dead`: addresses that failed for good."""

    first_name: str = ""
    last_name: str = ""
    record: str = ""
    others: Sequence[Known] = ()
    colleagues: Sequence[Colleague] = ()
    dead: Collection[str] = ()


@dataclass(frozen=True)
class Suggestion:
    """An address worth trying, and why; `values` fill the reason's words."""

    address: str
    why: Why
    values: Mapping[str, str] = field(default_factory=dict)


def suggestions(address: str, person: Person, domains: Sequence[str] = ()) -> list[Suggestion]:
    """The addresses that may have been meant instead of `address`, the likeliest first, MOST at most. `domains` are
    those that many people have (in small letters)."""
    given = address.strip()
    known = {canonical(given), *map(canonical, person.dead)}
    found: list[Suggestion] = []
    for one in _ranked(given, person, domains):
        if (key := canonical(one.address)) not in known and valid(one.address):
            known.add(key)
            found.append(one)
    return found[:MOST]


def _ranked(given: str, person: Person, domains: Sequence[str]) -> Iterator[Suggestion]:
    yield Suggestion(person.record.strip(), Why.RECORD)
    own = [domain_of(colleague.address) for colleague in person.colleagues]
    common = [domain for domain, _count in Counter(filter(None, own)).most_common()]
    if repaired := slip(given, [*common, *domains]):
        yield Suggestion(repaired, Why.SLIP, {"was": _differing(given, repaired)})
    arrived = sorted((o for o in person.others if o.arrived_at), key=lambda o: o.arrived_at or 0, reverse=True)  # type: ignore[arg-type,return-value]
    yield from (Suggestion(other.address, Why.ARRIVED) for other in arrived)
    if told := pattern(person.colleagues, domains):
        name, domain = told
        local = _SHAPES[name](*_names(person.first_name, person.last_name))
        if local:
            yield Suggestion(f"{local}@{domain}", Why.PATTERN, {"pattern": name, "domain": domain})
    yield from (Suggestion(other.address, Why.OTHER) for other in person.others if not other.arrived_at)


def canonical(address: str) -> str:
    """What two spellings of one address share: mailboxes differ by case nowhere in practice."""
    return unicodedata.normalize("NFC", address.strip()).casefold()


def valid(address: str) -> bool:
    """Whether it can be written to, by its syntax."""
    try:
        validate_email(address, check_deliverability=False, allow_smtputf8=True, test_environment=True)
        headers.wire_address(address)
    except (EmailNotValidError, UserMistake):
        return False
    return True


def domain_of(address: str) -> str:
    """What follows the last @, in small letters; empty where there is none."""
    return address.strip().rpartition("@")[2].lower() if "@" in address else ""


# Slips of the fingers

_ENDINGS = {
    "con": "com", "cmo": "com", "vom": "com", "xom": "com", "comm": "com", "cim": "com", "ocm": "com", "coom": "com",
    "frr": "fr", "rf": "fr", "fe": "fr", "ff": "fr", "f": "fr", "ftr": "fr", "ffr": "fr", "nte": "net", "ner": "net",
    "ogr": "org", "rog": "org", "otg": "org",
}  # fmt: skip  # none of them is a domain of the first level
_AT = re.compile(r"\s*(?:\(at\)|\[at\]|\(arobase\)|\[arobase\]|@)[\s@]*", re.IGNORECASE)


def slip(address: str, domains: Sequence[str]) -> str | None:
    """The address without its slips: blanks, doubled or wrong signs, a domain one slip away from one of `domains`
    (the first of them is preferred). None where there is nothing to mend, or too much."""
    mended = _signs(address)
    local, at, domain = mended.rpartition("@")
    if not at or not local or not domain:
        return None
    meant = _domain(domain.lower(), tuple(dict.fromkeys(domains)))
    if meant != domain.lower():
        mended = f"{local}@{meant}"
    if canonical(mended) == canonical(address) or not valid(mended):
        return None
    return mended


def _signs(address: str) -> str:
    text = re.sub(r"^(?:mailto:|<)+|[>.,;:]+$", "", address.strip(), flags=re.IGNORECASE).strip()
    text = re.sub(r"[\s\u200b-\u200f\u2028\u2029\ufeff]+", "", _AT.sub("@", text))
    local, at, domain = text.rpartition("@")
    if not at:
        return text
    local = re.sub(r"\.{2,}", ".", local.replace(",", ".")).strip(".")
    domain = re.sub(r"\.{2,}", ".", re.sub(r"[,;]", ".", domain)).strip(".-")
    return f"{local}@{re.sub(r'^(?:w{3,4}[.])+', '', domain, flags=re.IGNORECASE)}"


def _domain(domain: str, domains: Sequence[str]) -> str:
    if domain in domains:
        return domain
    stem, dot, ending = domain.rpartition(".")
    if dot and stem and ending in _ENDINGS:
        domain = f"{stem}.{_ENDINGS[ending]}"
    near = [one for one in domains if abs(len(one) - len(domain)) <= max(1, len(one) // 6)]
    close = difflib.get_close_matches(domain, near, 3, ALIKE)
    if not close:
        return domain
    best = _alike(domain, close[0])
    return min((one for one in close if _alike(domain, one) == best), key=domains.index)


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _differing(given: str, meant: str) -> str:
    """The half in which the two differ: what to show as the slip."""
    return domain_of(given) if domain_of(given) and domain_of(given) != domain_of(meant) else given


# How a company writes its people's addresses

_SHAPES: Mapping[str, Callable[[str, str], str]] = {
    "prenom.nom": lambda first, last: first and last and f"{first}.{last}",
    "p.nom": lambda first, last: first and last and f"{first[0]}.{last}",
    "pnom": lambda first, last: first and last and f"{first[0]}{last}",
    "prenomnom": lambda first, last: first and last and f"{first}{last}",
    "prenom-nom": lambda first, last: first and last and f"{first}-{last}",
    "prenom_nom": lambda first, last: first and last and f"{first}_{last}",
    "nom.prenom": lambda first, last: first and last and f"{last}.{first}",
    "nom.p": lambda first, last: first and last and f"{last}.{first[0]}",
    "nomp": lambda first, last: first and last and f"{last}{first[0]}",
    "prenom.n": lambda first, last: first and last and f"{first}.{last[0]}",
    "prenomn": lambda first, last: first and last and f"{first}{last[0]}",
    "prenom": lambda first, last: first,
    "nom": lambda first, last: last,
}


def pattern(colleagues: Sequence[Colleague], domains: Collection[str] = ()) -> tuple[str, str] | None:
    """(shape, domain) that most of the colleagues' addresses have, ENOUGH of them at least; None where there is no
    such thing. `domains` where anybody may have an address are no company's."""
    people = {canonical(c.address): c for c in colleagues if domain_of(c.address) not in {"", *domains}}
    if not people:
        return None
    sizes = Counter(map(domain_of, people))
    votes: Counter[tuple[str, str]] = Counter()
    for address, colleague in people.items():
        local, names = address.rpartition("@")[0], _names(colleague.first_name, colleague.last_name)
        votes.update((name, domain_of(address)) for name, shape in _SHAPES.items() if shape(*names) == local)
    order = list(_SHAPES)
    ranked = sorted(votes.items(), key=lambda vote: (-vote[1], order.index(vote[0][0]), vote[0][1]))
    for (name, domain), count in ranked[:1]:
        if count >= ENOUGH and count * 2 > sizes[domain]:
            return name, domain
    return None


def _names(first: str, last: str) -> tuple[str, str]:
    return _plain(first), _plain(last)


def _plain(name: str) -> str:
    """A name as addresses write it: no accents, small letters, hyphens kept, blanks and apostrophes gone."""
    text = name.replace("œ", "oe").replace("Œ", "oe").replace("æ", "ae").replace("Æ", "ae")
    letters = unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9-]", "", letters).strip("-")
