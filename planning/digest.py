"""The digest of À traiter by e-mail: each working morning to who wants it, and at once where a session starts soon.

Monday to Friday from half past seven, local; between two, failures of sessions that start within two days are told as
they come, outside the organisation's quiet hours and at most once an hour to each person. The mailing's key names the
person and the day (or the hour), so a job that runs again sends nothing more.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

import mail
from extensions import db, settings
from history import untreated
from history.untreated import Cause, Failed
from i18n import english, french
from mail import letters
from mail.compose import Draft, Writing, unreachable
from models import Mailing, Organisation, Sender, User
from models.words import N_, EmailType
from people import accounts
from planning.alerts import as_contact, plain, sender_of
from planning.quiet import Quiet

log = logging.getLogger("sillage.planning")

FROM, UNTIL = time(7, 30), time(12)  # a digest that could not leave in the morning waits for the next
DAYS = 2
_HOUR = timedelta(hours=1)
_MOST_CAUSES = 12
_MOST_PEOPLE = 20
_UNCERTAIN = N_("Envoi incertain")
_NO_PHONE = N_("sans téléphone")
_CALL_FIRST = N_("À appeler d'abord, car leur session commence bientôt :")


def send_due(now: datetime | None = None) -> int:
    """Send every digest that is due; how many e-mails were asked for. Commits by organisation."""
    now, count = now or datetime.now(UTC), 0
    for organisation in db.session.scalars(select(Organisation).order_by(Organisation.id)).all():
        count += digest(organisation, now)
        db.session.commit()
    return count


def digest(organisation: Organisation, now: datetime) -> int:
    """The digests of one organisation, in the caller's transaction; how many e-mails were asked for."""
    people = _wanting(organisation)
    sender = sender_of(organisation) if people else None
    if sender is None:
        if people:
            log.warning("organisation %s: no sender for its digests", organisation.id)
        return 0
    local = now.astimezone(ZoneInfo(organisation.timezone))
    told: set[int] = set()
    if local.weekday() < 5 and FROM <= local.time() < UNTIL:
        told = _in_the_morning(organisation, sender, people, local, now)
    quiet = Quiet(organisation.quiet_from, organisation.quiet_to, ZoneInfo(organisation.timezone))
    rest = [user for user in people if user.id not in told]
    if rest and not quiet.holds(now):
        told |= _at_once(organisation, sender, rest, local, now)
    return len(told)


def _wanting(organisation: Organisation) -> list[User]:
    """The active people who want the digest and can be written to."""
    query = select(User).where(User.organisation_id == organisation.id, User.active).order_by(User.id)
    return [
        user for user in db.session.scalars(query)
        if accounts.wants_digest(user) and unreachable(as_contact(user)) is None
    ]  # fmt: skip


def _in_the_morning(
    organisation: Organisation, sender: Sender, people: Sequence[User], local: datetime, now: datetime
) -> set[int]:
    """Today's digest to who has not had it; the ids of those written to."""
    keys = {f"todo:day:{user.id}:{local.date()}": user for user in people}
    sent = select(Mailing.request_key).where(
        Mailing.organisation_id == organisation.id, Mailing.request_key.in_(list(keys))
    )
    for key in db.session.scalars(sent):
        del keys[key]
    if not keys:
        return set()
    found = untreated.read(organisation.id, local.date(), rates=False)
    if not found.causes:
        return set()
    soon = untreated.urgent(organisation.id, local.date(), local.date() + timedelta(days=DAYS), None)
    for key, user in keys.items():
        _post(_draft("todo_day", organisation, user, found.causes, soon, found.total), organisation, sender, key)
        _remember(user, now)
    return {user.id for user in keys.values()}


def _at_once(
    organisation: Organisation, sender: Sender, people: Sequence[User], local: datetime, now: datetime
) -> set[int]:
    """What has failed since each was last told, of sessions that start soon; the ids of those written to."""
    told: set[int] = set()
    for user in people:
        last = accounts.digest_at(user)
        if last is not None and now - last < _HOUR:
            continue
        soon = untreated.urgent(organisation.id, local.date(), local.date() + timedelta(days=DAYS), last)
        if soon:
            key = f"todo:now:{user.id}:{now:%Y-%m-%dT%H}"
            _post(_draft("todo_now", organisation, user, [], soon, len(soon)), organisation, sender, key)
            _remember(user, now)
            told.add(user.id)
    return told


def _post(draft: Draft, organisation: Organisation, sender: Sender, key: str) -> None:
    mail.post([draft], organisation=organisation, sender=sender, by=None, request_key=key, bulk=False)


def _remember(user: User, now: datetime) -> None:
    """Keep when this person was told, beside what they prefer, without touching the rest of it."""
    said = json.dumps({"digest_at": now.isoformat()})
    statement = text('UPDATE "user" SET preferences = preferences || CAST(:said AS jsonb) WHERE id = :id')
    db.session.execute(statement, {"said": said, "id": user.id})
    db.session.expire(user, ["preferences"])


def _draft(
    letter: str, organisation: Organisation, user: User, causes: Sequence[Cause], soon: Sequence[Failed], total: int
) -> Draft:
    """The digest in the user's own language."""
    say = english().gettext if user.language == "en" else french
    words = letters.default(letter, user.language if user.language == "en" else "fr")
    people = "\n".join(_person(one, say) for one in soon[:_MOST_PEOPLE])
    said = {
        "count": total,
        "causes": "\n".join(_cause(cause, say) for cause in causes[:_MOST_CAUSES]),
        "people": people if letter == "todo_now" or not people else f"{say(_CALL_FIRST)}\n\n{people}\n",
        "link": f"{settings().base_url}/todo",
    }
    words = replace(words, subject=words.subject % said, message=words.message % said)
    language = "en" if user.language == "en" else "fr"
    return Writing(EmailType.ALERT.value, {language: words}, organisation).draft(as_contact(user))


def _cause(cause: Cause, say: Callable[[str], str]) -> str:
    label = say(cause.reason.label if cause.reason else _UNCERTAIN)
    return f"- **{cause.count}** × {label}" + (f", {plain(cause.domain)}" if cause.domain else "")


def _person(one: Failed, say: Callable[[str], str]) -> str:
    """Who, which number, what failed and why, before which session."""
    colon = french(" :") if say is french else ":"
    why = say(one.reason.label if one.reason else _UNCERTAIN).lower()
    starts = one.soon.strftime("%d/%m/%Y") if isinstance(one.soon, date) else ""
    about = f"{plain(say(one.type_label))} ({why}), {plain(one.session_title)}, {starts}"
    return f"- **{plain(one.name)}**, {plain(one.phone) or say(_NO_PHONE)}{colon} {about}"
