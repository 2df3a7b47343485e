"""Contacts: list, read, create, change."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Response, url_for
from pydantic import ConfigDict, StringConstraints
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from blueprints.api.door import answer, blueprint, organisation, own, scoped
from blueprints.api.fields import (
    FILLED_LINE,
    LINE,
    TEXT,
    Answer,
    Moment,
    PageShape,
    Request,
    contact_id,
    no_default,
    optional,
)
from blueprints.api.paging import ListQuery, page
from blueprints.api.sending import address_problem
from blueprints.problems import Problem
from extensions import db
from i18n import LANGUAGES
from models import AuditAction, Contact
from models.words import ContactKind
from people import audit, contacts
from people.pages import matches
from people.tokens import Access

Kind = Literal[tuple(str(kind.value) for kind in ContactKind)]  # type: ignore[valid-type]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=FILLED_LINE)]


_OF_PEOPLE = ("first_name", "last_name", "company_id")


class ContactQuery(ListQuery):
    """Which contacts."""

    kind: Kind = optional()
    email: str = optional(max_length=254, description="Exactly this address, case aside.")
    reference: str = optional(max_length=60, description="Exactly this reference.")


class ContactChange(Request):
    """What to change; what is left out stays."""

    first_name: str = optional(max_length=100, pattern=LINE)
    last_name: str = optional(min_length=1, max_length=100, pattern=FILLED_LINE, description="Of a person.")
    name: str = optional(min_length=1, max_length=200, pattern=FILLED_LINE, description="Of a company or a funder.")
    email: str = optional(max_length=254, extra={"format": "email"})
    phone: str = optional(max_length=40, pattern=LINE)
    reference: str = optional(max_length=60, pattern=LINE, description="The number your other programs use.")
    language: Literal[tuple(LANGUAGES)] = optional(description="Of the e-mails to this contact.")  # type: ignore[valid-type]
    company: str = contact_id(default=None, json_schema_extra=no_default, description="Of a person: the company's id.")
    country: str = optional(pattern=r"^[A-Z]{2}$", description="ISO 3166-1, two letters.")
    offer: str = optional(max_length=100, pattern=LINE)
    tags: list[Tag] = optional(max_length=50)
    notes: str = optional(max_length=5000, pattern=TEXT, description="Never sent.")


class NewContact(ContactChange):
    """A contact to create: a person has a last name, a company and a funder a name."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["last_name"]}, {"required": ["name"]}]})

    kind: Kind


class ContactShape(Answer):
    """Whoever can be written to."""

    id: str
    kind: Kind
    name: str
    first_name: str
    last_name: str
    email: str
    phone: str
    reference: str
    language: str
    company: str | None
    company_name: str | None
    country: str
    offer: str
    tags: list[str]
    notes: str
    created_at: Moment


class ContactPage(PageShape):
    """A page of contacts."""

    items: list[ContactShape]


EXAMPLE = {"kind": "learner", "first_name": "Léa", "last_name": "Petit", "email": "lea.petit@mail.example"}


@blueprint.get("/contacts")
@scoped(Access.READ)
@blueprint.input(ContactQuery, location="query", arg_name="asked")
@blueprint.output(ContactPage)
def list_contacts(asked: ContactQuery) -> Response:
    """A page of contacts, in the order in which they were made."""
    query = select(Contact).where(Contact.organisation_id == organisation().id).options(joinedload(Contact.company))
    if asked.kind:
        query = query.where(Contact.kind == asked.kind)
    if asked.email:
        query = query.where(func.lower(Contact.email) == _clean(asked.email).lower())
    if asked.reference:
        query = query.where(Contact.reference == _clean(asked.reference))
    if asked.q:
        query = query.where(*matches(asked.q, Contact.name, Contact.email, Contact.phone, Contact.reference))
    said, headers = page(query, Contact.id, asked, shape)
    return answer(ContactPage(**said), headers=headers)


@blueprint.post("/contacts")
@scoped(Access.SEND)
@blueprint.input(NewContact, arg_name="asked", example=EXAMPLE)
@blueprint.output(ContactShape, 201)
def post_contact(asked: NewContact) -> Response:
    """Create a contact."""
    if asked.name is None and asked.last_name is None:
        said = "Give last_name, or for a company and a funder name."
        raise Problem(422, said, [{"detail": said, "pointer": "#/last_name"}])
    contact = Contact(organisation_id=organisation().id, kind=ContactKind(asked.kind))
    _save(contact, asked)
    return answer(shape(contact), 201, {"Location": url_for("api.get_contact", contact_id=contact.public_id)})


@blueprint.get("/contacts/<contact_id>")
@scoped(Access.READ)
@blueprint.output(ContactShape)
def get_contact(contact_id: str) -> Response:
    """One contact."""
    return answer(shape(own(Contact, contact_id)))


@blueprint.patch("/contacts/<contact_id>")
@scoped(Access.SEND)
@blueprint.input(ContactChange, arg_name="asked")
@blueprint.output(ContactShape)
def patch_contact(contact_id: str, asked: ContactChange) -> Response:
    """Change a contact. E-mails already sent keep what they said."""
    contact = own(Contact, contact_id)
    _save(contact, asked)
    return answer(shape(contact))


def _save(contact: Contact, asked: ContactChange) -> None:
    values: dict[str, Any] = asked.model_dump(exclude_unset=True, exclude={"kind", "company"})
    if values.get("email") and (said := address_problem(values["email"])):
        raise Problem(422, said, [{"detail": said, "pointer": "#/email"}])
    if asked.company is not None:
        values["company_id"] = _company(asked.company).id
    if contact.kind in contacts.NAMED:
        values["name"] = values.get("name") or values.pop("last_name", None) or contact.name
        values = {name: value for name, value in values.items() if name not in _OF_PEOPLE}
    else:
        name = values.pop("name", None)
        if name and "last_name" not in values:
            values["last_name"] = name
    if "tags" in values:
        values["tags"] = list(dict.fromkeys(tag.strip() for tag in values["tags"]))
    fresh = contact.id is None
    with db.session.no_autoflush:
        contacts.save(contact, **values)
        told = {"kind": contact.kind.value} if fresh else audit.changed(contact, "email")
    audit.note(AuditAction.CONTACT_CREATED if fresh else AuditAction.CONTACT_CHANGED, contact, **told)
    db.session.commit()


def _company(public_id: str) -> Contact:
    query = select(Contact).where(
        Contact.public_id == public_id, Contact.organisation_id == organisation().id,
        Contact.kind == ContactKind.COMPANY,
    )  # fmt: skip
    found = db.session.scalar(query)
    if found is None:
        raise Problem(409, "There is no such company.", [{"detail": "Unknown.", "pointer": "#/company"}])
    return found


def _clean(text: str) -> str:
    return text.strip().replace("\0", "")


def shape(contact: Contact) -> ContactShape:
    """A contact as the API says it."""
    company = contact.company
    return ContactShape(
        id=contact.public_id, kind=contact.kind, name=contact.name, first_name=contact.first_name,
        last_name=contact.last_name, email=contact.email, phone=contact.phone, reference=contact.reference,
        language=contact.language, company=company.public_id if company else None,
        company_name=company.name if company else None, country=contact.country, offer=contact.offer,
        tags=contact.tags, notes=contact.notes, created_at=contact.created_at,
    )  # fmt: skip
