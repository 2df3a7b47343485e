"""A draft becomes the exact bytes of a message, and those bytes again from what is stored.

`freeze` builds the constant part of a mailing once with the standard library's EmailMessage and splices what differs
per recipient; attachments' base64 is cut out (`cuts`) and `join` puts it back, byte for byte. Sending them is left to
mail.transport.
"""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.utils import format_datetime
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from documents import blobs
from mail.headers import file_name, mailbox, message_id_header, one_line, subject_header, wire_address

if TYPE_CHECKING:
    from mail.compose import Draft, File
    from mail.look import Logo

__all__ = [
    "Frozen", "ReadBlob", "Shown", "attached", "build", "freeze", "from_quoted_printable", "images", "join", "pieces",
    "pixel", "quoted_printable", "sealed", "shown", "wire_address", "with_pixel",
]  # fmt: skip

ReadBlob = Callable[[str], bytes]
# "=_" can occur neither in quoted-printable nor in base64, so no part can ever hold a boundary.
_MIXED, _ALTERNATIVE, _RELATED = "=_sillage_mixed", "=_sillage_alternative", "=_sillage_related"
_PART, _RELATED_PART = b"\r\n--=_sillage_", f"\r\n--{_RELATED}\r\n".encode()
_HEAD, _TEXT, _HTML, _FILE = "X-Splice-Head: here", "--text--", "--html--", b"--file--"
_WORD = r"=\?[\w-]+\?[bqBQ]\?[!->@-~]*\?="
_WORDS = re.compile(rf"(?<!\S){_WORD}(?:[ \t]+{_WORD})*(?!\S)")
_ENCODED_LIMIT = 48 * 1024 * 1024


class SenderLike(Protocol):
    """What a message needs to know of models.Sender."""

    @property
    def name(self) -> Any: ...
    @property
    def address(self) -> Any: ...
    @property
    def reply_to(self) -> Any: ...


@dataclass(frozen=True)
class Frozen:
    """A message as stored: `skeleton` without the attachments' base64, `cuts` [[offset into the skeleton, sha256 of
    the blob], …] rising; `sha256` and `size` (bytes) are of the joined message."""

    skeleton: bytes
    cuts: list[list[Any]]
    sha256: str
    size: int
    smtputf8: bool


@dataclass(frozen=True)
class Shown:
    """What a stored message says, for display: `html` is a stranger's until proved otherwise."""

    html: str | None
    text: str | None
    headers: list[tuple[str, str]]


def quoted_printable(text: str) -> bytes:
    """UTF-8 in quoted-printable with CRLF lines of 76 at most (RFC 2045 6.7)."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    encoded = binascii.b2a_qp(lines).replace(b"\n", b"\r\n")
    return encoded if encoded.endswith(b"\r\n") else encoded + b"\r\n"


def from_quoted_printable(encoded: bytes) -> str:
    """The text of a part encoded by quoted_printable(), its lines ending in plain newlines."""
    return binascii.a2b_qp(encoded).decode("utf-8", "replace").replace("\r\n", "\n")


def pixel(url: str) -> str:
    """The open pixel's element."""
    return f'<img src="{escape(url)}" width="1" height="1" alt="" style="border:0">'


def with_pixel(html: str, pixel_url: str | None) -> str:
    """The letter with the open pixel as its last element."""
    if not pixel_url:
        return html
    tag = pixel(pixel_url)
    before, body, after = html.rpartition("</body>")
    return f"{before}{tag}{body}{after}" if body else html + tag


def build(
    draft: Draft, sender: SenderLike, *, message_id: str, pixel_url: str | None, date: datetime,
    read_blob: ReadBlob = blobs.read,
) -> EmailMessage:  # fmt: skip
    """The message by the standard library alone: the slow way, which `freeze` is held equal to."""
    to, _ = wire_address(draft.recipient)
    message = _constant(
        sender, draft.html != "", _logo(draft), draft.files, draft.text, draft.html, pixel_url, read_blob
    )
    local, _, domain = to.rpartition("@")
    message["Message-ID"] = message_id_header(message_id)
    message["Date"] = format_datetime(date.astimezone(UTC))
    message["Subject"] = one_line(draft.subject, "subject")
    message["To"] = Address(one_line(draft.name, "name"), local, domain)
    for name, value in _leaving(draft).items():
        message[name] = value
    return message


def _leaving(draft: Draft) -> dict[str, str]:
    """What tells mail programs how to leave this type of e-mail by one press (RFC 2369, 8058)."""
    if not draft.leave_url:
        return {}
    return {"List-Unsubscribe": f"<{draft.leave_url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _constant(
    sender: SenderLike, has_html: bool, logo: Logo | None, files: tuple[File, ...], text: str, html: str,
    pixel_url: str | None, read_blob: ReadBlob,
) -> EmailMessage:  # fmt: skip
    """Everything a mailing's messages share, round a text and an html part."""
    message = EmailMessage(policy=email.policy.SMTP)
    sender_address, _ = wire_address(sender.address)
    message["From"] = Address(one_line(sender.name), addr_spec=sender_address)
    if sender.reply_to:
        message["Reply-To"] = Address(addr_spec=wire_address(sender.reply_to)[0])
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(text, cte="quoted-printable")
    if has_html:
        message.add_alternative(with_pixel(html, pixel_url), subtype="html", cte="quoted-printable")
        if logo:
            part = list(message.iter_parts())[1]
            part.add_related(
                read_blob(logo.sha256), *logo.media_type.split("/"), cid=f"<{logo.cid}>", disposition="inline",
                filename=logo.filename,
            )  # fmt: skip
            part.set_boundary(_RELATED)
        message.set_boundary(_ALTERNATIVE)
    for file in files:
        maintype, _, subtype = _attached_type(file.media_type).partition("/")
        message.add_attachment(
            read_blob(file.sha256), maintype=maintype, subtype=subtype, filename=file_name(file.filename)
        )
    if files:
        message.set_boundary(_MIXED)
    return message


def _logo(draft: Draft) -> Logo | None:
    return draft.logo if draft.html else None


def _attached_type(media_type: str) -> str:
    # RFC 2046 5.2.1 forbids base64 for message/* and multipart/*: such a file travels as mere bytes.
    return "application/octet-stream" if media_type.startswith(("message/", "multipart/")) else media_type


@lru_cache(maxsize=256)
def _mould(
    name: str, address: str, reply_to: str, has_html: bool, logo: Logo | None, files: tuple[tuple[str, str], ...]
) -> tuple[bytes, ...]:
    """The constant bytes between the places where text, html, the logo and each file go; the headers that differ come
    first."""
    from mail.compose import File

    sender = _Sender(name, address, reply_to)
    empty = tuple(File(filename, "", 0, media_type) for filename, media_type in files)
    message = _constant(sender, has_html, logo, empty, _TEXT, _HTML, None, lambda _: _FILE)
    rest, pieces = message.as_bytes(), []
    marks = [_TEXT.encode() + b"\r\n"] + ([_HTML.encode() + b"\r\n"] if has_html else [])
    marks += [base64.encodebytes(_FILE).replace(b"\n", b"\r\n")] * (len(files) + bool(logo))
    for mark in marks:
        piece, _, rest = rest.partition(mark)
        pieces.append(piece)
    return (*pieces, rest)


@dataclass(frozen=True)
class _Sender:
    name: str
    address: str
    reply_to: str


def freeze(
    draft: Draft, sender: SenderLike, *, message_id: str, pixel_url: str | None, date: datetime,
    read_blob: ReadBlob = blobs.read, extra: Iterable[tuple[str, str]] = (),
) -> Frozen:  # fmt: skip
    """The exact bytes of one message, with `extra` headers. Raises UserMistake for what may not stand in a header."""
    to, smtputf8 = wire_address(draft.recipient)
    logo = _logo(draft)
    mould = _mould(sender.name, sender.address, sender.reply_to or "", bool(draft.html), logo,
                   tuple((f.filename, f.media_type) for f in draft.files))  # fmt: skip
    head = (
        f"Message-ID: {message_id_header(one_line(message_id))}\r\n"
        f"Date: {format_datetime(date.astimezone(UTC))}\r\n"
        f"Subject: {subject_header(draft.subject)}\r\n"
        f"To: {mailbox(draft.name, to)}\r\n"
        + "".join(f"{name}: {one_line(value)}\r\n" for name, value in extra)
    ).encode()
    for name, value in _leaving(draft).items():
        head += f"{name}: {value}\r\n".encode()
    pieces = [head, mould[0], quoted_printable(draft.text)]
    if draft.html:
        pieces += [mould[1], quoted_printable(with_pixel(draft.html, pixel_url))]
    cut = ([logo.sha256] if logo else []) + [f.sha256 for f in draft.files]
    return _assemble(pieces, mould[len(mould) - 1 - len(cut) :], cut, smtputf8, read_blob)


def _assemble(
    pieces: list[bytes], tails: Iterable[bytes], blobs_cut: list[str], smtputf8: bool, read_blob: ReadBlob
) -> Frozen:
    first, *others = tails
    pieces.append(first)
    length, cuts = sum(map(len, pieces)), []
    for sha256, tail in zip(blobs_cut, others, strict=True):
        cuts.append([length, sha256])
        pieces.append(tail)
        length += len(tail)
    return sealed(b"".join(pieces), cuts, smtputf8, read_blob)


def sealed(skeleton: bytes, cuts: list[list[Any]], smtputf8: bool, read_blob: ReadBlob = blobs.read) -> Frozen:
    """The message with its sha256 and size, as join() will give it."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces(skeleton, cuts, read_blob):
        digest.update(piece)
        size += len(piece)
    return Frozen(skeleton, cuts, digest.hexdigest(), size, smtputf8)


_encoded: dict[str, bytes] = {}
_encoding = threading.Lock()


def attached(sha256: str, read_blob: ReadBlob) -> bytes:
    """A blob as base64 lines of 76 with CRLF. The last few are remembered: a mailing shares its attachments."""
    known = _encoded.get(sha256)
    if known is not None:
        return known
    made = base64.encodebytes(read_blob(sha256)).replace(b"\n", b"\r\n")
    with _encoding:
        while _encoded and sum(map(len, _encoded.values())) + len(made) > _ENCODED_LIMIT:
            del _encoded[next(iter(_encoded))]
        if len(made) <= _ENCODED_LIMIT:
            _encoded[sha256] = made
    return made


def join(skeleton: bytes, cuts: Iterable[Iterable[Any]], read_blob: ReadBlob = blobs.read) -> bytes:
    """The exact bytes again, CRLF lines, no dot-stuffing."""
    return b"".join(pieces(skeleton, cuts, read_blob))


def pieces(
    skeleton: bytes, cuts: Iterable[Iterable[Any]], read_blob: ReadBlob = blobs.read
) -> Iterator[bytes]:
    """The same, one after another: what recipients share is one object for all of them."""
    done = 0
    for offset, sha256 in cuts:
        yield skeleton[done:offset]
        yield attached(sha256, read_blob)
        done = offset
    yield skeleton[done:]


def shown(skeleton: bytes) -> Shown:
    """What the message says, read from the stored bytes. Never fails: what cannot be read is shown as it stands."""
    message = email.message_from_bytes(skeleton, policy=email.policy.default)
    bodies: dict[str, str | None] = {"html": None, "plain": None}
    for part in message.walk():
        subtype = part.get_content_subtype()
        if part.get_content_maintype() != "text" or subtype not in bodies or part.is_attachment():
            continue
        if bodies[subtype] is None:
            bodies[subtype] = _decoded(part)
    return Shown(bodies["html"], bodies["plain"], [(name, _readable(raw)) for name, raw in message.raw_items()])


def images(skeleton: bytes, cuts: Iterable[Iterable[Any]]) -> dict[str, tuple[str, str]]:
    """Content-ID → (sha256, media type as said) of the images that the message's HTML shows from within itself."""
    found = {}
    for offset, sha256 in cuts:
        start = skeleton.rfind(_PART, max(0, offset - 4096), offset)
        if not skeleton.startswith(_RELATED_PART, start):
            continue
        part = email.message_from_bytes(skeleton[start + len(_RELATED_PART) : offset])
        if part.get_content_disposition() == "inline" and part.get_content_maintype() == "image":
            found[str(part["Content-ID"] or "").strip("<> ")] = (str(sha256), part.get_content_type())
    return found


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    payload = payload if isinstance(payload, bytes) else b""
    try:
        text = payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        text = payload.decode("utf-8", "replace")
    return text.replace("\r\n", "\n")


def _readable(raw: str) -> str:
    """A header's value in words. By RFC 2047 alone: the structured parser of Python 3.11 puts a space between two
    encoded words of a name."""
    value = re.sub(r"\r?\n(?=[ \t])", "", str(raw))
    value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _WORDS.sub(_decoded_words, value)


def _decoded_words(match: re.Match[str]) -> str:
    try:
        return str(make_header(decode_header(match[0])))
    except (LookupError, ValueError, HeaderParseError):
        return match[0]
