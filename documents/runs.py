"""Makings of many documents: a row says whose, a job works it off a few at a time, and a page shows how far it is.

The row decides, a ring only hastens; a run that a dead worker left is taken up again where it stood.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import func, select

from documents.store import Shelf
from errors import UserMistake
from extensions import db, on_commit, ring
from models import Contact, DocumentKind, TrainingSession, User
from models.document import DocumentRun

# More documents than this are made by a job.
IN_A_REQUEST = 30
_AT_ONCE = 10


def ask(
    kind: DocumentKind, training_session: TrainingSession, contacts: Sequence[Contact], by: User | None
) -> DocumentRun:
    """Ask for these people's documents; the caller commits, then a worker is rung."""
    run = DocumentRun(
        organisation_id=training_session.organisation_id, training_session_id=training_session.id, kind=kind,
        contact_ids=[contact.id for contact in contacts], made_by_id=by.id if by else None,
    )  # fmt: skip
    db.session.add(run)
    on_commit(lambda: ring("make_documents", "work"))
    return run


def newest(training_session: TrainingSession, kind: DocumentKind) -> DocumentRun | None:
    """The last run of this kind, going on or over."""
    query = select(DocumentRun).where(DocumentRun.training_session_id == training_session.id, DocumentRun.kind == kind)
    return db.session.scalar(query.order_by(DocumentRun.id.desc()).limit(1))


def work(meanwhile: Callable[[], object] = lambda: None, stop: Callable[[], bool] = lambda: False) -> int:
    """Make what is asked for; how many documents were made. Commits every few of them."""
    made = 0
    while not stop():
        done = _some()
        if done is None:
            break
        made += done
        meanwhile()
    return made


def _some() -> int | None:
    """A few documents of the oldest run that nobody works on; None when there is none. Its row stays locked meanwhile,
    so a worker that dies gives it back at once."""
    query = (
        select(DocumentRun)
        .where(DocumentRun.finished_at.is_(None))
        .order_by(DocumentRun.id).limit(1).with_for_update(skip_locked=True)
    )  # fmt: skip
    run = db.session.scalar(query)
    if run is None:
        db.session.rollback()
        return None
    ids = run.contact_ids[run.done_count : run.done_count + _AT_ONCE]
    shelf = Shelf(run.training_session, db.session.get(User, run.made_by_id) if run.made_by_id else None)
    people = {contact.id: contact for contact in db.session.scalars(select(Contact).where(Contact.id.in_(ids)))}
    made = 0
    try:
        for id in ids:
            if id in people:  # a person may be gone since
                shelf.make(run.kind, people[id])
                made += 1
    except UserMistake as mistake:
        run_id = run.id
        db.session.rollback()
        run = db.session.get_one(DocumentRun, run_id)
        run.problem, run.values, run.finished_at = mistake.message, mistake.values, _now()
    else:
        run.done_count += len(ids)
        run.finished_at = _now() if run.done_count >= len(run.contact_ids) else None
    db.session.commit()
    return made


def _now() -> datetime:
    return db.session.scalars(select(func.now())).one()
