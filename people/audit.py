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

from extensions import db, on_commit
from models import User
from models.audit import AuditAction, AuditEntry, Channel

# Set in the request's environ once a line was kept: what the tests hold every writing route to.
NOTED = "sillage.audit.noted"
_LONGEST = 500


def note(
    action: AuditAction, subject: str = "", *, by: User | None = None, organisation_id: int | None = None, **data: Any
) -> None:
    """Add one line to the log; the caller commits.

    `subject` is what it was about: a public id (E-…, C-…, S-…), else an address, a name or a key's prefix. `data` goes
    into JSON (str, int, bool, None, lists and dicts of them): ids, counts, addresses, never a body, a password or a
    secret; what is None or "" is left out. `by` is the person where no request says it (a job) or says it wrongly (a
    sign-in); `organisation_id` is for acts that are nobody's in it. Raises LookupError where neither is known.
    """
    note_each(action, [subject], by=by, organisation_id=organisation_id, **data)


def note_each(
    action: AuditAction, subjects: Iterable[str], *, by: User | None = None, organisation_id: int | None = None,
    **data: Any,
) -> None:  # fmt: skip
    """One line for each subject, written by one statement: for acts on many e-mails, found by each one's id later."""
    person = by or _signed_in()
    if person is None and organisation_id is None:
        raise LookupError("nobody did it: say by= or organisation_id=")
    line = {
        "organisation_id": organisation_id if person is None else person.organisation_id,
        "action": action,
        "user_id": person.id if person else None,
        "who": person.name if person else "",
        "data": {name: _short(value) for name, value in data.items() if value not in (None, "")},
        **_origin(),
    }
    lines = [line | {"subject": subject[:_LONGEST]} for subject in subjects]
    if not lines:
        return
    db.session.execute(AuditEntry.__table__.insert(), lines)  # type: ignore[attr-defined]
    if has_request_context():
        on_commit(_mark(request.environ))


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
