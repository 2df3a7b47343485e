"""mail.bulk_resend: who goes and who does not, each e-mail accounted for, once, whatever dies in between."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text

import mail
from documents import blobs
from errors import UserMistake
from extensions import db
from mail import bulk_resend, outbox, resend
from mail.compose import Draft, File
from mail.fold import Fact
from mail.tracking import record
from models import (
    BusinessEvent,
    Contact,
    DeliveryEvent,
    Email,
    EmailContent,
    Evaluation,
    EventOutcome,
    OutboxEntry,
    Suppression,
    TrainingSession,
)
from models.document import EvaluationMoment
from models.resend_run import Left, ResendRow, ResendRun, RowOutcome, RunState
from models.suppression import Grounds
from models.words import EventKind, Mark, Reason, SessionState, Status
from tests.conftest import House
from tests.history.making import make_contact, make_email, make_session
from tests.waiting import beside

LONG_AGO = datetime.now(UTC) - timedelta(days=30)


def prepared(house: House, *emails: Email) -> ResendRun:
    run = bulk_resend.prepare(house.admin, select(Email.id).where(Email.id.in_([e.id for e in emails])))
    db.session.commit()
    return run


def verdicts(run: ResendRun) -> dict[int, Left | None]:
    rows = db.session.scalars(select(ResendRow).where(ResendRow.run_id == run.id)).all()
    assert all(row.chosen is (row.verdict is None) for row in rows)
    return {row.email_id: row.verdict for row in rows}


def failed(house: House, name: str = "Camille Petit", **values: Any) -> Email:
    """An e-mail that failed a month ago, to an address of its own."""
    values = {"at": LONG_AGO, "status": Status.UNDELIVERABLE, "reason": Reason.MAILBOX_FULL, **values}
    return make_email(house, f"{name.lower().replace(' ', '.')}@mail.example", name, **values)


def posted(house: House, name: str, *files: bytes, session: TrainingSession | None = None) -> Email:
    """An e-mail as a person asked for it, then refused by the recipient's server."""
    attached = tuple(File.of(f"Pièce {n}.pdf", blobs.store(data, "a.pdf")) for n, data in enumerate(files, 1))
    address = f"{name.lower().replace(' ', '.')}@mail.example"
    draft = Draft(address, name, None, session and session.id, "free", "Lettre", f"<p>{name}</p>", name, attached)
    (email,) = mail.post(
        [draft], organisation=house.organisation, sender=house.sender, by=house.staff, request_key=f"first:{name}"
    )
    record([Fact(email.id, EventKind.REFUSED, "smtp", "1", email.created_at, Reason.MAILBOX_FULL, smtp_code=552)])
    db.session.execute(text("DELETE FROM outbox_entry"))
    db.session.commit()
    return email


@pytest.fixture
def people(cassiopee: House) -> list[Contact]:
    return [make_contact(cassiopee, name) for name in ("Zoé Petit", "Léa Roux", "Ali Benali")]


def test_each_verdict(cassiopee: House, people: list[Contact]) -> None:
    zoe, lea, ali = (contact.id for contact in people)
    over = make_session(cassiopee, "Passée", starts_on=date(2020, 1, 1), ends_on=date(2020, 1, 2))
    off = make_session(cassiopee, "Annulée", state=SessionState.CANCELLED)
    to_come = make_session(cassiopee, "À venir", starts_on=date(2099, 1, 1), ends_on=date(2099, 1, 2))
    expected: dict[int, Left | None] = {}

    def case(verdict: Left | None, name: str, **values: Any) -> Email:
        values.setdefault("subject", f"Lettre {len(expected)}")
        made = failed(cassiopee, name, **values)
        expected[made.id] = verdict
        return made

    def after(of: Email, status: Status, *, ago: timedelta = timedelta(days=9), **values: Any) -> Email:
        at = datetime.now(UTC) - ago
        return make_email(
            cassiopee, "autre@mail.example", "Autre", at=at, status=status, type=of.type, subject=of.subject,
            training_session_id=of.training_session_id, **values,
        )  # fmt: skip

    case(None, "Un Bon")
    case(Left.ON_ITS_WAY, "En Route", status=Status.REQUESTED, reason=None)
    case(Left.ON_ITS_WAY, "In Certain", status=Status.UNCERTAIN, reason=None)
    case(Left.ON_ITS_WAY, "Tout Neuf", status=Status.DELIVERED, reason=None, at=datetime.now(UTC))
    case(Left.ACCEPTED, "Sans Nouvelle", status=Status.SENT, reason=None)
    forgotten = case(Left.GONE, "Ou Blié")
    db.session.delete(db.session.get_one(EmailContent, forgotten.id))
    case(Left.GONE, "Non Préparé", status=Status.FAILED, reason=Reason.NOT_PREPARED)
    case(Left.WRONG_ADDRESS, "Mal Écrite", status=Status.FAILED, reason=Reason.ADDRESS_SYNTAX)
    case(Left.QUARANTINED, "Qua Rantaine", status=Status.FAILED, reason=Reason.USER_UNKNOWN)
    db.session.add(
        Suppression(organisation_id=cassiopee.id, address="qua.rantaine@mail.example", reason=Grounds.USER_UNKNOWN,
                    shown_at=LONG_AGO)
    )  # fmt: skip
    case(Left.SILENT, "An Nulé", status=Status.FAILED, reason=Reason.CANCELLED)
    case(Left.RECEIVED, "Ou Vert", status=Status.OPENED, reason=None)
    # its resend, to a corrected address, and the resend's resend
    first = case(Left.ARRIVED_SINCE, "Ar Rivé", marks=Mark.RESENT)
    second = after(first, Status.FAILED, resend_of_id=first.id, marks=Mark.RESENT)
    after(second, Status.OPENED, resend_of_id=second.id)
    own = case(None, "Co Pie", marks=Mark.RESENT)
    after(own, Status.OPENED, resend_of_id=own.id, marks=Mark.OWN_COPY)
    again = case(None, "Re Échoué", marks=Mark.RESENT)
    after(again, Status.UNDELIVERABLE, resend_of_id=again.id)
    waiting = case(Left.RECENT, "At Tend", marks=Mark.RESENT)
    after(waiting, Status.REQUESTED, resend_of_id=waiting.id)
    recent = case(Left.RECENT, "Ré Cent", marks=Mark.RESENT)
    after(recent, Status.SENT, resend_of_id=recent.id, ago=timedelta(hours=23))
    planned = case(Left.PLANNED, "Pré Vu")
    bulk_resend.start(prepared(cassiopee, planned), datetime.now(UTC) + timedelta(hours=1))
    dropped = case(None, "Re Tiré")
    withdrawn = prepared(cassiopee, dropped)
    bulk_resend.start(withdrawn, datetime.now(UTC) + timedelta(hours=1))
    bulk_resend.cancel(withdrawn)
    gone = case(Left.RESENT, "Par Ti", marks=Mark.RESENT)
    after(gone, Status.SENT, resend_of_id=gone.id, ago=timedelta(hours=25))
    # a later e-mail about the same matter; of a free one the subject is part of it
    convoked = {"type": "convocation", "contact_id": zoe, "training_session_id": to_come.id}
    case(Left.ARRIVED_SINCE, "Zoé Un", **convoked)
    make_email(cassiopee, "zoe@ailleurs.example", at=LONG_AGO + timedelta(days=1), status=Status.DELIVERED, **convoked)
    written = {"type": "free", "contact_id": lea, "training_session_id": to_come.id}
    case(None, "Léa Libre", **written, subject="Salle changée")
    make_email(cassiopee, "lea@ailleurs.example", at=LONG_AGO + timedelta(days=1), status=Status.DELIVERED, **written)
    earlier = case(None, "Ali Avant", type="convocation", contact_id=ali, training_session_id=to_come.id)
    after(earlier, Status.OPENED, ago=timedelta(days=60), contact_id=ali)
    # the session
    case(Left.SESSION_OVER, "Pas Sée", training_session_id=over.id)
    case(Left.SESSION_OVER, "Plus Tard", training_session_id=off.id)
    case(None, "Cer Tificat", type="certificate", training_session_id=over.id)
    case(None, "À Venir", training_session_id=to_come.id)
    # evaluations
    for moment, answered in ((EvaluationMoment.HOT, LONG_AGO), (EvaluationMoment.COLD, None)):
        db.session.add(Evaluation(organisation_id=cassiopee.id, training_session_id=over.id, contact_id=zoe,
                                  moment=moment, answered_at=answered))  # fmt: skip
    asked = {"contact_id": zoe, "training_session_id": over.id}
    case(Left.ANSWERED, "Zoé Chaud", type="evaluation_hot", **asked)
    case(None, "Zoé Froid", type="evaluation_cold", **asked)
    case(None, "Zoé Relance", type="evaluation_reminder", **asked)
    # invoices
    for number, name in (("F-1", "Fac Ture"), ("F-2", "Im Payée")):
        bill = case(Left.PAID if number == "F-1" else None, name, type="invoice.overdue", contact_id=ali)
        db.session.add(told(cassiopee, "invoice.overdue", number, ali, email_id=bill.id))
    db.session.add(told(cassiopee, "invoice.paid", "F-1", ali))
    case(Left.SAME_AGAIN, "Trop Gros", reason=Reason.TOO_BIG)
    db.session.commit()

    assert len({Email.id for Email in db.session.scalars(select(Email))}) > len(expected)
    run = bulk_resend.prepare(cassiopee.admin, select(Email.id).where(Email.id.in_(list(expected))))
    db.session.commit()
    assert verdicts(run) == expected
    assert set(expected.values()) == {None, *Left} - {Left.TWICE}


def told(house: House, type: str, number: str, contact_id: int, **values: Any) -> BusinessEvent:
    payload = {"id": type, "data": {"invoice": {"number": number}}}
    return BusinessEvent(
        organisation_id=house.id, source="api", event_id=f"{type} {number}", type=type, occurred_at=LONG_AGO,
        payload=payload, contact_id=contact_id, outcome=EventOutcome.SENT, **values,
    )  # fmt: skip


def test_of_the_same_for_the_same_person_only_the_newest_goes(cassiopee: House) -> None:
    one, two, three = (failed(cassiopee, at=LONG_AGO + timedelta(days=n)) for n in range(3))
    other = failed(cassiopee, "Une Autre")
    run = prepared(cassiopee, one, two, three, other)
    assert verdicts(run) == {one.id: Left.TWICE, two.id: Left.TWICE, three.id: None, other.id: None}


def test_another_organisations_emails_are_not_taken(cassiopee: House, boreale: House) -> None:
    theirs, ours = failed(cassiopee), failed(boreale)
    run = bulk_resend.prepare(boreale.admin, select(Email.id))
    assert list(verdicts(run)) == [ours.id] != [theirs.id]


def test_none_and_too_many_are_said(cassiopee: House, monkeypatch: Any) -> None:
    with pytest.raises(UserMistake):
        bulk_resend.prepare(cassiopee.admin, select(Email.id))
    db.session.rollback()
    monkeypatch.setattr(bulk_resend, "MOST", 1)
    failed(cassiopee), failed(cassiopee, "Une Autre")
    with pytest.raises(UserMistake):
        bulk_resend.prepare(cassiopee.admin, select(Email.id))
    db.session.rollback()
    assert not db.session.scalars(select(ResendRun)).all()


def test_what_a_person_decides(cassiopee: House) -> None:
    opened, cancelled = failed(cassiopee, "A B", status=Status.OPENED, reason=None), failed(
        cassiopee, "C D", status=Status.FAILED, reason=Reason.CANCELLED
    )
    waiting, fine = failed(cassiopee, "E F", status=Status.REQUESTED, reason=None), failed(cassiopee, "G H")
    run = prepared(cassiopee, opened, cancelled, waiting, fine)
    everything = [email.public_id for email in (opened, cancelled, waiting, fine)]

    def going() -> set[int]:
        db.session.commit()
        rows = select(ResendRow.email_id).where(ResendRow.run_id == run.id, ResendRow.chosen)
        return set(db.session.scalars(rows))

    assert bulk_resend.decide(run, True, group=Left.RECEIVED) == 1
    assert going() == {opened.id, fine.id}
    assert bulk_resend.decide(run, True, group=Left.ON_ITS_WAY) == 0
    assert bulk_resend.decide(run, True, numbers=everything) == 1
    assert going() == {opened.id, cancelled.id, fine.id}
    assert bulk_resend.decide(run, False, numbers=[fine.public_id]) == 1
    assert going() == {opened.id, cancelled.id}
    assert bulk_resend.start(run) and not bulk_resend.start(run)
    assert bulk_resend.decide(run, True, numbers=everything) == 0
    db.session.commit()
    assert bulk_resend.work() == 2 and bulk_resend.work() == 0


def test_the_copies_are_exact_and_tied_to_the_first(cassiopee: House) -> None:
    cassiopee.organisation.track_opens = True
    firsts = [posted(cassiopee, "Zoé Petit", b"%PDF-1.4 un"), posted(cassiopee, "Léa Roux"),
              posted(cassiopee, "Ali Benali", b"%PDF-1.4 un", b"%PDF-1.4 deux")]  # fmt: skip
    run = prepared(cassiopee, *firsts)
    assert bulk_resend.start(run)
    db.session.commit()
    assert bulk_resend.work() == 3
    rows = db.session.scalars(select(ResendRow).order_by(ResendRow.position)).all()
    assert [row.outcome for row in rows] == [RowOutcome.SENT] * 3
    db.session.refresh(run)
    assert run.state is RunState.DONE and run.finished_at
    for row in rows:
        new, old = row.new_email, row.email
        assert (new.resend_of_id, new.subject, new.address_id) == (old.id, old.subject, old.address_id)
        assert new.status is Status.REQUESTED and new.requested_by_id == cassiopee.admin.id
        assert (new.attachment_count, old.has(Mark.RESENT)) == (old.attachment_count, True)
        single = resend.resend(old, by=cassiopee.admin, request_key=f"alone:{old.id}")
        told_bulk, told_one = (db.session.get_one(EmailContent, e.id).skeleton for e in (new, single))
        assert plain(told_bulk) == plain(told_one)
    assert db.session.scalar(select(func.count()).select_from(OutboxEntry).where(OutboxEntry.priority == 1)) == 3


def plain(skeleton: bytes) -> list[bytes]:
    """A message without what differs from copy to copy."""
    changing = (b"Message-ID", b"Date", b"<img", b"X-", b"src=")
    return [line for line in skeleton.split(b"\r\n") if not any(word in line for word in changing)][:12]


def test_what_happened_since_the_preview_is_heeded(cassiopee: House) -> None:
    """Between the preview and its turn: received, quarantined, deleted; what was overridden goes all the same."""
    received, dead, deleted, overridden, fine = (
        failed(cassiopee, name) for name in ("Re Çu", "Mor Te", "Ef Facé", "For Cé", "Bon Un")
    )
    db.session.execute(text("UPDATE email SET status = 'opened' WHERE id = :id"), {"id": overridden.id})
    run, lost = prepared(cassiopee, received, dead, deleted, overridden, fine), deleted.public_id
    assert bulk_resend.decide(run, True, group=Left.RECEIVED) == 1
    bulk_resend.start(run)
    db.session.execute(text("UPDATE email SET status = 'opened' WHERE id = :id"), {"id": received.id})
    db.session.add(Suppression(organisation_id=cassiopee.id, address="mor.te@mail.example", reason=Grounds.MOVED,
                               shown_at=LONG_AGO))  # fmt: skip
    db.session.execute(text("DELETE FROM email WHERE id = :id"), {"id": deleted.id})
    db.session.commit()
    assert bulk_resend.work() == 2
    rows = {row.number: (row.chosen, row.verdict, row.outcome) for row in db.session.scalars(select(ResendRow))}
    assert rows == {
        received.public_id: (False, Left.RECEIVED, None),
        dead.public_id: (False, Left.QUARANTINED, None),
        lost: (False, Left.GONE, None),
        overridden.public_id: (True, Left.RECEIVED, RowOutcome.SENT),
        fine.public_id: (True, None, RowOutcome.SENT),
    }


def test_one_that_cannot_be_copied_is_refused_and_the_others_go(cassiopee: House) -> None:
    bad = make_email(cassiopee, "pas une adresse", "Ma Lade", at=LONG_AGO, status=Status.UNDELIVERABLE,
                     reason=Reason.MAILBOX_FULL)  # fmt: skip
    emails = [failed(cassiopee, "A B"), bad, failed(cassiopee, "C D")]
    run = prepared(cassiopee, *emails)
    bulk_resend.start(run)
    db.session.commit()
    assert bulk_resend.work() == 2
    rows = {row.email_id: (row.outcome, bool(row.why)) for row in db.session.scalars(select(ResendRow))}
    assert rows == {
        emails[0].id: (RowOutcome.SENT, False), bad.id: (RowOutcome.REFUSED, True),
        emails[2].id: (RowOutcome.SENT, False),
    }  # fmt: skip


def test_a_run_that_is_stopped_leaves_the_rest(cassiopee: House, monkeypatch: Any) -> None:
    monkeypatch.setattr(bulk_resend, "AT_ONCE", 2)
    emails = [failed(cassiopee, f"Nu Méro{n}") for n in range(5)]
    run = prepared(cassiopee, *emails)
    bulk_resend.start(run)
    db.session.commit()
    run_id = run.id

    def stop() -> None:
        assert bulk_resend.cancel(db.session.get_one(ResendRun, run_id))
        db.session.commit()

    assert bulk_resend.work(stop) == 2
    assert Counter(db.session.scalars(select(ResendRow.outcome))) == {RowOutcome.SENT: 2, None: 3}
    assert db.session.get_one(ResendRun, run_id).state is RunState.CANCELLED
    assert bulk_resend.work() == 0 and not bulk_resend.cancel(db.session.get_one(ResendRun, run_id))


def copies(*emails: Email) -> dict[int, int]:
    counted = select(Email.resend_of_id, func.count()).where(Email.resend_of_id.in_([email.id for email in emails]))
    return dict(map(tuple, db.session.execute(counted.group_by(Email.resend_of_id))))


def test_two_workers_send_nothing_twice(app: Flask, cassiopee: House, monkeypatch: Any) -> None:
    """Two people confirmed the same e-mails; while one worker has judged and not yet asked, another takes their run."""
    emails = [failed(cassiopee, f"Nu Méro{n}") for n in range(3)]
    for run in [prepared(cassiopee, *emails) for _ in range(2)]:
        assert bulk_resend.start(run)
    db.session.commit()
    judge, workers = bulk_resend._judged, ExitStack()

    def judged(run: ResendRun, rows: Any) -> Any:
        told = judge(run, rows)
        if not others:
            others.append(workers.enter_context(beside(app, bulk_resend.work)))
        return told

    others: list[None] = []
    monkeypatch.setattr(bulk_resend, "_judged", judged)
    with workers:
        bulk_resend.work()
    assert copies(*emails) == {email.id: 1 for email in emails}
    assert Counter(db.session.scalars(select(ResendRow.verdict))) == {None: 3, Left.RECENT: 3}


def test_what_a_person_has_just_sent_again_is_left_out(app: Flask, cassiopee: House) -> None:
    emails = [failed(cassiopee, f"Nu Méro{n}") for n in range(3)]
    bulk_resend.start(prepared(cassiopee, *emails))
    db.session.commit()
    resend.resend(emails[1], by=cassiopee.manager, request_key="a press")  # not yet committed
    with beside(app, bulk_resend.work):
        db.session.commit()
    assert copies(*emails) == {email.id: 1 for email in emails}


def test_a_run_waits_for_its_moment_and_judges_anew_then(cassiopee: House) -> None:
    first, second, at_once = (failed(cassiopee, f"Nu Méro{n}") for n in range(3))
    run, other = prepared(cassiopee, first, second), prepared(cassiopee, at_once)
    moment = datetime.now(UTC) + timedelta(hours=9)
    assert bulk_resend.start(run, moment) and bulk_resend.start(other)
    db.session.commit()
    assert [(one.id, count) for one, count in bulk_resend.waiting(cassiopee.id)] == [(run.id, 2)]
    assert bulk_resend.work() == 1, "what waits holds up nobody"
    assert run.state is RunState.WAITING and bulk_resend.work() == 0
    first.status = Status.OPENED  # it was received in the meantime
    run.not_before = datetime.now(UTC) - timedelta(seconds=1)
    db.session.commit()
    assert bulk_resend.work() == 1
    db.session.expire_all()
    assert run.state is RunState.DONE and not bulk_resend.waiting(cassiopee.id)
    rows = {row.email_id: row for row in db.session.scalars(select(ResendRow).filter_by(run_id=run.id))}
    assert rows[first.id].verdict is Left.RECEIVED and not rows[first.id].chosen
    assert rows[second.id].outcome is RowOutcome.SENT


def test_drafts_are_forgotten(cassiopee: House) -> None:
    old, young, asked = (prepared(cassiopee, failed(cassiopee, f"Nu Méro{n}")) for n in range(3))
    bulk_resend.start(asked)
    before = datetime.now(UTC) - bulk_resend.DRAFTS_KEPT - timedelta(hours=1)
    old.created_at = asked.created_at = before
    db.session.commit()
    kept = {young.id, asked.id}
    assert bulk_resend.forget_drafts() == 1
    assert set(db.session.scalars(select(ResendRun.id))) == kept
    assert set(db.session.scalars(select(ResendRow.run_id))) == kept


MANY = 10_000


def many(house: House, count: int) -> None:
    """`count` failed e-mails by COPY: as many have arrived since, are on their way, or in quarantine as the place
    in the row says."""
    first = failed(house, "Mo Dèle")
    content = db.session.get_one(EmailContent, first.id)
    now, connection = datetime.now(UTC), db.session.connection()
    raw = connection.connection.cursor()
    base = first.id + 1_000_000
    rows = {"address": [], "email": [], "email_content": []}  # type: dict[str, list[tuple[Any, ...]]]
    for n in range(count):
        status = "opened" if n % 10 == 1 else "requested" if n % 10 == 2 else "undeliverable"
        rows["address"].append((base + n, house.id, f"p{n}@mail.example", f"Personne {n}", "mail.example"))
        rows["email"].append((
            base + n, house.id, f"E-many{n:06}", base + n, house.sender.id, "convocation", "Convocation", LONG_AGO,
            LONG_AGO, status, None if status != "undeliverable" else "mailbox_full", LONG_AGO,
        ))  # fmt: skip
        rows["email_content"].append((base + n, content.skeleton, json.dumps([]), "0" * 64, 500, False))
    columns = {
        "address": "id, organisation_id, address, name, domain",
        "email": "id, organisation_id, public_id, address_id, sender_id, type, subject, created_at, updated_at, "
        "status, reason, status_occurred_at",
        "email_content": "email_id, skeleton, cuts, sha256, size, smtputf8",
    }
    for table, listed in rows.items():
        with raw.copy(f"COPY {table} ({columns[table]}) FROM STDIN") as copy:
            for row in listed:
                copy.write_row(row)
    raw.executemany(
        "INSERT INTO suppression (organisation_id, address, reason, shown_at) VALUES (%s, %s, 'moved', %s)",
        [(house.id, f"p{n}@mail.example", now) for n in range(count) if n % 10 == 3],
    )
    db.session.delete(first)
    db.session.commit()
    db.session.execute(text("ANALYZE email"))
    db.session.commit()


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements run inside."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield sent
    event.remove(db.engine, "before_cursor_execute", note)


class Killed(BaseException):
    """What a worker's death looks like from within: nothing after it is carried out."""


def test_ten_thousand_are_accounted_for_and_none_goes_twice(cassiopee: House, monkeypatch: Any) -> None:
    many(cassiopee, MANY)
    with counted() as sent:
        run = bulk_resend.prepare(cassiopee.admin, select(Email.id).where(Email.organisation_id == cassiopee.id))
        db.session.commit()
    assert len(sent) <= 6
    tally = Counter(verdicts(run).values())
    tenth = MANY // 10
    assert tally == {None: 7 * tenth, Left.RECEIVED: tenth, Left.ON_ITS_WAY: tenth, Left.QUARANTINED: tenth}
    assert bulk_resend.start(run)
    db.session.commit()

    # killed again and again, before and after what a hundred writes, also between the write and the commit
    write, tie, dead, calls = outbox.post, bulk_resend._tie, 0, 0

    def deadly(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 9 == 4:
            raise Killed
        made = write(*args, **options)
        if calls % 9 == 8:
            raise Killed
        return made

    def deadly_tie(*args: Any) -> None:
        tie(*args)
        if calls % 9 == 2:
            raise Killed

    monkeypatch.setattr(outbox, "post", deadly)
    monkeypatch.setattr(bulk_resend, "_tie", deadly_tie)
    while True:
        try:
            if bulk_resend.work() == 0:
                break
        except Killed:
            dead += 1
            db.session.remove()
    assert dead > 15

    run = db.session.scalars(select(ResendRun)).one()
    assert run.state is RunState.DONE and run.row_count == MANY
    rows = db.session.execute(select(ResendRow.outcome, ResendRow.verdict, ResendRow.new_email_id)).all()
    assert len(rows) == MANY
    gone = [row for row in rows if row.outcome is RowOutcome.SENT]
    assert len(gone) == 7 * tenth == len({row.new_email_id for row in gone})
    assert Counter(row.verdict for row in rows if row.outcome is None) == {
        Left.RECEIVED: tenth, Left.ON_ITS_WAY: tenth, Left.QUARANTINED: tenth,
    }  # fmt: skip
    repeated = Counter(db.session.scalars(select(Email.resend_of_id).where(Email.resend_of_id.is_not(None))))
    assert len(repeated) == 7 * tenth and set(repeated.values()) == {1}
    assert db.session.scalar(select(func.count()).select_from(OutboxEntry)) == 7 * tenth
    facts = select(func.count()).select_from(DeliveryEvent).where(DeliveryEvent.kind == EventKind.RESENT)
    assert db.session.scalar(facts) == 7 * tenth
