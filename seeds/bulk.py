"""E-mails by the million: contacts, sessions and three years of e-mails among them, for `flask seed`.

Realistic in what matters to a search: a forty-th as many addresses as e-mails, sessions with a dozen people, types,
outcomes and files in usual shares, working days and hours.
"""

from __future__ import annotations

import random
import unicodedata
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from typing import Any

from sqlalchemy import text

from documents import blobs
from extensions import db
from mail.compose import Draft, File
from models import Organisation, Sender, User
from models.base import public_id
from models.words import ContactKind, SessionState
from seeds.load import CHUNK, Loader, Plan
from seeds.names import COMPANIES, DOMAINS, FIRST, LAST, LETTERS, PLACES, TITLES
from seeds.stories import STORIES, Story

YEARS = 3
_MOST_WAITING = 100
_FILE = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj " \
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"  # fmt: skip


@dataclass(frozen=True)
class Person:
    """A contact and the address it is written to at."""

    contact_id: int
    address_id: int
    name: str
    first: str
    email: str


@dataclass(frozen=True)
class Course:
    """A training session, its title, its people."""

    id: int
    title: str
    people: tuple[Person, ...]


def plain(words: str) -> str:
    """Without accents, blanks or apostrophes: the local part of an address."""
    folded = unicodedata.normalize("NFKD", words.lower()).encode("ascii", "ignore").decode()
    return folded.replace(" ", "").replace("'", "").replace("&", "et")


def seed(
    organisation: Organisation, sender: Sender, by: User | None, count: int, *, number: int = 1,
    progress: Callable[[int], None] = lambda count: None,
) -> None:  # fmt: skip
    """Add `count` e-mails to the organisation. The same `number` makes the same choices. Commits as it goes."""
    chance = random.Random(number)
    people = list(_people(organisation, max(20, count // 40), chance))
    courses = _courses(organisation, max(4, count // 300), people, chance)
    files = _files()
    db.session.commit()
    told = {name: story for name, story in STORIES.items() if organisation.track_opens or not story.measured}
    with Loader(organisation, sender, by) as loader:
        plans = _plans(count, list(told.values()), courses, people, files, chance)
        done = 0
        while some := [plan for _n, plan in zip(range(CHUNK), plans, strict=False)]:
            loader.write(some)
            progress(done := done + len(some))
    # a generated column and a new spread of values have no statistics before this
    for table in ("email", "delivery_event", "address", "contact", "training_session", "enrolment", "attachment"):
        db.session.execute(text(f"ANALYZE {table}"))
    db.session.commit()


def _copy(table: str, columns: str, rows: Iterator[tuple[Any, ...]]) -> None:
    cursor = db.session.connection().connection.cursor()
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _ids(table: str, count: int) -> list[int]:
    query = text("SELECT nextval(pg_get_serial_sequence(:t, 'id')) FROM generate_series(1, :n)")
    return list(db.session.execute(query, {"t": table, "n": count}).scalars())


def _people(organisation: Organisation, count: int, chance: random.Random) -> Iterator[Person]:
    """Contacts with their addresses: four in five are learners."""
    kinds = chance.choices(
        (ContactKind.LEARNER, ContactKind.COMPANY, ContactKind.TRAINER, ContactKind.CUSTOMER), (80, 8, 4, 8), k=count
    )
    made, rows, addresses = [], [], []
    ids = zip(_ids("contact", count), _ids("address", count), kinds, strict=True)
    for contact_id, address_id, kind in ids:
        first, last = chance.choice(FIRST), chance.choice(LAST)
        if kind is ContactKind.COMPANY:
            first, last, name = "", "", f"{chance.choice(COMPANIES)} {contact_id}"
            email = f"contact@{plain(name)}.example"
        else:
            name = f"{first} {last}"
            email = f"{plain(first)}.{plain(last)}{contact_id}@{chance.choice(DOMAINS)}"
        rows.append((
            contact_id, organisation.id, public_id("C", 8), kind.value, first, last, name, email,
            f"06 {chance.randrange(10, 99)} {chance.randrange(10, 99)} {chance.randrange(10, 99)} "
            f"{chance.randrange(10, 99)}", f"R{contact_id:07d}",
        ))  # fmt: skip
        addresses.append((address_id, organisation.id, email, name, email.partition("@")[2]))
        made.append(Person(contact_id, address_id, name, first or name, email))
    columns = "id, organisation_id, public_id, kind, first_name, last_name, name, email, phone, reference"
    _copy("contact", columns, iter(rows))
    _copy("address", "id, organisation_id, address, name, domain", iter(addresses))
    db.session.execute(
        text(
            "UPDATE contact SET sort_name = fold_text(CASE kind WHEN 'company' THEN name "
            "ELSE trim(last_name || ' ' || first_name) END) WHERE organisation_id = :o AND sort_name = ''"
        ),
        {"o": organisation.id},
    )
    yield from made


def _courses(organisation: Organisation, count: int, people: list[Person], chance: random.Random) -> list[Course]:
    """Sessions in order of time over three years (the last ones to come), each with its people and one module a day."""
    courses, sessions, modules, enrolments = [], [], [], []
    first_day = date.today() - timedelta(days=365 * YEARS)
    for place, session_id in enumerate(_ids("training_session", count)):
        title, code = chance.choice(TITLES)
        starts = first_day + timedelta(days=7 + int(place / count * 365 * YEARS))
        days = chance.choice((1, 1, 2, 2, 3))
        ends = starts + timedelta(days=days - 1)
        state = SessionState.FINISHED if ends < date.today() else SessionState.PLANNED
        reference = f"{code}-{starts:%y%m}-{session_id}"
        where = chance.choice(PLACES)
        sessions.append((
            session_id, organisation.id, public_id("S", 8), reference, title, state.value, where, starts, ends,
        ))  # fmt: skip
        for day in range(days):
            at = datetime.combine(starts + timedelta(days=day), time(8), UTC)
            modules.append((organisation.id, session_id, title, at, at + timedelta(hours=8), where))
        some = tuple(chance.sample(people, min(len(people), chance.randrange(6, 15))))
        enrolments += [(organisation.id, session_id, person.contact_id) for person in some]
        courses.append(Course(session_id, title, some))
    columns = "id, organisation_id, public_id, reference, title, state, place, starts_on, ends_on"
    _copy("training_session", columns, iter(sessions))
    _copy("module", "organisation_id, training_session_id, title, starts_at, ends_at, place", iter(modules))
    _copy("enrolment", "organisation_id, training_session_id, contact_id", iter(enrolments))
    return courses


def _files() -> dict[str, tuple[File, ...]]:
    """The file that each type of letter carries: a small PDF, kept once a type."""
    found: dict[str, tuple[File, ...]] = {}
    for kind, (_weight, _subject, _text, filename) in LETTERS.items():
        stored = blobs.store(_FILE + f"% {kind}\n".encode(), filename) if filename else None
        found[kind] = (File.of(filename, stored),) if filename and stored else ()
    return found


def _plans(
    count: int, told: list[Story], courses: list[Course], people: list[Person], files: dict[str, tuple[File, ...]],
    chance: random.Random,
) -> Iterator[Plan]:  # fmt: skip
    """The e-mails in order of time, the last requested a few minutes ago; some of the last day's still wait."""
    now = datetime.now(UTC)
    span = timedelta(days=365 * YEARS)
    stories = [story for story in told if not story.waits]
    waiting = STORIES["waiting"]
    story_sums = list(accumulate(story.weight for story in stories))
    kinds = list(LETTERS)
    kind_sums = list(accumulate(LETTERS[kind][0] for kind in kinds))
    last_day = count // (365 * YEARS)
    for place in range(count):
        created = now - span + span * ((place + 1) / (count + 1))
        recent = place >= count - last_day
        if not recent:
            created = created.replace(hour=min(19, int(chance.triangular(6, 19, 9))), minute=chance.randrange(60))
        created = min(created, now - timedelta(minutes=3))
        story = stories[bisect(story_sums, chance.random() * story_sums[-1])]
        if place == count - 1 or (recent and chance.random() < min(0.05, _MOST_WAITING / last_day)):
            story = waiting
        kind = kinds[bisect(kind_sums, chance.random() * kind_sums[-1])]
        here = min(len(courses) - 1, int((place / count) * len(courses)) + chance.randrange(3))
        course = courses[here] if chance.random() < 0.94 else None
        person = chance.choice(course.people if course else people)
        _weight, subject, words, _file = LETTERS[kind]
        title = course.title if course else "Votre abonnement"
        said = words.format(first=person.first, title=title)
        paragraphs = said.strip().replace("&", "&amp;").replace("\n\n", "</p><p>")
        draft = Draft(
            person.email, person.name, person.contact_id, course.id if course else None, kind,
            subject.format(title=title), f"<p>{paragraphs}</p>", said, files[kind],
        )  # fmt: skip
        last = story.steps[-1].after
        room = (now - created).total_seconds() / last
        yield Plan(draft, person.address_id, created, story, min(0.5 + chance.random() * 3, room * 0.9))
