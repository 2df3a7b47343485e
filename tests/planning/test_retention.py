"""planning.retention and documents.leaving_files: what is old goes, what is at work and whatever proves stays, at any
point of interruption."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update

from documents import blob_check, blobs, leaving_files, vault
from errors import Temporary, UserMistake
from extensions import db
from history import HistoryFilter, Scope, browse, detail
from mail.compose import Draft, File
from mail.outbox import post
from models import (
    Attachment,
    AuditAction,
    AuditEntry,
    Blob,
    DeliveryEvent,
    Document,
    DocumentKind,
    Email,
    EmailContent,
    InboundMessage,
    LeavingFile,
    Retention,
    RetentionWait,
)
from models.words import EventKind, QueueState, Reason, Status
from planning import retention
from planning.retention import Stays
from tests.conftest import House
from tests.documents.places import BOTH, place
from tests.history.making import make_email, make_session

YEAR = timedelta(days=366)


def years_ago(years: float) -> datetime:
    return datetime.now(UTC) - years * YEAR


def stored(data: bytes, name: str = "a.pdf") -> tuple[str, str, str]:
    found = blobs.store(data, name)
    db.session.commit()
    return name, found.media_type, found.sha256


def content(email: Email) -> EmailContent:
    return db.session.scalars(
        select(EmailContent).where(EmailContent.email_id == email.id).execution_options(populate_existing=True)
    ).one()


def erased(*emails: Email) -> list[bool]:
    return [content(email).erased_at is not None for email in emails]


def hours_later() -> None:
    """What was to leave in an hour may leave now."""
    db.session.execute(update(LeavingFile).values(leave_after=func.now() - timedelta(minutes=1)))
    db.session.commit()


def test_what_is_old_goes_and_all_that_proves_stays(app: Flask, cassiopee: House, tmp_path: Path) -> None:
    with place(app, "folder", tmp_path):
        file = stored(b"%PDF-1.7 old")
        old = make_email(cassiopee, at=years_ago(5.1), files=(file,), events=(EventKind.ACCEPTED,))
        young = make_email(cassiopee, at=years_ago(4.9), files=(stored(b"%PDF-1.7 new"),))
        report = InboundMessage(
            sha256="1" * 64, mailbox="m", outcome="applied", organisation_id=cassiopee.id, size=9, raw=b"the report",
            summary={"excerpt": "words", "from": "mx@example.org"},
        )  # fmt: skip
        db.session.add(report)
        db.session.flush()
        db.session.execute(update(DeliveryEvent).values(inbound_message_id=report.id))
        db.session.commit()
        before = _said(cassiopee)

        assert retention.erase_old() == 1

        gone, kept = content(old), content(young)
        assert (gone.skeleton, gone.cuts, gone.sha256, gone.size, gone.erased_years) == (b"", [], "0" * 64, 500, 5)
        assert kept.skeleton and kept.erased_at is None
        db.session.refresh(report)
        assert (report.raw, report.sha256, report.summary) == (b"", "1" * 64, {"from": "mx@example.org"})
        assert _said(cassiopee) == before
        hours_later()
        assert leaving_files.leave() == (1, len(b"%PDF-1.7 old"))
        assert vault.size(file[2]) is None and vault.size(_sha(young)) is not None
        assert blobs.describe(file[2]) is None and db.session.get_one(Blob, file[2]).size == len(b"%PDF-1.7 old")
        assert _said(cassiopee) == before
        assert list(blob_check.check(blob_check.Tally())) == []
        line = db.session.scalars(select(AuditEntry)).one()
        assert (line.action, line.data) == (AuditAction.CONTENT_ERASED, {"emails": 1, "reports": 1, "years": 5})
        assert retention.erase_old() == 0 and db.session.scalar(select(func.count(AuditEntry.id))) == 1


def _said(house: House) -> Any:
    """All that the history, its count and an e-mail's own page say of what happened."""
    page = browse(Scope(house.id), HistoryFilter.from_query({}))
    found = [detail.about(house.id, row.public_id) for row in page.rows]
    shown = [(one.row.version, one.row.attachments, one.events, one.sha256, one.size) for one in found if one]
    return shown, page.count


def _sha(email: Email) -> str:
    return db.session.scalars(select(Attachment.sha256).where(Attachment.email_id == email.id)).one()


def test_what_is_at_work_stays_until_it_is_over(cassiopee: House) -> None:
    at = years_ago(6)
    waits = make_email(cassiopee, at=at, status=Status.REQUESTED, queue=QueueState.WAITING)
    unsure = make_email(cassiopee, at=at, status=Status.UNCERTAIN)
    failed = make_email(cassiopee, at=at, status=Status.FAILED, reason=Reason.USER_UNKNOWN)
    today = datetime.now(UTC).date()
    lately = make_session(cassiopee, "Longue", ends_on=today - timedelta(days=300))
    long_ago = make_session(cassiopee, "Finie", ends_on=today - timedelta(days=400))
    session = make_email(cassiopee, at=at, training_session_id=lately.id)
    over = make_email(cassiopee, at=at, training_session_id=long_ago.id)
    dealt = make_email(cassiopee, at=at, status=Status.FAILED, reason=Reason.USER_UNKNOWN, treated_at=datetime.now(UTC))
    silent = make_email(cassiopee, at=at, status=Status.FAILED, reason=Reason.CANCELLED)
    foreseen = retention.foresee(cassiopee.id, 5)
    assert foreseen.emails == 3
    assert dict(foreseen.staying) == {Stays.ON_ITS_WAY: 2, Stays.UNTREATED: 1, Stays.SESSION: 1}

    assert retention.erase_old() == 3
    assert erased(waits, unsure, failed, session) == [False] * 4 and erased(over, dealt, silent) == [True] * 3
    again = retention.foresee(cassiopee.id, 5)
    assert again.emails == 0 and again.staying == foreseen.staying

    failed.treated_at = datetime.now(UTC)
    lately.ends_on = today - timedelta(days=370)
    db.session.commit()
    assert retention.erase_old() == 2 and erased(failed, session) == [True, True]
    left = set(db.session.scalars(select(RetentionWait.email_id)))
    assert left == {waits.id, unsure.id}


def test_a_shorter_rule_waits_a_day_and_a_longer_one_holds_at_once(cassiopee: House, boreale: House) -> None:
    mine, theirs = make_email(cassiopee, at=years_ago(2.5)), make_email(boreale, at=years_ago(2.5))
    assert retention.change(cassiopee.id, 2) and not retention.change(cassiopee.id, 2)
    assert not retention.change(cassiopee.id, 4)
    db.session.commit()
    assert retention.foresee(cassiopee.id, 2).emails == 1
    assert retention.erase_old() == 0
    db.session.execute(update(Retention).values(effective_at=func.now() - timedelta(seconds=1)))
    db.session.commit()
    assert retention.erase_old() == 1 and erased(mine, theirs) == [True, False]
    later = make_email(cassiopee, at=years_ago(2.4))
    assert retention.change(cassiopee.id, 10)
    db.session.commit()
    assert retention.erase_old() == 0 and erased(later) == [False]


def test_mailings_of_one_moment_are_all_looked_at(cassiopee: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    at = years_ago(6)
    emails = [make_email(cassiopee, at=at) for _n in range(8)]
    assert retention.erase_old() == 8 and erased(*emails) == [True] * 8


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["old", "young", "failed", "waiting"]), st.integers(0, 2)), max_size=7),
       st.integers(0, 4))  # fmt: skip
def test_killed_anywhere_nothing_goes_that_must_stay(
    app: Flask, cassiopee: House, tmp_path: Path, drawn: list[tuple[str, int]], steps: int
) -> None:
    """Whatever shares its files with whatever, wherever a run is cut off: what is needed is there and whole, and the
    runs that follow finish."""
    with pytest.MonkeyPatch.context() as patch, place(app, "folder", tmp_path):
        patch.setattr(retention, "BATCH", 2)
        for table in ("email", "retention", "leaving_file", "blob"):
            db.session.execute(text(f"DELETE FROM {table}"))
        db.session.commit()
        for kept in list(vault.kept()):
            vault.delete(str(kept.sha256))
        made = []
        for what, number in drawn:
            file = stored(b"%%PDF-1.7 n %d" % number)
            status = {"failed": Status.FAILED, "waiting": Status.REQUESTED}.get(what, Status.SENT)
            made.append((what, make_email(
                cassiopee, at=years_ago(1 if what == "young" else 6), status=status, files=(file,),
                reason=Reason.USER_UNKNOWN if what == "failed" else None,
                queue=QueueState.WAITING if what == "waiting" else None,
            )))  # fmt: skip
        left = [steps]

        def cut_off() -> bool:
            left[0] -= 1
            return left[0] < 0

        retention.erase_old(cut_off)
        hours_later()
        _needed_is_whole(made)
        retention.erase_old()
        hours_later()
        retention.erase_old()
        _needed_is_whole(made)
        assert [what for what, email in made if erased(email)[0]] == [what for what, _email in made if what == "old"]
        needed = {_sha(email) for what, email in made if what != "old"}
        assert {kept.sha256 for kept in vault.kept()} == needed
        assert db.session.scalar(select(func.count(LeavingFile.sha256))) == 0


def _needed_is_whole(made: list[tuple[str, Email]]) -> None:
    for what, email in made:
        if what != "old":
            assert erased(email) == [False] and blobs.read(_sha(email))


@BOTH
def test_a_file_stays_for_whoever_else_needs_it(app: Flask, tmp_path: Path, kind: str, cassiopee: House) -> None:
    with place(app, kind, tmp_path):
        session = make_session(cassiopee, "S")
        files = [stored(b"%%PDF-1.7 %d" % n) for n in range(4)]
        make_email(cassiopee, at=years_ago(6), files=tuple(files))
        db.session.add(Document(
            organisation_id=cassiopee.id, training_session_id=session.id, kind=DocumentKind.UPLOADED, filename="d.pdf",
            sha256=files[0][2],
        ))  # fmt: skip
        blobs.store(b"%PDF-1.7 1", "logo", in_letters=True)
        make_email(cassiopee, files=(files[2],))
        db.session.commit()
        retention.erase_old()
        hours_later()
        assert leaving_files.leave()[0] == 1
        assert [vault.size(sha256) is not None for _name, _type, sha256 in files] == [True, True, True, False]


def test_what_is_uploaded_again_is_there_again(app: Flask, tmp_path: Path, cassiopee: House) -> None:
    with place(app, "folder", tmp_path):
        name, media_type, sha256 = stored(b"%PDF-1.7 again")
        make_email(cassiopee, at=years_ago(6), files=((name, media_type, sha256),))
        retention.erase_old()
        hours_later()
        stored(b"%PDF-1.7 again")  # it waits in somebody's form
        assert leaving_files.leave() == (0, 0) and blobs.read(sha256)
        hours_later()
        assert leaving_files.leave()[0] == 1
        draft = Draft("a@example.org", "A", None, None, "free", "S", "", "t", (File(name, sha256, 14, media_type),))

        def send() -> None:
            freeze = _freezing
            post([draft], organisation=cassiopee.organisation, sender=cassiopee.sender, by=None,
                 request_key="k", freeze=freeze)  # fmt: skip

        with pytest.raises(UserMistake):
            send()
        db.session.rollback()
        assert stored(b"%PDF-1.7 again")[2] == sha256 and blobs.describe(sha256) is not None
        send()
        db.session.commit()


def _freezing(draft: Draft, sender: Any, **_: Any) -> Any:
    from mail import mime

    return mime.Frozen(b"From: a\r\n\r\nt", [], "0" * 64, 12, False)


def test_a_store_that_is_away_loses_nothing(
    app: Flask, tmp_path: Path, cassiopee: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place(app, "s3", tmp_path) as server:
        assert server is not None
        file = stored(b"%PDF-1.7 away")
        make_email(cassiopee, at=years_ago(6), files=(file,))
        retention.erase_old()
        hours_later()

        def refuse(_sha256: str) -> None:
            raise Temporary("away")

        with monkeypatch.context() as patch, pytest.raises(Temporary):
            patch.setattr(vault, "delete", refuse)
            leaving_files.leave()
        assert db.session.get_one(Blob, file[2]).erased_at is None
        assert leaving_files.leave()[0] == 1 and vault.size(file[2]) is None
