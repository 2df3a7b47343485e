"""Configuration › Journal, for managers and admins: who did what, when, from where; filtered, exported.

What is asked for lives in the address; the same query drives the page and its exports.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, current_app, request, stream_with_context, url_for
from flask_login import current_user

from blueprints.support import allow, page
from history.export_cells import Format, defused
from history.periods import read_day
from i18n import _
from models import AuditAction, AuditGroup
from models.words import N_, Permission
from people import audit, audit_log
from people.audit_log import Filter, Named
from proofs import log

blueprint = Blueprint("audit", __name__)
FORMATS = (Format.EXCEL, Format.CSV, Format.JSON)
_ICONS = {Format.EXCEL: "file-spreadsheet", Format.CSV: "file-type-csv", Format.JSON: "code"}
_LONGEST = 200
_SHOWN = 3  # of what a line is also about
# (field, heading for people) of an export, in order
_FIELDS = (
    ("at", N_("Quand")), ("who", N_("Qui")), ("action", N_("Action")), ("subject", N_("À propos de")),
    ("also", N_("Et de")), ("channel", N_("Par")), ("token_prefix", N_("Clé d'API")), ("address", N_("Adresse IP")),
    ("data", N_("Détails")),
)  # fmt: skip
_CHUNK = 200  # lines
# kind of thing → the page that shows it
_SHOWN_AT = {
    "contact": "contacts.record", "session": "sessions.overview", "email": "emails.email",
    "opportunity": "opportunities.record", "segment": "segments.segment", "programme": "programmes.record",
    "template": "templates.template", "event": "events.event", "webhook": "webhooks.endpoint",
    "resends": "resend_runs.run",
}  # fmt: skip


@blueprint.get("")
@allow(Permission.AUDIT)
def index() -> Response:
    asked, organisation = _asked(), current_user.organisation
    if "format" in request.args:
        return _export(asked)
    found = audit_log.page(organisation, asked, request.args.get("cursor"))
    ids = [one for line in found.rows for one in (line.subject, *line.also[:_SHOWN]) if one]
    response = page(
        "audit/index.html", "audit/_list.html", found=found, asked=asked, kept=_kept(asked), said=_said,
        named=audit_log.named(organisation, ids), people=audit_log.people(organisation), groups=list(AuditGroup),
        actions=list(AuditAction), api=audit_log.API, where=_where, shown=_SHOWN,
        total=audit_log.count(organisation, asked), most=audit_log.MOST_COUNTED,
        exports=[(_(one.label), url_for("audit.index", **_kept(asked), format=one.value), _ICONS[one])
                 for one in FORMATS],
    )  # fmt: skip
    response.headers["HX-Push-Url"] = url_for("audit.index", **_kept(asked))
    return response


def _said(line: Any) -> list[tuple[str, str]]:
    """What a line says in words."""
    return log.said(line, current_user.organisation.timezone)


def _where(named: Named | None, public_id: str) -> str:
    """The address of the page that shows it; '' where there is none, or none that this person may see."""
    endpoint = _SHOWN_AT.get(named.kind, "") if named else ""
    guard = getattr(current_app.view_functions.get(endpoint), "guard", None)
    if not isinstance(guard, Permission) or not current_user.may(guard):
        return ""
    return url_for(endpoint, **{"run_id" if endpoint == "resend_runs.run" else "public_id": public_id})


def _asked() -> Filter:
    who, action = (request.args.get(name, "") for name in ("who", "action"))
    known = {one.value for one in (*AuditAction, *AuditGroup)}
    return Filter(
        who=who if who == audit_log.API or (who.isascii() and who.isdigit() and len(who) < 19) else "",
        action=action if action in known else "",
        subject=request.args.get("subject", "").replace("\0", "").strip()[:_LONGEST],
        first=_day("from"), last=_day("to"),
    )  # fmt: skip


def _day(name: str) -> date | None:
    return read_day(request.args.get(name, "")[:20])


def _kept(asked: Filter) -> dict[str, Any]:
    """The filter as the address says it."""
    return {
        "who": asked.who or None, "action": asked.action or None, "subject": asked.subject or None,
        "from": asked.first.isoformat() if asked.first else None, "to": asked.last.isoformat() if asked.last else None,
    }  # fmt: skip


def _export(asked: Filter) -> Response:
    """What is filtered, all of it, streamed; taking it is an act of its own."""
    try:
        format_ = Format(request.args["format"])
    except ValueError:
        abort(400)
    if format_ not in FORMATS:
        abort(400)
    audit.taken(AuditAction.AUDIT_EXPORTED, format=format_.value, query=request.query_string.decode("ascii", "replace"))
    lines = audit_log.rows(current_user.organisation, asked)
    body = _json(lines) if format_ is Format.JSON else _csv(lines, format_)
    stamp = datetime.now(ZoneInfo(current_user.organisation.timezone))
    response = Response(stream_with_context(body), content_type=format_.media_type)
    response.headers["Content-Disposition"] = (
        f'attachment; filename="journal_{stamp:%Y-%m-%d_%H%M}.{format_.extension}"'
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _json(lines: Iterator[Any]) -> Iterator[str]:
    yield "["
    for n, line in enumerate(lines):
        said = {name: getattr(line, name) for name, _heading in _FIELDS}
        said["at"] = line.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        yield (",\n" if n else "\n") + json.dumps(said, ensure_ascii=False)
    yield "\n]\n"


def _csv(lines: Iterator[Any], format_: Format) -> Iterator[str]:
    """For people (French Excel): words, local hours, semicolons; for programs: RFC 4180, codes, UTC."""
    for_people, out = format_.is_translated, io.StringIO()
    writer = csv.writer(out, delimiter=";" if for_people else ",", lineterminator="\r\n")
    writer.writerow([_(heading) if for_people else name for name, heading in _FIELDS])
    zone = ZoneInfo(current_user.organisation.timezone)
    if for_people:
        yield "\ufeff"
    for n, line in enumerate(lines):
        cells = _cells_for_people(line, zone) if for_people else _cells(line)
        writer.writerow([defused(cell) for cell in cells])
        if n % _CHUNK == _CHUNK - 1:
            yield _taken(out)
    yield _taken(out)


def _cells(line: Any) -> list[str]:
    data = json.dumps(line.data, ensure_ascii=False) if line.data else ""
    at = line.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return [at, line.who, line.action.value, line.subject, " ".join(line.also), line.channel.value, line.token_prefix,
            line.address, data]  # fmt: skip


def _cells_for_people(line: Any, zone: ZoneInfo) -> list[str]:
    said = _(" ; ").join(_(" : ").join((name, value)) if value else name for name, value in _said(line))
    return [f"{line.at.astimezone(zone):%d/%m/%Y %H:%M:%S}", line.who, _(line.action.label), line.subject,
            " ".join(line.also), _(line.channel.label), line.token_prefix, line.address, said]  # fmt: skip


def _taken(out: io.StringIO) -> str:
    written = out.getvalue()
    out.seek(0)
    out.truncate()
    return written
