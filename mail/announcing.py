"""Tell whoever listens: what changes an e-mail's status writes, in the same transaction, the news for its webhooks.

Rows alone, and none where the organisation has no endpoint; sending them is the webhooks package's. News is written
when the status really changes, so a fact that repeats one, or loses to a better one, announces nothing.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from extensions import on_commit, ring
from models.words import Status

# Parts of tracking.RECORD's WITH. `heard` locks the e-mails that somebody listens to, so that the status before is
# exact though two reports come at once; where nobody does, it is one look at a small table.
HEARD = """
heard AS MATERIALIZED (
  SELECT email.id, email.status FROM email
  WHERE EXISTS (SELECT FROM webhook_endpoint WHERE off_at IS NULL)
    AND email.id IN (SELECT email_id FROM incoming)
    AND email.organisation_id = ANY (ARRAY(SELECT organisation_id FROM webhook_endpoint WHERE off_at IS NULL))
  ORDER BY email.id FOR NO KEY UPDATE OF email
)"""
ANNOUNCED = """
announced AS (
  INSERT INTO webhook_delivery (organisation_id, endpoint_id, email_id, type, reason, occurred_at)
  SELECT raised.organisation_id, endpoint.id, raised.id, 'email.' || raised.status, raised.reason,
         raised.status_occurred_at
  FROM raised JOIN webhook_endpoint AS endpoint ON endpoint.organisation_id = raised.organisation_id
    AND endpoint.off_at IS NULL AND 'email.' || raised.status = ANY (endpoint.types)
  WHERE raised.status_before <> raised.status
)"""
# A condition for the statement that makes a mailing: whether somebody wants to hear of it.
LISTENED = f"""EXISTS (
  SELECT FROM webhook_endpoint
  WHERE organisation_id = :o AND off_at IS NULL AND 'email.{Status.REQUESTED.value}' = ANY (types)
)"""


def requested(connection: Connection, mailing_id: int) -> None:
    """Announce every e-mail of a new mailing, in one statement of the caller's transaction."""
    connection.execute(
        text(
            "INSERT INTO webhook_delivery (organisation_id, endpoint_id, email_id, type, occurred_at) "
            "SELECT email.organisation_id, endpoint.id, email.id, 'email.' || email.status, email.created_at "
            "FROM email JOIN webhook_endpoint AS endpoint ON endpoint.organisation_id = email.organisation_id "
            "AND endpoint.off_at IS NULL AND 'email.' || email.status = ANY (endpoint.types) "
            "WHERE email.mailing_id = :mailing ORDER BY email.id"
        ),
        {"mailing": mailing_id},
    )
    on_commit(lambda: ring("deliver_webhooks", "work"))
