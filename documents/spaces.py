"""Recipients' own pages: the signed address of what was sent to one person for one session, who may open it, the log.

The address names the row and its generation: a new one ends the old, revoking closes it, and it ends by itself a year
after the session. Knowing a row's id is not enough. Showing the page is blueprints.spaces'.

The log of visits is written by the GET of the page, as the open pixel is: it must hold without script, for it is what
answers "I never received anything". Mail scanners follow links too, so each line keeps the agent's name, and looks of
one agent within ten minutes are one line.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert

from extensions import db, settings
from models import (
    Attachment,
    Blob,
    Contact,
    Email,
    EmailContent,
    Organisation,
    RecipientSpace,
    SpaceVisit,
    TrainingSession,
    base,
)
from models.words import EmailType, Reason, Status

LASTS = timedelta(days=365)
PAGE = "page"  # in SpaceVisit.what; else the name of the document taken
_SALT = "recipient space"
_SAME_LOOK = timedelta(minutes=10)


def url(training_session: TrainingSession, contact: Contact) -> str:
    """The signed address of the person's page for that session, its row made where there is none; the caller commits.

    A revoked page keeps its address and stays closed: only renew() opens it again, at another one.
    """
    return address(ensure(training_session, contact))


def ensure(training_session: TrainingSession, contact: Contact) -> RecipientSpace:
    """The row of that person and session, made where there is none; the caller commits."""
    if contact.organisation_id != training_session.organisation_id:
        raise ValueError("A space holds one organisation's own.")
    keys = {"training_session_id": training_session.id, "contact_id": contact.id}
    query = select(RecipientSpace).filter_by(**keys)
    found = db.session.scalar(query)
    if found is None:
        row = {"organisation_id": training_session.organisation_id, "public_id": base.public_id("R", 12), **keys}
        db.session.execute(insert(RecipientSpace).values(row).on_conflict_do_nothing())  # two may ask at once
        found = db.session.scalars(query).one()
    return found


def address(space: RecipientSpace) -> str:
    """The address that opens the page now."""
    return f"{settings().base_url}/r/{token(space)}"


def token(space: RecipientSpace) -> str:
    """What stands after /r/ in the address."""
    return str(_signer().dumps([space.public_id, space.generation]))


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings().signing_keys, salt=_SALT)


def open_(text: str) -> RecipientSpace | None:
    """The page of a token; None for one that is forged, of an older generation, revoked, or past its year."""
    try:
        named, generation = _signer().loads(text[:300])
    except (BadSignature, ValueError, TypeError):
        return None
    space = db.session.scalar(select(RecipientSpace).where(RecipientSpace.public_id == str(named)))
    if space is None or space.generation != generation or space.revoked_at is not None:
        return None
    return None if is_over(space) else space


def ends_on(space: RecipientSpace) -> date:
    """The last day it opens: a year after the session's end (after its making where the session has no date)."""
    return (space.training_session.ends_on or space.created_at.astimezone(_zone(space)).date()) + LASTS


def is_over(space: RecipientSpace) -> bool:
    """Whether its last day is over, where the organisation is."""
    return ends_on(space) < datetime.now(_zone(space)).date()


def _zone(space: RecipientSpace) -> ZoneInfo:
    return ZoneInfo(db.session.get_one(Organisation, space.organisation_id).timezone)


def revoke(space: RecipientSpace) -> None:
    """Close the page; every address sent so far stops working. The caller commits."""
    space.revoked_at = db.session.scalar(select(func.now()))


def renew(space: RecipientSpace) -> str:
    """Open the page at a new address, the older ones ended; the caller commits."""
    space.generation += 1
    space.revoked_at = None
    db.session.flush()
    return address(space)


def visited(space: RecipientSpace, what: str, agent: str) -> None:
    """Log a look at the page, or a document taken; committed."""
    now = db.session.scalars(select(func.now())).one()
    agent = "".join(sign for sign in agent if sign.isprintable())[:200]
    recent = select(SpaceVisit.id).where(
        SpaceVisit.space_id == space.id, SpaceVisit.what == what, SpaceVisit.agent == agent,
        SpaceVisit.created_at > now - _SAME_LOOK,
    )  # fmt: skip
    if db.session.scalar(recent.limit(1)) is None:
        db.session.add(SpaceVisit(
            organisation_id=space.organisation_id, space_id=space.id, what=what, agent=agent
        ))  # fmt: skip
    space.last_seen_at = now
    db.session.commit()


def visits(space: RecipientSpace, most: int = 50) -> list[SpaceVisit]:
    """The newest visits first."""
    query = select(SpaceVisit).where(SpaceVisit.space_id == space.id).order_by(SpaceVisit.id.desc())
    return list(db.session.scalars(query.limit(most)))


def of_session(training_session: TrainingSession) -> dict[int, RecipientSpace]:
    """The pages of a session, by the contact's id."""
    query = select(RecipientSpace).where(RecipientSpace.training_session_id == training_session.id)
    return {space.contact_id: space for space in db.session.scalars(query)}


@dataclass(frozen=True)
class Letter:
    """One e-mail as its recipient's page shows it; `files` are (position, name, size in bytes, media type)."""

    public_id: str
    subject: str
    type: str
    status: Status
    at: datetime
    files: tuple[tuple[int, str, int, str], ...]


def letters(space: RecipientSpace, most: int = 200) -> list[Letter]:
    """What was sent to that person for that session, the newest first; what was called off is not among it."""
    query = _theirs(space).order_by(Email.created_at.desc(), Email.id.desc()).limit(most)
    emails = list(db.session.scalars(query))
    whole = _whole([email.id for email in emails])
    emails = [email for email in emails if email.id in whole]
    files: dict[int, list[tuple[int, str, int, str]]] = {}
    parts = (
        select(Attachment.email_id, Attachment.position, Attachment.filename, Blob.size, Blob.media_type)
        .join(Blob, Blob.sha256 == Attachment.sha256)
        .where(Attachment.email_id.in_([email.id for email in emails]))
        .order_by(Attachment.email_id, Attachment.position)
    )
    for email_id, *part in db.session.execute(parts):
        files.setdefault(email_id, []).append(tuple(part))  # type: ignore[arg-type]
    return [
        Letter(email.public_id, email.subject, email.type, email.status, email.sent_at or email.created_at,
               tuple(files.get(email.id, ())))
        for email in emails
    ]  # fmt: skip


def _whole(email_ids: Collection[int]) -> set[int]:
    """Those of which there is something to show: nothing is left of what was erased."""
    gone = select(EmailContent.email_id).where(
        EmailContent.email_id.in_(email_ids), EmailContent.erased_at.is_not(None)
    )  # fmt: skip
    return set(email_ids) - set(db.session.scalars(gone))


def letter(space: RecipientSpace, public_id: str) -> Email | None:
    """One of those e-mails; None for any other."""
    return db.session.scalar(_theirs(space).where(Email.public_id == public_id))


def file(space: RecipientSpace, public_id: str, position: int) -> Attachment | None:
    """An attachment of one of those e-mails; None for any other."""
    email = letter(space, public_id)
    if email is None or email.id not in _whole([email.id]):
        return None
    return db.session.scalar(select(Attachment).where(Attachment.email_id == email.id, Attachment.position == position))


def _theirs(space: RecipientSpace) -> Select[tuple[Email]]:
    return select(Email).where(
        Email.training_session_id == space.training_session_id, Email.contact_id == space.contact_id,
        Email.organisation_id == space.organisation_id, Email.type != EmailType.ALERT.value,
        Email.reason.is_(None) | Email.reason.not_in([reason for reason in Reason if reason.silent]),
    )  # fmt: skip
