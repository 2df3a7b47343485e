"""Writing the audit log: one line for each act of a person or a program, in the transaction of the act itself.

    audit.note(AuditAction.EMAIL_RESENT, email.public_id, to=address)

What is rolled back was not done and leaves no line. Who, by which key and from where are the request's; a job says
`by=` the person whose act it carries out. Reading the log is people.audit_log's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flask import g, has_request_context, request
from flask_login import current_user
from sqlalchemy import ClauseElement, func, insert, inspect, literal, select, text

from extensions import db, on_commit
from models import Email, User
from models.audit import AuditAction, AuditEntry, Channel

# Set in the request's environ once a line was kept: what the tests hold every writing route to.
NOTED = "sillage.audit.noted"
_LONGEST = 500
_NAMED = 50
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def note(
    action: AuditAction, subject: Any = "", *, also: Iterable[str] = (), by: User | None = None,
    organisation_id: int | None = None, **data: Any,
) -> None:  # fmt: skip
    """Add one line to the log; the caller commits.

    `subject` is what it was about: a row with a public id (flushed here where it is new) or the id itself (E-…, C-…,
    S-…), else an address, a name or a key's prefix; `also` the ids of whatever else it was about, by which the line is
    found too. `data` goes into JSON (str, int, bool, lists and
    dicts of them): ids, counts, addresses, never a body, a password or a secret; what is None, "" or empty is left
    out. `by` is the person where no request says it (a job) or not yet (a sign-in); `organisation_id` is for acts that
    are nobody's in it. Raises LookupError where neither is known.
    """
    person = by or _signed_in()
    if person is None and organisation_id is None:
        raise LookupError("nobody did it: say by= or organisation_id=")
    line = AuditEntry(
        organisation_id=person.organisation_id if person else organisation_id, action=action,
        user_id=person.id if person else None, who=person.name if person else "", subject=_short(_named(subject)),
        also=list(also), data={name: _short(value) for name, value in data.items() if value not in _NOTHING},
        **_origin(),
    )  # fmt: skip
    db.session.add(line)
    if has_request_context():
        on_commit(_mark(request.environ))


def sent(
    action: AuditAction, emails: Sequence[Email], subject: Any = "", also: Sequence[str] = (), **said: Any
) -> None:
    """note(), of e-mails that mail.post gave: nothing where they are those of an earlier press of the same button.

    As many as a page of people are named in `also`; the requests of larger mailings stand in each e-mail's own story.
    """
    if not emails or emails[0].created_at != db.session.scalar(select(func.now())):
        return
    named = [email.public_id for email in emails] if len(emails) <= _NAMED else []
    note(action, subject, also=[*named, *also], count=len(emails), **said)


def taken(action: AuditAction, subject: Any = "", **said: Any) -> None:
    """Note that data leave in one piece (an export, an archive), and commit: the one thing that a GET may write.

    The parts of a download that goes on where it broke off are the same download.
    """
    if request.range is None or request.range.ranges[:1] == [(0, None)]:
        note(action, subject, **said)
        db.session.commit()


def changed(row: Any, *shown: str) -> dict[str, Any]:
    """{"changed": names of the columns that are to be written}, with "NAME": [before, after] for those `shown`.

    Asked before the flush. Which columns changed is enough for most; values are for what the change is about (an
    address, a role), never for what is private.
    """
    state = inspect(row)
    histories = {column.key: state.attrs[column.key].history for column in state.mapper.column_attrs}
    # what the database works out from the rest (a sort name) is no change of anybody's
    names = [
        name for name, history in histories.items()
        if history.has_changes() and not any(isinstance(value, ClauseElement) for value in history.added or ())
    ]  # fmt: skip
    found: dict[str, Any] = {"changed": sorted(names)}
    for name in shown:
        history = histories[name]
        if name in names:
            found[name] = [_plain(history.deleted), _plain(history.added)]
    return found


def _named(subject: Any) -> str:
    if isinstance(subject, str):
        return subject
    if subject.public_id is None:
        db.session.flush()
    return str(subject.public_id)


def _plain(values: Any) -> Any:
    value = next(iter(values or ()), None)
    value = getattr(value, "value", value)
    return value if isinstance(value, bool | int) else _short(str("" if value is None else value))


def _mark(environ: dict[str, Any]) -> Any:
    return lambda: environ.update({NOTED: True})


def refused(email: str) -> None:
    """Note that a sign-in to that account was refused, where there is such an account, and commit.

    One statement whether there is one or not, and no waiting for the disk: how long it takes tells nobody which.
    """
    origin = _origin()
    account = select(
        User.organisation_id, literal(AuditAction.SIGN_IN_REFUSED.value), User.email, literal(origin["channel"].value),
        literal(origin["address"]),
    ).where(func.lower(User.email) == func.lower(email.strip().replace("\0", "")))  # fmt: skip
    columns = ["organisation_id", "action", "subject", "channel", "address"]
    db.session.execute(text("SET LOCAL synchronous_commit = off"))
    db.session.execute(insert(AuditEntry).from_select(columns, account))
    db.session.commit()


def _signed_in() -> User | None:
    if not has_request_context() or not current_user.is_authenticated:
        return None
    return current_user._get_current_object()  # type: ignore[no-any-return]


def _origin() -> dict[str, Any]:
    """From where: the request's address (a proxy's word only where TRUSTED_PROXIES counts it) and the key's prefix."""
    if not has_request_context():
        return {"channel": Channel.JOB, "address": "", "token_prefix": ""}
    token = g.get("token")
    return {
        "channel": Channel.API if token is not None else Channel.PAGE,
        "address": request.remote_addr or "",
        "token_prefix": token.prefix if token is not None else "",
    }


def _short(value: Any) -> Any:
    return value[:_LONGEST] if isinstance(value, str) else value
