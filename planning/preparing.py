"""What a plan or an event becomes: one draft, rendered from the organisation's template with its files and links.

Raises UserMistake, in words for the screen, for whatever keeps an e-mail from being made; sending is the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from documents import evaluations, spaces, store
from errors import UserMistake
from extensions import db
from mail import templates
from mail.compose import Draft, File
from models import BusinessEvent, Contact, Organisation, PlannedEmail, Sender, Template, TrainingSession
from models.words import N_
from planning.rules import ASKS, REMINDS

NO_SENDER = N_("L'organisme n'a pas d'adresse d'expédition par défaut.")
NO_TEMPLATE = N_("Aucun modèle d'e-mail n'existe pour ce type.")


@dataclass(frozen=True)
class Prepared:
    """A draft and the address it leaves from: what mail.post takes."""

    draft: Draft
    sender: Sender


def of_plan(plan: PlannedEmail, organisation: Organisation) -> Prepared:
    """The e-mail of a dated rule; its documents are made where they are missing or out of date."""
    template = _template(organisation, plan.rule.type.value, plan.contact)
    links = _links(plan, template)
    writing = templates.writing(
        template, organisation, training_session=plan.training_session, links=lambda contact: links
    )
    ready = store.files(template.files, plan.training_session, plan.contact)
    files = tuple(File(one.filename, one.sha256, one.size, one.media_type) for one in ready)
    return Prepared(writing.draft(plan.contact, files), _sender(organisation, template))


def of_event(event: BusinessEvent, contact: Contact, template: Template, organisation: Organisation) -> Prepared:
    """The e-mail of a business event, with what it brought where the template says so."""
    told = {name: event.payload[name] for name in ("occurred_at", "customer") if event.payload.get(name)}
    data: Mapping[str, Any] = {**(event.payload.get("data") or {}), **told}
    writing = templates.writing(template, organisation, data=data)
    files = _brought(event.files) if templates.EVENT_FILES in template.files else ()
    return Prepared(writing.draft(contact, files), _sender(organisation, template))


def _brought(files: Sequence[Mapping[str, Any]]) -> tuple[File, ...]:
    return tuple(File(one["filename"], one["sha256"], one["size"], one["media_type"]) for one in files)


def _template(organisation: Organisation, type: str, contact: Contact) -> Template:
    template = templates.find(organisation.id, type, contact.kind.value)
    if template is None:
        raise UserMistake(NO_TEMPLATE)
    return template


def _links(plan: PlannedEmail, template: Template) -> dict[str, str]:
    """The person's own addresses; an evaluation that is asked for exists from now on."""
    training_session: TrainingSession = plan.training_session
    links = {"espace": spaces.url(training_session, plan.contact)}
    moment = ASKS.get(plan.rule) or REMINDS.get(plan.rule)
    if moment is None:
        return links
    evaluation = evaluations.ensure(training_session, plan.contact, moment)
    asking = template
    if plan.rule in REMINDS:  # a reminder leads where the question led
        asking = templates.find(plan.organisation_id, moment.type.value, plan.contact.kind.value) or template
    return links | {"evaluation": evaluations.url(evaluation, asking)}


def _sender(organisation: Organisation, template: Template) -> Sender:
    own = db.session.get(Sender, template.sender_id) if template.sender_id else None
    query = select(Sender).where(Sender.organisation_id == organisation.id, Sender.is_default)
    sender = own or db.session.scalar(query)
    if sender is None:
        raise UserMistake(NO_SENDER)
    return sender
