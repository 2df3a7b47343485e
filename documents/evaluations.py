"""Evaluations: who is asked what, by which address, and what they answered.

An evaluation is one person's, of one session, at one moment; it is answered once. The address of the house's own form
is signed, so that knowing an evaluation's id is not enough. Sending the address is left to mail, the page to
blueprints.evaluations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from extensions import db, settings
from models import Contact, Enrolment, Evaluation, EvaluationMoment, Template, TrainingSession
from models.words import ContactKind

# Who is asked: everyone who takes part or pays.
ASKED = (ContactKind.LEARNER, ContactKind.TRAINER, ContactKind.COMPANY, ContactKind.FUNDER)
_SALT = "evaluation form"


def ensure(training_session: TrainingSession, contact: Contact, moment: EvaluationMoment) -> Evaluation:
    """The person's evaluation at that moment, made where there is none; the caller commits."""
    keys = {"training_session_id": training_session.id, "contact_id": contact.id, "moment": moment}
    query = select(Evaluation).filter_by(**keys)
    found = db.session.scalar(query)
    if found is None:
        row = {"organisation_id": training_session.organisation_id, **keys}
        db.session.execute(insert(Evaluation).values(row).on_conflict_do_nothing())  # two may ask at once
        found = db.session.scalars(query).one()
    return found


def token(evaluation: Evaluation) -> str:
    """What stands after /f/ in the address of our form."""
    return str(_signer().dumps(evaluation.public_id))


def read(text: str) -> Evaluation | None:
    """The evaluation of a token, None for one that is not ours."""
    try:
        public_id = _signer().loads(text[:200])
    except BadSignature:
        return None
    return db.session.scalar(select(Evaluation).where(Evaluation.public_id == str(public_id)))


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings().signing_keys, salt=_SALT)


def form_url(evaluation: Evaluation) -> str:
    """The signed address of our own form."""
    return f"{settings().base_url}/f/{token(evaluation)}"


def url(evaluation: Evaluation, template: Template | None) -> str:
    """Where the person answers: the template's own form where it names one, told whose answer it is (`ref`) and where
    to come back to (`confirm`, the signed page that takes note of it); else our form."""
    own = template.form_url.strip() if template is not None else ""
    if not own:
        return form_url(evaluation)
    parts = urlsplit(own)
    asked = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)
             if name not in ("ref", "confirm")]  # fmt: skip
    asked += [("ref", evaluation.public_id), ("confirm", form_url(evaluation) + "/done")]
    return urlunsplit(parts._replace(query=urlencode(asked)))


def unanswered(training_session: TrainingSession, moment: EvaluationMoment) -> set[int]:
    """Who takes part and has not answered, asked already or not: the contacts' ids."""
    answered = select(Evaluation.contact_id).where(
        Evaluation.training_session_id == training_session.id, Evaluation.moment == moment,
        Evaluation.answered_at.is_not(None),
    )  # fmt: skip
    query = (
        select(Contact.id).join(Enrolment, Enrolment.contact_id == Contact.id)
        .where(Enrolment.training_session_id == training_session.id, Contact.kind.in_(ASKED),
               Contact.id.not_in(answered))
    )  # fmt: skip
    return set(db.session.scalars(query))


def of_session(training_session: TrainingSession, moment: EvaluationMoment) -> dict[int, Evaluation]:
    """The evaluations of a session at a moment, by the contact's id."""
    query = select(Evaluation).where(Evaluation.training_session_id == training_session.id, Evaluation.moment == moment)
    return {evaluation.contact_id: evaluation for evaluation in db.session.scalars(query)}


def answer(evaluation: Evaluation, rating: int | None = None, answers: dict[str, Any] | None = None) -> bool:
    """Keep the answer if it is the first; False when there is one already. The caller commits.

    A second answer is refused: what was counted, exported and shown to an auditor does not change afterwards.
    """
    now = func.now()
    query = (
        update(Evaluation)
        .where(Evaluation.id == evaluation.id, Evaluation.answered_at.is_(None))
        .values(answered_at=now, opened_at=func.coalesce(Evaluation.opened_at, now), rating=rating,
                answers=answers or {})
        .returning(Evaluation.id)
    )  # fmt: skip
    kept = db.session.execute(query).scalar_one_or_none() is not None
    db.session.refresh(evaluation)
    return kept


def reminded(people: Sequence[Contact], waiting: set[int], asked: set[int]) -> list[Contact]:
    """Whom a reminder goes to, of `people`: asked, and without an answer yet."""
    return [contact for contact in people if contact.id in waiting and contact.id in asked]
