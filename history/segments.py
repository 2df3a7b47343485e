"""Segments of contacts: members chosen one by one, or whoever a saved rule fits on the day it is asked.

All parts of a rule must hold, one of several values of a part is enough. contact_ids() gives SQL, so a segment of a
hundred thousand contacts costs no list; everything is of one organisation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from sqlalchemy import ColumnElement, Date, Integer, Select, cast, func, literal, null, or_, select, type_coerce
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import ARRAY, insert

from extensions import db
from models import Contact, Enrolment, Organisation, Segment, SegmentMember, TrainingSession
from models.words import N_, ContactKind, SessionState, Word

NOBODY = cast(null(), Integer).label("id")
MOST_DAYS, MOST_VALUES, LONGEST = 3650, 50, 100
SHOWN = 20
_COUNTRY, _COMPANY, _SESSION = re.compile(r"[A-Z]{2}"), re.compile(r"C-[0-9a-z]{1,20}"), re.compile(r"S-[0-9a-z]{1,20}")


class Last(Word):
    """What a rule says of a contact's last finished session."""

    WITHIN = ("within", N_("terminée depuis moins de"))
    MORE = ("more", N_("terminée depuis plus de"))
    NONE = ("none", N_("aucune session terminée"))
    GIVEN = ("session", N_("inscrit à la session"))


@dataclass(frozen=True)
class Rule:
    """A rule, as a form sends it and as JSON keeps it. `days` counts for WITHIN and MORE, `session` for GIVEN."""

    kind: tuple[str, ...] = ()
    company: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    offer: tuple[str, ...] = ()
    last: Last | None = None
    days: int = 0
    session: str = ""

    @classmethod
    def of(cls, values: dict[str, list[str]]) -> Self:
        """The rule that lists of texts say; nonsense is dropped, a `last` without its number or session too."""
        last = next((one for one in Last if one.value in values.get("last", ())), None)
        number = next(iter(values.get("days", ())), "")
        days = min(int(number), MOST_DAYS) if number.isascii() and number.isdigit() and len(number) < 7 else 0
        session = next((s for s in values.get("session", ()) if _SESSION.fullmatch(s)), "")
        if (last in (Last.WITHIN, Last.MORE) and not days) or (last is Last.GIVEN and not session):
            last = None
        return cls(
            kind=tuple(kind.value for kind in ContactKind if kind.value in values.get("kind", ())),
            company=_kept(s for s in values.get("company", ()) if _COMPANY.fullmatch(s)),
            tag=_kept(values.get("tag", ())),
            country=_kept(
                s.strip().upper() for s in values.get("country", ()) if _COUNTRY.fullmatch(s.strip().upper())
            ),
            offer=_kept(values.get("offer", ())),
            last=last,
            days=days if last in (Last.WITHIN, Last.MORE) else 0,
            session=session if last is Last.GIVEN else "",
        )

    @classmethod
    def read(cls, stored: dict[str, Any]) -> Self:
        """The rule kept in Segment.rule."""
        lists = {key: [value] if isinstance(value, str) else list(value) for key, value in stored.items()
                 if key != "last_session"}  # fmt: skip
        last = stored.get("last_session") or {}
        for key, value in last.items():
            lists |= {"last": [key], "days": [str(value)], "session": [str(value)]}
        return cls.of(lists)

    def write(self) -> dict[str, Any]:
        """What Segment.rule keeps: no blanks."""
        kept: dict[str, Any] = {
            name: list(getattr(self, name)) for name in ("kind", "company", "tag", "country", "offer")
        }
        if self.last:
            kept["last_session"] = {self.last.value: self.session or self.days or True}
        return {key: value for key, value in kept.items() if value}

    @property
    def empty(self) -> bool:
        """Whether it says nothing (and so fits nobody: a segment of everybody is no segment)."""
        return not self.write()


def contact_ids(segment: Segment) -> Select[Any]:
    """The ids of a segment's contacts, as one column `id`; today, in its organisation."""
    if segment.rule is None:
        # Each member's organisation is looked up by itself: a join would list all contacts of the organisation.
        whose = select(Contact.organisation_id).where(Contact.id == SegmentMember.contact_id).scalar_subquery()
        return select(SegmentMember.contact_id.label("id")).where(
            SegmentMember.segment_id == segment.id, whose == segment.organisation_id
        )
    return fitting(segment.organisation_id, Rule.read(segment.rule))


def by_sessions(segment: Segment) -> bool:
    """Whether a segment's contacts are found by their sessions."""
    return segment.rule is not None and Rule.read(segment.rule).last in (Last.WITHIN, Last.GIVEN)


def fitting(organisation_id: int, rule: Rule) -> Select[Any]:
    """The ids of the contacts that a rule fits; of nobody where it says nothing."""
    if rule == Rule(last=rule.last, days=rule.days, session=rule.session) and rule.last in (Last.WITHIN, Last.GIVEN):
        # The enrolments of those sessions tell it alone: no contact is looked up.
        return _enrolled(organisation_id, rule).distinct()
    found = select(Contact.id.label("id")).where(Contact.organisation_id == organisation_id)
    return found.where(*_tests(organisation_id, rule)) if not rule.empty else found.where(literal(False))


def _tests(organisation_id: int, rule: Rule) -> Iterable[ColumnElement[bool]]:
    if rule.kind:
        yield Contact.kind.in_([ContactKind(kind) for kind in rule.kind])
    if rule.company:
        named = select(func.array_agg(_other.c.id)).where(
            _other.c.organisation_id == organisation_id, _other.c.public_id.in_(rule.company)
        )
        ids = func.coalesce(named.scalar_subquery(), cast([], ARRAY(Contact.id.type)))
        yield or_(Contact.company_id == func.any(ids), Contact.id == func.any(ids))
    if rule.tag:
        yield Contact.tags.op("&&")(cast(list(rule.tag), ARRAY(SqlText)))
    if rule.country:
        yield Contact.country.in_(rule.country)
    if rule.offer:
        yield Contact.offer.in_(rule.offer)
    if rule.last:
        yield _of_sessions(organisation_id, rule)


_other = Contact.__table__.alias("company")


def _of_sessions(organisation_id: int, rule: Rule) -> ColumnElement[bool]:
    if rule.last in (Last.WITHIN, Last.GIVEN):
        return Contact.id.in_(_enrolled(organisation_id, rule))
    # Whoever followed none, or none so lately.
    followed = Contact.id.in_(_enrolled(organisation_id, replace(rule, last=Last.WITHIN, days=0)))
    if rule.last is Last.NONE:
        return ~followed
    return followed & ~Contact.id.in_(_enrolled(organisation_id, replace(rule, last=Last.WITHIN)))


def _enrolled(organisation_id: int, rule: Rule) -> Select[Any]:
    """The ids of whoever is enrolled in the session that is given, or in one finished within the days (0: ever)."""
    theirs = (
        select(Enrolment.contact_id.label("id"))
        .join(TrainingSession, TrainingSession.id == Enrolment.training_session_id)
        .where(Enrolment.organisation_id == organisation_id, TrainingSession.organisation_id == organisation_id)
    )
    if rule.last is Last.GIVEN:
        return theirs.where(TrainingSession.public_id == rule.session)
    zone = select(Organisation.timezone).where(Organisation.id == organisation_id).scalar_subquery()
    # As a value: made anew for every session it takes longer than all the rest.
    today = select(cast(func.timezone(zone, func.now()), Date)).scalar_subquery()
    finished = theirs.where(
        TrainingSession.ends_on < today,
        TrainingSession.state.in_((SessionState.PLANNED, SessionState.FINISHED)),
    )
    since = type_coerce(today - literal(rule.days, Integer), Date)
    return finished.where(TrainingSession.ends_on >= since) if rule.days else finished


# --- reading and keeping ---


@dataclass(frozen=True)
class Listed:
    """A segment in a list, with how many contacts it holds now."""

    segment: Segment
    count: int


@dataclass(frozen=True)
class Preview:
    """How many contacts, and the first SHOWN by name."""

    count: int
    first: list[Contact]


def listed(organisation_id: int) -> list[Listed]:
    """Every segment of the organisation by name; their counts in one statement."""
    found = all_of(organisation_id)
    if not found:
        return []
    counts = [
        select(func.count()).select_from(contact_ids(segment).subquery()).scalar_subquery().label(f"n{place}")
        for place, segment in enumerate(found)
    ]
    numbers = db.session.execute(select(*counts)).one()
    return [Listed(segment, number) for segment, number in zip(found, numbers, strict=True)]


def all_of(organisation_id: int) -> list[Segment]:
    """The segments of an organisation, by name."""
    query = select(Segment).where(Segment.organisation_id == organisation_id)
    return list(db.session.scalars(query.order_by(func.fold_text(Segment.name), Segment.id)))


def preview(ids: Select[Any], most: int = SHOWN) -> Preview:
    """What a segment's contact_ids() or a rule's fitting() holds, the first `most` by name."""
    count = db.session.scalar(select(func.count()).select_from(ids.subquery())) or 0
    query = select(Contact).where(Contact.id.in_(ids)).order_by(Contact.sort_name, Contact.id).limit(most)
    return Preview(count, list(db.session.scalars(query)))


def add(segment: Segment, contacts: Iterable[Contact]) -> None:
    """Make contacts members of a static segment; those who are stay so. The caller commits."""
    rows = [
        {"segment_id": segment.id, "contact_id": contact.id}
        for contact in contacts
        if contact.organisation_id == segment.organisation_id
    ]
    if rows and segment.rule is None:
        db.session.execute(insert(SegmentMember).values(rows).on_conflict_do_nothing())


def remove(segment: Segment, contact: Contact) -> None:
    """Take a contact out of a static segment; the caller commits."""
    member = db.session.get(SegmentMember, (segment.id, contact.id))
    if member is not None:
        db.session.delete(member)


def memberships(contact: Contact) -> list[tuple[Segment, bool]]:
    """(static segment, whether the contact is a member) for each of the organisation, by name."""
    theirs = select(SegmentMember.segment_id).where(SegmentMember.contact_id == contact.id)
    query = select(Segment, Segment.id.in_(theirs)).where(
        Segment.organisation_id == contact.organisation_id, Segment.rule.is_(None)
    )
    return [(row[0], row[1]) for row in db.session.execute(query.order_by(func.fold_text(Segment.name)))]


def name_taken(segment: Segment, name: str) -> bool:
    """Whether another segment of the organisation has that name."""
    query = select(Segment.id).where(Segment.organisation_id == segment.organisation_id, Segment.name == name)
    with db.session.no_autoflush:
        found = db.session.scalar(query)
    return found is not None and found != segment.id


@dataclass(frozen=True)
class Choices:
    """What an organisation's contacts say of themselves: what a rule can ask for."""

    tag: list[str]
    country: list[str]
    offer: list[str]


def choices(organisation_id: int) -> Choices:
    """The tags, countries and offers in use, one statement, at most 200 of each."""
    own = Contact.organisation_id == organisation_id
    tag = select(func.unnest(Contact.tags).label("word"), literal("tag").label("what")).where(own).distinct().limit(200)
    country = select(Contact.country, literal("country")).where(own, Contact.country != "").distinct().limit(200)
    offer = select(Contact.offer, literal("offer")).where(own, Contact.offer != "").distinct().limit(200)
    found: dict[str, list[str]] = {field.name: [] for field in fields(Choices)}
    whole = tag.subquery().select().union_all(country.subquery().select(), offer.subquery().select())
    for word, what in db.session.execute(whole):
        found[what].append(word)
    return Choices(**{what: sorted(words, key=_alphabetic) for what, words in found.items()})


def _alphabetic(text: str) -> str:
    return unicodedata.normalize("NFD", text).casefold()


def companies(organisation_id: int, most: int = 500) -> list[tuple[str, str]]:
    """(public id, name) of the organisation's companies, by name."""
    query = select(Contact.public_id, Contact.name).where(
        Contact.organisation_id == organisation_id, Contact.kind == ContactKind.COMPANY
    )
    return [(row[0], row[1]) for row in db.session.execute(query.order_by(Contact.sort_name, Contact.id).limit(most))]


def sessions(organisation_id: int, most: int = 500) -> list[tuple[str, str]]:
    """(public id, title and reference) of the organisation's sessions, the latest first."""
    query = select(TrainingSession.public_id, TrainingSession.title, TrainingSession.reference).where(
        TrainingSession.organisation_id == organisation_id
    )
    query = query.order_by(TrainingSession.starts_on.desc().nulls_last(), TrainingSession.id.desc()).limit(most)
    return [(row[0], f"{row[1]} ({row[2]})" if row[2] else row[1]) for row in db.session.execute(query)]


def _kept(values: Iterable[str]) -> tuple[str, ...]:
    """Texts without blanks and doubles, sorted; each of at most LONGEST characters."""
    texts = (" ".join(value.replace("\0", "").split())[:LONGEST].strip() for value in values)
    return tuple(sorted({text for text in texts if text})[:MOST_VALUES])
