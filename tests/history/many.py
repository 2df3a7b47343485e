"""Any number of e-mails full of what spreadsheets trip over, made by the server itself, and what each row must say.

Everything follows from the row's number, 0 being the newest, so that a file of a million rows can be checked cell by
cell without a second look at the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from extensions import db
from i18n import _
from models.words import EmailType, Reason, Status
from tests.conftest import House

TEXTS = (
    "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1;1)", "\t=1+1", "\r=1+1", "\n=1+1", "＝1+1", "＋1", "－1", "＠A1",
    '=HYPERLINK("http://evil.example";"clic")', "=DDE(\"cmd\";\"/C calc\";\"A0\")", "'=1+1", "''", '"', '""";=1+1;"',
    "a;b,c\td | e", "une\nligne\r\net deux", "Été à Noël – œuvre €", "Ça coûte 12,50 €, n’est-ce pas ?",
    "عنوان الرسالة",
    "👩🏽‍🎓 bravo", "<r><t>x</t></r>", "_x0041_ &amp; &#61;", "{=1+1}", "http://x.example/=1", "Zoé Lœtitia Żółć ﬁn",
    "Convocation : Sécurité incendie",
)  # fmt: skip
NEWEST, STEP = datetime(2026, 11, 22, 9, 14, tzinfo=UTC), timedelta(minutes=7)
FEW, FEWER = 5_000, 500  # addresses; contacts, and sessions
_BEFORE = ("", "=", "+", "-", "@")
_TYPES = ("convocation", "free", "invoice.new", "order.shipped")
_STATUSES = tuple(Status)
_LEFT = (Status.SENT, Status.DELIVERED, Status.OPENED, Status.UNDELIVERABLE)
_WITH_FILES = 10  # one e-mail in so many

_FILL = """
INSERT INTO address (organisation_id, address, name, domain)
SELECT :house, (CAST(:before AS text[]))[1 + i % 5] || 'p' || i || '@x.example',
  (CAST(:texts AS text[]))[1 + i % :k] || ' ' || i, 'x.example' FROM generate_series(0, :few - 1) i;
INSERT INTO contact (organisation_id, public_id, kind, first_name, last_name, name, email, sort_name)
SELECT :house, 'C-' || i, 'learner', '', 'x', (CAST(:texts AS text[]))[1 + i % :k] || ' ' || i, '', 'x'
FROM generate_series(0, :fewer - 1) i;
INSERT INTO training_session (organisation_id, public_id, state, title)
SELECT :house, 'S-' || i, 'planned', (CAST(:texts AS text[]))[1 + i % :k] || ' ' || i
FROM generate_series(0, :fewer - 1) i;
INSERT INTO blob (sha256, size, media_type) VALUES (repeat('a', 64), 1, 'application/pdf') ON CONFLICT DO NOTHING;
INSERT INTO email (organisation_id, public_id, address_id, contact_id, training_session_id, sender_id, requested_by_id,
  type, subject, status, reason, attachment_count, created_at, sent_at, updated_at, marks)
SELECT :house, 'E-' || lpad(n::text, 8, '0'), a.id, c.id, s.id, :sender, :person,
  (CAST(:types AS text[]))[1 + n % 4], (CAST(:texts AS text[]))[1 + n % :k] || ' ' || n, status,
  CASE WHEN status IN ('undeliverable', 'failed') THEN 'mailbox_full' END,
  CASE WHEN n % :with_files = 0 THEN 2 ELSE 0 END, at,
  CASE WHEN status = ANY (CAST(:left AS text[])) THEN at + interval '1 minute' END, at + interval '2 minutes', 0
FROM (SELECT n, CAST(:newest AS timestamptz) - n * CAST(:step AS interval) AS at,
  (CAST(:statuses AS text[]))[1 + n % :outcomes] AS status FROM generate_series(0, :rows - 1) n) x
JOIN address a ON a.organisation_id = :house
  AND a.address = (CAST(:before AS text[]))[1 + (n % :few) % 5] || 'p' || (n % :few) || '@x.example'
LEFT JOIN contact c ON c.organisation_id = :house AND n % 3 > 0 AND c.public_id = 'C-' || n % :fewer
LEFT JOIN training_session s ON s.organisation_id = :house AND n % 2 > 0 AND s.public_id = 'S-' || n % :fewer
ORDER BY n DESC;
INSERT INTO attachment (email_id, position, sha256, filename)
SELECT e.id, p, repeat('a', 64),
  CASE p WHEN 1 THEN (CAST(:texts AS text[]))[1 + substr(e.public_id, 3)::int % :k] ELSE 'b' END || '.pdf'
FROM email e, generate_series(1, 2) p WHERE e.organisation_id = :house AND e.attachment_count > 0;
ANALYZE address, contact, training_session, email, attachment
"""


def fill(house: House, rows: int) -> None:
    """Give `house`, which has none, so many e-mails, committed."""
    values = {
        "house": house.id, "sender": house.sender.id, "person": house.staff.id, "texts": list(TEXTS), "k": len(TEXTS),
        "before": list(_BEFORE), "few": FEW, "fewer": FEWER, "types": list(_TYPES), "rows": rows, "newest": NEWEST,
        "statuses": [str(s.value) for s in _STATUSES], "outcomes": len(_STATUSES), "step": STEP,
        "left": [str(s.value) for s in _LEFT], "with_files": _WITH_FILES,
    }  # fmt: skip
    for statement in _FILL.split(";\n"):
        db.session.execute(text(statement), {n: v for n, v in values.items() if f":{n}" in statement})
    db.session.commit()


def rows_for_people(house: House, rows: int, zone: str) -> Iterator[list[Any]]:
    """What a spreadsheet must show beneath the head row, newest first: texts, moments of that zone, numbers. (In a
    workbook what begins with <r> has an apostrophe too: see history.workbook.)"""
    types = [_(EmailType(one).label) if one in EmailType._value2member_map_ else one for one in _TYPES]
    statuses, reason, place = [_(one.label) for one in _STATUSES], _(Reason.MAILBOX_FULL.label), ZoneInfo(zone)
    sender, person = guarded(house.sender.address), guarded(house.staff.name)
    for n in range(rows):
        status, at = n % len(_STATUSES), NEWEST - n * STEP
        i, j, files = n % FEW, n % FEWER, n % _WITH_FILES == 0

        def local(moment: datetime) -> datetime:
            return moment.astimezone(place).replace(tzinfo=None)

        yield [
            f"E-{n:08d}", local(at), local(at + timedelta(minutes=1)) if _STATUSES[status] in _LEFT else "",
            local(at + timedelta(minutes=2)), types[n % 4], guarded(f"{_BEFORE[i % 5]}p{i}@x.example"), named(i),
            f"C-{j}" if n % 3 else "", named(j) if n % 3 else "", f"S-{j}" if n % 2 else "", named(j) if n % 2 else "",
            named(n), 2 if files else 0, guarded(f"{TEXTS[n % len(TEXTS)]}.pdf | b.pdf") if files else "",
            statuses[status], reason if _STATUSES[status] in (Status.UNDELIVERABLE, Status.FAILED) else "", sender,
            person,
        ]  # fmt: skip


def named(n: int) -> str:
    return guarded(f"{TEXTS[n % len(TEXTS)]} {n}")


def guarded(cell: str) -> str:
    """On one line, an apostrophe before what a spreadsheet might take for a formula."""
    line = cell.replace("\r", " ").replace("\n", " ")
    return f"'{line}" if cell[:1] in tuple("=+-@\t\r\n'＝＋－＠") else line
