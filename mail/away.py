"""Which servers cannot be reached, and since when: noted by drains, read beside every page (history.trouble).

Only a note for people: nothing is decided by it, so the database being away as well is no error here.
"""

from __future__ import annotations

import contextlib
import logging

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mail.claims import engine

log = logging.getLogger("sillage.send")
HOUSE = 0
# Tries grow four hours apart: a failure after longer than that is another story, with another beginning.
_STORY = "interval '5 hours'"
_LOST = f"""
INSERT INTO server_away AS away (account_id, words) VALUES (%(account)s, %(words)s)
ON CONFLICT (account_id) DO UPDATE SET words = excluded.words, seen_at = now(),
  since = CASE WHEN away.seen_at < now() - {_STORY} THEN now() ELSE away.since END"""
_BACK = "DELETE FROM server_away WHERE account_id = %(account)s"


class Away:
    """One drain's notes: at most one statement for each account that answers, one for each try that fails."""

    def __init__(self) -> None:
        self._answering: set[int] = set()

    def lost(self, account_id: int | None, words: str) -> None:
        """No session could be opened with that account's server (None: the house's); `words` say why."""
        self._answering.discard(account_id or HOUSE)
        self._note(_LOST, account_id, words.replace("\x00", "\ufffd")[:500])

    def back(self, account_id: int | None) -> None:
        """A session was opened."""
        if (account_id or HOUSE) not in self._answering:
            self._answering.add(account_id or HOUSE)
            self._note(_BACK, account_id)

    @staticmethod
    def _note(statement: str, account_id: int | None, words: str = "") -> None:
        try:
            with contextlib.closing(engine().connect()) as connection:
                connection.exec_driver_sql(statement, {"account": account_id or HOUSE, "words": words})
        except (DBAPIError, PoolTimeout) as error:
            log.warning("not noted whether the server answers: %s", type(error).__name__)
