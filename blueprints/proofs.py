"""Dossier de preuve of one e-mail, for managers and admins: what was sent, what became of it, who acted, as an archive
that whoever it is handed to can check. Taking it is noted in the log."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, abort
from flask_login import current_user
from sqlalchemy import select

from blueprints.downloads import download, streamed
from blueprints.email_details import story
from blueprints.proof_sheet import Told, pdf
from blueprints.support import allow
from documents.file_names import Unique, safe
from errors import Permanent
from extensions import db
from history import detail, proof
from history.export_cells import defused
from history.proof import Member, Proof
from i18n import _
from mail import mime, outbox, signature_check
from models import AuditAction, DkimKey, Sender
from models.domain_check import SendingDomain
from models.words import Permission
from people import audit, audit_log, audit_words
from people.audit_log import Filter

blueprint = Blueprint("proofs", __name__)
_MOST_LINES = 500  # of the log


@blueprint.get("/<public_id>/proof.zip")
@allow(Permission.AUDIT)
def of_email(public_id: str) -> Response:
    found = proof.read(current_user.organisation_id, public_id) or abort(404)
    message = _message(public_id)
    lines = _log(public_id)
    members = _members(found, message, lines)
    audit.taken(AuditAction.PROOF_TAKEN, public_id)
    response = download(
        Response(streamed(proof.stream(members))), _("Preuve %(number)s", number=public_id) + ".zip", "application/zip"
    )  # fmt: skip
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _members(found: Proof, message: bytes | None, lines: list[Any]) -> list[Member]:
    row, now = found.detail.row, datetime.now(UTC)
    message_id = outbox.message_id(row.id, Sender(address=row.sender_address))
    unique = Unique()
    members = []
    if message is not None:
        members.append(Member("message.eml", message))
        folder = _("pieces-jointes")
        members += [
            Member(f"{folder}/{unique(safe(one.filename))}", None, one.sha256, one.size) for one in found.pieces
        ]
    folder = _("rapports")
    members += [Member(f"{folder}/{one.public_id}.eml", one.raw) for one in found.reports if one.raw]
    intact = None if message is None else hashlib.sha256(message).hexdigest() == found.detail.sha256
    signature = signature_check.check(message, _public_key) if message is not None else None
    members.append(Member(_("faits.json"), proof.as_json(
        found, message_id, taken_at=now, taken_by=current_user.name, organisation=current_user.organisation.name,
        integrity={"sha256_is_that_of_the_request": intact, "dkim": asdict(signature) if signature else None},
    )))  # fmt: skip
    if lines:
        members.append(Member(_("journal.csv"), _as_csv(lines)))
    name = _("Preuve %(number)s", number=row.public_id) + ".pdf"
    told = Told(
        organisation=current_user.organisation, by=current_user.name, at=now, message_id=message_id,
        intact=intact, signature=signature,
        story=story(found.detail), log=[(one.at, one.who or _("Sans compte"), _(one.action.label)) for one in lines],
        names=[name, *(member.name for member in members), proof.SUMS],
    )  # fmt: skip
    return [Member(name, pdf(found, told)), *members]


def _message(public_id: str) -> bytes | None:
    """The exact bytes; None where they are kept no more, or are damaged."""
    stored = detail.frozen(current_user.organisation_id, public_id)
    if stored is None or stored.erased_at is not None:
        return None
    try:
        return mime.join(stored.skeleton, stored.cuts)
    except Permanent:
        return None


def _log(public_id: str) -> list[Any]:
    """The newest lines of the log about it, the oldest first."""
    found = []
    for line in audit_log.rows(current_user.organisation, Filter(subject=public_id)):
        found.append(line)
        if len(found) == _MOST_LINES:
            break
    return found[::-1]


def _as_csv(lines: list[Any]) -> bytes:
    """Who did what; not from which address, which is nobody's outside."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_("Quand"), _("Qui"), _("Action"), _("Par"), _("Détails")])
    for line in lines:
        said = " ; ".join(f"{name} : {value}" if value else name for name, value in audit_words.said(line))
        at = line.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        cells = [at, line.who, _(line.action.label), _(line.channel.label), said]
        writer.writerow([defused(cell) for cell in cells])
    return out.getvalue().encode("utf-8-sig")


def _public_key(domain: str, selector: str) -> str | None:
    """The public half of a key of the organisation's, as long as it is kept here."""
    return db.session.scalar(
        select(DkimKey.public_key)
        .join(SendingDomain, SendingDomain.id == DkimKey.domain_id)
        .where(
            DkimKey.organisation_id == current_user.organisation_id, SendingDomain.domain == domain,
            DkimKey.selector == selector,
        )
    )  # fmt: skip
