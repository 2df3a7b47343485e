"""record(facts): append what is new, raise the stored status. The only writer of events and of status.

One statement for a batch of any size, inside the caller's transaction: facts already known change nothing, and the
stored status is the maximum of (rank, occurred_at, source, event id, what it says), so neither order nor concurrency
matters. What changed is told to webhooks by mail.announcing's parts of it; mail.quarantine's part enters the addresses
found dead.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from extensions import db
from mail.announcing import ANNOUNCED, HEARD
from mail.fold import LEFT_RANKS, Fact
from mail.quarantine import CONDEMNED
from models.words import MARK_OF_KIND, Mark, Reason, verdict

# What somebody dealt with is to be dealt with again: a failure after that, or one they could not know of.
_SILENT = ", ".join(f"'{reason.value}'" for reason in Reason if reason.silent)
FAILS_AGAIN = f"""best.status IN ('undeliverable', 'failed') AND coalesce(best.reason, '') NOT IN ({_SILENT})
          AND (best.occurred_at > email.treated_at OR email.status NOT IN ('undeliverable', 'failed'))"""

# Parts of a WITH; the outbox puts its own moves beside them so that one statement settles a batch.
RECORD = f"""
incoming AS MATERIALIZED (
  SELECT * FROM unnest(
    %(email_id)s::bigint[], %(kind)s::text[], %(source)s::text[], %(source_event_id)s::text[],
    %(occurred_at)s::timestamptz[], %(reason)s::text[], %(attempt)s::smallint[], %(smtp_code)s::smallint[],
    %(enhanced_code)s::text[], %(diagnostic)s::text[], %(remote_host)s::text[], %(data)s::jsonb[],
    %(inbound_message_id)s::bigint[], %(rank)s::smallint[], %(status)s::text[], %(mark)s::int[]
  ) WITH ORDINALITY AS fact (email_id, kind, source, source_event_id, occurred_at, reason, attempt, smtp_code,
                             enhanced_code, diagnostic, remote_host, data, inbound_message_id, rank, status, mark,
                             place)
), inserted AS (
  INSERT INTO delivery_event (organisation_id, email_id, kind, source, source_event_id, occurred_at, reason, attempt,
                              smtp_code, enhanced_code, diagnostic, remote_host, data, inbound_message_id)
  SELECT email.organisation_id, fact.email_id, kind, source, source_event_id, occurred_at, fact.reason, attempt,
         smtp_code, enhanced_code, diagnostic, remote_host, data, inbound_message_id
  FROM incoming AS fact JOIN email ON email.id = fact.email_id
  ORDER BY place  -- events of one instant are told in the order of their ids
  ON CONFLICT (email_id, source, source_event_id, kind) DO NOTHING
  RETURNING email_id, source, source_event_id, kind
), fresh AS MATERIALIZED (
  SELECT DISTINCT ON (email_id, source, source_event_id, kind) incoming.*
  FROM incoming JOIN inserted USING (email_id, source, source_event_id, kind)
  ORDER BY email_id, source, source_event_id, kind, place
), best AS (
  -- one row an e-mail, its highest new fact beside what all of them say: joining the two would cost a batch its square
  SELECT DISTINCT ON (email_id) email_id, rank, occurred_at, source, source_event_id, status, reason,
    bit_or(mark) OVER of_email AS marks,
    min(occurred_at) FILTER (WHERE rank BETWEEN {LEFT_RANKS[0]} AND {LEFT_RANKS[-1]}) OVER of_email AS left_at
  FROM fresh WINDOW of_email AS (PARTITION BY email_id)
  ORDER BY email_id, rank DESC NULLS LAST, occurred_at DESC, source COLLATE "C" DESC,
    source_event_id COLLATE "C" DESC, status COLLATE "C" DESC, coalesce(reason, '') COLLATE "C" DESC
), {HEARD}, raised AS (
  UPDATE email SET
    marks = email.marks | best.marks,
    sent_at = least(email.sent_at, best.left_at),
    updated_at = clock_timestamp(),
    (status, reason, status_rank, status_occurred_at, status_source, status_event_id, treated_at) = (
      SELECT
        CASE WHEN wins THEN best.status ELSE email.status END,
        CASE WHEN wins THEN best.reason ELSE email.reason END,
        CASE WHEN wins THEN best.rank ELSE email.status_rank END,
        CASE WHEN wins THEN best.occurred_at ELSE email.status_occurred_at END,
        CASE WHEN wins THEN best.source ELSE email.status_source END,
        CASE WHEN wins THEN best.source_event_id ELSE email.status_event_id END,
        CASE WHEN wins AND {FAILS_AGAIN} THEN NULL ELSE email.treated_at END
      FROM (SELECT coalesce(
        (best.rank, best.occurred_at, best.source COLLATE "C", best.source_event_id COLLATE "C",
         best.status COLLATE "C", coalesce(best.reason, '') COLLATE "C")
        > (email.status_rank, email.status_occurred_at, email.status_source COLLATE "C",
           email.status_event_id COLLATE "C", email.status COLLATE "C", coalesce(email.reason, '') COLLATE "C"),
        false) AS wins) AS comparison)
  FROM best LEFT JOIN heard ON heard.id = best.email_id
  WHERE email.id = best.email_id
  RETURNING email.id, email.organisation_id, email.status, email.reason, email.status_occurred_at,
    heard.status AS status_before
), {ANNOUNCED}, {CONDEMNED}"""


def parameters(facts: Sequence[Fact]) -> dict[str, list[Any]]:
    """The arrays that RECORD unnests, one element a fact."""
    said = [verdict(fact.kind, fact.reason, fact.corrected) for fact in facts]
    return {
        "email_id": [fact.email_id for fact in facts],
        "kind": [fact.kind.value for fact in facts],
        "source": [fact.source for fact in facts],
        "source_event_id": [fact.source_event_id for fact in facts],
        "occurred_at": [fact.occurred_at for fact in facts],
        "reason": [fact.reason.value if fact.reason else None for fact in facts],
        "attempt": [fact.attempt for fact in facts],
        "smtp_code": [fact.smtp_code for fact in facts],
        "enhanced_code": [_text(fact.enhanced_code) for fact in facts],
        "diagnostic": [_text(fact.diagnostic) for fact in facts],
        "remote_host": [_text(fact.remote_host) for fact in facts],
        "data": [jsonb(fact.data) if fact.data is not None else None for fact in facts],
        "inbound_message_id": [fact.inbound_message_id for fact in facts],
        "rank": [v.rank if v else None for v in said],
        "status": [v.status.value if v else None for v in said],
        "mark": [int(MARK_OF_KIND.get(fact.kind, Mark(0))) for fact in facts],
    }


def record(facts: Iterable[Fact], connection: Connection | None = None) -> list[int]:
    """Take in news, in the caller's transaction (the session's by default). Facts about unknown e-mails are dropped.

    Returns the ids of the e-mails to which something new happened.
    """
    batch = list(facts)
    if not batch:
        return []
    connection = connection or db.session.connection()
    result = connection.exec_driver_sql(f"WITH {RECORD} SELECT id FROM raised", parameters(batch))
    return [row[0] for row in result]


def jsonb(value: Any) -> str:
    """JSON of what holds a stranger's words, as PostgreSQL's jsonb can keep it: cleaned before it is written, for in
    JSON six letters that somebody wrote look like the NUL that they name."""
    return json.dumps(_cleaned(value))


def kept(words: str) -> str:
    """A stranger's words as PostgreSQL can keep them: no NUL, no lone surrogate."""
    return words.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return kept(value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(one) for key, one in value.items()}
    return [_cleaned(one) for one in value] if isinstance(value, list | tuple) else value


def _text(words: str | None) -> str | None:
    return None if words is None else kept(words)
