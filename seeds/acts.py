"""What the demo's audit log holds at first: the lines that its own history would have left, no other.

Mailings, treated failures, versions of templates and the webhook are read from the rows the demo made; the sign-ins of
the last two weeks are told beside them. Written with their moments: a line may be appended late, never changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from extensions import db
from models import (
    AuditAction,
    AuditEntry,
    Channel,
    Email,
    Organisation,
    Template,
    TemplateVersion,
    TrainingSession,
    User,
    WebhookEndpoint,
)
from models.words import Role

_DAYS = 14
_MAILINGS = 40
# of the ranges kept for examples (RFC 5737)
_ADDRESSES = {Role.ADMIN: "192.0.2.10", Role.MANAGER: "192.0.2.24", Role.STAFF: "192.0.2.31"}
_MORNINGS = {Role.ADMIN: time(9, 12), Role.MANAGER: time(8, 47), Role.STAFF: time(8, 31)}


def keep(organisation: Organisation | None) -> None:
    """Give an organisation without a log its first lines; the caller commits."""
    if organisation is None:
        return
    db.session.flush()
    mine = AuditEntry.organisation_id == organisation.id
    if db.session.scalar(select(AuditEntry.id).where(mine).limit(1)) is not None:
        return
    people = {user.id: user for user in db.session.scalars(select(User).where(User.organisation_id == organisation.id))}
    lines = [*_sign_ins(organisation, list(people.values())), *_rows(organisation, people)]
    now = datetime.now(UTC)
    db.session.add_all(sorted((line for line in lines if line.at < now), key=lambda line: line.at))


def _sign_ins(organisation: Organisation, people: list[User]) -> list[AuditEntry]:
    """Each working morning; once, one types a wrong password first."""
    zone, today = ZoneInfo(organisation.timezone), datetime.now(ZoneInfo(organisation.timezone)).date()
    found = []
    for ago in range(_DAYS, 0, -1):
        day = today - timedelta(days=ago)
        for n, user in enumerate(people):
            if day.weekday() > 4 or (user.role is Role.ADMIN and ago % 2):
                continue
            at = datetime.combine(day, _MORNINGS[user.role], zone) + timedelta(minutes=ago * (n + 3) % 11, seconds=ago)
            if ago == 9 and user.role is not Role.MANAGER:
                refused = _line(user, AuditAction.SIGN_IN_REFUSED, at - timedelta(seconds=21), user.email)
                refused.user_id, refused.who = None, ""
                found.append(refused)
            found.append(_line(user, AuditAction.SIGNED_IN, at, user.email))
    return found


def _rows(organisation: Organisation, people: dict[int, User]) -> list[AuditEntry]:
    found = []
    mailings = (
        select(
            Email.mailing_id, Email.requested_by_id, Email.type, TrainingSession.public_id, func.count().label("count"),
            func.min(Email.created_at).label("at"),
        )
        .join(TrainingSession, TrainingSession.id == Email.training_session_id)
        .where(Email.organisation_id == organisation.id, Email.requested_by_id.is_not(None))
        .group_by(Email.mailing_id, Email.requested_by_id, Email.type, TrainingSession.public_id,
                  func.date_trunc("day", Email.created_at))
        .order_by(func.min(Email.created_at).desc()).limit(_MAILINGS)
    )  # fmt: skip
    for row in db.session.execute(mailings):
        said: dict[str, Any] = {"type": row.type, "count": row.count}
        found.append(_line(people[row.requested_by_id], AuditAction.EMAILS_SENT, row.at, row.public_id, **said))
    treated = select(Email).where(Email.organisation_id == organisation.id, Email.treated_by_id.is_not(None))
    for email in db.session.scalars(treated.limit(_MAILINGS)):
        by = people[email.treated_by_id or 0]
        found.append(_line(by, AuditAction.TREATED, email.treated_at, email.public_id, note=email.treated_note))
    versions = (
        select(TemplateVersion, Template)
        .join(Template, Template.id == TemplateVersion.template_id)
        .where(Template.organisation_id == organisation.id, TemplateVersion.author_id.is_not(None))
        .limit(_MAILINGS)
    )
    for version, template in db.session.execute(versions):
        found.append(_line(people[version.author_id], AuditAction.TEMPLATE_CHANGED, version.created_at,
                           template.public_id, name=template.name, version=version.number))  # fmt: skip
    admin = next((user for user in people.values() if user.role is Role.ADMIN), None)
    hooks = select(WebhookEndpoint).where(WebhookEndpoint.organisation_id == organisation.id)
    for hook in db.session.scalars(hooks) if admin else ():
        found.append(_line(admin, AuditAction.WEBHOOK_CREATED, hook.created_at, hook.public_id, host="127.0.0.1"))
    return found


def _line(by: User, action: AuditAction, at: datetime | None, subject: str, **data: Any) -> AuditEntry:
    return AuditEntry(
        organisation_id=by.organisation_id, at=at, action=action, user_id=by.id, who=by.name, channel=Channel.PAGE,
        address=_ADDRESSES[by.role], subject=subject, data={name: value for name, value in data.items() if value},
    )  # fmt: skip
