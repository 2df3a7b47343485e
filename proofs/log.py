"""The lines of the audit log about an e-mail, as a proof hands them out; what a line says, its question in words."""

from __future__ import annotations

import csv
import io
from datetime import UTC
from itertools import islice
from typing import Any

from history import export_jobs, sentences
from history.export_cells import defused
from i18n import _
from models import AuditAction, Organisation
from people import audit_log, audit_words

MOST = 500
# What takes e-mails of the history away: its question is said in words.
_OF_THE_HISTORY = frozenset({
    AuditAction.LIST_EXPORTED, AuditAction.EXPORT_ASKED, AuditAction.ATTACHMENTS_DOWNLOADED, AuditAction.PROOF_TAKEN,
    AuditAction.BULK_RESEND_STARTED,
})  # fmt: skip


def about(organisation: Organisation, public_id: str) -> list[Any]:
    """The newest MOST lines about it, the oldest first."""
    return list(islice(audit_log.rows(organisation, audit_log.Filter(subject=public_id)), MOST))[::-1]


def said(line: Any, zone: str) -> list[tuple[str, str]]:
    """(what, value) of each thing a line holds, the question of an export as the list says it."""
    query = line.data.get("query")
    if not query or line.action not in _OF_THE_HISTORY:
        return audit_words.said(line)
    question = sentences.sentence(export_jobs.read_query(query)[1], line.at, zone)
    label = audit_words.LABELS["query"]
    own = (_(label), query)
    return [(name, question if (name, value) == own else value) for name, value in audit_words.said(line)]


def as_csv(lines: list[Any], zone: str) -> bytes:
    """Who did what; not from which address, which is nobody's outside."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_("Quand"), _("Qui"), _("Action"), _("Par"), _("Détails")])
    for line in lines:
        details = _(" ; ").join(_(" : ").join((name, value)) if value else name for name, value in said(line, zone))
        at = line.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        cells = [at, line.who, _(line.action.label), _(line.channel.label), details]
        writer.writerow([defused(cell) for cell in cells])
    return out.getvalue().encode("utf-8-sig")
