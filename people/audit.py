"""Writing the audit log: one line for each act of a person or a program, in the transaction of the act itself.

    audit.note(AuditAction.EMAIL_RESENT, email.public_id, to=address)

What is rolled back was not done and leaves no line. Who, by which key and from where are the request's; a job says
`by=` the person whose act it carries out. Reading the log is people.audit_log's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import g, has_request_context, request
from flask_login import current_user
from sqlalchemy import inspect

from extensions import db, on_commit
from models import User
from models.audit import AuditAction, AuditEntry, Channel

# Set in the request's environ once a line was kept: what the tests hold every writing route to.
NOTED = "sillage.audit.noted"
_LONGEST = 500
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def note(
    action: AuditAction, subject: str = "", *, also: Iterable[str] = (), by: User | None = None,
    organisation_id: int | None = None, **data: Any,
) -> None:  # fmt: skip
    """Add one line to the log; the caller commits.

    `subject` is what it was about: a public id (E-…, C-…, S-…), else an address, a name or a key's prefix; `also` the
    ids of whatever else it was about, by which the line is found too. `data` goes into JSON (str, int, bool, lists and
    dicts of them): ids, counts, addresses, never a body, a password or a secret; what is None, "" or empty is left
    out. `by` is the person where no request says it (a job) or not yet (a sign-in); `organisation_id` is for acts that
    are nobody's in it. Raises LookupError where neither is known.
    """
    person = by or _signed_in()
    if person is None and organisation_id is None:
        raise LookupError("nobody did it: say by= or organisation_id=")
    line = AuditEntry(
        organisation_id=organisation_id if person is None else person.organisation_id, action=action,
        user_id=person.id if person else None, who=person.name if person else "", subject=_short(subject),
        also=list(also), data={name: _short(value) for name, value in data.items() if value not in _NOTHING},
        **_origin(),
    )  # fmt: skip
    db.session.add(line)
    if has_request_context():
        on_commit(_mark(request.environ))


def changed(row: Any, *shown: str) -> dict[str, Any]:
    """{"changed": names of the columns that are to be written}, with "NAME": [before, after] for those `shown`.

    Asked before the flush. Which columns changed is enough for most; values are for what the change is about (an
    address, a role), never for what is private.
    """
    state = inspect(row)
    names = [column.key for column in state.mapper.column_attrs if state.attrs[column.key].history.has_changes()]
    found: dict[str, Any] = {"changed": sorted(names)}
    for name in shown:
        history = state.attrs[name].history
        if name in names:
            found[name] = [_plain(history.deleted), _plain(history.added)]
    return found


def _plain(values: Any) -> str:
    value = next(iter(values or ()), None)
    return "" if value is None else _short(str(getattr(value, "value", value)))


def _mark(environ: dict[str, Any]) -> Any:
    return lambda: environ.update({NOTED: True})


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
