"""DKIM signatures (RFC 6376: rsa-sha256, relaxed/relaxed) over the exact bytes of a message, put in front of them.

PURE. A message is signed when it is frozen, so that what is kept and shown is what was sent, signature and all. Which
key signs for whom is mail.domain_keys'; docs/decisions/0011 says why this is ours and no library's.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from documents import blobs
from mail import mime

_NAME = b"DKIM-Signature:"
# What a reader sees or acts upon (RFC 6376, 5.4.1), where the message has it.
_SIGNED = (
    "from", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references", "mime-version",
    "content-type", "content-transfer-encoding", "auto-submitted", "list-unsubscribe", "list-unsubscribe-post",
)  # fmt: skip
# Said once more than they stand there, so that none can be added on the way (RFC 6376, 8.15).
_OVERSIGNED = ("from", "reply-to", "to", "cc", "subject", "date", "message-id", "content-type")
FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)\r\n")
_WSP = re.compile(rb"[ \t]+")
_WIDTH = 72


@dataclass(frozen=True)
class Signer:
    """A key that signs for `domain` (ASCII) under `selector`."""

    domain: str
    selector: str
    key: RSAPrivateKey

    def signed(self, frozen: mime.Frozen, read_blob: mime.ReadBlob = blobs.read) -> mime.Frozen:
        """The message with our signature as its first header."""
        head, blank, body = frozen.skeleton.partition(b"\r\n\r\n")
        start = len(head) + len(blank)
        pieces = _pieces(body, [(offset - start, sha256) for offset, sha256 in frozen.cuts], read_blob)
        header = self.header(head + b"\r\n", body_hash(pieces))
        cuts = [[offset + len(header), sha256] for offset, sha256 in frozen.cuts]
        return mime.sealed(header + frozen.skeleton, cuts, frozen.smtputf8, read_blob)

    def header(self, head: bytes, hashed: str) -> bytes:
        """The whole header, ending in CRLF, for the headers `head` and the body of that hash (base64)."""
        fields = list(FIELD.finditer(head))
        names = [name for field in fields if (name := field[1].lower().decode("ascii", "replace")) in _SIGNED]
        listed = _listed(names)
        opening = (
            f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n\td={self.domain}; s={self.selector};\r\n"
            f"\th={_folded(listed)};\r\n\tbh={hashed};\r\n\tb="
        ).encode()
        said = b"".join(canonical_headers(fields, listed)) + canonical_field(opening).rstrip(b"\r\n")
        signature = base64.b64encode(self.key.sign(said, PKCS1v15(), SHA256()))
        lines = [signature[at : at + _WIDTH] for at in range(0, len(signature), _WIDTH)]
        return opening + b"\r\n\t".join(lines) + b"\r\n"


def stamped(frozen: mime.Frozen, signer: Signer | None, read_blob: mime.ReadBlob = blobs.read) -> mime.Frozen:
    """The message signed anew, or by nobody: a signature copied along with an older message never stays."""
    bare = unsigned(frozen, read_blob) if frozen.skeleton.startswith(_NAME) else frozen
    return signer.signed(bare, read_blob) if signer else bare


def unsigned(frozen: mime.Frozen, read_blob: mime.ReadBlob = blobs.read) -> mime.Frozen:
    """The message without the signature that begins it."""
    found = FIELD.match(frozen.skeleton)
    assert found is not None
    cut = found.end()
    cuts = [[offset - cut, sha256] for offset, sha256 in frozen.cuts]
    return mime.sealed(frozen.skeleton[cut:], cuts, frozen.smtputf8, read_blob)


def body_hash(pieces: Iterable[bytes]) -> str:
    """The hash (base64) of a body given in pieces, relaxed (RFC 6376, 3.4.4). A piece never ends within white space
    or a line end that the next goes on with: attachments are whole lines of base64."""
    digest, ends, any_of_it = hashlib.sha256(), 0, False
    for piece in pieces:
        made = relaxed_body(piece) if b" " in piece or b"\t" in piece else piece
        text = made.rstrip(b"\r\n")
        if text:
            digest.update(b"\r\n" * ends)
            digest.update(text)
            ends, any_of_it = 0, True
        ends += (len(made) - len(text)) // 2
    if any_of_it:
        digest.update(b"\r\n")
    return base64.b64encode(digest.digest()).decode()


def relaxed_body(text: bytes) -> bytes:
    """White space within lines as one space, none at their ends."""
    return _WSP.sub(b" ", text).replace(b" \r\n", b"\r\n")


def canonical_headers(fields: list[re.Match[bytes]], listed: Iterable[str]) -> Iterator[bytes]:
    """The fields that `listed` names, relaxed; a name said again means the one above, and none where none is left."""
    standing: dict[str, list[bytes]] = {}
    for field in fields:
        standing.setdefault(field[1].lower().decode("ascii", "replace"), []).append(field[0])
    for name in listed:
        if standing.get(name):
            yield canonical_field(standing[name].pop())


def canonical_field(field: bytes) -> bytes:
    """One header field, relaxed (RFC 6376, 3.4.2), ending in CRLF."""
    name, _, value = field.partition(b":")
    unfolded = _WSP.sub(b" ", value.replace(b"\r\n", b""))
    return name.strip(b" \t").lower() + b":" + unfolded.strip(b" ") + b"\r\n"


def _listed(names: list[str]) -> list[str]:
    return [*names[::-1], *_OVERSIGNED]


def _folded(names: list[str]) -> str:
    """The names with colons, over lines of a decent length."""
    lines, line = [], ""
    for name in names:
        if line and len(line) + len(name) > _WIDTH:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return "\r\n\t ".join([*lines, line])[:-1]


def _pieces(body: bytes, cuts: list[tuple[int, Any]], read_blob: mime.ReadBlob) -> Iterator[bytes]:
    done = 0
    for offset, sha256 in cuts:
        yield body[done:offset]
        yield mime.attached(sha256, read_blob)
        done = offset
    yield body[done:]
