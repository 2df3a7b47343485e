"""Takes a raw message apart: any bytes give a Message; nothing here knows what a report is.

LF, CRLF and CR mean the same. Only the first READ_AT_MOST bytes count, and nesting deeper than DEEPEST stays text,
so that time and memory are bounded. The standard library parses MIME; this adds tolerance and flattens the parts.
"""

from __future__ import annotations

import codecs
import html
import re
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.feedparser import FeedParser
from email.header import decode_header
from email.message import Message as StdMessage
from email.policy import compat32

READ_AT_MOST = 400_000  # bytes
DEEPEST = 4  # returned messages inside returned messages
MANY_BOUNDARIES = 60

_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9_\-]{0,75})[ \t]*:[ \t]?(.*)$")
_TAG = re.compile(r"<(?![^<>\s\"'=]{1,130}@)[^<>]{0,2000}>")  # <a@b.example> is no tag
_BREAK = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|/?h\d|hr|/?table|/?ul|/?pre|/?blockquote)\b[^<>]{0,2000}>", re.I)
_HIDDEN = re.compile(r"<(style|script|head)\b[^<>]{0,2000}>", re.I)
_NOT_TEXT = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7", "mbcs", "oem"})


class Headers:
    """Header fields in order; names are lower case, values unfolded, encoded words read on demand."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self.fields = fields

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def text(self, name: str) -> str:
        """The field read as text (RFC 2047 words decoded), "" without it."""
        return decode_words(self.get(name) or "")

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.fields)

    def __len__(self) -> int:
        return len(self.fields)


@dataclass(slots=True)
class Part:
    """A leaf of the message. `depth` counts the returned messages it lies in: 0 is the report's own."""

    type: str
    headers: Headers
    body: bytes
    charset: str | None
    depth: int = 0
    attached: bool = False

    @property
    def text(self) -> str:
        text = decode(self.body, self.charset).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
        return text_of_html(text) if self.type == "text/html" else text


@dataclass(slots=True)
class Message:
    """A message flattened: its headers, its leaves in order, the content type's parameters."""

    headers: Headers
    parts: list[Part] = field(default_factory=list)
    type: str = "text/plain"
    report_type: str = ""


class _Leafy(StdMessage):
    """A stdlib message that leaves message/* parts unparsed: they are read here, with a limit on depth."""

    def get_content_maintype(self) -> str:
        main = super().get_content_maintype()
        return "text" if main == "message" else main

    def get_content_type(self) -> str:
        kind = super().get_content_type()
        return "text/" + kind[8:] if kind.startswith("message/") else kind

    def true_type(self) -> str:
        return super().get_content_type()


def parse(raw: bytes) -> Message:
    """The message in `raw`. Never raises."""
    raw = raw[:READ_AT_MOST].replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\0", b"")
    return _parse(_without_envelope(raw).decode("ascii", "surrogateescape"), 0)


def _without_envelope(raw: bytes) -> bytes:
    """Without blank lines and mbox's `From ` line at the beginning."""
    raw = raw.lstrip(b"\n \t\xef\xbb\xbf")
    while raw.startswith((b"From ", b">From ")):
        raw = raw.partition(b"\n")[2].lstrip(b"\n")
    return raw


def _parse(text: str, depth: int) -> Message:
    head, gap, body = text.partition("\n\n")
    if head.lower().count("boundary") + body.count("boundary=") > MANY_BOUNDARIES:
        return _flat(head, body, depth)
    try:
        parser = FeedParser(_Leafy, policy=compat32)
        parser.feed(text)
        std = parser.close()
        message = Message(Headers(header_fields(head)), type=std.true_type())
        message.report_type = str(std.get_param("report-type", "") or "").lower()
        _flatten(std, message.parts, depth)
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, IndexError, HeaderParseError):
        return _flat(head, body, depth)
    return message


def _flat(head: str, body: str, depth: int) -> Message:
    headers = Headers(header_fields(head))
    part = Part("text/plain", headers, body.encode("ascii", "surrogateescape"), None, depth)
    return Message(headers, [part])


def _flatten(std: _Leafy, parts: list[Part], depth: int) -> None:
    stack: list[_Leafy] = [std]
    while stack:
        node = stack.pop()
        payload = node.get_payload()
        if isinstance(payload, list):
            if node.preamble and node is std and not payload:
                parts.append(Part("text/plain", Headers([]), _bytes(node.preamble), None, depth))
            stack.extend(reversed([child for child in payload if isinstance(child, _Leafy)]))
            continue
        kind = node.true_type()
        headers = Headers([(k.lower(), printable(_unfolded(str(v)))) for k, v in node.items()])
        attached = (headers.get("content-disposition") or "").lower().startswith("attachment")
        _tidy_encoding(node)
        body = node.get_payload(decode=True)
        if not isinstance(body, bytes):
            body = _bytes(str(payload))
        if kind.startswith("multipart/"):
            kind = "text/plain"
        parts.append(Part(kind, headers, body, node.get_content_charset(), depth, attached))
        if kind in ("message/rfc822", "message/global", "message/partial") and depth < DEEPEST:
            inner = _without_envelope(body).decode("ascii", "surrogateescape")
            parts.extend(_parse(inner, depth + 1).parts)


def _tidy_encoding(node: _Leafy) -> None:
    """`base64 (by gateway) ` is base64 (RFC 2045 allows the comment; a space at the end is common)."""
    given = node.get("content-transfer-encoding")
    if given is not None and (words := str(given).split()) and words[0] != given:
        node.replace_header("content-transfer-encoding", words[0])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def header_fields(block: str) -> list[tuple[str, str]]:
    """The header fields at the top of `block` (lines up to a blank one); lines that are none are passed over."""
    fields: list[tuple[str, str]] = []
    for line in block.split("\n"):
        if not line.strip():
            break
        if line[0] in " \t":
            if fields:
                fields[-1] = (fields[-1][0], f"{fields[-1][1]} {line.strip()}"[:8000])
            continue
        match = _FIELD.match(line)
        if match:
            fields.append((match[1].lower(), match[2].strip()))
    return [(name, printable(value)) for name, value in fields]


def _unfolded(value: str) -> str:
    return " ".join(line.strip() for line in value.split("\n"))


def decode(body: bytes, charset: str | None) -> str:
    """`body` as text in `charset`, or as what it looks like. Never raises."""
    if b"\x1b$" in body or b"\x1b(" in body:
        charset = "iso-2022-jp"
    for name in (charset, "utf-8"):
        codec = _codec(name)
        if codec and not (codec == "ascii" and max(body, default=0) > 127):
            try:
                return body.decode(codec)
            except (UnicodeError, ValueError):
                if codec not in ("utf-8", "ascii"):
                    return body.decode(codec, "replace")
    return body.decode("latin-1")


def _codec(name: str | None) -> str | None:
    try:
        info = codecs.lookup((name or "")[:40].strip().lower())
    except (LookupError, ValueError, UnicodeError):
        return None
    safe = getattr(info, "_is_text_encoding", True) and info.name.replace("-", "_") not in _NOT_TEXT
    return info.name if safe else None


def decode_words(value: str) -> str:
    """RFC 2047 encoded words in `value` read; what can't be read stays as it is. Never raises."""
    if "=?" not in value:
        return printable(value)
    try:
        pieces = decode_header(value[:4000])
        return printable("".join(p if isinstance(p, str) else decode(p, c) for p, c in pieces)).replace("\0", "")
    except (HeaderParseError, ValueError, LookupError, TypeError):
        return printable(value)


def printable(value: str) -> str:
    """`value` without NUL and without the surrogates by which 8-bit bytes were carried."""
    if value.isascii():
        return value
    return decode(value.encode("utf-8", "surrogateescape"), None).replace("\0", "")


def text_of_html(markup: str) -> str:
    """The words of a page, lines where blocks end. Linear; not a sanitiser."""
    kept = []
    at = 0
    for match in _HIDDEN.finditer(markup):
        if match.start() < at:
            continue
        kept.append(markup[at : match.start()])
        end = markup.lower().find(f"</{match[1].lower()}", match.end()) if len(kept) < 20 else -1
        at = end if end >= 0 else match.end()
    kept.append(markup[at:])
    text = "".join(kept).replace("\n", " ")
    text = html.unescape(_TAG.sub(" ", _BREAK.sub("\n", text.replace("<!--", "<x "))))
    return "\n".join(" ".join(line.split()) for line in text.split("\n"))
