"""The two steps of writing, without script: the words and the recipients, then exactly what each will get, then Send.

A matter (blueprints.matters, blueprints.deals) says who may be written to, with which words and files, and in which
frame the pages stand. What is shown and what is sent come from the same call (mail.compose).
"""

from __future__ import annotations

from datetime import datetime

from flask import flash, redirect, request
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

import mail
from blueprints.compose_forms import WriteForm
from blueprints.matters import Matter
from blueprints.support import CONTENT_SECURITY_POLICY, page, posted
from errors import UserMistake
from extensions import db
from i18n import N_, _, ngettext
from mail import tag_list
from mail.compose import File, Writing
from models import AuditAction, Contact, Sender
from models.words import ContactKind
from people import audit

# A letter carries its styles in itself; it is shown in a frame without any right, which inherits this policy.
_PREVIEW_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


def write(matter: Matter) -> Response:
    """Answer one step of writing about `matter`."""
    named = [name for name in request.args.get("people", "")[:20_000].split(",") if name]
    form = WriteForm.of(matter, matter.first_choice(request.args.get("who", ""), named))
    if not form.is_submitted():
        return _form(form)
    if group := posted("choose"):
        form.choose(group)
        return _form(form)
    if posted("step") == "enclose":  # from a page of writing that takes no file: nothing typed is lost
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
        send_at = form.send_at(current_user.organisation.timezone)
        writing.check({contact.kind: _(contact.kind.label) for contact in form.chosen})
        if leaving:
            return _send(form, writing, send_at)
        drafts = mail.compose.drafts(writing, form.chosen)
    except UserMistake as mistake:
        db.session.rollback()
        form.blame(mistake)
        return _form(form, 422)
    by_contact = dict(zip((contact.id for contact in form.chosen), drafts, strict=True))
    return _preview(form, writing, by_contact, send_at)


def _form(form: WriteForm, status: int = 200) -> Response:
    kinds = [kind for kind, contacts in form.audience.items() if contacts]
    more = tag_list.groups(form.matter.type.value)
    return page(
        "compose/new.html", status=status, form=form, matter=form.matter, **form.matter.frame,
        last=form.matter.last, kinds=kinds, chosen=form.chosen, ticked={contact.id for contact in form.chosen},
        tags=[tag for tag in tag_list.EVERY if (tag in tag_list.TAGS or tag.group in more & {"evaluation"})
              and set(tag.kinds) & set(kinds or ContactKind) and (form.matter.of_session or not tag.of_session)],
    )  # fmt: skip


def _preview(
    form: WriteForm, writing: Writing, drafts: dict[int, mail.compose.Draft], send_at: datetime | None
) -> Response:
    chosen, wanted = form.chosen, posted("show")
    at = next((n for n, contact in enumerate(chosen) if contact.public_id == wanted), 0)
    contact = chosen[at]
    response = page(
        form.matter.preview, form=form, matter=form.matter, **form.matter.frame, chosen=chosen, at=at,
        contact=contact, draft=drafts[contact.id], blanks=writing.blanks(contact), sender=_sender(form.matter),
        letter_language=writing.language_for(contact), foreseen=form.matter.foreseen(form.attached.data or [], contact),
        send_at=send_at,
    )  # fmt: skip
    response.headers["Content-Security-Policy"] = _PREVIEW_POLICY
    return response


def _send(form: WriteForm, writing: Writing, send_at: datetime | None) -> Response:
    matter = form.matter
    matter.added = bool(form.kept)
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
        [matter.about(draft) for draft in drafts], organisation=writing.organisation, sender=sender, by=current_user,
        request_key=form.key(), send_at=send_at,
    )  # fmt: skip
    matter.sent(form.kept, current_user)
    audit.sent(AuditAction.EMAILS_SENT, emails, matter.subject, type=matter.type.value)
    db.session.commit()
    if send_at is None:
        flash(ngettext("%(num)s e-mail demandé", "%(num)s e-mails demandés", len(emails)), "success")
    else:
        flash(ngettext("%(num)s e-mail programmé", "%(num)s e-mails programmés", len(emails)), "success")
    return redirect(matter.back, 303)


def _sender(matter: Matter) -> Sender | None:
    """The template's own sender where it has one, else the organisation's default."""
    query = select(Sender).where(Sender.organisation_id == current_user.organisation_id)
    own = matter.template.sender_id if matter.template else None
    ranked = [(Sender.id == own).desc()] if own else []
    return db.session.scalars(query.order_by(*ranked, Sender.is_default.desc(), Sender.id).limit(1)).first()
