"""Empty tables for the next test.

TRUNCATE makes the files of every table and index anew, some 350 of them, which takes longer than half of the tests. So
the few rows that most leave are deleted, and the files made anew only when one has grown.
"""

from __future__ import annotations

from sqlalchemy import text

from extensions import db

_EMPTY = text("""
DO $$
DECLARE
  tables regclass[] := array(SELECT oid::regclass FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version');
  one regclass;
BEGIN
  IF (SELECT max(pg_relation_size(every)) FROM unnest(tables) AS every) > 256 * 1024 THEN
    EXECUTE 'TRUNCATE ' || array_to_string(tables, ', ') || ' RESTART IDENTITY CASCADE';
    RETURN;
  END IF;
  EXECUTE 'LOCK TABLE ' || array_to_string(tables, ', ') || ' IN SHARE MODE';  -- who still writes comes to an end
  SET LOCAL session_replication_role = replica;  -- no order to keep, and what a trigger keeps goes, too
  FOREACH one IN ARRAY tables LOOP
    EXECUTE 'DELETE FROM ' || one;
  END LOOP;
  PERFORM setval(format('%I.%I', schemaname, sequencename), start_value, false)
    FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
""")


def empty() -> None:
    """Delete every row and begin every number again; committed."""
    db.session.execute(_EMPTY)
    db.session.commit()
