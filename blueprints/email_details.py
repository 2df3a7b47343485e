"""One e-mail for people: the time-line, its files, its resend form; what to do about it is blueprints.remedies'."""

from __future__ import annotations

from typing import Any

from flask import url_for

from blueprints import letter_shape, quarantine_details, resend_form
from blueprints.attached import files_of
from blueprints.remedies import remedy
from history.detail import Detail, Event, fingerprints
from i18n import _
from i18n import datetime_filter as moment
from models.words import EventKind, Status
from proofs.story import known

_NEWS_TONES = {
    Status.SENT: "info", Status.DELIVERED: "success", Status.OPENED: "success", Status.UNCERTAIN: "warning",
    Status.REQUESTED: "neutral",
}  # fmt: skip


def context(detail: Detail) -> dict[str, Any]:
    """What history/_detail.html needs."""
    failed = detail.row.status in (Status.FAILED, Status.UNDELIVERABLE)
    return {
        "detail": detail,
        "remedy": remedy(detail),
        "timeline": _timeline(detail),
        "treating": _treating(detail, failed),
        "shape": letter_shape.shape(detail.head),
        "files": files_of(detail.row, fingerprints(detail.row.id) if detail.erased_at else None),
        "write_anew": _write_anew(detail) if detail.erased_at else "",
        **quarantine_details.context(detail),
        **resend_form.context(detail),
    }


def _timeline(detail: Detail) -> list[dict[str, Any]]:
    """What happened, oldest first; what a person noted stands among it at its time, or last where it failed again."""
    lines = [(event.occurred_at, _happening(event, detail.row.public_id)) for event in detail.events]
    if detail.treated is not None:
        at, by, note = detail.treated
        said = [_("par %(name)s", name=by)] if by else []
        said += [_("note : %(note)s", note=note)] if note else []
        title = _("Marqué comme traité") if at else _("Avait été marqué comme traité, puis a échoué de nouveau")
        line = {
            "icon": "clipboard-check", "title": title, "time": moment(at) if at else "", "tone": "neutral",
            "sub": " · ".join(said), "words": "",
        }  # fmt: skip
        place = sum(happened <= at for happened, _line in lines) if at else len(lines)
        lines.insert(place, (at or detail.row.updated_at, line))
    if detail.erased_at is not None:
        line = {
            "icon": "trash", "title": _("Contenu effacé"), "time": moment(detail.erased_at), "tone": "neutral",
            "sub": _("par la règle de conservation"), "words": "",
        }  # fmt: skip
        lines.append((detail.erased_at, line))
    return [line for _at, line in lines]


def _write_anew(detail: Detail) -> str:
    """Where a new e-mail to the same people is written, in place of a resend."""
    if detail.row.session_id:
        return url_for("compose.new", public_id=detail.row.session_id)
    return ""


def _treating(detail: Detail, failed: bool) -> str:
    """What the screen offers about dealing with it: mark, reopen, arrived or under_way (a resend: nothing to do), or
    nothing."""
    listed = failed or detail.row.status is Status.UNCERTAIN
    if not listed or (detail.row.reason and detail.row.reason.silent):
        return ""
    if detail.treated and detail.treated.at:
        return "reopen"
    later = [one for one in detail.family if one.created_at > detail.row.created_at and not one.own_copy]
    if any(one.status in (Status.DELIVERED, Status.OPENED) for one in later):
        return "arrived"
    if any(one.status in (Status.REQUESTED, Status.SENT) for one in later):
        return "under_way"
    return "mark"


def _happening(event: Event, public_id: str) -> dict[str, Any]:
    evidence = {"public_id": public_id, "number": event.inbound_id}
    return {
        "icon": event.kind.icon,
        "title": _(event.kind.label),
        "time": moment(event.occurred_at),
        "tone": "danger" if event.kind in (EventKind.REFUSED, EventKind.NOT_SENT, EventKind.BOUNCED)
        else _NEWS_TONES.get(event.kind.status, "neutral") if event.kind.status else "neutral",
        "sub": " · ".join(known(event)),
        "words": event.server_words,
        "href": url_for("reports.evidence", **evidence) if event.inbound_id else "",
    }  # fmt: skip
