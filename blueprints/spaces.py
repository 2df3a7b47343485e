"""Recipients' own pages behind a signed link, without an account; and for staff the link, its log, closing it.

Opening the page or taking a document is logged (documents.spaces, which says why a GET may). Nothing here is indexed,
kept by caches, or told to other sites.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, g, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as Answer

import i18n
from blueprints.downloads import download, shown_in_place
from blueprints.support import allow, allow_anyone, get_or_404, page
from documents import blobs, spaces
from errors import Permanent
from extensions import db, limiter
from history import detail, safe_html
from i18n import N_, _
from mail import links, mime
from models import AuditAction, Contact, Organisation, RecipientSpace, TrainingSession
from models.words import EmailType, Permission, Status
from people import audit, training

blueprint = Blueprint("spaces", __name__)
_rate = limiter.limit("300 per 10 minutes")
_BODY_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; form-action 'none'; "
    "base-uri 'none'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
# A status in the words of the person it was sent to: (icon, tone, sentence).
PLAIN = {
    Status.REQUESTED: ("clock", "neutral", N_("En cours d'envoi")),
    Status.UNCERTAIN: ("clock", "neutral", N_("En cours d'envoi")),
    Status.SENT: ("send", "info", N_("Envoyé à votre adresse")),
    Status.DELIVERED: ("check", "success", N_("Arrivé dans votre messagerie")),
    Status.OPENED: ("check", "success", N_("Arrivé dans votre messagerie")),
    Status.UNDELIVERABLE: ("alert-triangle", "warning", N_("Refusé par votre messagerie : lisez-le ici")),
    Status.FAILED: ("alert-triangle", "warning", N_("N'a pas pu vous parvenir : lisez-le ici")),
}  # fmt: skip


def _opened(token: str) -> RecipientSpace:
    """The page of a token, in its person's language (?language= decides otherwise) and the organisation's zone."""
    space = spaces.open_(token)
    if space is None:
        abort(404)
    wanted = request.args.get("language", "")
    g.language = wanted if wanted in i18n.LANGUAGES else space.contact.language
    if g.language not in i18n.LANGUAGES:
        g.language = "fr"
    g.zone = db.session.get_one(Organisation, space.organisation_id).timezone
    return space


def _quiet(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # the token stands in the address
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


@blueprint.get("/r/<token>")
@allow_anyone
@_rate
def show(token: str) -> Response:
    space = _opened(token)
    shown = page(
        "spaces/show.html", token=token, space=space, letters=spaces.letters(space), plain=PLAIN,
        types={type.value: type.label for type in EmailType}, ends_on=spaces.ends_on(space),
        organisation=db.session.get_one(Organisation, space.organisation_id),
    )  # fmt: skip
    spaces.visited(space, spaces.PAGE, request.user_agent.string)
    return _quiet(shown)


@blueprint.get("/r/<token>/emails/<email_id>")
@allow_anyone
@_rate
def body(token: str, email_id: str) -> Response:
    """The message as it was sent, in a frame of the page."""
    space = _opened(token)
    email = spaces.letter(space, email_id)
    stored = detail.frozen(space.organisation_id, email.public_id) if email is not None else None
    if stored is None or stored.erased_at is not None:
        abort(404)
    said = mime.shown(stored.skeleton)
    if said.html:
        safe = safe_html.from_html(links.unwrapped(said.html), stored.subject)
    else:
        safe = safe_html.from_text(said.text, stored.subject)
    response = make_response(str(safe.document))
    response.headers["Content-Security-Policy"] = _BODY_POLICY
    return _quiet(response)


@blueprint.get("/r/<token>/emails/<email_id>/files/<int:position>")
@allow_anyone
@_rate
def file(token: str, email_id: str, position: int) -> Response:
    space = _opened(token)
    found = spaces.file(space, email_id, position) if position < 32_768 else None
    if found is None:
        abort(404)
    name, media_type, sha256, size = found.filename, found.blob.media_type, found.sha256, found.blob.size
    try:
        response = Response(blobs.open(sha256))
    except Permanent:
        abort(410)
    spaces.visited(space, name[:200], request.user_agent.string)
    shown = "download" not in request.args and blobs.may_show(sha256, media_type)
    deliver = shown_in_place if shown else download
    response = deliver(response, name, media_type)
    response.headers["Content-Length"] = str(size)
    return _quiet(response)


@blueprint.get("/sessions/<public_id>/people/<contact_id>/space")
@allow(Permission.READ)
def manage(public_id: str, contact_id: str) -> Response:
    """The page's address, who opened it when; nothing is made by looking."""
    training_session, contact = _participant(public_id, contact_id)
    space = spaces.of_session(training_session).get(contact.id)
    return page(
        "spaces/manage.html", training_session=training_session, contact=contact, space=space,
        address=spaces.address(space) if space and not space.revoked_at else None,
        visits=spaces.visits(space) if space else [], ends_on=spaces.ends_on(space) if space else None,
    )  # fmt: skip


@blueprint.post("/sessions/<public_id>/people/<contact_id>/space")
@allow(Permission.WRITE)
def renew(public_id: str, contact_id: str) -> Answer:
    """A first link, or a new one that ends the older ones."""
    training_session, contact = _participant(public_id, contact_id)
    known = spaces.of_session(training_session).get(contact.id)
    if known is None:
        spaces.ensure(training_session, contact)
        flash(_("Le lien est créé."), "success")
    else:
        spaces.renew(known)
        flash(_("Le nouveau lien est créé ; les précédents ne s'ouvrent plus."), "success")
    audit.note(AuditAction.SPACE_RENEWED, contact, also=[public_id])
    db.session.commit()
    return redirect(url_for("spaces.manage", public_id=public_id, contact_id=contact_id), 303)


@blueprint.post("/sessions/<public_id>/people/<contact_id>/space/revoke")
@allow(Permission.WRITE)
def revoke(public_id: str, contact_id: str) -> Answer:
    training_session, contact = _participant(public_id, contact_id)
    space = spaces.of_session(training_session).get(contact.id)
    if space is not None and space.revoked_at is None:
        spaces.revoke(space)
        audit.note(AuditAction.SPACE_REVOKED, contact, also=[public_id])
        flash(_("Le lien est fermé : il ne s'ouvre plus."), "success")
    db.session.commit()
    return redirect(url_for("spaces.manage", public_id=public_id, contact_id=contact_id), 303)


def _participant(public_id: str, contact_id: str) -> tuple[TrainingSession, Contact]:
    """The session and one who takes part, or whose page exists already; 404 otherwise."""
    training_session = get_or_404(TrainingSession, public_id)
    contact = get_or_404(Contact, contact_id)
    people = training.participants(training_session)
    enrolled = contact.id in {one.id for one in people[contact.kind]}
    if not enrolled and contact.id not in spaces.of_session(training_session):
        abort(404)
    return training_session, contact
