"""PURE: what a server said (SMTP code, RFC 3463 code, words, phase) → one Reason of the fixed vocabulary.

Used for live replies and for reports by mail alike. Reasons are filed by remedy (STATUSES.md): the words decide first,
then the enhanced code, then the SMTP code, then the phase. mail.server_words holds the table of words; whether a
refusal is final is not decided here, but by the reply's first digit or the report's Action.
"""

from __future__ import annotations

import re

from mail.server_words import WORDS, fold
from models.words import Reason

LONGEST = 6000  # characters of a diagnostic that are looked at
PHASES = ("connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "report")

_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_CODE = re.compile(r"(?<![\d.])([2345][0-5]\d)(?=[ \-#:]|$)")
_ADDRESS = re.compile(r"[^\s<>\"@]{1,100}@[^\s<>\"]{1,200}")

# RFC 3463, RFC 7372, RFC 7505 and what operators made of them. Looked up as 5.1.1, then x.1.1, then 5.1, then x.1.
SURE_CODES: dict[str, Reason] = {
    **{f"5.7.{n}": Reason.AUTHENTICATION for n in (20, 21, 22, 23, 24, 25, 26, 29)},
    "5.7.27": Reason.SENDER_REJECTED,
    "5.7.515": Reason.AUTHENTICATION,
    "5.7.509": Reason.AUTHENTICATION,
}
CODES: dict[str, Reason] = {
    "5.1.0": Reason.UNKNOWN,
    "5.1.1": Reason.USER_UNKNOWN,
    "5.1.2": Reason.DOMAIN_UNKNOWN,
    "x.1.3": Reason.ADDRESS_SYNTAX,
    "5.1.6": Reason.MOVED,
    "x.1.7": Reason.SENDER_REJECTED,
    "x.1.8": Reason.SENDER_REJECTED,
    "5.1.10": Reason.DOMAIN_UNKNOWN,
    "4.1": Reason.GREYLISTED,
    "5.1": Reason.UNKNOWN,
    "5.2.1": Reason.MAILBOX_DISABLED,
    "4.2.1": Reason.THROTTLED,
    "x.2.2": Reason.MAILBOX_FULL,
    "x.2.3": Reason.TOO_BIG,
    "4.2": Reason.GREYLISTED,
    "5.2": Reason.UNKNOWN,
    "4.3.1": Reason.THROTTLED,
    "4.3.2": Reason.THROTTLED,
    "x.3.4": Reason.TOO_BIG,
    "4.3": Reason.THROTTLED,
    "5.3": Reason.UNKNOWN,
    "5.4.4": Reason.DOMAIN_UNKNOWN,
    "5.4.310": Reason.DOMAIN_UNKNOWN,
    "x.4.7": Reason.EXPIRED,
    "5.4.300": Reason.EXPIRED,
    "x.4": Reason.UNREACHABLE,
    "x.5.3": Reason.THROTTLED,
    "4.5": Reason.THROTTLED,
    "5.5": Reason.UNKNOWN,
    "x.6": Reason.CONTENT,
    "4.7.28": Reason.THROTTLED,
    "5.7.28": Reason.BLOCKED,
    "5.7.54": Reason.SENDER_REJECTED,
    "5.7.57": Reason.SENDER_REJECTED,
    "5.7.60": Reason.SENDER_REJECTED,
    "4.7.1": Reason.GREYLISTED,
    "4.7": Reason.THROTTLED,
    "5.7": Reason.POLICY,
}
# The bare SMTP code (RFC 5321 4.2.3, RFC 4954, RFC 7504), for a reply about a recipient or a message.
SMTP_CODES: dict[int, Reason] = {
    421: Reason.THROTTLED,
    450: Reason.GREYLISTED,
    451: Reason.GREYLISTED,
    452: Reason.THROTTLED,
    454: Reason.UNREACHABLE,
    501: Reason.ADDRESS_SYNTAX,
    521: Reason.BLOCKED,
    530: Reason.SENDER_REJECTED,
    534: Reason.SENDER_REJECTED,
    535: Reason.SENDER_REJECTED,
    538: Reason.SENDER_REJECTED,
    541: Reason.SPAM,
    551: Reason.MOVED,
    552: Reason.MAILBOX_FULL,
    553: Reason.ADDRESS_SYNTAX,
    554: Reason.BLOCKED,
    556: Reason.DOMAIN_UNKNOWN,
    571: Reason.POLICY,
}
# Where a 4xx says so, the address is only suspected: another try decides (RFC 5321 4.2.1).
_NOT_YET = frozenset({Reason.USER_UNKNOWN, Reason.DOMAIN_UNKNOWN, Reason.MOVED, Reason.ADDRESS_SYNTAX})


def classify_reply(
    code: int | None, enhanced: str | None, text: str, phase: str = "rcpt", *, final: bool | None = None
) -> Reason:
    """The reason of a refusal.

    `code` 421…571 or None, `enhanced` like "5.1.1" or None (both are looked for in `text` when absent), `text` the
    server's words, `phase` one of PHASES ("body" = after the final dot, "report" = a report by mail). `final` says
    what the caller knows: a report with `Action: failed` is final whatever its digits. Without it the first digit of
    the code decides: a reply that is not final never condemns an address. Never raises; UNKNOWN when nothing is known.
    """
    said = fold(text[:LONGEST])
    enhanced = enhanced or find_enhanced(said)
    code = code or find_code(said)
    said = _ADDRESS.sub("@", said)  # antivirus@client.example is no virus
    if final is None:
        first = str(code)[0] if code else (enhanced or "5")[0]
        final = first != "4"
    reason = _by_phase(_decide(code, enhanced, said, phase), code, phase, final)
    return Reason.GREYLISTED if reason in _NOT_YET and not final else reason


def address_dead(reason: Reason | None) -> bool | None:
    """True where the reason says that the address itself is dead, None where it says nothing."""
    if reason is None or reason is Reason.UNKNOWN:
        return None
    return reason.address_dead


def find_enhanced(text: str) -> str | None:
    """The first RFC 3463 code in `text` ("550 5.1.1 …" → "5.1.1"), None without one; IP addresses don't count."""
    for match in _ENHANCED.finditer(text):
        if match[0][0] != "2":
            return f"{match[1]}.{int(match[2])}.{int(match[3])}"
    return None


def find_code(text: str) -> int | None:
    """The first SMTP reply code of a refusal in `text` (a number 400–571 standing alone), None without one."""
    for match in _CODE.finditer(text):
        number = int(match[1])
        if 400 <= number <= 559:
            return number
    return 571 if text.startswith("571") else None


def _decide(code: int | None, enhanced: str | None, said: str, phase: str) -> Reason:
    if enhanced in SURE_CODES:
        return SURE_CODES[enhanced]
    if code in (530, 534, 535, 538) and phase in ("auth", "mail"):
        return Reason.SENDER_REJECTED
    for reason, words in WORDS:
        if words.found_in(said):
            return reason
    if enhanced:
        by_code = _by_enhanced(enhanced)
        if by_code not in (Reason.UNKNOWN, None):
            return by_code
    if code == 552 and phase in ("mail", "data", "body"):
        return Reason.TOO_BIG
    if enhanced and code in (501, 553, 554):
        return Reason.UNKNOWN if enhanced[0] == "5" else Reason.GREYLISTED
    return SMTP_CODES.get(code or 0, Reason.UNKNOWN)


def _by_enhanced(enhanced: str) -> Reason | None:
    first, subject, detail = enhanced.split(".")
    for key in (enhanced, f"x.{subject}.{detail}", f"{first}.{subject}", f"x.{subject}"):
        if key in CODES:
            return CODES[key]
    return None


def _by_phase(reason: Reason, code: int | None, phase: str, final: bool) -> Reason:
    """What the phase adds: before RCPT nothing can be said about the recipient."""
    if phase == "auth" and final:
        return Reason.SENDER_REJECTED
    if phase == "starttls" and reason is Reason.UNKNOWN:
        return Reason.UNREACHABLE
    if phase in ("connect", "ehlo"):
        if reason is Reason.UNKNOWN or reason in _NOT_YET or reason is Reason.POLICY:
            return Reason.BLOCKED if final else Reason.UNREACHABLE
    elif phase == "mail":
        if reason is Reason.UNKNOWN or reason in _NOT_YET:
            return Reason.SENDER_REJECTED if final else Reason.GREYLISTED
        if reason is Reason.MAILBOX_FULL and code == 552:
            return Reason.TOO_BIG
    if reason is Reason.UNKNOWN and not final and phase != "report":
        return Reason.THROTTLED if phase in ("connect", "ehlo") else Reason.GREYLISTED
    return reason
