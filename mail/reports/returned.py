"""Finds the returned message (or its headers) in a report, and where the human text ends.

Parts come first (message/rfc822, text/rfc822-headers), then what hangs under the text: a marker line of some mail
system, or a block of lines that only a message's headers look like.
"""

from __future__ import annotations

import re

from mail.reports import signs
from mail.reports.mime import Headers, Message, header_fields
from mail.server_words import fold

_NAMES = frozenset(
    {
        "received", "message-id", "from", "to", "subject", "date", "return-path", "mime-version", "content-type",
        "reply-to", "cc", "sender", "x-mailer", "references", "in-reply-to", "content-transfer-encoding",
        "delivered-to", "dkim-signature", "x-originating-ip", "x-priority", "list-id", "precedence", "x-beenthere",
        "domainkey-signature", "user-agent", "received-spf", "authentication-results", "envelope-to", "errors-to",
        "importance", "organization", "x-sender", "newsgroups", "comments", "full-name",
    }
)  # fmt: skip
_STRONG = frozenset({"received", "message-id", "mime-version", "return-path", "dkim-signature"})
_HEADER = re.compile(r"^[> ]{0,4}([A-Za-z][A-Za-z0-9\-]{1,60}):(?: |\t|$|[^ /])")


def own_text(message: Message) -> str:
    """The report's own words: its text parts before and beside the returned message, HTML only without plain text."""
    plain, pages = [], []
    for part in message.parts:
        if part.depth or part.type.startswith("message/") or "rfc822" in part.type:
            continue
        if part.type == "text/html":
            pages.append(part.text)
        elif part.type.startswith("text/") and not (part.attached and plain):
            plain.append(part.text)
    text = "\n".join(plain)
    if "@" not in text and pages or not text.strip():
        text = f"{text}\n" + "\n".join(pages)
    return text


def split_text(text: str) -> tuple[str, str]:
    """(human words, the text of the returned message or "") of a report's text."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if number and _is_marker(line) and _nothing_new(lines, number):
            return "\n".join(lines[:number]), "\n".join(lines[number + 1 :])
        if _HEADER.match(line) and _block_at(lines, number):
            return "\n".join(lines[:number]), "\n".join(lines[number:])
    return text, ""


def _is_marker(line: str) -> bool:
    stripped = line.strip()
    return 8 < len(stripped) < 120 and fold(stripped).lstrip(" >*=_-#+.|").startswith(signs.RETURNED_FOLLOWS)


def _nothing_new(lines: list[str], number: int) -> bool:
    """A sentence of the report ("Original message size: 3") is no marker: what follows must be a message or little."""
    stripped = lines[number].strip()
    if stripped[0] in "-=_*#+" or stripped.endswith((":", "-", "=")) or "follow" in stripped.lower():
        return True
    rest = [line for line in lines[number + 1 : number + 12] if line.strip()]
    return any(_HEADER.match(line) for line in rest[:4]) or not rest


def _block_at(lines: list[str], number: int) -> bool:
    names: set[str] = set()
    count = 0
    for line in lines[number : number + 60]:
        if not line.strip():
            break
        if line[0] in " \t" and count:
            continue
        match = _HEADER.match(line)
        if match is None:
            break
        name = match[1].lower()
        count += 1
        if name in _NAMES or name.startswith("x-"):
            names.add(name)
    if count < 2 or not names:
        return False
    if lines[number][:2].strip() == "" and not names & _STRONG:
        return False
    return (
        bool(names & _STRONG and len(names) >= 2)
        or {"from", "subject", "date"} <= names
        or (len(names & _NAMES) >= 4 and "from" in names)
    )


def returned_headers(message: Message, tail: str) -> Headers:
    """The returned message's headers: from a part where there is one, else from `tail`; empty when neither."""
    best = Headers([])
    for part in message.parts:
        found: Headers | None = None
        if (
            part.type in ("message/rfc822", "message/global", "message/partial")
            and part.depth == 0
            or part.type
            in (
                "text/rfc822-headers",
                "text/rfc822-header",
                "message/rfc822-headers",
                "message/global-headers",
                "text/rfc822",
            )
            or part.type.startswith("text/")
            and part.depth == 0
            and part.attached
        ):
            found = Headers(header_fields(_start(part.text)))
        if found is not None and _worth(found) > _worth(best):
            best = found
    if "message-id" not in best and tail:
        other = Headers(header_fields(_start(tail)))
        if _worth(other) > _worth(best):
            best = other
    return best


def _worth(headers: Headers) -> int:
    return len(headers) + 100 * ("message-id" in headers)


def _start(text: str) -> str:
    """`text` from its first header line on (blank lines, `From ` and rules passed over)."""
    lines = text.split("\n")
    for number, line in enumerate(lines[:40]):
        if _HEADER.match(line) and not line.startswith(("From ", ">From ")):
            return "\n".join(line.removeprefix("> ") for line in lines[number:])
    return ""


def message_id_of(headers: Headers) -> str | None:
    """The Message-ID with its angle brackets, as given."""
    return bracketed(headers.get("message-id") or headers.get("x-message-id") or headers.get("x-original-message-id"))


def bracketed(value: str | None) -> str | None:
    """The first <…> of `value`, or its first word in angle brackets; None when there is nothing."""
    value = (value or "").strip()
    if not value:
        return None
    match = re.search(r"<\s*([^<>]{1,500}?)\s*>", value[:2000])
    word = match[1] if match else value.split()[0].strip("<>")
    return f"<{word}>" if word else None
