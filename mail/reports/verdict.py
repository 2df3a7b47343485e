"""What a report says of one recipient, weighed: status, reason, and whether the address itself is dead.

The reason files the failure by remedy (mail.reasons). The verdict on the address is stricter, for it closes an
address: it wants a final failure, a reason that condemns, and no sign that something else was judged: the sender,
the message's content after DATA, or a policy.
"""

from __future__ import annotations

import re

from mail.reasons import address_dead, classify_reply, find_code, find_enhanced
from mail.reports.report import Action, ReportedRecipient
from mail.server_words import fold
from models.words import Reason

LONGEST = 2000
_AFTER_DATA = re.compile(
    r"in reply to (?:end of )?data|after (?:end of )?data|end of data command|reply to \."
    r"|\(data\)|data command|>>> data"
)


def recipient(
    address: str,
    *,
    original: str | None,
    action: Action | None,
    status: str | None,
    diagnostic: str,
    words: str = "",
    status_comment: str = "",
    remote_host: str | None = None,
    spoken: bool = False,
) -> ReportedRecipient:
    """One recipient, complete. `words` is what the human text says of it, `spoken` that there are no fields at all."""
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
            reason = other if reason is Reason.UNKNOWN or other not in (Reason.UNKNOWN, Reason.POLICY) else reason
        dead = _dead(reason, final, status, enhanced, fold(f"{said} {words[:LONGEST]}"))
    if spoken and status is None:
        status = enhanced
    return ReportedRecipient(address, original, action, status, code, diagnostic, remote_host or None, reason, dead)


def _sharpest(status: str | None, told: str | None) -> str | None:
    """The more telling of the Status field and the code in the server's words."""
    if status is None or (told and status.endswith(".0")):
        return told or status
    return status


def _comment(status_field: str) -> str:
    """The comment of a Status field: "5.0.0 (unknown user)" → "unknown user"."""
    match = re.search(r"\(([^()]{3,300})\)", status_field)
    return match[1] if match else ""


def _dead(reason: Reason, final: bool, status: str | None, enhanced: str | None, said: str) -> bool | None:
    if not final:
        return False
    verdict = address_dead(reason)
    if not verdict:
        return verdict
    for code in (status, enhanced):
        if code and code.split(".")[1] == "7":
            return False
    return not _AFTER_DATA.search(said)
