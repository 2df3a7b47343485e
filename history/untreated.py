"""What nobody has dealt with: failures and uncertain e-mails, by cause (reason × operator), soonest session first.

Read along ix_email_untreated, the newest MOST at most, so that ten years of neglect cost what ten days do; `whole` says
when that was not all. What a person or the calendar decided (silent reasons) never counts, nor an e-mail that was sent
again: the resend stands for it, and is listed itself if it fails. Marking as dealt with is mail.treating's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import text

from extensions import db
from models.words import EmailType, Mark, Reason, Status

MOST = 5_000
GROUPS = 30
FEW = 5  # rows of each group on the page of all groups
MANY = 200  # rows of a group on its own page
RATED = 20_000  # e-mails of the week that the operators' rates are taken from
UNCERTAIN = Status.UNCERTAIN.value
SILENT = ", ".join(f"'{reason.value}'" for reason in Reason if reason.silent)
# Trouble on our own side of the line has no operator.
_OWN_SIDE = f"'{Reason.SENDER_REJECTED.value}', '{Reason.NOT_PREPARED.value}'"
_FAILING = "status IN ('undeliverable', 'failed')"
COUNTS = f"coalesce(email.reason, '') NOT IN ({SILENT})"
NO_COPY = f"(again.marks & {Mark.OWN_COPY.value}) = 0"
# Some resend of it, or of its resends, is on its way, arrived, or failed in its turn and is listed itself; one that was
# cancelled stands for nothing. The bit spares the look. A copy that somebody sent to themselves is no resend.
CARRIED_ON = f"""((email.marks & {Mark.RESENT.value}) <> 0 AND EXISTS (
  WITH RECURSIVE later AS (
    SELECT again.id, again.status, again.reason FROM email AS again
    WHERE again.resend_of_id = email.id AND {NO_COPY}
    UNION SELECT again.id, again.status, again.reason FROM email AS again JOIN later ON again.resend_of_id = later.id
    WHERE {NO_COPY}
  ) SELECT FROM later WHERE coalesce(reason, '') NOT IN ({SILENT})))"""
_READ = """id, public_id, created_at, updated_at, type, subject, status, reason, status_occurred_at, contact_id,
    address_id, training_session_id, marks, requested_by_id"""


def _walked(most: str) -> str:
    return f"""
  (SELECT {_READ} FROM email WHERE organisation_id = :o AND treated_at IS NULL AND {_FAILING}
   ORDER BY created_at DESC, id DESC LIMIT {most})
  UNION ALL
  (SELECT {_READ} FROM email
   WHERE organisation_id = :o AND status = '{UNCERTAIN}' AND treated_at IS NULL LIMIT {most})"""


def counted(among: int, most: int) -> str:
    """SQL of the ids of organisation `:o`'s e-mails to be dealt with, `most` at most of the newest `among`: in the
    order of a walk and stopping there, for the navigation of every page. Its numbers are written out: see at_most()."""
    return (
        f"SELECT id FROM ({_walked(str(int(among)))}) AS email WHERE {COUNTS} AND NOT {CARRIED_ON} LIMIT {int(most)}"
    )


_CAUSE = f"CASE WHEN email.status = '{UNCERTAIN}' THEN '{UNCERTAIN}' ELSE coalesce(email.reason, 'unknown') END"

_LISTED = f"""
WITH walked AS MATERIALIZED ({_walked(':most')}), listed AS MATERIALIZED (
  SELECT email.id, email.public_id, email.created_at, email.updated_at, email.type, email.subject, email.status,
         email.reason, email.status_occurred_at, email.contact_id, address.address, address.name AS recipient,
         {_CAUSE} AS cause,
         CASE WHEN {_CAUSE} IN ({_OWN_SIDE}) THEN '' ELSE address.domain END AS domain,
         training.public_id AS session_id, training.title AS session_title, training.starts_on,
         CASE WHEN training.state = 'planned' AND training.starts_on >= :today THEN training.starts_on END AS soon,
         email.marks & {Mark.RESENT.value} <> 0 AS resent
  FROM walked AS email JOIN address ON address.id = email.address_id
  LEFT JOIN training_session AS training ON training.id = email.training_session_id
  WHERE {COUNTS} AND NOT {CARRIED_ON} AND (CAST(:mine AS bigint) IS NULL OR email.requested_by_id = :mine)
)"""
_PAGE = f"""{_LISTED}, groups AS (
  SELECT cause, domain, count(*) AS count, min(soon) AS soonest, max(status_occurred_at) AS latest,
         count(*) FILTER (WHERE status_occurred_at > now() - interval '24 hours') AS fresh,
         row_number() OVER (ORDER BY min(soon) NULLS LAST, count(*) DESC, max(status_occurred_at) DESC) AS place,
         count(*) OVER () AS groups, sum(count(*)) OVER () AS total,
         sum(count(*) FILTER (WHERE status_occurred_at > now() - interval '24 hours')) OVER () AS all_fresh
  FROM listed WHERE (CAST(:cause AS text) IS NULL OR (cause, domain) = (:cause, CAST(:domain AS text)))
  GROUP BY cause, domain
), placed AS (
  SELECT listed.*, groups.count, groups.fresh, groups.soonest, groups.place, groups.groups, groups.total,
         groups.all_fresh,
         row_number() OVER (PARTITION BY listed.cause, listed.domain
                            ORDER BY soon NULLS LAST, status_occurred_at DESC, id DESC) AS nth
  FROM listed JOIN groups ON (groups.cause, groups.domain) = (listed.cause, listed.domain)
  WHERE groups.place <= :groups
)
SELECT placed.*, contact.public_id AS contact, contact.name, contact.phone, (SELECT count(*) FROM walked) AS walked
FROM placed LEFT JOIN contact ON contact.id = placed.contact_id
WHERE nth <= :rows ORDER BY place, nth"""
_RATES = f"""
WITH week AS MATERIALIZED (
  SELECT address_id, {_FAILING} AS refused FROM email
  WHERE organisation_id = :o AND created_at > now() - interval '7 days' AND {COUNTS}
    AND status NOT IN ('requested', '{UNCERTAIN}')
  ORDER BY created_at DESC, id DESC LIMIT :rated
)
SELECT domain, count(*) FILTER (WHERE refused) AS refused, count(*) AS sent, (SELECT count(*) FROM week) AS walked
FROM week JOIN address ON address.id = week.address_id
WHERE address.domain = ANY(:domains) GROUP BY domain"""
_IDS = f"""{_LISTED}
SELECT id FROM listed WHERE cause = :cause AND domain = :domain AND updated_at <= :seen"""


@dataclass(frozen=True)
class Failed:
    """One e-mail that somebody has to look at, and whom to call. `soon` is its session's start, where still to come."""

    public_id: str
    at: datetime  # when it failed
    type: str
    subject: str
    status: Status
    address: str
    name: str
    contact: str | None
    phone: str
    session_id: str | None
    session_title: str
    starts_on: date | None
    soon: date | None
    resent: bool
    reason: Reason | None = None

    @property
    def type_label(self) -> str:
        """The type's French label (a message id), or a program's own word."""
        return EmailType(self.type).label if self.type in EmailType._value2member_map_ else self.type


class Rate(NamedTuple):
    """Of what left for an operator in seven days, how much was refused; `whole` is false where that was too much to
    look through and only the newest RATED e-mails of the organisation count."""

    refused: int
    sent: int
    whole: bool


@dataclass
class Cause:
    """E-mails that failed for one reason at one operator: one problem. `reason` is None for uncertain e-mails,
    `domain` empty for trouble on our own side."""

    key: str
    domain: str
    count: int
    soonest: date | None
    rows: list[Failed] = field(default_factory=list)
    rate: Rate | None = None
    fresh: int = 0  # that failed in the last 24 hours

    @property
    def reason(self) -> Reason | None:
        return None if self.key == UNCERTAIN else Reason(self.key)


@dataclass(frozen=True)
class Untreated:
    """The causes, soonest session first; of how many in all; `whole` is false where only the newest MOST were read."""

    causes: list[Cause]
    groups: int
    total: int
    whole: bool
    fresh: int = 0  # of the total, what failed in the last 24 hours


def count(organisation_id: int, most: int) -> int:
    """How many e-mails are to be dealt with, counted up to `most` + 1."""
    return db.session.scalar(
        text(f"SELECT count(*) FROM ({counted(max(MOST, most), most + 1)}) AS counted"), {"o": organisation_id}
    ) or 0  # fmt: skip


def read(
    organisation_id: int, today: date, *, mine: int | None = None, cause: str | None = None, domain: str = "",
    rates: bool = True,
) -> Untreated:  # fmt: skip
    """All causes with their first rows, or one with MANY; `mine` is a user's id: what that person asked for.

    One statement, and one for the operators' rates.
    """
    found = db.session.execute(text(_PAGE), {
        "o": organisation_id, "most": MOST, "today": today, "mine": mine, "cause": cause, "domain": domain,
        "groups": GROUPS, "rows": MANY if cause else FEW,
    }).all()  # fmt: skip
    causes: dict[tuple[str, str], Cause] = {}
    for row in found:
        one = causes.setdefault((row.cause, row.domain), Cause(row.cause, row.domain, row.count, row.soonest,
                                                                  fresh=row.fresh))  # fmt: skip
        one.rows.append(_failed(row))
    if rates:
        _rate(organisation_id, [one for one in causes.values() if one.domain and one.reason])
    first = found[0] if found else None
    return Untreated(
        list(causes.values()), first.groups if first else 0, int(first.total) if first else 0,
        first is None or first.walked < MOST, int(first.all_fresh) if first else 0,
    )  # fmt: skip


def urgent(organisation_id: int, today: date, until: date, since: datetime | None) -> list[Failed]:
    """Those of sessions that start from `today` to `until`, soonest first, MANY at most; that changed after `since`."""
    query = f"""{_LISTED}
    SELECT listed.*, contact.public_id AS contact, contact.name, contact.phone
    FROM listed LEFT JOIN contact ON contact.id = listed.contact_id
    WHERE soon <= :until AND (CAST(:since AS timestamptz) IS NULL OR listed.updated_at > :since)
    ORDER BY soon, listed.id LIMIT :rows"""
    values = {"o": organisation_id, "most": MOST, "today": today, "mine": None, "until": until, "since": since}
    return [_failed(row) for row in db.session.execute(text(query), {**values, "rows": MANY})]


def ids_of(
    organisation_id: int, today: date, cause: str, domain: str, seen: datetime, mine: int | None = None
) -> list[int]:
    """The e-mails of a whole cause as somebody saw it at `seen`: what changed since is not among them."""
    values = {"o": organisation_id, "most": MOST, "today": today, "mine": mine, "cause": cause, "domain": domain}
    return list(db.session.scalars(text(_IDS), {**values, "seen": seen}))


def _failed(row: Any) -> Failed:
    return Failed(
        row.public_id, row.status_occurred_at, row.type, row.subject, Status(row.status), row.address,
        row.name or row.recipient or row.address, row.contact, row.phone or "", row.session_id,
        row.session_title or "", row.starts_on, row.soon, row.resent, Reason(row.reason) if row.reason else None,
    )  # fmt: skip


def _rate(organisation_id: int, causes: Sequence[Cause]) -> None:
    if not causes:
        return
    asked = {"o": organisation_id, "rated": RATED, "domains": sorted({one.domain for one in causes})}
    rates = {
        row.domain: Rate(row.refused, row.sent, row.walked < RATED)
        for row in db.session.execute(text(_RATES), asked)
    }  # fmt: skip
    for one in causes:
        one.rate = rates.get(one.domain)
