"""Whether the DKIM signature that begins a message is true of its bytes still (RFC 6376, 6.1).

PURE, and only for signatures as mail.signing makes them: a proof says so of what was sent. The key is whoever asks' to
know: the DNS may have forgotten it since.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mail import signing

_FIRST = re.compile(rb"DKIM-Signature:((?:[^\r\n]|\r\n[ \t])*)\r\n", re.IGNORECASE)
_VALUE = re.compile(rb"([; \t\n]b=)[^;]*")


@dataclass(frozen=True)
class Signature:
    """Whose it is, and whether body and headers are those that were signed; `headers` is None without the key."""

    domain: str
    selector: str
    body: bool
    headers: bool | None

    @property
    def record(self) -> str:
        """The DNS name of its key."""
        return f"{self.selector}._domainkey.{self.domain}"


def check(exact: bytes, public_key: Callable[[str, str], str | None]) -> Signature | None:
    """What becomes of the signature that the message begins with; None where it begins with none of ours.

    `public_key(domain, selector)` gives the key in base64 (DER, SubjectPublicKeyInfo), None where nobody knows it.
    """
    first = _FIRST.match(exact)
    if first is None:
        return None
    tags = _tags(first[1])
    if (tags.get("a"), tags.get("c")) != ("rsa-sha256", "relaxed/relaxed"):
        return None
    head, _blank, body = exact[first.end() :].partition(b"\r\n\r\n")
    domain, selector = tags.get("d", ""), tags.get("s", "")
    same_body = signing.body_hash([body]) == tags.get("bh")
    known = public_key(domain, selector)
    if known is None:
        return Signature(domain, selector, same_body, None)
    fields = list(signing.FIELD.finditer(head + b"\r\n"))
    listed = tags.get("h", "").lower().split(":")
    own = signing.canonical_field(_VALUE.sub(rb"\1", first[0])).rstrip(b"\r\n")
    said = b"".join(signing.canonical_headers(fields, listed)) + own
    return Signature(domain, selector, same_body, _verified(known, tags.get("b", ""), said))


def _verified(public_key: str, signature: str, said: bytes) -> bool:
    try:
        key = load_der_public_key(base64.b64decode(public_key))
        if not isinstance(key, RSAPublicKey):
            return False
        key.verify(base64.b64decode(signature), said, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _tags(value: bytes) -> dict[str, str]:
    """The tags of a signature (RFC 6376, 3.2), without any white space."""
    pairs = (part.partition("=") for part in re.sub(r"\s+", "", value.decode("ascii", "replace")).split(";"))
    return {name: said for name, _equals, said in pairs if name}
