"""post, claim, settle, renew, release, sweep: with mail.claims the only writer of outbox_entry.

The row decides. Only the lease's owner may move an entry, and every move names owner and state. An entry is deleted
once its outcome is known; what happened is in delivery_event, through mail.tracking.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, text

from errors import UserMistake
from extensions import db, on_commit, ring, settings
from mail import announcing, domain_keys, leaving, links, mime, signing, tokens
from mail.claims import Claimed, claim, due, engine  # noqa: F401  callers know them as the outbox's
from mail.compose import Draft
from mail.consent import Consent
from mail.fold import Fact
from mail.own_address import ALL, LEAVE, RECEIPT
from mail.providers import marking
from mail.recipients import of_drafts
from mail.settling import Settlement, settle  # noqa: F401  and these
from mail.tracking import record
from models import Email, Mailing, Organisation, Sender, User
from models.base import public_id
from models.words import N_, EventKind, QueueState, Status

RETRY_DELAYS = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 120, 240))
GIVE_UP_AFTER = timedelta(hours=48)
BULK_FROM = 50  # a mailing of more recipients than this waits behind single e-mails
REQUESTED = "requested"
_FILE_ERASED = N_("Une des pièces jointes a été effacée par la règle de conservation : joignez-la de nouveau.")


def retry_delay(attempt: int) -> timedelta:
    """How long to wait after the attempt of that number (from 1): 1, 5, 15 min, 1, 2, 4, 4 … h."""
    return RETRY_DELAYS[min(attempt, len(RETRY_DELAYS)) - 1]


def post(
    drafts: Sequence[Draft],
    *,
    organisation: Organisation,
    sender: Sender,
    by: User | None,
    request_key: str,
    bulk: bool | None = None,
    resend_of: Email | None = None,
    freeze: Callable[..., mime.Frozen] = mime.freeze,
    send_at: datetime | None = None,
    not_after: datetime | None = None,
) -> list[Email]:
    """Freeze the drafts and put them in the outbox, in the caller's transaction; workers are rung after its commit.

    The same `request_key` again gives the e-mails of the first time: a double click sends once. `freeze` makes the
    bytes (a resend copies those of the first e-mail). Before `send_at` nothing is tried (mail.scheduled.cancel and
    send_now decide otherwise); a moment gone by, like None, means at once. From `not_after` on none is tried.
    What is asked for to an address in quarantine exists, and fails at once with that reason: it is never queued.
    """
    connection = db.session.connection()
    mailing = connection.execute(
        text(
            "INSERT INTO mailing (organisation_id, request_key, requested_by_id) VALUES (:o, :k, :u) "
            f"ON CONFLICT (organisation_id, request_key) DO NOTHING RETURNING id, {announcing.LISTENED}, "
            f"{marking.ASKED}"
        ),
        {"o": organisation.id, "k": request_key, "u": by.id if by else None, "account": sender.account_id},
    ).one_or_none()
    if mailing is None:
        return asked_before(organisation.id, request_key)
    mailing_id, listened, providers, host = mailing
    marked = marking.chosen(providers, host or settings().mail_server)
    now = connection.execute(text("SELECT now()")).scalar_one()
    first_try = max(now, send_at or now)
    ids = connection.execute(
        text("SELECT nextval(pg_get_serial_sequence('email', 'id')) FROM generate_series(1, :n)"), {"n": len(drafts)}
    ).scalars()
    addresses = of_drafts(connection, organisation.id, drafts)
    consent = Consent(connection, organisation, drafts)
    priority = int(len(drafts) > BULK_FROM if bulk is None else bulk)
    copies = _Copies()
    public_ids = []
    held: list[Fact] = []
    signer = domain_keys.signer_of(sender)
    for asked, email_id in zip(drafts, ids, strict=True):
        draft = _addressed(asked, email_id, leaving.may_leave(organisation, asked.type))
        receipt = RECEIPT.place() in asked.text or RECEIPT.place() in asked.html
        if consent.links(draft):
            draft = replace(draft, html=links.rewritten(draft.html, email_id))
        address_id, envelope, held_back = addresses[draft.recipient, draft.name, str(draft.type)]
        content = freeze(
            draft,
            sender,
            message_id=message_id(email_id, sender),
            pixel_url=pixel_url(email_id) if consent.opens(draft) else None,
            date=first_try,
            **({"extra": marking.headers(marked, email_id)} if marked else {}),
        )
        content = signing.stamped(content, signer)
        public_ids.append(public_id("E", 12))
        copies.email.append((
            email_id, organisation.id, public_ids[-1], mailing_id, address_id, draft.contact_id,
            draft.training_session_id, draft.opportunity_id, sender.id, by.id if by else None,
            resend_of.id if resend_of else None, str(draft.type), draft.subject, len(draft.files),
            consent.opens(draft), now, now,
            Status.REQUESTED.value, now, "user", REQUESTED,
        ))  # fmt: skip
        copies.content.append((
            email_id, content.skeleton, json.dumps(content.cuts), content.sha256, content.size, content.smtputf8,
        ))  # fmt: skip
        copies.attachment += [(email_id, n, file.filename, file.sha256) for n, file in enumerate(draft.files, 1)]
        if held_back:
            held.append(held_back(email_id, now))
        else:
            copies.outbox.append((
                email_id, organisation.id, sender.id, envelope, priority, QueueState.WAITING.value, first_try,
                first_try + GIVE_UP_AFTER, not_after,
            ))  # fmt: skip
        copies.event.append((
            organisation.id, email_id, EventKind.REQUESTED.value, "user", REQUESTED, now,
            json.dumps(({"by": by.name} if by else {}) | ({"receipt": True} if receipt else {})) if by or receipt
            else None,
        ))  # fmt: skip
    copies.write(connection)
    copies.check_files(connection)
    if listened:
        announcing.requested(connection, mailing_id)
    record(held, connection)
    on_commit(lambda: ring("drain", "send"))
    return list(db.session.scalars(select(Email).where(Email.mailing_id == mailing_id).order_by(Email.id)))


def _addressed(draft: Draft, email_id: int, may_leave: bool) -> Draft:
    """The draft with the e-mail's own addresses in the places kept for them."""
    html, words = draft.html, draft.text
    for address in ALL:
        place = address.place()
        if place in html or place in words:
            html, words = html.replace(place, address.of(email_id)), words.replace(place, address.of(email_id))
    leave_url = LEAVE.of(email_id) if may_leave else ""
    if html is draft.html and words is draft.text and not leave_url:
        return draft
    return replace(draft, html=html, text=words, leave_url=leave_url)


def asked_before(organisation_id: int, request_key: str) -> list[Email]:
    """The e-mails that this key was used for; none where it is new."""
    query = select(Email).join(Mailing, Mailing.id == Email.mailing_id)
    query = query.where(Mailing.organisation_id == organisation_id, Mailing.request_key == request_key)
    return list(db.session.scalars(query.order_by(Email.id)))


def message_id(email_id: int, sender: Sender) -> str:
    """The Message-ID of an e-mail, in the sender's domain; its left part says which e-mail it is."""
    return f"<{tokens.token('mid', email_id)}@{mime.wire_address(sender.address)[0].rpartition('@')[2]}>"


def pixel_url(email_id: int) -> str:
    """The address of an e-mail's open pixel."""
    return f"{settings().base_url}/t/o/{tokens.token('pixel', email_id)}.gif"


def return_path(sender: Sender, email_id: int) -> str:
    """MAIL FROM for an e-mail: the sender's own address unless its account is known to allow another.

    `sender` may be a row of the same columns.
    """
    if sender.return_path == "verp" and sender.bounce_address:
        local, _, domain = sender.bounce_address.rpartition("@")
        return f"{local}+{tokens.token('verp', email_id)}@{domain}"
    return (sender.return_path == "fixed" and sender.bounce_address) or sender.address


@dataclass
class _Copies:
    """Rows for COPY: a mailing of ten thousand is five statements."""

    email: list[tuple[Any, ...]] = field(default_factory=list)
    content: list[tuple[Any, ...]] = field(default_factory=list)
    attachment: list[tuple[Any, ...]] = field(default_factory=list)
    outbox: list[tuple[Any, ...]] = field(default_factory=list)
    event: list[tuple[Any, ...]] = field(default_factory=list)

    def write(self, connection: Connection) -> None:
        cursor = connection.connection.cursor()
        for table, columns, rows in (
            ("email", "id, organisation_id, public_id, mailing_id, address_id, contact_id, training_session_id, "
             "opportunity_id, sender_id, requested_by_id, resend_of_id, type, subject, attachment_count, "
             "open_measured, created_at, updated_at, status, status_occurred_at, status_source, "
             "status_event_id", self.email),
            ("email_content", "email_id, skeleton, cuts, sha256, size, smtputf8", self.content),
            ("attachment", "email_id, position, filename, sha256", self.attachment),
            ("outbox_entry", "email_id, organisation_id, sender_id, recipient, priority, state, next_attempt_at, "
             "give_up_at, not_after", self.outbox),
            ("delivery_event", "organisation_id, email_id, kind, source, source_event_id, occurred_at, data",
             self.event),
        ):  # fmt: skip
            if rows:
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)

    def check_files(self, connection: Connection) -> None:
        """Raises UserMistake where an attached file was erased meanwhile; from its row's insertion on it can't be."""
        names = {sha256 for *_, sha256 in self.attachment}
        erased = "SELECT 1 FROM blob WHERE sha256 = ANY(%(names)s) AND erased_at IS NOT NULL LIMIT 1"
        if names and connection.exec_driver_sql(erased, {"names": list(names)}).scalar():
            raise UserMistake(_FILE_ERASED)


def renew(owner: str) -> None:
    """Extend every lease of this owner; a worker does so while it waits on a slow server."""
    with engine().connect() as connection:
        connection.exec_driver_sql(
            "UPDATE outbox_entry SET lease_until = now() + make_interval(secs => %(lease)s) "
            "WHERE owner = %(owner)s AND lease_until > now() AND state <> 'waiting'",
            {"owner": owner, "lease": settings().lease},
        )


def reap() -> int:
    """Move on what dead workers held: before the mark it is free again, after it the outcome is unknown.

    Returns how many entries were moved. Fenced: a lease renewed meanwhile is left alone.
    """
    with db.engine.begin() as connection:
        over = connection.exec_driver_sql(
            "SELECT email_id, state, attempt_count, owner, now() FROM outbox_entry "
            "WHERE state <> 'waiting' AND lease_until < now() FOR UPDATE SKIP LOCKED LIMIT 1000"
        ).all()
        facts, free, unknown = [], [], []
        for email_id, state, attempt, held_by, now in over:
            begun = state == QueueState.DATA_BEGUN
            (unknown if begun else free).append(email_id)
            kind = EventKind.OUTCOME_UNKNOWN if begun else EventKind.RELEASED
            event_id, job = f"attempt {attempt} {now.isoformat()}", "".join(held_by.split(":")[3:])
            said = {"owner": held_by} | ({"job": job} if job else {})  # mail.workers finds it by its job
            facts.append(Fact(email_id, kind, "reaper", event_id, now, attempt=attempt, data=said))
        record(facts, connection)
        if free:
            connection.exec_driver_sql(
                "UPDATE outbox_entry SET state = 'waiting', owner = NULL, lease_until = NULL, next_attempt_at = now() "
                "WHERE email_id = ANY (%(ids)s)",
                {"ids": free},
            )
        if unknown:
            connection.exec_driver_sql("DELETE FROM outbox_entry WHERE email_id = ANY (%(ids)s)", {"ids": unknown})
        return len(over)


def sweep() -> None:
    """Reap, then ring for what no ring announced: called every few seconds, and the net under a lost Redis."""
    reap()
    if due():
        ring("drain", "send")


def pause(sender_id: int, why: str) -> None:
    """Stop a sender's queue once: its server refuses our address or password. A person resumes it."""
    with db.engine.begin() as connection:
        connection.execute(
            text("UPDATE sender SET paused_at = now(), paused_why = :why WHERE id = :id AND paused_at IS NULL"),
            {"id": sender_id, "why": why},
        )


def pause_account(account_id: int | None, why: str) -> None:
    """The same for every sender of an account (None: the house's) that has mail waiting, in one statement."""
    with db.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE sender SET paused_at = now(), paused_why = :why WHERE paused_at IS NULL "
                "AND account_id IS NOT DISTINCT FROM :id AND EXISTS ("
                "SELECT FROM outbox_entry WHERE outbox_entry.sender_id = sender.id)"
            ),
            {"id": account_id, "why": why},
        )


def resume(sender: Sender) -> None:
    """Let a paused sender send again, in the caller's transaction."""
    sender.paused_at, sender.paused_why = None, ""
    on_commit(lambda: ring("drain", "send"))


def utc_now() -> datetime:
    """This machine's clock, for facts that happen here; leases and delays use the database's."""
    return datetime.now(UTC)
