"""What a report says of one recipient, weighed: status, reason, and whether the address itself is dead.

The reason files the failure by remedy (mail.reasons). The verdict on the address is stricter, for it closes an
address: it wants a final failure, a reason that condemns, and no sign that something else was judged: the content
after DATA, a policy, a name server in trouble, or a mobile operator's filter that calls itself "user unknown".
"""

from __future__ import annotations

import re

from mail.reasons import address_dead, classify_reply, find_code, find_enhanced
from mail.reports.report import Action, ReportedRecipient
from mail.server_words import fold
from models.words import Reason

LONGEST = 2000
# PowerMTA's own word for it (X-PowerMTA-BounceCategory), where the server's words say less.
_CATEGORIES = {
    "bad-mailbox": Reason.USER_UNKNOWN,
    "bad-domain": Reason.DOMAIN_UNKNOWN,
    "inactive-mailbox": Reason.MAILBOX_DISABLED,
    "quota-issues": Reason.MAILBOX_FULL,
    "spam-related": Reason.SPAM,
    "virus-related": Reason.CONTENT,
    "content-related": Reason.CONTENT,
    "policy-related": Reason.POLICY,
    "invalid-sender": Reason.SENDER_REJECTED,
    "relaying-issues": Reason.SENDER_REJECTED,
    "message-expired": Reason.EXPIRED,
    "no-answer-from-host": Reason.UNREACHABLE,
    "bad-connection": Reason.UNREACHABLE,
    "routing-errors": Reason.UNREACHABLE,
    "protocol-errors": Reason.UNREACHABLE,
}
_AFTER_DATA = re.compile(
    r"in reply to (?:end of )?data|after (?:end of )?data|end of data command|\(data\)|smtp command data\b"
)
_AT_RCPT = re.compile(r"rcpt[ _]to\b|smtp:rcpt|rcpt command")
# Said of boxes that exist, too: RFC 5321's stock sentence for any 550, and what some say only once they saw the mail.
_VAGUE = ("unavailable", "not available", "doesn't have a", "recipient not found", "not a registered")
_CERTAIN = (
    "no such user", "no such domain", "no such recipient", "no such mailbox", "does not exist", "doesn't exist",
    "host unknown", "unknown host", "invalid recipient", "destinataire invalide", "n'existe pas", "no existe",
    "existiert nicht", "not listed in", "unknown user:", "recipient table", "no mailbox here",
)  # fmt: skip


def recipient(
    address: str,
    *,
    original: str | None,
    action: Action | None,
    status: str | None,
    diagnostic: str,
    words: str = "",
    status_comment: str = "",
    category: str = "",
    remote_host: str | None = None,
) -> ReportedRecipient:
    """One recipient, complete. `status` is the Status field (None: there are no fields, only words), `words` what the
    human text says of the recipient."""
    diagnostic = " ".join(diagnostic.split())[:LONGEST]
    enhanced = _sharpest(status, find_enhanced(diagnostic))
    code = find_code(diagnostic)
    reason: Reason | None = None
    dead: bool | None = None
    if action in ("failed", "delayed"):
        final = action == "failed"
        said = f"{diagnostic} {_comment(status_comment)}".strip()
        reason = classify_reply(code, enhanced, said, "report", final=final)
        if reason in (Reason.UNKNOWN, Reason.POLICY) and words:
            more = " ".join(words.split())[:LONGEST]
            other = classify_reply(
                code or find_code(more), enhanced or find_enhanced(more), more, "report", final=final
            )
            if reason is Reason.UNKNOWN or other not in (Reason.UNKNOWN, Reason.POLICY):
                reason = other
        if reason in (Reason.UNKNOWN, Reason.POLICY) and category in _CATEGORIES:
            reason = _CATEGORIES[category]
        certain = _CATEGORIES.get(category) is reason
        dead = _dead(reason, status, enhanced, certain, fold(f"{said} {words[:LONGEST]}")) if final else False
    return ReportedRecipient(address, original, action, status or enhanced, code, diagnostic, remote_host, reason, dead)


def _sharpest(status: str | None, told: str | None) -> str | None:
    """The more telling of the Status field and the code in the server's words."""
    if status is None or (told and status.endswith(".0")):
        return told or status
    return status


def _comment(status_field: str) -> str:
    """The comment of a Status field: "5.0.0 (unknown user)" → "unknown user"."""
    match = re.search(r"\(([^()]{3,300})\)", status_field)
    return match[1] if match else ""


def _dead(reason: Reason, status: str | None, enhanced: str | None, certain: bool, said: str) -> bool | None:
    """True, False, or None where the words condemn the address but not beyond doubt."""
    condemned = address_dead(reason)
    if not condemned:
        return condemned
    first, subject, detail = (enhanced or "5.0.0").split(".")
    if _AFTER_DATA.search(said) or subject == "7":
        return None
    if reason is Reason.DOMAIN_UNKNOWN:
        return True if first == "5" else None
    if certain or (subject == "1" and detail != "0"):
        return True
    if any(phrase in said for phrase in _VAGUE):
        return None
    if status is None or detail != "0":
        return True
    return True if _AT_RCPT.search(said) or any(phrase in said for phrase in _CERTAIN) else None
