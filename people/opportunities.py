"""Opportunities: the pipeline by stage, the list of one stage, saving, and moving from stage to stage.

Every change of stage leaves a row with who and when. Writing to the contact is left to the pages and to mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Select, Text, cast, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import joinedload

from extensions import db
from models import Contact, Opportunity, Organisation, Stage, StageChange, User
from people.pages import Page, browse, matches

LANE = 20  # cards shown of each stage
MOST_AMOUNT = Decimal("9999999999.99")


@dataclass(frozen=True)
class Lane:
    """One stage of the pipeline: how many there are, their amount together (euros before tax), the newest of them."""

    stage: Stage
    count: int
    amount: Decimal
    cards: list[Opportunity]


def pipeline(organisation: Organisation, words: str = "", owner_id: int | None = None) -> list[Lane]:
    """Every stage in order, in three statements whatever the numbers."""
    asked = _asked(select(Opportunity), organisation, words, owner_id)
    numbers = asked.with_only_columns(
        Opportunity.stage, func.count(), func.coalesce(func.sum(Opportunity.amount), 0)
    ).group_by(Opportunity.stage)  # fmt: skip
    counted = {stage: (count, amount) for stage, count, amount in db.session.execute(numbers)}
    every = cast([stage.value for stage in Stage], ARRAY(Text))
    stages = func.unnest(every).table_valued("stage").render_derived(name="stages")
    each = (
        asked.with_only_columns(Opportunity.id)
        .where(Opportunity.stage == stages.c.stage)
        .order_by(*_newest())
        .limit(LANE)
        .lateral("each")
    )
    ids = list(db.session.scalars(select(each.c.id).select_from(stages.join(each, true()))))
    cards: dict[Stage, list[Opportunity]] = {stage: [] for stage in Stage}
    found = select(Opportunity).where(Opportunity.id.in_(ids)).order_by(*_newest())
    for card in db.session.scalars(found.options(joinedload(Opportunity.contact), joinedload(Opportunity.owner))):
        cards[card.stage].append(card)
    return [Lane(stage, *counted.get(stage, (0, Decimal(0))), cards[stage]) for stage in Stage]


def listed(
    organisation: Organisation, stage: Stage, words: str = "", owner_id: int | None = None, cursor: str | None = None
) -> Page:
    """A page of one stage's opportunities, newest first."""
    query = _asked(select(Opportunity), organisation, words, owner_id).where(Opportunity.stage == stage)
    query = query.options(joinedload(Opportunity.contact), joinedload(Opportunity.owner))
    return browse(query, (Opportunity.created_at, Opportunity.id), cursor, descending=True)


def of_contact(contact: Contact, most: int = 20) -> Sequence[Opportunity]:
    """A contact's opportunities, newest first."""
    query = select(Opportunity).where(Opportunity.contact_id == contact.id).order_by(*_newest())
    return db.session.scalars(query.limit(most)).all()


def _newest() -> tuple[Any, Any]:
    return Opportunity.created_at.desc(), Opportunity.id.desc()


def _asked(query: Select[Any], organisation: Organisation, words: str, owner_id: int | None) -> Select[Any]:
    query = query.where(Opportunity.organisation_id == organisation.id)
    if owner_id is not None:
        query = query.where(Opportunity.owner_id == owner_id)
    if words.strip():
        name = select(Contact.name).where(Contact.id == Opportunity.contact_id).scalar_subquery()
        query = query.where(*matches(words, Opportunity.title, Opportunity.notes, name))
    return query


def owners(organisation: Organisation, most: int = 500) -> list[User]:
    """Who may answer for an opportunity: the active users, by name."""
    query = select(User).where(User.organisation_id == organisation.id, User.active)
    return list(db.session.scalars(query.order_by(User.name, User.id).limit(most)))


def save(opportunity: Opportunity, by: User, **values: Any) -> Opportunity:
    """Set the columns given; a new one begins its history of stages. The caller commits."""
    fresh = opportunity.id is None
    for name, value in values.items():
        setattr(opportunity, name, value.strip() if isinstance(value, str) else value)
    db.session.add(opportunity)
    db.session.flush()
    if fresh:
        _note(opportunity, by)
    return opportunity


def move(opportunity: Opportunity, stage: Stage, by: User | None) -> bool:
    """Bring it to a stage; False when it is there already. The caller commits."""
    if opportunity.stage is stage:
        return False
    opportunity.stage = stage
    db.session.flush()
    _note(opportunity, by)
    return True


def _note(opportunity: Opportunity, by: User | None) -> None:
    db.session.add(StageChange(
        organisation_id=opportunity.organisation_id, opportunity_id=opportunity.id, stage=opportunity.stage,
        by_id=by.id if by else None,
    ))  # fmt: skip


def changes(opportunity: Opportunity) -> Sequence[StageChange]:
    """The stages it went through, newest first."""
    query = select(StageChange).where(StageChange.opportunity_id == opportunity.id).options(joinedload(StageChange.by))
    return db.session.scalars(query.order_by(StageChange.id.desc()).limit(100)).all()


def audience(opportunity: Opportunity, most: int = 200) -> list[Contact]:
    """Who may be written to about it: its contact, then the people of the contact's company."""
    contact = opportunity.contact
    company_id = contact.company_id or contact.id
    query = select(Contact).where(
        Contact.organisation_id == opportunity.organisation_id, Contact.id != contact.id,
        (Contact.company_id == company_id) | (Contact.id == company_id),
    )  # fmt: skip
    return [contact, *db.session.scalars(query.order_by(Contact.sort_name, Contact.id).limit(most))]


def read_amount(text: str) -> Decimal | None:
    """An amount as typed ("12 500,50 €", "12500.5"), None for nothing. Raises ValueError for what is none."""
    plain = "".join(text.split()).replace("\u202f", "").replace("€", "").replace(",", ".")
    if not plain:
        return None
    try:
        amount = Decimal(plain)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not amount.is_finite() or amount < 0 or amount > MOST_AMOUNT:
        raise ValueError(text)
    return amount.quantize(Decimal("0.01"))
