"""Writing to the people of a training session: a free e-mail, a convocation.

Two steps without script: write, then see exactly what each will get, then send. What is shown and what is sent come
from the same call (mail.compose); mail.post makes a second press of Send the same mailing.
"""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, url_for
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from werkzeug.wrappers import Response

import mail
from blueprints.compose_forms import WriteForm, posted
from blueprints.support import CONTENT_SECURITY_POLICY, allow, get_or_404, page
from documents import blobs, convocation
from errors import UserMistake
from extensions import db
from i18n import N_, _, ngettext
from mail import merge_tags
from mail.compose import File, Writing
from models import Contact, Email, Sender, TrainingSession
from models.words import ContactKind, EmailType, Permission, Status, StatusGroup
from people import training

blueprint = Blueprint("compose", __name__)
_AUDIENCE = {
    EmailType.FREE: (ContactKind.LEARNER, ContactKind.TRAINER, ContactKind.COMPANY),
    EmailType.CONVOCATION: (ContactKind.LEARNER,),
}
_PAGES = {EmailType.FREE: "compose/new.html", EmailType.CONVOCATION: "compose/convocation.html"}
# A letter carries its styles in itself; it is shown in a frame without any right, which inherits this policy.
_PREVIEW_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


@blueprint.route("/<public_id>/emails/new", methods=["GET", "POST"])
@allow(Permission.SEND)
def new(public_id: str) -> Response:
    return _write(get_or_404(TrainingSession, public_id), EmailType.FREE)


@blueprint.route("/<public_id>/convocation", methods=["GET", "POST"], endpoint="convocation")
@allow(Permission.SEND)
def convocation_page(public_id: str) -> Response:
    return _write(get_or_404(TrainingSession, public_id), EmailType.CONVOCATION)


@blueprint.get("/<public_id>/convocation/<contact_id>.pdf")
@allow(Permission.SEND)
def convocation_pdf(public_id: str, contact_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    learners = training.participants(training_session)[ContactKind.LEARNER]
    learner = next((contact for contact in learners if contact.public_id == contact_id), None)
    if learner is None:
        abort(404)
    response = Response(
        convocation.pdf(training_session, learner, current_user.organisation), mimetype=convocation.MEDIA_TYPE
    )
    response.headers.set("Content-Disposition", "inline", filename=convocation.filename(training_session, learner))
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'"
    response.headers["Cache-Control"] = "no-store"
    return response


def _write(training_session: TrainingSession, type: EmailType) -> Response:
    people = training.participants(training_session)
    audience = {kind: people[kind] for kind in _AUDIENCE[type]}
    last = _last_convocations(training_session) if type is EmailType.CONVOCATION else {}
    form = WriteForm.of(type, audience, _first_choice(audience, last))
    if not form.is_submitted():
        return _form(form, training_session, last)
    if group := posted("choose"):
        form.choose(group)
        return _form(form, training_session, last)
    if not form.validate():
        return _form(form, training_session, last, 422)
    writing = Writing(type.value, form.words(), current_user.organisation, training_session, current_user)
    try:
        form.keep_uploads()
        db.session.commit()  # files stay kept though the words may have a mistake
        if posted("drop") or posted("step") == "write":
            return _form(form, training_session, last)
        writing.check({contact.kind: _(contact.kind.label) for contact in form.chosen})
        drafts = mail.compose.drafts(writing, form.chosen)
        if posted("step") == "send":
            return _send(form, writing)
    except UserMistake as mistake:
        db.session.rollback()
        form.blame(mistake)
        return _form(form, training_session, last, 422)
    return _preview(form, writing, dict(zip((contact.id for contact in form.chosen), drafts, strict=True)))


def _form(
    form: WriteForm, training_session: TrainingSession, last: dict[int, Email], status: int = 200
) -> Response:  # fmt: skip
    kinds = [kind for kind, contacts in form.audience.items() if contacts]
    return page(
        _PAGES[form.type], status=status, form=form, training_session=training_session, last=last,
        tags=[tag for tag in merge_tags.TAGS if set(tag.kinds) & set(kinds or ContactKind)], kinds=kinds,
        chosen=form.chosen, ticked={contact.id for contact in form.chosen},
    )  # fmt: skip


def _preview(form: WriteForm, writing: Writing, drafts: dict[int, mail.compose.Draft]) -> Response:
    chosen, wanted = form.chosen, posted("show")
    at = next((n for n, contact in enumerate(chosen) if contact.public_id == wanted), 0)
    contact = chosen[at]
    response = page(
        "compose/preview.html", form=form, training_session=writing.training_session, chosen=chosen, at=at,
        contact=contact, draft=drafts[contact.id], blanks=writing.blanks(contact), sender=_sender(),
        letter_language=writing.language_for(contact),
        convocation_name=convocation.filename(writing.training_session, contact)
        if form.type is EmailType.CONVOCATION and writing.training_session else None,
    )  # fmt: skip
    response.headers["Content-Security-Policy"] = _PREVIEW_POLICY
    return response


def _send(form: WriteForm, writing: Writing) -> Response:
    sender = _sender()
    if sender is None:
        raise UserMistake(N_("Aucune adresse d'expédition n'est configurée : demandez à un administrateur."))
    training_session = writing.training_session
    assert training_session is not None

    def files_for(contact: Contact) -> tuple[File, ...]:
        if form.type is not EmailType.CONVOCATION:
            return ()
        pdf = convocation.pdf(training_session, contact, writing.organisation)
        name = convocation.filename(training_session, contact)
        return (File.of(name, blobs.store(pdf, name)), *form.kept)

    drafts = mail.compose.drafts(writing, form.chosen, files_for)
    emails = mail.post(
        drafts, organisation=writing.organisation, sender=sender, by=current_user, request_key=form.key()
    )  # fmt: skip
    db.session.commit()
    flash(ngettext("%(num)s e-mail demandé", "%(num)s e-mails demandés", len(emails)), "success")
    return redirect(url_for("sessions.emails", public_id=training_session.public_id), 303)


def _sender() -> Sender | None:
    query = select(Sender).where(Sender.organisation_id == current_user.organisation_id)
    return db.session.scalars(query.order_by(Sender.is_default.desc(), Sender.id).limit(1)).first()


def _last_convocations(training_session: TrainingSession) -> dict[int, Email]:
    """The newest convocation e-mail of each learner, by the contact's id."""
    query = (
        select(Email)
        .where(Email.training_session_id == training_session.id, Email.type == EmailType.CONVOCATION.value,
               Email.contact_id.is_not(None))
        .ext(distinct_on(Email.contact_id))
        .order_by(Email.contact_id, Email.created_at.desc(), Email.id.desc())
    )  # fmt: skip
    return {email.contact_id: email for email in db.session.scalars(query) if email.contact_id is not None}


def _first_choice(audience: dict[ContactKind, list[Contact]], last: dict[int, Email]) -> list[Contact]:
    """Who is ticked when the page opens: the learners, but those whose convocation is on its way or arrived."""
    failed: tuple[Status, ...] = StatusGroup.ERROR.statuses
    return [c for c in audience[ContactKind.LEARNER] if c.id not in last or last[c.id].status in failed]
