"""Gestion of a session: its documents. Each kind has a page with one line a person: made when, sent, what became of it.

Making, keeping and comparing are documents.store's and documents.sent's; writing the e-mail is blueprints.compose's.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from blueprints.downloads import download, shown_in_place, streamed
from blueprints.history_cells import Cells
from blueprints.session_lines import Line, Live, with_rows
from blueprints.support import allow, get_or_404, page
from documents import blobs, printing, runs, sent, sheets, store, zipped
from documents.file_names import Unique, safe
from errors import Permanent, UserMistake
from extensions import db
from i18n import N_, _, ngettext
from mail.compose import File
from models import AuditAction, Contact, Document, DocumentKind, TrainingSession
from models.words import ContactKind, Permission
from people import audit

blueprint = Blueprint("documents", __name__)
# As addresses spell the kinds; the convocation has its own place in the navigation.
KINDS = {kind.value.replace("_", "-"): kind for kind in DocumentKind}
SLUGS = {kind: slug for slug, kind in KINDS.items()}


def kind_or_404(slug: str) -> DocumentKind:
    """The kind that an address names."""
    return KINDS.get(slug) or abort(404)


@blueprint.app_context_processor
def _names() -> dict[str, Any]:
    return {"document_slugs": SLUGS}


@blueprint.get("/<public_id>/documents")
@allow(Permission.READ)
def index(public_id: str) -> Response:
    """Every kind at a glance: how many are made, how many went out, what failed."""
    training_session = get_or_404(TrainingSession, public_id)
    shelf = store.Shelf(training_session)
    kinds = [kind for kind in DocumentKind if kind is not DocumentKind.UPLOADED]
    newest = store.counts(training_session)
    overview = []
    for kind in kinds:
        people = [contact for one in kind.kinds for contact in shelf.roll.of(one)]
        made, last = newest.get(kind, (0, None))
        overview.append((kind, made, len(people) if kind.kinds else 1, last))
    return page(
        "documents/index.html", training_session=training_session, overview=overview,
        uploads=store.uploaded(training_session),
    )  # fmt: skip


@blueprint.get("/<public_id>/documents/<slug>")
@allow(Permission.READ)
def kind(public_id: str, slug: str) -> Response:
    return _page(get_or_404(TrainingSession, public_id), kind_or_404(slug))


@blueprint.get("/<public_id>/documents/<slug>/changed")
@allow(Permission.READ)
def changed(public_id: str, slug: str) -> Response:
    training_session, kind = get_or_404(TrainingSession, public_id), kind_or_404(slug)
    lines, _shelf, live = _lines(training_session, kind)
    return live.answer("documents/_changed.html", training_session=training_session, kind=kind)


def _page(training_session: TrainingSession, kind: DocumentKind, status: int = 200, mistake: str = "") -> Response:
    lines, shelf, live = _lines(training_session, kind)
    uploads = store.uploaded(training_session) if kind is DocumentKind.UPLOADED else []
    shared = None
    if not kind.kinds and kind is not DocumentKind.UPLOADED:
        document = shelf.current(kind).get(None)
        shared = (document, shelf.stale(kind, None, document))
    return page(
        "documents/kind.html", status=status, training_session=training_session, kind=kind, lines=lines, live=live,
        cells=Cells("session"), shared=shared, uploads=uploads, mistake=mistake,
        missing=sum(line.missing and not line.problem for line in lines),
        unmade=sum(line.own and line.makeable and (line.document is None or line.stale) for line in lines),
        people=[contact for contacts in shelf.roll.people.values() for contact in contacts],
    )  # fmt: skip


def _lines(training_session: TrainingSession, kind: DocumentKind) -> tuple[list[Line], store.Shelf, Live]:
    shelf = store.Shelf(training_session)
    last = sent.last_of(training_session, kind)
    lines = []
    for contact in (contact for one in kind.recipients for contact in shelf.roll.of(one)):
        line = Line(contact, sent=last.get(contact.id))
        if kind is not DocumentKind.UPLOADED:
            owners = shelf.owners(kind, contact)
            documents = [shelf.current(kind).get(owner.id if owner else None) for owner in owners]
            line.documents = [document for document in documents if document is not None]
            line.own = owners == [contact]
            line.makeable = line.own and shelf.facts(kind, contact) is not None
            line.stale = line.own and shelf.stale(kind, contact, line.document)
            line.modified = sent.modified(shelf, kind, contact, line.sent)
        lines.append(line)
    address = url_for("documents.changed", public_id=training_session.public_id, slug=SLUGS[kind])
    with_rows(lines, current_user.organisation_id)
    return lines, shelf, Live(address, lines, runs.newest(training_session, kind))


@blueprint.post("/<public_id>/documents/<slug>")
@allow(Permission.WRITE)
def make(public_id: str, slug: str) -> Response:
    """Make (one by its button, those ticked, all, those missing or out of date), or go and write to those ticked."""
    training_session, kind = get_or_404(TrainingSession, public_id), kind_or_404(slug)
    lines, _shelf, _live = _lines(training_session, kind)
    wanted, one = set(request.form.getlist("people")), request.form.get("one", "")[:40]
    do = request.form.get("do", "")
    if do == "send":
        chosen = [contact_id for contact_id in request.form.getlist("people") if len(contact_id) < 20]
        where = url_for("compose.document", public_id=public_id, slug=slug, people=",".join(chosen) or None)
        return redirect(where, 303)  # type: ignore[return-value]
    mine = [line for line in lines if line.own]
    if one:
        mine = [line for line in mine if line.contact.public_id == one]
    elif do == "missing":
        mine = [line for line in mine if line.document is None or line.stale]
    elif do == "selected":
        mine = [line for line in mine if line.contact.public_id in wanted]
    return _made(training_session, kind, [line.contact for line in mine])


def _made(training_session: TrainingSession, kind: DocumentKind, people: list[Contact]) -> Response:
    if kind.kinds and not people:
        return _page(training_session, kind, 422, _("Choisissez au moins une personne."))
    if len(people) > runs.IN_A_REQUEST:
        going = runs.newest(training_session, kind)
        if going is None or going.finished_at is not None:  # a second press asks for nothing more
            runs.ask(kind, training_session, people, current_user)
            audit.note(AuditAction.DOCUMENTS_MADE, training_session, kind=kind.value, count=len(people))
            db.session.commit()
        return _back(training_session, kind)
    try:
        made = store.generate(kind, training_session, people, current_user)
        audit.note(AuditAction.DOCUMENTS_MADE, training_session, kind=kind.value, count=len(made))
        db.session.commit()
    except UserMistake as mistake:
        db.session.rollback()
        return _page(training_session, kind, 422, _(mistake.message, **mistake.values))
    flash(ngettext("%(num)s document généré", "%(num)s documents générés", len(made)), "success")
    return _back(training_session, kind)


def _back(training_session: TrainingSession, kind: DocumentKind) -> Response:
    where = url_for("documents.kind", public_id=training_session.public_id, slug=SLUGS[kind])
    return redirect(where, 303)  # type: ignore[return-value]


def _whose(training_session: TrainingSession, kind: DocumentKind) -> Contact | None:
    """The person that ?contact= names: someone who has such a document; None for the whole session's."""
    if not kind.kinds:
        return None
    contact = get_or_404(Contact, request.args.get("contact", "")[:40])
    people = [one.id for one in store.Shelf(training_session).roll.of(contact.kind)]
    return contact if contact.kind in kind.kinds and contact.id in people else abort(404)


@blueprint.get("/<public_id>/documents/<slug>/preview")
@allow(Permission.READ)
def preview(public_id: str, slug: str) -> Response:
    """The document in the page, as it would be made now."""
    training_session, kind = get_or_404(TrainingSession, public_id), kind_or_404(slug)
    if kind is DocumentKind.UPLOADED:
        abort(404)
    contact = _whose(training_session, kind)
    mistake = ""
    try:
        sheets.said(kind, training_session, contact, current_user.organisation)
    except UserMistake as found:
        mistake = _(found.message, **found.values)
    document = store.current(training_session, kind).get(contact.id if contact else None)
    shelf = store.Shelf(training_session)
    return page(
        "documents/preview.html", training_session=training_session, kind=kind, contact=contact, mistake=mistake,
        document=document, stale=shelf.stale(kind, contact, document),
    )  # fmt: skip


@blueprint.get("/<public_id>/documents/<slug>/preview.pdf")
@allow(Permission.READ)
def preview_pdf(public_id: str, slug: str) -> Response:
    training_session, kind = get_or_404(TrainingSession, public_id), kind_or_404(slug)
    contact = _whose(training_session, kind)
    try:
        made = sheets.make(kind, training_session, contact, current_user.organisation)
    except UserMistake:
        abort(404)
    return shown_in_place(Response(made.pdf), made.filename, printing.MEDIA_TYPE)


@blueprint.get("/<public_id>/documents/files/<document_id>")
@allow(Permission.READ)
def file(public_id: str, document_id: str) -> Response:
    """One document as it was made: in the browser where that is safe, or ?download=1."""
    document = _document(get_or_404(TrainingSession, public_id), document_id)
    try:
        response = Response(blobs.open(document.sha256))
    except Permanent:
        abort(410)
    blob = document.blob
    shown = "download" not in request.args and blobs.may_show(blob.sha256, blob.media_type)
    response.headers["Content-Length"] = str(blob.size)
    response = (shown_in_place if shown else download)(response, document.filename, blob.media_type)
    response.set_etag(document.sha256)
    return response.make_conditional(request)


def _document(training_session: TrainingSession, document_id: str) -> Document:
    document = get_or_404(Document, document_id)
    return document if document.training_session_id == training_session.id else abort(404)


@blueprint.get("/<public_id>/documents/<slug>/all.zip")
@allow(Permission.DOWNLOAD_ALL)
def archive(public_id: str, slug: str) -> Response:
    """The documents in use, as one archive that streams."""
    training_session, kind = get_or_404(TrainingSession, public_id), kind_or_404(slug)
    if kind is DocumentKind.UPLOADED:
        documents = store.uploaded(training_session)
    else:
        documents = list(store.current(training_session, kind).values())
    if not documents:
        abort(404)
    people = store.Shelf(training_session).roll.people.values()
    names = {contact.id: contact.name for group in people for contact in group}
    files = [store.attached(document, names.get(document.contact_id or 0, "")) for document in documents]
    audit.taken(AuditAction.DOCUMENTS_TAKEN, training_session, kind=kind.value, count=len(files))
    unique = Unique()
    members = [zipped.Member(unique(safe(file.filename)), file.sha256, file.size) for file in files]
    response = Response(streamed(zipped.stream(members)))
    name = f"{_(kind.label)} {training_session.reference}".strip() + ".zip"
    return download(response, name, "application/zip")


@blueprint.post("/<public_id>/documents/<slug>/uploads")
@allow(Permission.WRITE)
def upload(public_id: str, slug: str) -> Response:
    """Keep a file: an own one beside the documents, or in place of a generated one."""
    training_session, kind = get_or_404(TrainingSession, public_id), kind_or_404(slug)
    given = request.files.get("file")
    contact = _named(training_session, kind, request.form.get("contact", "")[:40])
    try:
        document = _kept(training_session, kind, contact, given)
        audit.note(
            AuditAction.DOCUMENT_ADDED, training_session, also=[contact.public_id] if contact else [], kind=kind.value,
            filename=document.filename,
        )  # fmt: skip
        db.session.commit()
    except UserMistake as mistake:
        db.session.rollback()
        return _page(training_session, kind, 422, _(mistake.message, **mistake.values))
    flash(_("Le fichier %(name)s est déposé.", name=document.filename), "success")
    return _back(training_session, kind)


def _named(training_session: TrainingSession, kind: DocumentKind, contact_id: str) -> Contact | None:
    """Whose an uploaded file is; for everybody where nobody is named."""
    if not contact_id and not kind.kinds:
        return None
    contact = get_or_404(Contact, contact_id)
    allowed = kind.kinds or tuple(ContactKind)
    people = [one.id for one in store.Shelf(training_session).roll.of(contact.kind)]
    return contact if contact.kind in allowed and contact.id in people else abort(404)


def _kept(
    training_session: TrainingSession, kind: DocumentKind, contact: Contact | None, given: FileStorage | None
) -> Document:
    if given is None or not given.filename:
        raise UserMistake(N_("Choisissez un fichier."))
    stored = blobs.store(given.stream, given.filename[-100:])
    return store.keep(training_session, kind, contact, stored, File.of(given.filename, stored).filename, current_user)


@blueprint.post("/<public_id>/documents/files/<document_id>/withdraw")
@allow(Permission.WRITE)
def withdraw(public_id: str, document_id: str) -> Response:
    """Take an uploaded file away; the e-mails that carried it keep it."""
    training_session = get_or_404(TrainingSession, public_id)
    document = _document(training_session, document_id)
    if document.facts_sha256:  # a generated one is made again, never taken away
        abort(404)
    if document.withdrawn_at is None:
        store.withdraw(document)
        audit.note(
            AuditAction.DOCUMENT_WITHDRAWN, training_session, kind=document.kind.value, filename=document.filename
        )
        db.session.commit()
        said = _("Le fichier %(name)s est retiré ; ce qui a été envoyé ne change pas.", name=document.filename)
        flash(said, "success")
    return _back(training_session, document.kind)
