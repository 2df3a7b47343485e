"""Templates for programs: to list and read, and to write e-mails from (POST /emails with `template`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from flask import Response
from sqlalchemy import select

from blueprints.api.door import answer, blueprint, organisation, own, scoped
from blueprints.api.fields import Answer, Moment, PageShape
from blueprints.api.paging import ListQuery, page
from blueprints.api.reading import pointer
from blueprints.problems import Problem, of_mistake
from documents import evaluations, spaces, store
from errors import UserMistake
from extensions import db
from i18n import _
from mail import tag_list, templates
from mail.compose import Draft, File, Writing, unreachable
from models import Contact, EvaluationMoment, Template, TemplateVersion, TrainingSession
from models.words import ContactKind
from people.pages import matches
from people.tokens import Access

Person = tuple[str, str, Contact | None]  # address, name, contact
_MOMENTS = {moment.type.value: moment for moment in EvaluationMoment}


class TemplateShape(Answer):
    """What e-mails of one type are written from, for one kind of recipient (empty: for all)."""

    id: str
    type: str
    kind: str
    name: str
    enabled: bool
    files: list[str]
    created_at: Moment


class TemplateDetail(TemplateShape):
    """A template with its words in use; the English ones are empty where everyone gets the French."""

    version: int
    format: str
    subject_fr: str
    message_fr: str
    text_fr: str
    subject_en: str
    message_en: str
    text_en: str
    changed_at: Moment
    tags: list[str]


class TemplatePage(PageShape):
    """A page of templates."""

    items: list[TemplateShape]


@blueprint.get("/templates")
@scoped(Access.READ)
@blueprint.input(ListQuery, location="query", arg_name="asked")
@blueprint.output(TemplatePage)
def list_templates(asked: ListQuery) -> Response:
    """A page of templates, in the order in which they were made."""
    query = select(Template).where(Template.organisation_id == organisation().id)
    if asked.q:
        query = query.where(*matches(asked.q, Template.name))
    said, headers = page(query, Template.id, asked, lambda template: TemplateShape(**_columns(template)))
    return answer(TemplatePage(**said), headers=headers)


@blueprint.get("/templates/<template_id>")
@scoped(Access.READ)
@blueprint.output(TemplateDetail)
def get_template(template_id: str) -> Response:
    """One template with its words in use, and the merge tags it may use."""
    template = own(Template, template_id)
    version: TemplateVersion = templates.newest(template)
    words = {name: getattr(version, name) for name in TemplateDetail.model_fields if hasattr(version, name)}
    said = words | _columns(template) | {
        "version": version.number, "format": version.format.value, "changed_at": version.created_at,
        "tags": [tag.name for tag in tag_list.tags_of_type(template.type, templates.kinds_of(template))],
    }  # fmt: skip
    return answer(TemplateDetail(**said))


def _columns(template: Template) -> dict[str, Any]:
    return {
        "id": template.public_id, "type": template.type, "kind": template.kind, "name": template.name,
        "enabled": template.enabled, "files": list(template.files), "created_at": template.created_at,
    }  # fmt: skip


def found(public_id: str) -> Template:
    """The organisation's template. Raises Problem 404."""
    query = select(Template).where(Template.organisation_id == organisation().id, Template.public_id == public_id)
    template = db.session.scalar(query)
    if template is None:
        raise Problem(404, "There is no such template.", [{"detail": "Unknown.", "pointer": pointer("template")}])
    return template


def drafts(
    template: Template, people: Sequence[Person], session: TrainingSession | None, data: dict[str, Any], language: str,
    files: tuple[File, ...],
) -> list[Draft]:  # fmt: skip
    """What each of these people gets of a template: rendered for them, with the documents it names (of a session's
    contacts) before `files`. Raises Problem 422 for what cannot be prepared."""
    kinds = {contact.kind if contact else ContactKind.CUSTOMER for _address, _name, contact in people}
    try:
        writing = templates.writing(
            template, organisation(), training_session=session, data=data, links=_links(template, session)
        )
        writing.check({kind: _(kind.label) for kind in kinds})
        attached = _attached(template, session)
        return [_draft(writing, person, language, attached, files) for person in people]
    except UserMistake as mistake:
        raise of_mistake(mistake, pointer("template")) from mistake


def _draft(
    writing: Writing, person: Person, language: str, attached: Callable[[Contact | None], tuple[File, ...]],
    files: tuple[File, ...],
) -> Draft:  # fmt: skip
    address, name, contact = person
    reader = contact or Contact(
        kind=ContactKind.CUSTOMER, first_name="", last_name=name, name=name, email=address, language=language
    )
    if contact is not None and unreachable(contact):  # the request gives the address that the record lacks
        reader = Contact(
            kind=contact.kind, first_name=contact.first_name, last_name=contact.last_name, name=contact.name,
            email=address, language=contact.language, company=contact.company,
        )  # fmt: skip
    draft = writing.draft(reader, (*attached(contact), *files))
    return replace(draft, recipient=address, name=name, contact_id=contact.id if contact else None)


def _attached(template: Template, session: TrainingSession | None) -> Callable[[Contact | None], tuple[File, ...]]:
    names = [name for name in template.files if name != templates.EVENT_FILES]
    if session is None or not names:
        return lambda contact: ()
    shelf = store.Shelf(session)

    def of(contact: Contact | None) -> tuple[File, ...]:
        if contact is None:
            said = "This template attaches documents of the session: name its recipients by contact."
            raise Problem(422, said, [{"detail": said, "pointer": pointer("recipients")}])
        return tuple(File(one.filename, one.sha256, one.size, one.media_type) for one in shelf.files(names, contact))

    return of


def _links(template: Template, session: TrainingSession | None) -> Callable[[Contact], dict[str, str]]:
    def of(contact: Contact) -> dict[str, str]:
        if session is None or contact.id is None:
            return {}
        found = {"espace": spaces.url(session, contact)}
        moment = _MOMENTS.get(template.type)
        if moment is not None:
            found["evaluation"] = evaluations.url(evaluations.ensure(session, contact, moment), template)
        return found

    return of
