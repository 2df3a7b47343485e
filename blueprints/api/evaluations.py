"""Evaluations: read one, and say that it was answered (for an organisation that has its own form)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from flask import Response
from pydantic import BeforeValidator, Field, StringConstraints

from blueprints.api.door import answer, blueprint, own, scoped
from blueprints.api.fields import LINE, TEXT, Answer, Moment, Request, optional
from documents import evaluations
from extensions import db
from models import AuditAction, Evaluation, EvaluationMoment
from people import audit
from people.tokens import Access

_When = Literal[tuple(str(moment.value) for moment in EvaluationMoment)]  # type: ignore[valid-type]
_Key = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=LINE)]
_Words = Annotated[str, StringConstraints(max_length=4000, pattern=TEXT)]


def _whole(number: Any) -> Any:
    """3.0 is an integer in JSON Schema's eyes, so it is one here."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


class AnsweredRequest(Request):
    """What was answered; all of it may be left out, then it is only known that there is an answer."""

    may_be_left_out: ClassVar[bool] = True

    rating: Annotated[int, BeforeValidator(_whole)] = optional(ge=1, le=5, description="Of the whole, from 1 to 5.")
    answers: dict[_Key, Annotated[int, Field(ge=-(2**31), le=2**31), BeforeValidator(_whole)] | _Words] = optional(
        max_length=50, extra={"additionalProperties": False},
        description="The other answers, by the names your form gives them.",
    )  # fmt: skip


class EvaluationShape(Answer):
    """One person's evaluation of one session at one moment."""

    id: str = Field(description="What your own form is told as `ref`.")
    session: str
    contact: str
    moment: _When
    created_at: Moment
    answered_at: Moment | None = Field(description="null while there is no answer.")
    rating: int | None


@blueprint.get("/evaluations/<evaluation_id>")
@scoped(Access.READ)
@blueprint.output(EvaluationShape)
def get_evaluation(evaluation_id: str) -> Response:
    """One evaluation: whether it was answered, and the rating."""
    return answer(_shape(own(Evaluation, evaluation_id)))


@blueprint.post("/evaluations/<evaluation_id>/answered")
@scoped(Access.SEND)
@blueprint.input(AnsweredRequest, arg_name="asked")
@blueprint.output(EvaluationShape)
def post_answered(evaluation_id: str, asked: AnsweredRequest) -> Response:
    """Take note of an answer: nobody reminds this person any more.

    The first answer stays: telling it again, or another one, changes nothing and answers the same.
    """
    evaluation = own(Evaluation, evaluation_id)
    if evaluation.answered_at is None:
        audit.note(AuditAction.EVALUATION_ANSWERED, evaluation, also=[evaluation.contact.public_id])
    evaluations.answer(evaluation, asked.rating, dict(asked.answers or {}))
    db.session.commit()
    return answer(_shape(evaluation))


def _shape(evaluation: Evaluation) -> EvaluationShape:
    return EvaluationShape(
        id=evaluation.public_id, session=evaluation.training_session.public_id, contact=evaluation.contact.public_id,
        moment=str(evaluation.moment.value), created_at=evaluation.created_at, answered_at=evaluation.answered_at,
        rating=evaluation.rating,
    )  # fmt: skip
