"""Files that erased e-mails carried leave the store, one by one, unless something needs them by then.

A file is needed by an attachment of any e-mail that is not erased, by a document, by a logo, by an event that waits to
become an e-mail. It leaves in one transaction that holds its row: whoever stores the same bytes meanwhile waits for
that and keeps them anew (documents.blobs.store); an attachment that names it meanwhile is refused by who adds it
(mail.outbox). Killed at any point, the next run finds it again: a file may outlive its time, never the other way round.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text

from documents import vault
from extensions import db

# The first that is due, held; whoever holds the blob itself (an attachment being added) comes first.
_NEXT = text("""
SELECT leaving_file.sha256, blob.size FROM leaving_file JOIN blob USING (sha256) WHERE leave_after <= now()
ORDER BY leave_after, sha256 LIMIT 1 FOR UPDATE SKIP LOCKED
""")
_NEEDED = text("""
SELECT EXISTS (
    SELECT FROM attachment LEFT JOIN email_content USING (email_id)
    WHERE attachment.sha256 = :sha256 AND email_content.erased_at IS NULL)
  OR EXISTS (SELECT FROM document WHERE document.sha256 = :sha256)
  OR EXISTS (SELECT FROM organisation WHERE logo_sha256 = :sha256)
  OR EXISTS (SELECT FROM blob WHERE blob.sha256 = :sha256 AND in_letters)
  OR EXISTS (SELECT FROM business_event WHERE outcome = 'received'
    AND files @> jsonb_build_array(jsonb_build_object('sha256', CAST(:sha256 AS text))))
""")


def leave(stop: Callable[[], bool] = lambda: False) -> tuple[int, int]:
    """Let go of all whose time has come. Returns how many files left, and their bytes. Raises Temporary where the store
    is away; what is left then leaves the next time."""
    count = size = 0
    while not stop():
        found = db.session.execute(_NEXT).one_or_none()
        if found is None:
            break
        sha256, bytes_ = found
        if not db.session.scalar(_NEEDED, {"sha256": sha256}):
            try:
                vault.delete(sha256)
            except Exception:
                db.session.rollback()
                raise
            db.session.execute(text("UPDATE blob SET erased_at = now() WHERE sha256 = :sha256"), {"sha256": sha256})
            count, size = count + 1, size + bytes_
        db.session.execute(text("DELETE FROM leaving_file WHERE sha256 = :sha256"), {"sha256": sha256})
        db.session.commit()
    db.session.rollback()
    return count, size
