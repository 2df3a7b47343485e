"""How many e-mails wait to leave, and for what: ready, on the line, to be tried again, planned, uncertain. One
statement, counted up to MOST of each; who sends them and where to is mail.situation's.
"""

from __future__ import annotations

from sqlalchemy import text

from extensions import db
from models.standing import STANDING, Standing
from models.words import Status

MOST = 10_000
_COUNT = f"""
SELECT standing, count(*) FROM (
  SELECT outbox_entry.standing FROM sender CROSS JOIN LATERAL (
    SELECT {STANDING} AS standing FROM outbox_entry WHERE sender_id = sender.id AND state = 'waiting' LIMIT :most
  ) AS outbox_entry WHERE sender.organisation_id = :o
  UNION ALL
  (SELECT '{Standing.SENDING.value}' FROM outbox_entry WHERE state <> 'waiting' AND organisation_id = :o LIMIT :most)
  UNION ALL
  (SELECT '{Standing.UNCERTAIN.value}' FROM email
   WHERE organisation_id = :o AND status = '{Status.UNCERTAIN.value}' LIMIT :most)
) AS waiting GROUP BY standing"""


def counts(organisation_id: int) -> dict[Standing, int]:
    """The e-mails of an organisation by where they stand; those of none are left out."""
    found = {row[0]: row[1] for row in db.session.execute(text(_COUNT), {"o": organisation_id, "most": MOST + 1})}
    return {one: found[one.value] for one in Standing if one.value in found}
