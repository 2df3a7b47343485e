"""Waiting e-mails by the ten thousand, made in the database: what claims and fairness are tried on."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from extensions import db
from models import Sender

# They have bytes to send but no row of history: whoever claims them asks for no more.
_CONTENT = """
INSERT INTO email_content (email_id, skeleton, cuts, sha256, size, smtputf8)
SELECT :first + n, 'Subject: x', '[]', '', 10, false FROM generate_series(1, :count) AS n"""
_ENTRIES = """
INSERT INTO outbox_entry (email_id, organisation_id, sender_id, recipient, priority, state, next_attempt_at, give_up_at)
SELECT :first + n, :o, :sender, 'p' || n || '@' || (CAST(:domains AS text[]))[1 + n % :ways], :priority, 'waiting',
  now() - make_interval(secs => :age), now() + interval '2 days'
FROM generate_series(1, :count) AS n"""


def queue(
    house, count: int, *, sender: Sender | None = None, domains: Sequence[str] = ("bulk.example",), priority: int = 1,
    age: float = 60.0,
) -> None:  # fmt: skip
    """`count` e-mails of a house, due since `age` seconds, to these domains in turn; committed."""
    first = db.session.scalar(text("SELECT coalesce(max(email_id), 1000000) FROM outbox_entry"))
    values = {
        "first": first, "count": count, "o": house.id, "sender": (sender or house.sender).id, "domains": list(domains),
        "ways": len(domains), "priority": priority, "age": age,
    }  # fmt: skip
    # the foreign keys to the e-mails themselves are not looked at
    db.session.execute(text("SET LOCAL session_replication_role = replica"))
    for statement in (_CONTENT, _ENTRIES):
        db.session.execute(text(statement), values)
    db.session.commit()
