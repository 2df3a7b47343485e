"""The alert before a session: an e-mail to those who answer for the organisation when learners miss something.

Two days before the start, and the day before if something is still missing: who misses what, with the number to call.
The mailing's key names the session, its day and which of the two it is, so a job that runs again sends nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import select

import mail
from extensions import db, settings
from i18n import english, french
from mail import letters
from mail.compose import Draft, Writing, unreachable
from models import Contact, Mailing, Organisation, Sender, TrainingSession, User
from models.words import N_, ContactKind, EmailType, Role
from planning import completeness
from planning.cells import Cell
from planning.completeness import Matrix

log = logging.getLogger("sillage.planning")

DAYS = (2, 1)
FROM_HOUR = time(8)  # local: an alert is for the working day
MOST_PEOPLE = 60
_ROLES = (Role.ADMIN, Role.MANAGER)
_WHEN = {2: N_("dans deux jours"), 1: N_("demain")}
_NO_PHONE = N_("sans téléphone")
_MORE = N_("et %(number)s autres personnes")


def send_due(now: datetime | None = None) -> int:
    """Send every alert that is due and was not sent; how many e-mails were asked for. Commits by organisation."""
    count = 0
    for organisation in db.session.scalars(select(Organisation).order_by(Organisation.id)).all():
        count += alert(organisation, now)
        db.session.commit()
    return count


def alert(organisation: Organisation, now: datetime | None = None) -> int:
    """The alerts of one organisation, in the caller's transaction; how many e-mails were asked for."""
    found = completeness.at_risk(organisation, now, days=max(DAYS))
    zone = ZoneInfo(organisation.timezone)
    due = [
        one for one in found
        if one.days_left(organisation.timezone) in DAYS and one.now.astimezone(zone).time() >= FROM_HOUR
    ]  # fmt: skip
    if not due:
        return 0
    keys = {_key(one, organisation): one for one in due}
    sent = select(Mailing.request_key).where(
        Mailing.organisation_id == organisation.id, Mailing.request_key.in_(list(keys))
    )
    for key in db.session.scalars(sent):
        del keys[key]
    people = _responsible(organisation) if keys else []
    sender = sender_of(organisation) if keys else None
    if keys and (sender is None or not people):
        log.warning("organisation %s: nobody can be alerted", organisation.id)
        return 0
    count = 0
    for key, matrix in keys.items():
        assert sender is not None
        about = db.session.get_one(TrainingSession, matrix.session_id)
        drafts = [_draft(matrix, about, organisation, user) for user in people]
        emails = mail.post(drafts, organisation=organisation, sender=sender, by=None, request_key=key, bulk=False)
        count += len(emails)
    return count


def _key(matrix: Matrix, organisation: Organisation) -> str:
    return f"alert:{matrix.public_id}:{matrix.starts_on}:{matrix.days_left(organisation.timezone)}"


def _responsible(organisation: Organisation) -> list[User]:
    """The active admins and managers who can be written to."""
    query = select(User).where(User.organisation_id == organisation.id, User.active, User.role.in_(_ROLES))
    return [user for user in db.session.scalars(query.order_by(User.id)) if unreachable(as_contact(user)) is None]


def sender_of(organisation: Organisation) -> Sender | None:
    """What a letter of the house to its own people leaves from: the default sender, else the first."""
    query = select(Sender).where(Sender.organisation_id == organisation.id)
    return db.session.scalars(query.order_by(Sender.is_default.desc(), Sender.id).limit(1)).first()


def as_contact(user: User) -> Contact:
    """A user as a letter's recipient; never kept."""
    return Contact(kind=ContactKind.LEARNER, name=user.name, email=user.email, language=user.language)


def _draft(matrix: Matrix, about: TrainingSession, organisation: Organisation, user: User) -> Draft:
    """The alert in the user's own language."""
    say = english().gettext if user.language == "en" else french
    words = letters.default(EmailType.ALERT.value, user.language)
    said = {
        "title": plain(matrix.title),
        "when": say(_WHEN[matrix.days_left(organisation.timezone) or 1]),
        "people": "\n".join(_lines(matrix, say)),
        "link": f"{settings().base_url}/sessions/{matrix.public_id}/completeness",
    }
    words = replace(words, subject=words.subject % said, message=words.message % said)
    return Writing(EmailType.ALERT.value, {user.language: words}, organisation, about).draft(as_contact(user))


def _lines(matrix: Matrix, say: Callable[[str], str]) -> list[str]:
    """One line a person: name, phone, what is missing and why."""
    colon = french(" :") if say is french else ":"
    lines = []
    for row in matrix.missing[:MOST_PEOPLE]:
        what = ", ".join(f"{say(cell.type.label)} ({say(_why(cell)).lower()})" for cell in row.missing)
        phone = plain(row.person.phone) or say(_NO_PHONE)
        lines.append(f"- **{plain(row.person.name)}**, {phone}{colon} {what}")
    more = len(matrix.missing) - MOST_PEOPLE
    return [*lines, "- " + say(_MORE) % {"number": more}] if more > 0 else lines


def _why(cell: Cell) -> str:
    return cell.sent.reason.label if cell.sent and cell.sent.reason else cell.state.label


def plain(text: str) -> str:
    """A name as typed by somebody, without what a letter would take for a merge tag or for bold."""
    return " ".join(text.replace("{", "(").replace("}", ")").replace("*", "").split())
