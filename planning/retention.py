"""What e-mails said is kept for as many years as the organisation says: then bodies, files and raw reports are erased.

Rows, statuses, facts and fingerprints (sha256) stay, so that counts, exports and the history are what they were. What
is still at work is never erased: on its way, not dealt with, of a session over for less than a year. Each batch is one
transaction under the rule's own lock: a longer rule holds from the next batch on, a killed run goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from documents import leaving_files, spaces
from extensions import db
from history.untreated import CARRIED_ON, COUNTS
from models import AuditAction, Organisation, Retention
from models.resend_run import RunState
from models.retention import DEFAULT_YEARS, YEARS
from models.words import N_, Status, Word
from people import audit

__all__ = ["DEFAULT_YEARS", "YEARS", "Foreseen", "Stays", "change", "erase", "erase_old", "foresee", "of"]

BATCH = 500
MOST_COUNTED = 10_000
NOTICE = timedelta(days=1)  # before a shorter rule erases anything
_AT_WORK = ", ".join(f"'{state.value}'" for state in (RunState.WAITING, RunState.RUNNING))


class Stays(Word):
    """Why an old e-mail is kept whole for now."""

    ON_ITS_WAY = ("on_its_way", N_("En attente d'envoi ou incertains"))
    RESENT = ("resent", N_("Dans un renvoi en nombre qui n'est pas fini"))
    UNTREATED = ("untreated", N_("En échec et pas encore traités"))
    SESSION = ("session", N_("D'une session à venir, en cours ou finie depuis moins d'un an"))


# Of a row of `email`: the first reason to keep it whole, NULL where there is none. The page of a session's person shows
# its e-mails until some time after its end (documents.spaces).
_STAYS = f"""CASE
  WHEN email.status IN ('{Status.REQUESTED.value}', '{Status.UNCERTAIN.value}')
    OR EXISTS (SELECT FROM outbox_entry WHERE outbox_entry.email_id = email.id) THEN '{Stays.ON_ITS_WAY.value}'
  WHEN email.id IN (SELECT resend_row.email_id FROM resend_run JOIN resend_row ON resend_run.id = resend_row.run_id
    WHERE resend_run.state IN ({_AT_WORK})) THEN '{Stays.RESENT.value}'
  WHEN email.treated_at IS NULL AND email.status IN ('undeliverable', 'failed') AND {COUNTS} AND NOT {CARRIED_ON}
    THEN '{Stays.UNTREATED.value}'
  WHEN EXISTS (SELECT FROM training_session AS training WHERE training.id = email.training_session_id
    AND training.ends_on + {spaces.LASTS.days} >= current_date) THEN '{Stays.SESSION.value}'
END"""
_OLD = "email.organisation_id = :o AND email.created_at < now() - make_interval(years => :years)"
_NEXT = text(f"""
SELECT email.id, email.created_at FROM email
WHERE {_OLD} AND (email.created_at, email.id) > (coalesce(:at, '-infinity'::timestamptz), :id)
ORDER BY email.created_at, email.id LIMIT :most
""")
_WAITING = text(f"""
SELECT email.id FROM retention_wait JOIN email ON email.id = retention_wait.email_id
WHERE retention_wait.organisation_id = :o AND retention_wait.email_id > :id AND {_OLD}
ORDER BY retention_wait.email_id LIMIT :most
""")
# What a worker or a person is at in this moment (a lock on the row) waits for the next time.
_ERASE = text(f"""
WITH free AS MATERIALIZED (
  SELECT email.id FROM email WHERE email.id = ANY(:ids) AND ({_STAYS}) IS NULL FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE email_content SET skeleton = '', cuts = '[]', erased_at = now(), erased_years = :years
FROM free WHERE email_content.email_id = free.id AND erased_at IS NULL RETURNING email_id
""")
_KEEP_LOOKING = text("""
INSERT INTO retention_wait (email_id, organisation_id)
SELECT email_id, :o FROM email_content WHERE email_id = ANY(:ids) AND erased_at IS NULL ON CONFLICT DO NOTHING
""")
_REPORTS = text("""
UPDATE inbound_message SET raw = '', summary = summary - 'excerpt', erased_at = now()
WHERE erased_at IS NULL AND id IN (SELECT inbound_message_id FROM delivery_event WHERE email_id = ANY(:ids))
""")
_FILES = text("""
INSERT INTO leaving_file (sha256) SELECT DISTINCT sha256 FROM attachment WHERE email_id = ANY(:ids)
ON CONFLICT DO NOTHING
""")
_FORESEEN = text(f"""
WITH listed AS MATERIALIZED (
  (SELECT email.id FROM email
   WHERE {_OLD} AND (email.created_at, email.id) > (coalesce(:at, '-infinity'::timestamptz), :id)
   ORDER BY email.created_at, email.id LIMIT :most)
  UNION
  (SELECT email.id FROM retention_wait JOIN email ON email.id = retention_wait.email_id
   WHERE retention_wait.organisation_id = :o AND {_OLD} LIMIT :most)
), old AS (
  SELECT email.id, email.created_at, email.attachment_count, {_STAYS} AS stays
  FROM listed JOIN email ON email.id = listed.id JOIN email_content ON email_content.email_id = email.id
  WHERE erased_at IS NULL
)
SELECT stays, count(*), sum(attachment_count), min(created_at), max(created_at) FROM old GROUP BY stays
""")


@dataclass(frozen=True)
class Foreseen:
    """What a rule would erase now: how many e-mails with how many attachments, between when and when they were asked
    for, and what stays although it is as old, by why. `more`: only the oldest MOST_COUNTED were looked at."""

    emails: int = 0
    files: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    staying: tuple[tuple[Stays, int], ...] = ()
    more: bool = False


def of(organisation_id: int) -> Retention:
    """The organisation's rule, made where it has none, in the caller's transaction."""
    made = insert(Retention).values(organisation_id=organisation_id).on_conflict_do_nothing()
    db.session.execute(made)
    return db.session.get_one(Retention, organisation_id)


def known(organisation_id: int) -> Retention:
    """The same for who only looks: nothing is written."""
    found = db.session.get(Retention, organisation_id)
    return found or Retention(organisation_id=organisation_id, years=DEFAULT_YEARS, reached_id=0, erased_count=0)


def foresee(organisation_id: int, years: int) -> Foreseen:
    """What a rule of so many years would erase if it held now, in one statement."""
    rule = known(organisation_id)
    asked = {"o": organisation_id, "years": years, "at": rule.reached_at, "id": rule.reached_id, "most": MOST_COUNTED}
    rows = db.session.execute(_FORESEEN, asked).all()
    goes = next((row for row in rows if row[0] is None), None)
    staying = tuple((one, row[1]) for one in Stays for row in rows if row[0] == one.value)
    more = sum(row[1] for row in rows) >= MOST_COUNTED
    return Foreseen(*goes[1:], staying, more) if goes else Foreseen(staying=staying, more=more)


def change(organisation_id: int, years: int) -> bool:
    """Say how long from now on; a shorter rule erases nothing for a day (NOTICE). The caller commits. Returns whether
    it changed; waits for a batch that is being erased."""
    rule = _held_or_new(organisation_id)
    if years not in YEARS or rule.years == years:
        return False
    if years < rule.years:
        rule.effective_at = max(rule.effective_at, _now() + NOTICE)
    rule.years = years
    return True


def forget(organisation_id: int) -> None:
    """Look at all e-mails again the next time: some were put into the past. The caller commits."""
    _held_or_new(organisation_id).reached_at = None


def erase_old(stop: Callable[[], bool] = lambda: False) -> int:
    """Erase what every organisation's rule says, batch by batch, committed; then the files that nothing needs any more.
    Returns how many e-mails were erased."""
    count = 0
    for organisation_id in db.session.scalars(select(Organisation.id).order_by(Organisation.id)).all():
        count += erase(organisation_id, stop)
    leaving_files.leave(stop)
    return count


def erase(organisation_id: int, stop: Callable[[], bool] = lambda: False) -> int:
    """The same for one organisation, its files aside."""
    of(organisation_id)
    db.session.commit()
    count, waits = 0, 0
    while not stop():  # those that had to stay, by id …
        ids, erased = _batch(organisation_id, waits)
        count += erased
        if not ids:
            break
        waits = ids[-1]
    while not stop():  # … and those that became old since
        ids, erased = _batch(organisation_id, None)
        count += erased
        if not ids:
            break
    _tell(organisation_id)
    return count


def _batch(organisation_id: int, waits: int | None) -> tuple[list[int], int]:
    """One transaction: the ids looked at, and how many were erased. `waits`: after that id, those that had to stay."""
    rule = _held(organisation_id)
    if rule.effective_at > _now():
        db.session.rollback()
        return [], 0
    asked: dict[str, Any] = {"o": organisation_id, "years": rule.years, "most": BATCH}
    if waits is None:
        rows = db.session.execute(_NEXT, {**asked, "at": rule.reached_at, "id": rule.reached_id}).all()
        ids = [row[0] for row in rows]
        if rows:
            rule.reached_id, rule.reached_at = rows[-1]
    else:
        ids = list(db.session.scalars(_WAITING, {**asked, "id": waits}))
    erased = _erased(organisation_id, rule, ids) if ids else 0
    db.session.commit()
    return ids, erased


def _erased(organisation_id: int, rule: Retention, ids: Sequence[int]) -> int:
    gone = list(db.session.scalars(_ERASE, {"ids": ids, "years": rule.years}))
    db.session.execute(_KEEP_LOOKING, {"o": organisation_id, "ids": ids})
    if gone:
        reports: Any = db.session.execute(_REPORTS, {"ids": gone})
        db.session.execute(_FILES, {"ids": gone})
        db.session.execute(text("DELETE FROM retention_wait WHERE email_id = ANY(:ids)"), {"ids": gone})
        rule.erased_count += len(gone)
        rule.untold_emails += len(gone)
        rule.untold_reports += reports.rowcount
        rule.last_erased_at = _now()
    return len(gone)


def _tell(organisation_id: int) -> None:
    """A line of the log about what was erased since the last one."""
    rule = _held(organisation_id)
    if rule.untold_emails:
        audit.note(
            AuditAction.CONTENT_ERASED, organisation_id=organisation_id, emails=rule.untold_emails,
            reports=rule.untold_reports, years=rule.years,
        )  # fmt: skip
        rule.untold_emails = rule.untold_reports = 0
    db.session.commit()


def _held(organisation_id: int) -> Retention:
    locked = select(Retention).where(Retention.organisation_id == organisation_id).with_for_update()
    return db.session.scalars(locked.execution_options(populate_existing=True)).one()


def _held_or_new(organisation_id: int) -> Retention:
    of(organisation_id)
    return _held(organisation_id)


def _now() -> datetime:
    """The database's clock."""
    return db.session.scalars(text("SELECT now()")).one()  # type: ignore[call-overload, no-any-return]
