"""Templates: what an e-mail of a type is written from, found for a type and a kind of recipient.

`find` and `writing` are what sends; `ensure_defaults` gives an organisation the house's words for every type, all off.
Saving and comparing versions is mail.template_versions'; what may be written is mail.tag_list's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from extensions import db
from mail import letters, tag_list
from mail.compose import LinksFor, Writing
from mail.letters import Words
from models import DocumentKind, Organisation, Template, TemplateVersion, TrainingSession, User
from models.base import public_id
from models.template import TemplateFormat
from models.words import N_, ContactKind, EmailType

EVENT_FILES = "event"  # in Template.files: what the business event brought
# Said of the first version, which nobody of the organisation wrote.
DEFAULT_NOTE = N_("Texte d'origine")


@dataclass(frozen=True)
class Family:
    """A group of types in the list. `label` is a French message id."""

    key: str
    label: str
    types: tuple[EmailType, ...]


def _events(*groups: str) -> tuple[EmailType, ...]:
    return tuple(t for t in EmailType if tag_list.is_event(t.value) and t.value.partition(".")[0] in groups)


FAMILIES = (
    Family("session", N_("Session"), (
        EmailType.CONVOCATION, EmailType.CONVOCATION_REMINDER, EmailType.FREE, EmailType.QUOTE,
    )),
    Family("evaluations", N_("Évaluations"), (
        EmailType.EVALUATION_PRE, EmailType.EVALUATION_HOT, EmailType.EVALUATION_COLD, EmailType.EVALUATION_REMINDER,
    )),
    Family("documents", N_("Documents"), (
        EmailType.CONVENTION, EmailType.PROGRAMME, EmailType.RULES, EmailType.WELCOME_BOOKLET,
        EmailType.ATTENDANCE_SHEET, EmailType.CERTIFICATE, EmailType.ATTENDANCE_CERTIFICATE, EmailType.INVOICE,
        EmailType.DOCUMENT,
    )),
    Family("billing", N_("Facturation"), _events("invoice", "credit_note")),
    Family("subscriptions", N_("Abonnement et moyens de paiement"), _events("subscription", "card", "payment_method")),
)  # fmt: skip
TYPES = tuple(type for family in FAMILIES for type in family.types)
_KNOWN = frozenset(type.value for type in TYPES)
_KINDS = {kind.type.value: kind.recipients for kind in DocumentKind if kind is not DocumentKind.UPLOADED}
_PEOPLE_OF_A_SESSION = (
    ContactKind.LEARNER, ContactKind.COMPANY, ContactKind.TRAINER, ContactKind.FUNDER, ContactKind.CUSTOMER,
)  # fmt: skip


def is_event(template: Template) -> bool:
    """Whether a business event writes it, when switched on."""
    return tag_list.is_event(template.type)


def recipients(type: str) -> tuple[ContactKind, ...]:
    """The kinds of recipient that may get an e-mail of this type, the first the most usual."""
    if tag_list.is_event(type):
        return (ContactKind.CUSTOMER, ContactKind.COMPANY)
    return _KINDS.get(type, _PEOPLE_OF_A_SESSION)


def kinds_of(template: Template) -> tuple[ContactKind, ...]:
    """The kinds of recipient this template is for: its own, else all that its type may go to."""
    return (ContactKind(template.kind),) if template.kind else recipients(template.type)


def default_files(type: str) -> list[str]:
    """What goes with a type before anybody decides otherwise."""
    if tag_list.is_event(type):
        return [EVENT_FILES]
    by_type = {kind.type.value: [kind.value] for kind in DocumentKind}
    by_type[EmailType.CONVOCATION_REMINDER.value] = [DocumentKind.CONVOCATION.value]
    return by_type.get(type, [])


def default_version(type: str) -> dict[str, Any]:
    """The columns of a version with the house's words for a type."""
    french, english = letters.default(type, "fr"), letters.default(type, "en")
    return {
        "format": TemplateFormat.TEXT, "text_fr": "", "text_en": "",
        "subject_fr": french.subject, "message_fr": french.message.strip(),
        "subject_en": english.subject, "message_en": english.message.strip(),
    }  # fmt: skip


def find(organisation_id: int, type: str, kind: str = "") -> Template | None:
    """The organisation's template for a type: that of the kind of recipient, else the one for everybody.

    Where none was ever made, one with the house's words that belongs to no session of the database (reading makes
    nothing; ensure_defaults does). None for a type the house has no words for.
    """
    query = select(Template).where(
        Template.organisation_id == organisation_id, Template.type == type, Template.kind.in_({"", kind})
    )
    found = db.session.scalars(query.order_by(Template.kind.desc()).limit(1)).first()
    if found is not None or type not in _KNOWN:
        return found
    made = Template(
        organisation_id=organisation_id, public_id="", type=type, kind="", name=EmailType(type).label, enabled=False,
        files=default_files(type), form_url="",
    )  # fmt: skip
    made.versions = [TemplateVersion(organisation_id=organisation_id, number=1, note="", **default_version(type))]
    return made


def ensure_defaults(organisation: Organisation) -> int:
    """Make the organisation's missing default templates, all off, in the caller's transaction; how many were made.

    Two at once make them once.
    """
    have = set(db.session.scalars(
        select(Template.type).where(Template.organisation_id == organisation.id, Template.kind == "")
    ))  # fmt: skip
    missing = [type for type in TYPES if type.value not in have]
    if not missing:
        return 0
    rows = [
        {"organisation_id": organisation.id, "public_id": public_id("T", 8), "type": type.value, "name": type.label,
         "files": default_files(type.value)}
        for type in missing
    ]  # fmt: skip
    made = db.session.execute(
        insert(Template).on_conflict_do_nothing().returning(Template.id, Template.type), rows
    ).all()  # fmt: skip
    if made:
        db.session.execute(insert(TemplateVersion), [
            {"organisation_id": organisation.id, "template_id": id, "number": 1, "note": DEFAULT_NOTE,
             **default_version(type)}
            for id, type in made
        ])  # fmt: skip
    return len(made)


def newest(template: Template) -> TemplateVersion:
    """The version in use."""
    if template.id is None:  # the house's words, of no database yet
        return template.versions[0]
    query = select(TemplateVersion).where(TemplateVersion.template_id == template.id)
    return db.session.scalars(query.order_by(TemplateVersion.number.desc()).limit(1)).one()


def words_of(version: TemplateVersion) -> dict[str, Words]:
    """The words of a version by language; English only where something is written in it."""
    html = version.format is TemplateFormat.HTML
    said = {"fr": Words(version.subject_fr, version.message_fr, version.text_fr, html)}
    if version.subject_en.strip() and version.message_en.strip():
        said["en"] = Words(version.subject_en, version.message_en, version.text_en, html)
    return said


def writing(
    template: Template,
    organisation: Organisation,
    *,
    training_session: TrainingSession | None = None,
    author: User | None = None,
    data: Mapping[str, Any] | None = None,
    links: LinksFor | None = None,
    version: TemplateVersion | None = None,
) -> Writing:
    """A template as one press of Send: `.draft(contact, files)` gives each recipient's e-mail.

    `data` is a business event's (mail.event_tags lists what is read of it), `links` gives a recipient's own addresses.
    Raises UserMistake when its words cannot be read.
    """
    return Writing(
        template.type, words_of(version or newest(template)), organisation, training_session, author, data, links
    )


@dataclass(frozen=True)
class Listed:
    """A line of the list: a template, its version in use and who wrote that (None: the house)."""

    template: Template
    version: TemplateVersion
    author: str | None


def listed(organisation_id: int) -> list[tuple[Family, list[Listed]]]:
    """Every template by family, in the order of the types; families without any are left out. One statement."""
    last = select(func.max(TemplateVersion.number)).where(TemplateVersion.template_id == Template.id)
    query = (
        select(Template, TemplateVersion, User.name)
        .join(TemplateVersion, TemplateVersion.template_id == Template.id)
        .outerjoin(User, User.id == TemplateVersion.author_id)
        .where(Template.organisation_id == organisation_id)
        .where(TemplateVersion.number == last.correlate(Template).scalar_subquery())
    )
    by_type: dict[str, list[Listed]] = {}
    for template, version, author in db.session.execute(query.order_by(Template.kind, Template.id)):
        by_type.setdefault(template.type, []).append(Listed(template, version, author))
    found = [(family, [one for type in family.types for one in by_type.get(type.value, ())]) for family in FAMILIES]
    return [(family, lines) for family, lines in found if lines]


def file_choices(template: Template) -> Sequence[str]:
    """What may be ticked to go with it: DocumentKind values, or what the event brings."""
    if is_event(template):
        return [EVENT_FILES]
    if not tag_list.of_session(template.type):
        return []
    return [kind.value for kind in DocumentKind]
