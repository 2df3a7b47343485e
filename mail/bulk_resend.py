"""Sending again in number: prepare (the preview), decide, start, cancel, work. The only writer of resend_run.

A hundred e-mails at a time in one transaction each: new e-mails, their facts and the rows' outcomes together. Whatever
dies leaves whole hundreds, so nothing goes twice and nothing is lost; the run's row stays locked meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, delete, func, insert, literal, or_, select, text, update

from errors import Permanent, UserMistake
from extensions import db, on_commit, ring
from mail import copying, headers, outbox
from mail.compose import Draft, File
from mail.fold import Fact
from mail.resend import in_turn
from mail.resend_verdicts import JUDGE_AGAIN, JUDGE_ALL
from mail.tracking import record
from models import Address, Email, EmailContent, Organisation, Sender, User
from models.resend_run import Left, ResendRow, ResendRun, RowOutcome, RunState
from models.words import N_, EventKind

log = logging.getLogger("sillage.resends")

MOST = 20_000
AT_ONCE = 100
DRAFTS_KEPT = timedelta(days=2)
UNDER_WAY = (RunState.WAITING, RunState.RUNNING)
_TOO_MANY = N_("Plus de 20 000 e-mails : filtrez davantage, puis recommencez.")
_NONE = N_("Aucun e-mail n'est choisi.")
_BROKEN = N_("Le message gardé ne se laisse pas copier.")


def prepare(user: User, ids: Select[Any], query: str = "") -> ResendRun:
    """A draft of resending the e-mails of `ids` (a select of their ids), each judged; the caller commits.

    Raises UserMistake for none and for more than MOST.
    """
    run = ResendRun(organisation_id=user.organisation_id, user_id=user.id, query=query)
    db.session.add(run)
    db.session.flush()
    newest = (
        select(Email.id, Email.public_id, Email.created_at)
        .where(Email.organisation_id == user.organisation_id, Email.id.in_(ids))
        .limit(MOST + 1)
        .subquery()
    )  # fmt: skip
    place = func.row_number().over(order_by=(newest.c.created_at.desc(), newest.c.id.desc()))
    listed = select(literal(run.id), place, newest.c.id, newest.c.public_id)
    columns = ["run_id", "position", "email_id", "number"]
    made = insert(ResendRow).from_select(columns, listed).execution_options(preserve_rowcount=True)
    found = db.session.execute(made)
    run.row_count = found.rowcount  # type: ignore[attr-defined]
    if not run.row_count or run.row_count > MOST:
        raise UserMistake(_TOO_MANY if run.row_count else _NONE)
    db.session.execute(text(JUDGE_ALL), {"run": run.id, "today": _today(user.organisation)})
    return run


def decide(run: ResendRun, take: bool, numbers: Iterable[str] | None = None, group: Left | None = None) -> int:
    """Take e-mails along all the same, or leave them out, in a draft: those of `numbers`, or a whole group of those
    left out for one reason. What cannot be sent stays out. Returns how many changed; the caller commits."""
    hard = [reason for reason in Left if not reason.overridable]
    changed = update(ResendRow).where(
        ResendRow.run_id == run.id, ResendRow.chosen.is_(not take), ResendRow.outcome.is_(None),
        ResendRow.run_id.in_(select(ResendRun.id).where(ResendRun.id == run.id, ResendRun.state == RunState.DRAFT)),
    )  # fmt: skip
    if take:
        changed = changed.where(func.coalesce(ResendRow.verdict, "").not_in([reason.value for reason in hard]))
    if group is not None:
        changed = changed.where(ResendRow.verdict == group)
    if numbers is not None:
        changed = changed.where(ResendRow.number.in_(list(numbers)))
    done = db.session.execute(changed.values(chosen=take).execution_options(synchronize_session=False))
    return int(done.rowcount)  # type: ignore[attr-defined]


def start(run: ResendRun, not_before: datetime | None = None) -> bool:
    """Confirm a draft: from now on, or from `not_before` on, a job works it off; each e-mail is judged then.

    False where it was none any more; the caller commits.
    """
    begun = _move(run, (RunState.DRAFT,), state=RunState.WAITING, asked_at=func.now(), not_before=not_before)
    if begun and not_before is None:
        on_commit(lambda: ring("send_again", "work"))
    return begun


def cancel(run: ResendRun) -> bool:
    """Stop a run after the hundred it is at, or drop a draft. What has gone stays gone; the caller commits."""
    return _move(run, (RunState.DRAFT, *UNDER_WAY), state=RunState.CANCELLED, finished_at=func.now())


def waiting(organisation_id: int) -> list[tuple[ResendRun, int]]:
    """The runs that wait for their moment and how many e-mails each is to send, the soonest first."""
    chosen = select(func.count()).where(ResendRow.run_id == ResendRun.id, ResendRow.chosen).scalar_subquery()
    later = select(ResendRun, chosen).where(
        ResendRun.organisation_id == organisation_id, ResendRun.state == RunState.WAITING,
        ResendRun.not_before > func.now(),
    )  # fmt: skip
    return [(run, count) for run, count in db.session.execute(later.order_by(ResendRun.not_before, ResendRun.id))]


def forget_drafts() -> int:
    """Take away the previews that nobody confirmed."""
    old = delete(ResendRun).where(
        ResendRun.asked_at.is_(None), ResendRun.state.in_((RunState.DRAFT, RunState.CANCELLED)),
        ResendRun.created_at < func.now() - DRAFTS_KEPT,
    )  # fmt: skip
    gone = db.session.execute(old).rowcount  # type: ignore[attr-defined]
    db.session.commit()
    return int(gone)


def work(meanwhile: Callable[[], object] = lambda: None, stop: Callable[[], bool] = lambda: False) -> int:
    """Work off what was confirmed; how many e-mails were asked for. Commits every hundred."""
    asked = 0
    while not stop():
        done = _some()
        if done is None:
            break
        asked += done
        meanwhile()
    return asked


def _some() -> int | None:
    """The next hundred of a run that nobody works on; None where there is none."""
    try:
        return _hundred()
    except (UserMistake, Permanent, ValueError) as error:  # one of them: which, each by itself shows
        log.warning("one of a hundred cannot be sent again: %s", error)
        db.session.rollback()
    return _one_by_one()


def _hundred(only: int | None = None) -> int | None:
    run = _locked()
    if run is None:
        return None
    rows = _next_rows(run, 1 if only else AT_ONCE)
    if not rows:
        _end(run)
        return 0
    in_turn(run.organisation_id)
    again = _judged(run, rows)
    going = [row for row in rows if not _left(row, again)]
    made = _post(run, going) if going else 0
    db.session.commit()
    return made


def _one_by_one() -> int:
    """The hundred that could not be sent at once: what cannot be copied is refused, the others go."""
    made = 0
    for _ in range(AT_ONCE):
        try:
            made += _hundred(only=1) or 0
        except (UserMistake, Permanent, ValueError) as error:
            db.session.rollback()
            run = _locked()
            rows = _next_rows(run, 1) if run else []
            for row in rows:
                row.outcome = RowOutcome.REFUSED
                row.why = error.message if isinstance(error, UserMistake) else _BROKEN
            db.session.commit()
    return made


def _locked() -> ResendRun | None:
    """The oldest run that is to be worked off and that nobody works on, locked until the transaction ends."""
    due = or_(ResendRun.not_before.is_(None), ResendRun.not_before <= func.now())
    query = select(ResendRun).where(ResendRun.state.in_(UNDER_WAY), due).order_by(ResendRun.id).limit(1)
    run = db.session.scalar(query.with_for_update(skip_locked=True, of=ResendRun))
    if run is None:
        db.session.rollback()
    else:
        run.state = RunState.RUNNING
    return run


def _next_rows(run: ResendRun, most: int) -> list[ResendRow]:
    query = select(ResendRow).where(ResendRow.run_id == run.id, ResendRow.chosen, ResendRow.outcome.is_(None))
    return list(db.session.scalars(query.order_by(ResendRow.position).limit(most)))


def _end(run: ResendRun) -> None:
    run.state, run.finished_at = RunState.DONE, db.session.scalar(select(func.now()))
    db.session.commit()


def _judged(run: ResendRun, rows: Sequence[ResendRow]) -> dict[int, Left | None]:
    """What is to be said of the rows now; one whose e-mail is gone says so."""
    organisation = db.session.get_one(Organisation, run.organisation_id)
    asked = {"run": run.id, "today": _today(organisation), "positions": [row.position for row in rows]}
    said: dict[int, str | None] = dict(map(tuple, db.session.execute(text(JUDGE_AGAIN), asked)))
    return {
        row.position: Left(said[row.position]) if said.get(row.position) else
        None if row.position in said else Left.GONE
        for row in rows
    }  # fmt: skip


def _left(row: ResendRow, again: dict[int, Left | None]) -> bool:
    """Whether the row is left out after all: something happened since the preview that nobody has overridden."""
    now = again[row.position]
    if now is None or (now.overridable and row.verdict is not None):
        return False
    row.verdict, row.chosen = now, False
    return True


def _post(run: ResendRun, rows: Sequence[ResendRow]) -> int:
    """Ask for the e-mails of the rows again: exact copies, one mailing for each sender."""
    organisation = db.session.get_one(Organisation, run.organisation_id)
    by = db.session.get(User, run.user_id) if run.user_id else None
    old = {e.id: e for e in db.session.scalars(select(Email).where(Email.id.in_([row.email_id for row in rows])))}
    contents = _by_id(EmailContent, EmailContent.email_id, old)
    addresses = _by_id(Address, Address.id, {email.address_id for email in old.values()})
    files = copying.files_of(old)
    copies: dict[int, EmailContent] = {}  # what each draft repeats
    freeze = copying.copier(lambda draft: copies[id(draft)])
    for sender in _by_id(Sender, Sender.id, {email.sender_id for email in old.values()}).values():
        theirs = [row for row in rows if row.email_id and old[row.email_id].sender_id == sender.id]
        emails = [old[row.email_id] for row in theirs if row.email_id]
        drafts = [_draft(email, contents[email.id], addresses[email.address_id], files) for email in emails]
        copies |= {id(draft): contents[email.id] for draft, email in zip(drafts, emails, strict=True)}
        new = outbox.post(
            drafts, organisation=organisation, sender=sender, by=by, bulk=True, freeze=freeze,
            request_key=f"resends:{run.public_id}:{theirs[0].position}:{sender.id}",
        )  # fmt: skip
        _tie(theirs, emails, new, by)
    return len(rows)


def _tie(rows: Sequence[ResendRow], old: Sequence[Email], new: Sequence[Email], by: User | None) -> None:
    """Each new e-mail points to the one it repeats, which is told of it; the rows have their outcome."""
    db.session.execute(
        text("UPDATE email SET resend_of_id = pair.old FROM unnest(CAST(:new AS bigint[]), CAST(:old AS bigint[])) "
             "AS pair (new, old) WHERE email.id = pair.new"),
        {"new": [email.id for email in new], "old": [email.id for email in old]},
    )  # fmt: skip
    facts = []
    for row, first, again in zip(rows, old, new, strict=True):
        row.outcome, row.new_email_id = RowOutcome.SENT, again.id
        said = {"by": by.name if by else None, "email": again.public_id}
        facts.append(Fact(first.id, EventKind.RESENT, "user", again.public_id, again.created_at, data=said))
    db.session.flush()
    record(facts)


def _draft(email: Email, content: EmailContent, address: Address, files: Mapping[int, Sequence[File]]) -> Draft:
    headers.wire_address(address.address)  # else the whole hundred would fail later
    return copying.draft_of(email, content, address.address, address.name, files.get(email.id, ()))


def _by_id(model: Any, key: Any, ids: Iterable[int]) -> dict[int, Any]:
    rows = db.session.scalars(select(model).where(key.in_(list(ids))))
    return {getattr(row, key.key): row for row in rows}


def _move(run: ResendRun, states: Sequence[RunState], **values: Any) -> bool:
    moved = update(ResendRun).where(ResendRun.id == run.id, ResendRun.state.in_(states)).values(**values)
    done = db.session.execute(moved.execution_options(synchronize_session=False))
    db.session.expire(run)
    return int(done.rowcount) == 1  # type: ignore[attr-defined]


def _today(organisation: Organisation) -> Any:
    return datetime.now(ZoneInfo(organisation.timezone)).date()
