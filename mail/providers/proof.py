"""What authenticity is proved by, in constant time: user and password, HMAC, public keys, moments.

Everything raises Refused with words for the log; none of them holds a secret or what was shown for one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from mail.providers.event import Call, Refused, Secret

# How far clocks may be apart, and how long a signed call may have been under way.
TOLERANCE = timedelta(minutes=5)
_LONGEST = 2000


def basic(call: Call, secret: Secret) -> None:
    """One of the accepted user:password pairs was given, where any is asked for."""
    if not secret.credentials:
        return
    scheme, _, encoded = call.headers.get("authorization", "")[:_LONGEST].partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
    except binascii.Error:
        given = b""
    known = False
    for allowed in secret.credentials:
        known |= same(given, allowed.encode())
    if not known:
        raise Refused("wrong user or password" if encoded else "no user and password")


def by_password(call: Call, secret: Secret, now: datetime) -> None:
    """The verify() of a provider that signs nothing: a user and a password are asked for, always. Raises Refused."""
    if not secret.credentials:
        raise Refused("no user and password are set")
    basic(call, secret)


def same(one: bytes, other: bytes) -> bool:
    """Equal, in a time that tells nothing of where they differ or how long the other is."""
    return hmac.compare_digest(hashlib.sha256(one).digest(), hashlib.sha256(other).digest())


def header(call: Call, name: str) -> str:
    """A header that must be there and be of a sane length."""
    value = call.headers.get(name, "")
    if not value or len(value) > _LONGEST:
        raise Refused(f"no {name}")
    return value


def fresh(moment: datetime | None, now: datetime, past: timedelta = TOLERANCE) -> None:
    """Signed not longer ago than `past`, nor in a future that clocks do not explain."""
    if moment is None:
        raise Refused("no moment")
    if moment - now > TOLERANCE:
        raise Refused("a moment in the future")
    if now - moment > past:
        raise Refused("too old")


def signed(key: str, message: bytes, shown: str, digest: str = "sha256") -> None:
    """`shown` is the HMAC of the message in hexadecimal."""
    # without a key nothing can be right; something is computed all the same
    right = hmac.digest(key.encode() or secrets.token_bytes(32), message, digest)
    if not same(shown.strip().lower().encode(), right.hex().encode()):
        raise Refused("wrong signature")


def signed_base64(key: bytes, message: bytes, shown: str, digest: str = "sha256") -> None:
    """`shown` is the HMAC of the message in base64."""
    right = base64.b64encode(hmac.digest(key or secrets.token_bytes(32), message, digest))
    if not same(shown.strip().encode(), right):
        raise Refused("wrong signature")


def hex_hmac(key: bytes, message: bytes, digest: str = "sha256") -> str:
    """The HMAC in hexadecimal, to sign a trial of our own."""
    return hmac.digest(key, message, digest).hex()


def base64_hmac(key: bytes, message: bytes, digest: str = "sha256") -> str:
    """The HMAC in base64."""
    return base64.b64encode(hmac.digest(key, message, digest)).decode()


def basic_header(user: str, password: str) -> str:
    """The header Authorization of such a pair."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def public_key(text: str) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    """A public key as providers show it: base64 of its DER, with or without PEM's lines. Raises ValueError."""
    bare = "".join(line for line in text.strip().splitlines() if "-----" not in line)
    try:
        der = base64.b64decode("".join(bare.split()), validate=True)
        key = serialization.load_der_public_key(der)
    except (binascii.Error, UnsupportedAlgorithm) as error:
        raise ValueError("no public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise ValueError("a key of another kind")
    return key


def verified(key: str, message: bytes, shown: str, digest: hashes.HashAlgorithm) -> None:
    """`shown` is a signature (base64) of the message by the owner of that public key (as text)."""
    try:
        owner = public_key(key)
    except ValueError as error:
        raise Refused("no public key is set") from error
    checked(owner, message, shown, digest)


def checked(
    owner: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, message: bytes, shown: str, digest: hashes.HashAlgorithm
) -> None:
    """The same for a key in hand: ECDSA, or RSA PKCS #1 1.5."""
    try:
        signature = base64.b64decode(shown, validate=True)
        if isinstance(owner, ec.EllipticCurvePublicKey):
            owner.verify(signature, message, ec.ECDSA(digest))
        else:
            owner.verify(signature, message, padding.PKCS1v15(), digest)
    except (binascii.Error, ValueError, InvalidSignature) as error:
        raise Refused("wrong signature") from error


@lru_cache(maxsize=2)
def nobody(kind: str) -> str:
    """A public key (`ec` or `rsa`) whose owner nobody is: what an unknown account's calls are held against."""
    made = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    der = made.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    return base64.b64encode(der).decode()
