"""The columns of the history: the one place where a column exists.

Each says where it is shown, which filters stand under its header, what they mean in SQL, the cell's macro in
templates/history/_cells.html, what exports and the API give of it. Adding a column is adding it here, its words in
history.sentences, its input in templates/history/_filters.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from history import more
from history.conditions import (
    Among,
    Belongs,
    Text,
    Within,
    WordsOfSubject,
    contact_text,
    recipient_text,
    session_text,
)
from history.filters import HistoryFilter
from history.scope import Kind, Scope
from models import Contact, TrainingSession
from models.words import N_

Condition = Among | Within | Belongs | Text


@dataclass(frozen=True)
class Ask:
    """What a column's condition is made from."""

    scope: Scope
    filter: HistoryFilter
    now: datetime


def _nothing(_ask: Ask) -> Iterable[Condition]:
    return ()


@dataclass(frozen=True, eq=False)
class Column:
    """A column, one of COLUMNS and no other. `fields` are the query parameters filtered under its header; `exports` are
    (name, row → value) pairs; `css` is its class in the look; `sorts` says that the date order is toggled at its
    header."""

    key: str
    label: str
    css: str
    fields: tuple[str, ...] = ()
    condition: Callable[[Ask], Iterable[Condition]] = _nothing
    scopes: frozenset[Kind] = frozenset(("session", "contact", "global"))
    api: tuple[str, ...] = ()
    sorts: bool = False


def _dates(ask: Ask) -> Iterable[Condition]:
    start, end = ask.filter.days(ask.now, ask.scope.zone).moments(ask.scope.zone)
    if start is not None or end is not None:
        yield Within(start, end)


def _type(ask: Ask) -> Iterable[Condition]:
    if ask.filter.type:
        yield Among("type", ask.filter.type)


def _session(ask: Ask) -> Iterable[Condition]:
    organisation_id, asked = ask.scope.organisation_id, ask.filter.session
    if ask.scope.training_session is not None:
        yield Belongs("training_session_id", ask.scope.training_session.id)
    if ask.scope.opportunity is not None:
        yield Belongs("opportunity_id", ask.scope.opportunity.id)
    if ask.filter.session_id:
        found = select(TrainingSession.id).where(
            TrainingSession.public_id == asked, TrainingSession.organisation_id == organisation_id
        )
        yield Belongs("training_session_id", found.scalar_subquery())
    elif asked:
        yield session_text(organisation_id, asked)


def _contact(ask: Ask) -> Iterable[Condition]:
    organisation_id, asked, whose = ask.scope.organisation_id, ask.filter.contact, ask.scope.contact
    if whose is not None and ask.scope.has_learners and ask.filter.learners:
        family = select(Contact.id).where(
            Contact.organisation_id == organisation_id, (Contact.id == whose.id) | (Contact.company_id == whose.id)
        )
        yield Belongs("contact_id", family)
    elif whose is not None:
        yield Belongs("contact_id", whose.id)
    if ask.filter.contact_id:
        found = select(Contact.id).where(Contact.public_id == asked, Contact.organisation_id == organisation_id)
        yield Belongs("contact_id", found.scalar_subquery())
    elif asked:
        yield contact_text(organisation_id, asked)


def _recipient(ask: Ask) -> Iterable[Condition]:
    if ask.filter.recipient:
        yield recipient_text(ask.scope.organisation_id, ask.filter.recipient)


def _subject(ask: Ask) -> Iterable[Condition]:
    if ask.filter.subject:
        yield WordsOfSubject(ask.scope.organisation_id, ask.filter.subject)


def _attachment(ask: Ask) -> Iterable[Condition]:
    if ask.filter.attachment:
        yield Among("files", (ask.filter.attachment == "yes",))


def _status(ask: Ask) -> Iterable[Condition]:
    if ask.filter.statuses:
        yield Among("status", ask.filter.statuses)


COLUMNS: tuple[Column, ...] = (
    Column(
        "date", N_("Date"), "col-date", ("date_field", "period", "from", "to"), _dates,
        api=("created_at", "sent_at", "updated_at"), sorts=True,
    ),
    Column("type", N_("Type"), "col-type", ("type",), _type, api=("type",)),
    Column(
        "session", N_("Session"), "col-session", ("session",), _session,
        scopes=frozenset(("contact", "global")), api=("session",),
    ),
    Column(
        "contact", N_("Client"), "col-event", ("contact",), _contact,
        scopes=frozenset(("global",)), api=("contact", "contact_name"),
    ),
    Column("recipient", N_("Destinataire"), "col-recipient", ("recipient",), _recipient, api=("recipient", "name")),
    Column("subject", N_("Objet"), "col-subject", ("subject",), _subject, api=("subject",)),
    Column("files", N_("Pièces"), "col-files", ("attachment",), _attachment, api=("attachment_names",)),
    Column("status", N_("Statut"), "col-status", ("status",), _status, api=("status", "reason")),
)  # fmt: skip


def shown(kind: Kind, chosen: tuple[str, ...] = ()) -> list[Column]:
    """The columns of a scope, in order: those of the keys `chosen`, or all."""
    own = {column.key: column for column in COLUMNS if kind in column.scopes}
    return [own[key] for key in chosen if key in own] or list(own.values())


def conditions(ask: Ask) -> list[Any]:
    """Every condition of a question. A filter whose column is not shown still counts: an address says what it says."""
    return [*(condition for column in COLUMNS for condition in column.condition(ask)), *more.conditions(ask)]
