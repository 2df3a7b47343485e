"""Databases of a chosen number of e-mails, made by the server itself, the same on every machine.

One organisation holds 60 % of them; a fortieth as many addresses as e-mails; types, outcomes, reasons, files and dates
in usual shares, words and numbers that are rare beside words that stand everywhere. Bodies are left out: no list
reads one. Moments count back from now, everything else follows from the row's number alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from seeds.names import COMPANIES, DOMAINS, FIRST, LAST, LETTERS, TITLES

CHUNK = 500_000
HOUSES = 9
# What the bench asks for by name.
RARE_TYPE, RARE_REASON = "api.rare", "too_late"
_TABLES = ("organisation", "user", "sender", "address", "contact", "training_session", "enrolment", "segment",
           "segment_member", "email", "attachment", "outbox_entry", "delivery_event")  # fmt: skip

# pick(g, salt, n): 0 ≤ … < n, the same for the same numbers; house_of(i): the organisation of an address.
_FUNCTIONS = """
CREATE OR REPLACE FUNCTION pg_temp.pick(g bigint, salt bigint, n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT (hashint8extended(g, salt) & 4503599627370495) % n $$;
CREATE OR REPLACE FUNCTION pg_temp.house(i bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN i % 10 < 6 THEN 1 ELSE 2 + (i / 10 * 4 + i % 10 - 6) % 8 END $$;
"""

_PEOPLE = """
INSERT INTO organisation (id, name, registration) SELECT i, 'Organisme ' || i, '52 44' FROM generate_series(1, 9) i;
INSERT INTO "user" (id, organisation_id, email, name, password_hash, role)
SELECT i, CASE WHEN i <= 10 THEN 1 ELSE i - 9 END, 'person' || i || '@bench.example', 'Person ' || i, '-', 'admin'
FROM generate_series(1, 18) i;
INSERT INTO sender (id, organisation_id, name, address, is_default, return_path, bounce_address)
SELECT i, CASE WHEN i <= 4 THEN 1 ELSE i - 3 END, 'Formation', 'formation' || i || '@bench.example',
  i = 1 OR i > 4, 'verp', 'retours@bench.example'
FROM generate_series(1, 12) i;
INSERT INTO contact (id, organisation_id, public_id, kind, first_name, last_name, name, email, reference, tags, country,
  offer)
SELECT i, pg_temp.house(i), 'C-' || lpad(i::text, 8, '0'), kind, first, last,
  CASE kind WHEN 'company' THEN company || ' ' || i ELSE first || ' ' || last END,
  pg_temp.plain(CASE kind WHEN 'company' THEN 'contact' || i ELSE first || '.' || last || i END) || '@' || domain,
  'R' || lpad(i::text, 7, '0'), CASE WHEN pg_temp.pick(i, 6, 50) = 0 THEN ARRAY['fidèle'] ELSE '{}' END,
  CASE WHEN pg_temp.pick(i, 7, 40) = 0 THEN 'BE' ELSE 'FR' END,
  CASE WHEN pg_temp.pick(i, 8, 10) = 0 THEN 'Or' ELSE '' END
FROM (
  SELECT i, (%(first)s::text[])[1 + pg_temp.pick(i, 1, %(firsts)s)] AS first,
    (%(last)s::text[])[1 + pg_temp.pick(i, 2, %(lasts)s)] AS last,
    (%(company)s::text[])[1 + pg_temp.pick(i, 3, %(companies)s)] AS company,
    CASE WHEN pg_temp.pick(i, 4, 3) = 0 THEN 'entreprise' || pg_temp.pick(i, 9, %(people)s / 20 + 1) || '.example'
      ELSE (%(domain)s::text[])[1 + pg_temp.pick(i, 4, %(domains)s)] END AS domain,
    CASE WHEN k < 80 THEN 'learner' WHEN k < 88 THEN 'company' WHEN k < 92 THEN 'trainer' ELSE 'customer' END AS kind
  FROM (SELECT i, pg_temp.pick(i, 5, 100) AS k FROM generate_series(1::bigint, %(people)s) i) x) y;
UPDATE contact SET sort_name = fold_text(CASE kind WHEN 'company' THEN name ELSE last_name || ' ' || first_name END);
INSERT INTO address (id, organisation_id, address, name, domain)
SELECT id, organisation_id, email, name, split_part(email, '@', 2) FROM contact;
INSERT INTO training_session (id, organisation_id, public_id, reference, title, state, place, starts_on, ends_on)
SELECT i, pg_temp.house(i), 'S-' || lpad(i::text, 8, '0'), 'REF-' || i,
  (%(title)s::text[])[1 + pg_temp.pick(i, 10, %(titles)s)], CASE WHEN at < now() THEN 'finished' ELSE 'planned' END,
  'Nantes', at, at + 1
FROM (SELECT i, (now() - interval '3 years' * (1 - i / (%(sessions)s + 1.0)))::date + 10 AS at
  FROM generate_series(1::bigint, %(sessions)s) i) x;
INSERT INTO enrolment (organisation_id, training_session_id, contact_id)
SELECT DISTINCT s.organisation_id, s.id, c.id
FROM training_session s, generate_series(1, 10) n, contact c
WHERE c.id = 1 + pg_temp.pick(s.id * 16 + n, 11, %(people)s) AND c.organisation_id = s.organisation_id;
INSERT INTO segment (id, organisation_id, public_id, name, rule) VALUES
  (1, 1, 'G-chosen', 'Choisis', NULL), (2, 1, 'G-companies', 'Entreprises', '{"kind": ["company"]}'),
  (3, 1, 'G-learners', 'Apprenants', '{"kind": ["learner"]}'), (4, 1, 'G-tagged', 'Fidèles', '{"tag": ["fidèle"]}'),
  (5, 1, 'G-lately', 'Récents', '{"last_session": {"within": 30}}'),
  (6, 1, 'G-nobody', 'Personne', '{"country": ["ZZ"]}'), (7, 1, 'G-few', 'Trois clients', NULL);
INSERT INTO segment_member SELECT 1, id FROM contact WHERE organisation_id = 1 AND id %% 100 = 1;
INSERT INTO segment_member SELECT 7, id FROM contact WHERE organisation_id = 1 ORDER BY id DESC LIMIT 3;
"""
_PLAIN = """
CREATE OR REPLACE FUNCTION pg_temp.plain(t text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT regexp_replace(fold_text(t), '[^a-z0-9.]+', '', 'g') $$;
"""

# From the number g of an e-mail: when (older first), whose, of what type, what became of it.
_EMAILS = f"""
INSERT INTO email (id, organisation_id, public_id, address_id, contact_id, training_session_id, sender_id,
  requested_by_id, type, subject, attachment_count, created_at, updated_at, sent_at, status, reason, treated_at, marks)
SELECT g, house, 'E-' || lpad(to_hex((g * 679741234567) & 281474976710655), 12, '0'), person,
  CASE WHEN pg_temp.pick(g, 21, 20) > 0 THEN person END, CASE WHEN type <> '{RARE_TYPE}' THEN session END,
  CASE WHEN house > 1 THEN house + 3 WHEN pg_temp.pick(g, 22, 10) < 7 THEN 1 WHEN pg_temp.pick(g, 22, 1000) < 999 THEN 2
    ELSE 3 END,
  CASE WHEN pg_temp.pick(g, 23, 10) < 6 THEN CASE WHEN house = 1 THEN 1 + pg_temp.pick(g, 24, 9) ELSE house + 9 END END,
  type, CASE type WHEN 'invoice' THEN 'Facture FA-' || to_char(at, 'YYYY') || '-' || lpad(g::text, 7, '0')
    WHEN 'welcome_booklet' THEN 'Livret d''accueil' WHEN '{RARE_TYPE}' THEN 'Message du logiciel' ELSE
    (%(subject)s::text[])[k] || (%(title)s::text[])[1 + pg_temp.pick(session, 10, %(titles)s)] END,
  (%(files)s::int[])[k], at, coalesce(at + wait + later, at), at + wait, status,
  CASE status WHEN 'failed' THEN CASE WHEN pg_temp.pick(g, 26, 3000) = 0 THEN '{RARE_REASON}'
      ELSE (ARRAY['user_unknown', 'user_unknown', 'domain_unknown', 'address_syntax', 'cancelled', 'suppressed'])
      [1 + pg_temp.pick(g, 27, 6)] END
    WHEN 'undeliverable' THEN (ARRAY['mailbox_full', 'spam', 'policy', 'unreachable', 'expired', 'too_big'])
      [1 + pg_temp.pick(g, 27, 6)] END,
  CASE WHEN status IN ('failed', 'undeliverable') AND pg_temp.pick(g, 28, 10) < 4 AND g < %(count)s * 0.98
    THEN at + interval '1 day' END,
  CASE WHEN pg_temp.pick(g, 29, 100) = 0 THEN 32 ELSE 0 END
FROM (
  SELECT *, CASE house WHEN 1 THEN greatest(1, twenty * 20 + pg_temp.pick(g, 20, 2) * 10 + pg_temp.pick(g, 15, 6))
      ELSE twenty * 20 + (house - 2) / 4 * 10 + 6 + (house - 2) %% 4 END AS session,
    CASE WHEN k = {len(LETTERS) + 1} THEN '{RARE_TYPE}' ELSE (%(type)s::text[])[k] END AS type,
    CASE WHEN status IN ('requested', 'failed') THEN NULL ELSE interval '1 second' * (2 + pg_temp.pick(g, 31, 50)) END
      AS wait,
    least(interval '1 minute' * pg_temp.pick(g, 32, 2000), now() - at) / 2 AS later
  FROM (SELECT *, pg_temp.house(person) AS house FROM (
    SELECT g, now() - interval '3 years' * (1 - (g - 0.5) / %(count)s) AS at,
      CASE WHEN pg_temp.pick(g, 12, 200) = 0 THEN 1 + pg_temp.pick(g, 13, 20)
        ELSE 1 + pg_temp.pick(g, 14, %(people)s) END AS person,
      least(%(sessions)s - 1, g * %(sessions)s / %(count)s) / 20 AS twenty,
      CASE WHEN pg_temp.pick(g, 16, 50000) = 0 THEN {len(LETTERS) + 1} ELSE
        width_bucket(pg_temp.pick(g, 17, 100), %(sums)s::numeric[]) + 1 END AS k,
      CASE WHEN g > %(count)s - least(500, %(count)s / 100) AND pg_temp.pick(g, 18, 2) = 0 THEN 'requested'
        WHEN s < 4000 THEN 'sent' WHEN s < 7000 THEN 'delivered' WHEN s < 9280 THEN 'opened'
        WHEN s < 9690 THEN 'undeliverable' WHEN s < 9990 THEN 'failed' ELSE 'uncertain' END AS status
    FROM (SELECT g, pg_temp.pick(g, 19, 10000) AS s FROM generate_series(%(start)s::bigint, %(end)s) g) a) b) c) d
"""

_BESIDE = """
INSERT INTO blob (sha256, size, media_type) SELECT encode(sha256(i::text::bytea), 'hex'), 40000 + i, 'application/pdf'
FROM generate_series(1, 500) i;
INSERT INTO attachment (email_id, position, filename, sha256)
SELECT id, 1, initcap(type) || '.pdf', encode(sha256((1 + id % 500)::text::bytea), 'hex')
FROM email WHERE attachment_count > 0;
INSERT INTO outbox_entry (email_id, organisation_id, sender_id, recipient, priority, state, next_attempt_at, give_up_at)
SELECT id, organisation_id, sender_id, 'someone@bench.example', 1, 'waiting', now() + interval '1 hour',
  now() + interval '3 days' FROM email WHERE status = 'requested';
INSERT INTO delivery_event (organisation_id, email_id, kind, source, source_event_id, occurred_at)
SELECT organisation_id, id, kind, 'smtp', kind, created_at FROM email, unnest(ARRAY['requested', 'accepted']) kind
WHERE id > (SELECT max(id) - 1000 FROM email);
"""


@dataclass(frozen=True)
class Index:
    """An index of a table: its name, the statements that drop it and make it, and its size in bytes."""

    name: str
    drop: str
    make: str
    size: int


def indexes(connection: psycopg.Connection, table: str = "email") -> list[Index]:
    """Every index of the table but its primary key's, by name."""
    rows = connection.execute(
        """SELECT c.relname, pg_get_indexdef(i.indexrelid), pg_get_constraintdef(k.oid), pg_relation_size(c.oid)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype = 'u'
        WHERE i.indrelid = %s::regclass AND NOT i.indisprimary ORDER BY 1""",
        [table],
    ).fetchall()
    return [
        Index(name, f"ALTER TABLE {table} DROP CONSTRAINT {name}",
              f"ALTER TABLE {table} ADD CONSTRAINT {name} {unique}", size)
        if unique
        else Index(name, f"DROP INDEX {name}", made, size)
        for name, made, unique, size in rows
    ]  # fmt: skip


def fill(connection: psycopg.Connection, count: int, progress: Callable[[str], None] = lambda said: None) -> None:
    """Fill empty, migrated tables with `count` e-mails (20 or more); the indexes of the large ones are made last."""
    bounds = _bounds(count)
    connection.execute("SET session_replication_role = replica")  # every reference is made to be right
    connection.execute("SET maintenance_work_mem = '1GB'")
    connection.execute("SET synchronous_commit = off")
    prepare(connection)
    connection.execute(_ready(_PEOPLE, bounds))
    connection.commit()
    progress("people and sessions")
    dropped = [(table, index) for table in ("email", "attachment") for index in indexes(connection, table)]
    for _table, index in dropped:
        connection.execute(index.drop)
    for start in range(1, count + 1, CHUNK):
        add(connection, count, start, min(count, start + CHUNK - 1))
        connection.commit()
        progress(f"{min(count, start + CHUNK - 1):,} e-mails")
    connection.execute(_BESIDE)
    connection.commit()
    for _table, index in dropped:
        connection.execute(index.make)
        connection.commit()
        progress(index.name)
    for table in ("organisation", "user", "sender", "contact", "address", "training_session", "segment", "email"):
        connection.execute(
            f"SELECT setval(pg_get_serial_sequence('\"{table}\"', 'id'), (SELECT max(id) FROM \"{table}\"))"
        )
    connection.execute("SET session_replication_role = origin")
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")
    progress("done")


def prepare(connection: psycopg.Connection) -> None:
    """What add() needs in a session."""
    connection.execute(_FUNCTIONS)
    connection.execute(_PLAIN)


def add(connection: psycopg.Connection, count: int, start: int, end: int) -> None:
    """The e-mails numbered start … end of a table of `count`, after prepare()."""
    connection.execute(_ready(_EMAILS, _bounds(count) | {"start": start, "end": end}))


def _bounds(count: int) -> dict[str, object]:
    kinds = list(LETTERS.values())
    sums = [sum(kind[0] for kind in kinds[: place + 1]) for place in range(len(kinds) - 1)]
    return {
        "count": count, "people": max(20, count // 40), "sessions": 20 * (1 + count // 6000),
        "first": list(FIRST), "firsts": len(FIRST), "last": list(LAST), "lasts": len(LAST),
        "company": list(COMPANIES), "companies": len(COMPANIES), "domain": list(DOMAINS), "domains": len(DOMAINS),
        "title": [title for title, _code in TITLES], "titles": len(TITLES),
        "type": list(LETTERS), "subject": [kind[1].replace("{title}", "") for kind in kinds],
        "files": [1 if kind[3] else 0 for kind in kinds] + [0], "sums": sums,
    }  # fmt: skip


def _ready(statements: str, values: dict[str, object]) -> str:
    """The statements with their values written in: several at once take no parameters."""
    with_values = {name: _literal(value) for name, value in values.items()}
    return statements % with_values


def _literal(value: object) -> str:
    if isinstance(value, list):
        return f"ARRAY[{', '.join(_literal(one) for one in value)}]"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
