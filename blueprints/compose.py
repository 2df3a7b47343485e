"""Writing to the people of a training session: a free e-mail, a document, an evaluation's invitation or reminder.

Two steps without script: write, then see exactly what each will get, then send. What is shown and what is sent come
from the same call (mail.compose); mail.post makes a second press of Send the same mailing. What is written about is
blueprints.matters'.
"""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

import mail
from blueprints.compose_forms import WriteForm, posted
from blueprints.downloads import shown_in_place
from blueprints.matters import Matter
from blueprints.support import CONTENT_SECURITY_POLICY, allow, get_or_404, page
from documents import convocation
from errors import UserMistake
from extensions import db
from i18n import N_, _, ngettext
from mail import tag_list
from mail.compose import File, Writing
from models import Contact, DocumentKind, EvaluationMoment, Sender, TrainingSession
from models.words import ContactKind, EmailType, Permission
from people import training

blueprint = Blueprint("compose", __name__)
# A letter carries its styles in itself; it is shown in a frame without any right, which inherits this policy.
_PREVIEW_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_MOMENTS = {moment.value: moment for moment in EvaluationMoment}
_KINDS = {kind.value.replace("_", "-"): kind for kind in DocumentKind}


@blueprint.route("/<public_id>/emails/new", methods=["GET", "POST"])
@allow(Permission.SEND)
def new(public_id: str) -> Response:
    return _write(Matter(get_or_404(TrainingSession, public_id), current_user.organisation, EmailType.FREE))


@blueprint.route("/<public_id>/convocation", methods=["GET", "POST"], endpoint="convocation")
@allow(Permission.SEND)
def convocation_page(public_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    kind = DocumentKind.CONVOCATION
    return _write(Matter(training_session, current_user.organisation, kind.type, kind=kind))


@blueprint.route("/<public_id>/documents/<slug>/emails/new", methods=["GET", "POST"])
@allow(Permission.SEND)
def document(public_id: str, slug: str) -> Response:
    kind = _KINDS.get(slug) or abort(404)
    training_session = get_or_404(TrainingSession, public_id)
    return _write(Matter(training_session, current_user.organisation, kind.type, kind=kind))


@blueprint.route("/<public_id>/evaluations/<moment>/emails/new", methods=["GET", "POST"])
@allow(Permission.SEND)
def evaluation(public_id: str, moment: str) -> Response:
    """Ask ?kind= of people for their evaluation; ?remind=1 only those who were asked and have not answered."""
    asked = _MOMENTS.get(moment) or abort(404)
    kinds = {kind.value: kind for kind in ContactKind}
    remind = request.args.get("remind") == "1"
    return _write(Matter(
        get_or_404(TrainingSession, public_id), current_user.organisation,
        EmailType.EVALUATION_REMINDER if remind else asked.type, moment=asked, remind=remind,
        only=kinds.get(request.args.get("kind", "")),
    ))  # fmt: skip


@blueprint.get("/<public_id>/convocation/<contact_id>.pdf")
@allow(Permission.SEND)
def convocation_pdf(public_id: str, contact_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    learners = training.participants(training_session)[ContactKind.LEARNER]
    learner = next((contact for contact in learners if contact.public_id == contact_id), None)
    if learner is None:
        abort(404)
    pdf = convocation.pdf(training_session, learner, current_user.organisation)
    name = convocation.filename(training_session, learner)
    return shown_in_place(Response(pdf), name, convocation.MEDIA_TYPE)


def _write(matter: Matter) -> Response:
    named = [name for name in request.args.get("people", "")[:20_000].split(",") if name]
    form = WriteForm.of(matter, matter.first_choice(request.args.get("who", ""), named))
    if not form.is_submitted():
        return _form(form)
    if group := posted("choose"):
        form.choose(group)
        return _form(form)
    if not form.validate():
        return _form(form, 422)
    try:
        form.keep_uploads()
        db.session.commit()  # files stay kept though the words may have a mistake
        if posted("drop") or posted("step") == "write":
            return _form(form)
        leaving = posted("step") == "send"
        writing = matter.writing(form.words(), current_user, leaving)
        writing.check({contact.kind: _(contact.kind.label) for contact in form.chosen})
        if leaving:
            return _send(form, writing)
        drafts = mail.compose.drafts(writing, form.chosen)
    except UserMistake as mistake:
        db.session.rollback()
        form.blame(mistake)
        return _form(form, 422)
    return _preview(form, writing, dict(zip((contact.id for contact in form.chosen), drafts, strict=True)))


def _form(form: WriteForm, status: int = 200) -> Response:
    kinds = [kind for kind, contacts in form.audience.items() if contacts]
    more = tag_list.groups(form.matter.type.value)
    return page(
        "compose/new.html", status=status, form=form, matter=form.matter, training_session=form.matter.session,
        last=form.matter.last, kinds=kinds, chosen=form.chosen, ticked={contact.id for contact in form.chosen},
        tags=[tag for tag in tag_list.EVERY if (tag in tag_list.TAGS or tag.group in more & {"evaluation"})
              and set(tag.kinds) & set(kinds or ContactKind)],
    )  # fmt: skip


def _preview(form: WriteForm, writing: Writing, drafts: dict[int, mail.compose.Draft]) -> Response:
    chosen, wanted = form.chosen, posted("show")
    at = next((n for n, contact in enumerate(chosen) if contact.public_id == wanted), 0)
    contact = chosen[at]
    response = page(
        "compose/preview.html", form=form, matter=form.matter, training_session=form.matter.session, chosen=chosen,
        at=at, contact=contact, draft=drafts[contact.id], blanks=writing.blanks(contact), sender=_sender(form.matter),
        letter_language=writing.language_for(contact), foreseen=form.matter.foreseen(form.attached.data or [], contact),
    )  # fmt: skip
    response.headers["Content-Security-Policy"] = _PREVIEW_POLICY
    return response


def _send(form: WriteForm, writing: Writing) -> Response:
    matter = form.matter
    sender = _sender(matter)
    if sender is None:
        raise UserMistake(N_("Aucune adresse d'expédition n'est configurée : demandez à un administrateur."))

    def files_for(contact: Contact) -> tuple[File, ...]:
        if not matter.with_files:
            return ()
        made = matter.files(form.attached.data or [], contact, current_user)
        form.weigh([*made, *form.kept])
        return (*made, *form.kept)

    drafts = mail.compose.drafts(writing, form.chosen, files_for)
    emails = mail.post(
        drafts, organisation=writing.organisation, sender=sender, by=current_user, request_key=form.key()
    )  # fmt: skip
    db.session.commit()
    flash(ngettext("%(num)s e-mail demandé", "%(num)s e-mails demandés", len(emails)), "success")
    where = url_for("sessions.emails", public_id=matter.session.public_id) if matter.tab == "new" else matter.back
    return redirect(where, 303)


def _sender(matter: Matter) -> Sender | None:
    """The template's own sender where it has one, else the organisation's default."""
    query = select(Sender).where(Sender.organisation_id == current_user.organisation_id)
    own = matter.template.sender_id if matter.template else None
    ranked = [(Sender.id == own).desc()] if own else []
    return db.session.scalars(query.order_by(*ranked, Sender.is_default.desc(), Sender.id).limit(1)).first()
