"""E-mails with their bytes and facts into the database by COPY, as the house would have written them.

A chunk of lines is made here while the chunk before is taken in by PostgreSQL over a connection of its own.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Queue
from typing import Any

import psycopg
from markupsafe import escape
from sqlalchemy import select, text

from extensions import db
from mail import mime, outbox
from mail.compose import Draft, File
from models import Address, Contact, Organisation, Sender, TrainingSession, User
from models.words import QueueState, Role
from seeds.stories import Story, cell

_NULL = "\\N"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
CHUNK = 5000
_TABLES = {
    "email": "id, organisation_id, public_id, address_id, contact_id, training_session_id, sender_id, "
    "requested_by_id, type, subject, attachment_count, open_measured, created_at, updated_at, sent_at, status, reason, "
    "status_rank, status_occurred_at, status_source, status_event_id, marks",
    "email_content": "email_id, skeleton, cuts, sha256, size, smtputf8",
    "attachment": "email_id, position, filename, sha256",
    "delivery_event": "organisation_id, email_id, kind, source, source_event_id, occurred_at, recorded_at, reason, "
    "attempt, smtp_code, enhanced_code, diagnostic, remote_host, data",
    "outbox_entry": "email_id, organisation_id, sender_id, recipient, priority, state, attempt_count, next_attempt_at, "
    "give_up_at",
}


@dataclass(frozen=True)
class Plan:
    """One e-mail to be: its draft, when it was requested, what became of it."""

    draft: Draft
    address_id: int
    created: datetime
    story: Story
    stretch: float = 1.0


@dataclass
class _Chunk:
    lines: dict[str, list[str]] = field(default_factory=lambda: {table: [] for table in _TABLES})


class Loader:
    """Writes plans for one organisation; use it as a context, so that the last chunk is in when it ends."""

    def __init__(self, organisation: Organisation, sender: Sender, by: User | None) -> None:
        self._of, self._sender, self._by = organisation, sender, by
        self._chance = random.Random()  # public ids differ from run to run
        self._queue: Queue[_Chunk | None] = Queue(maxsize=2)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._write, name="seed-writer")
        self._connection = db.engine.raw_connection()
        asked_by = cell(json.dumps({"by": by.name})) if by else _NULL
        self._requested = "\t".join([*[_NULL] * 6, asked_by])  # the last columns of the first fact

    def __enter__(self) -> Loader:
        self._thread.start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._queue.put(None)
        self._thread.join()
        self._connection.invalidate()
        if error is None and self._failure:
            raise self._failure

    def write(self, plans: Sequence[Plan], progress: Callable[[int], None] = lambda count: None) -> None:
        """Queue these e-mails, a chunk after another."""
        for start in range(0, len(plans), CHUNK):
            some = plans[start : start + CHUNK]
            if self._failure:
                raise self._failure
            self._queue.put(self._chunk(some))
            progress(len(some))

    def _chunk(self, plans: Sequence[Plan]) -> _Chunk:
        ids = db.session.execute(
            text("SELECT nextval(pg_get_serial_sequence('email', 'id')) FROM generate_series(1, :n)"), {"n": len(plans)}
        ).scalars()
        db_ids = list(ids)
        db.session.rollback()
        chunk = _Chunk()
        for email_id, plan in zip(db_ids, plans, strict=True):
            self._lines(chunk.lines, email_id, plan)
        return chunk

    def _lines(self, lines: dict[str, list[str]], email_id: int, plan: Plan) -> None:
        draft, story, organisation_id = plan.draft, plan.story, self._of.id
        measured = self._of.track_opens and bool(draft.html)
        frozen = mime.freeze(
            draft, self._sender, message_id=outbox.message_id(email_id, self._sender),
            pixel_url=outbox.pixel_url(email_id) if measured else None, date=plan.created,
        )  # fmt: skip
        start = plan.created.timestamp()
        times = [_stamp(start + delay * plan.stretch) for delay, _before, _after in story.rows]
        folded = story.folded
        public_id = "E-" + "".join(self._chance.choices(_ALPHABET, k=12))
        _delay, winner, _after = story.rows[story.winner]
        _kind, source, event_id = winner.split("\t")
        files = len(draft.files)
        lines["email"].append(
            f"{email_id}\t{organisation_id}\t{public_id}\t{plan.address_id}\t{_or_null(draft.contact_id)}\t"
            f"{_or_null(draft.training_session_id)}\t{self._sender.id}\t{self._by.id if self._by else _NULL}\t"
            f"{draft.type}\t{cell(draft.subject)}\t{files}\t{'t' if measured else 'f'}\t{times[0]}\t"
            f"{max(times)}\t{times[story.left] if story.left is not None else _NULL}\t{folded.status.value}\t"
            f"{folded.reason.value if folded.reason else _NULL}\t{story.rank}\t{times[story.winner]}\t{source}\t"
            f"{event_id}\t{int(folded.marks)}\n"
        )
        lines["email_content"].append(
            f"{email_id}\t\\\\x{frozen.skeleton.hex()}\t{json.dumps(frozen.cuts)}\t{frozen.sha256}\t{frozen.size}\t"
            f"{'t' if frozen.smtputf8 else 'f'}\n"
        )
        for position, file in enumerate(draft.files, 1):
            lines["attachment"].append(f"{email_id}\t{position}\t{cell(file.filename)}\t{file.sha256}\n")
        for number, (at, (_delay, before, after)) in enumerate(zip(times, story.rows, strict=True)):
            told = after if number else self._requested
            lines["delivery_event"].append(f"{organisation_id}\t{email_id}\t{before}\t{at}\t{at}\t{told}\n")
        if story.waits:
            soon = _stamp(datetime.now(UTC).timestamp() + 6 * 3600 * (0.5 + self._chance.random()))
            give_up = _stamp(start + outbox.GIVE_UP_AFTER.total_seconds())
            recipient = mime.wire_address(draft.recipient)[0]
            lines["outbox_entry"].append(
                f"{email_id}\t{organisation_id}\t{self._sender.id}\t{cell(recipient)}\t1\t{QueueState.WAITING.value}\t1\t"
                f"{soon}\t{give_up}\n"
            )

    def _write(self) -> None:
        """The other thread: COPY each chunk in a transaction of its own."""
        connection: psycopg.Connection[Any] = self._connection.driver_connection  # type: ignore[assignment]
        try:
            cursor = connection.cursor()
            cursor.execute("SET synchronous_commit = off")
            if cursor.execute("SELECT usesuper FROM pg_user WHERE usename = current_user").fetchone() == (True,):
                # every reference was just looked up: a check for each row would take as long as the rows
                cursor.execute("SET session_replication_role = replica")
            connection.commit()
            while (chunk := self._queue.get()) is not None:
                if self._failure is not None:
                    continue
                self._copy(cursor, chunk)
                connection.commit()
        except BaseException as error:
            self._failure = error
            while self._queue.get() is not None:
                pass

    @staticmethod
    def _copy(cursor: psycopg.Cursor[Any], chunk: _Chunk) -> None:
        for table, lines in chunk.lines.items():
            if lines:
                with cursor.copy(f"COPY {table} ({_TABLES[table]}) FROM STDIN") as copy:
                    for start in range(0, len(lines), 500):
                        copy.write("".join(lines[start : start + 500]))


def _or_null(value: int | None) -> str:
    return _NULL if value is None else str(value)


def _stamp(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat()


def letter_of(
    organisation: Organisation, to: Contact, at: datetime, run: TrainingSession | None, subject: str, words: str,
    files: tuple[File, ...], story: Story,
) -> None:  # fmt: skip
    """Keep one free e-mail to that person, as the house's staff wrote it `at`, with what became of it."""
    sender = db.session.scalars(select(Sender).where(Sender.organisation_id == organisation.id)).one()
    by = db.session.scalars(
        select(User).where(User.organisation_id == organisation.id, User.role == Role.STAFF)
    ).one()  # fmt: skip
    known = select(Address).where(
        Address.organisation_id == organisation.id, Address.address == to.email, Address.name == to.name
    )
    address = db.session.scalar(known)
    if address is None:
        domain = to.email.rpartition("@")[2]
        address = Address(organisation_id=organisation.id, address=to.email, name=to.name, domain=domain)
        db.session.add(address)
        db.session.flush()
    html = "".join(f"<p>{escape(line)}</p>" for line in words.splitlines() if line)
    draft = Draft(to.email, to.name, to.id, run.id if run else None, "free", subject, html, words, files)
    db.session.commit()
    with Loader(organisation, sender, by) as loader:
        loader.write([Plan(draft, address.id, at, story)])
