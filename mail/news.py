"""What a matched report says, as facts about our e-mail."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from mail.fold import Fact
from mail.matching import Match
from mail.reports.report import Report, ReportedRecipient
from models.words import EventKind, Reason

_KINDS = {
    "failed": EventKind.BOUNCED,
    "delayed": EventKind.DELAYED,
    "delivered": EventKind.DELIVERED,
    "relayed": EventKind.RELAYED,
    "expanded": EventKind.EXPANDED,
}
_KINDS_OF_REPORT = _KINDS | {
    "bounce": EventKind.BOUNCED,
    "feedback": EventKind.COMPLAINED,
    "auto-reply": EventKind.AUTO_REPLIED,
    "read-receipt": EventKind.DISPLAYED,
}


_XTEXT = re.compile(r"\+([0-9a-f]{2})")
# A complaint is that of a person: no report that a filter was mistaken (RFC 5965 section 7.3), nor one on a check of a
# signature (RFC 6591), closes anybody's address.
_NO_COMPLAINTS = frozenset({"not-spam", "auth-failure"})


def facts(report: Report, match: Match, identity: str, now: datetime, inbound_id: int | None = None) -> list[Fact]:
    """The facts of a report about one e-mail of ours; `identity` names the report (its hash).

    A recipient that is not ours, without Original-Recipient, is a forwarded copy: a mark, not a status.
    """
    # Mail tells whole seconds: the end of the second, so that a report never seems older than what it reports.
    moment = min(report.occurred_at.replace(microsecond=999_999) if report.occurred_at else now, now)

    def fact(kind: EventKind, recipient: ReportedRecipient | None, reason: Reason | None = None) -> Fact:
        data: dict[str, Any] = {"key": match.key, "reporting_mta": report.reporting_mta}
        data |= {"disposition": report.disposition} if report.disposition else {}
        if recipient is not None and recipient.address.lower() != match.recipient:
            data["final_recipient"] = recipient.address
        if recipient is not None and kind is EventKind.BOUNCED:
            data["address_dead"] = recipient.address_dead  # what mail.quarantine asks
        return Fact(
            match.email_id, kind, "dsn", identity, moment, reason,
            smtp_code=recipient.smtp_code if recipient else None,
            enhanced_code=recipient.status if recipient else None,
            diagnostic=(recipient.diagnostic if recipient else "") or report.excerpt[:2000] or None,
            remote_host=recipient.remote_host if recipient else report.reporting_mta,
            data=data, inbound_message_id=inbound_id,
        )  # fmt: skip

    kind = _KINDS_OF_REPORT.get(report.kind)
    if kind is None:
        return []
    if kind is EventKind.COMPLAINED and report.complaint in _NO_COMPLAINTS:
        return []
    if kind is EventKind.DISPLAYED and report.disposition != "displayed":
        kind = EventKind.DELIVERED  # deleted unread, sent on, filed: it has arrived, nobody is said to have read it
    if report.kind in ("feedback", "auto-reply", "read-receipt"):
        return [fact(kind, None)]
    ours, others = [], []
    for recipient in report.recipients:
        (ours if _ours(recipient, match.recipient) else others).append(recipient)
    if not report.recipients:
        return [fact(kind, None, Reason.UNKNOWN if kind is EventKind.BOUNCED else None)]
    said = [
        fact(k, r, (r.reason or Reason.UNKNOWN) if k in (EventKind.BOUNCED, EventKind.DELAYED) else None)
        for r in ours
        if (k := _KINDS.get(r.action or "", kind))
    ]
    lost = [r for r in others if _KINDS.get(r.action or "", kind) is EventKind.BOUNCED]
    return said + [fact(EventKind.COPY_FAILED, recipient, recipient.reason) for recipient in lost]


def _ours(recipient: ReportedRecipient, address: str) -> bool:
    """Whether it is our recipient; some give the original address as it went over the line, in xtext (RFC 3461)."""
    named = [a.lower() for a in (recipient.original_address, recipient.address) if a]
    return address in named or address in [_XTEXT.sub(lambda m: chr(int(m[1], 16)), a) for a in named]
