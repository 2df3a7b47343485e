"""Calls signed as each provider would sign them, with keys of our own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from mail.providers.accounts import Keys
from mail.providers.event import Call
from tests.mail.providers import documented

TOPIC = "arn:aws:sns:eu-west-3:123456789012:Sillage"
CERTIFICATE = "https://sns.eu-west-3.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
WEBHOOKS = list(documented.PAYLOADS)
UNSIGNED = ("brevo", "mailjet", "postmark", "sparkpost")


@cache
def private(kind: str) -> Any:
    """A private key: ec or rsa."""
    return ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)


def public(kind: str) -> str:
    der = (
        private(kind)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(der).decode()


@cache
def certificate() -> bytes:
    """What stands at CERTIFICATE."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private("rsa").public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=400)).not_valid_after(now + timedelta(days=400))
        .sign(private("rsa"), hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM)


def keys(provider: str) -> Keys:
    """The keys of an account with that provider."""
    signing = {
        "mailgun": "key-mailgun", "mailersend": "secret-of-mailersend", "mandrill": "key-of-mandrill",
        "resend": "whsec_" + base64.b64encode(b"a secret of resend's own").decode(), "sendgrid": public("ec"),
        "postal": public("rsa"), "amazon_ses": TOPIC,
    }  # fmt: skip
    return Keys(signing.get(provider, ""), "sillage", "p" * 32 if provider in UNSIGNED else "")


def signed(provider: str, payload: Any, given: Keys, url: str, now: datetime) -> Call:
    """The payload as the provider would post it now."""
    stamp, headers = str(int(now.timestamp())), {}
    if provider == "mailgun":
        token = hashlib.sha256(json.dumps(payload).encode() + stamp.encode()).hexdigest()[:50]
        shown = hmac.new(given.signing.encode(), (stamp + token).encode(), "sha256").hexdigest()
        payload = payload | {"signature": {"timestamp": stamp, "token": token, "signature": shown}}
    if provider == "postal":
        payload = payload | {"timestamp": now.timestamp()}
    if provider == "mailersend":
        payload = payload | {"created_at": now.isoformat()}
    if provider == "mandrill":
        payload = [one | {"ts": int(stamp)} for one in payload]
    if provider == "amazon_ses":
        payload = sns(payload | {"Timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z")})
    call = documented.call(provider, payload)
    if provider in UNSIGNED:
        pair = base64.b64encode(f"{given.user}:{given.password}".encode()).decode()
        headers["authorization"] = f"Basic {pair}"
    elif provider == "mailersend":
        headers["signature"] = hmac.new(given.signing.encode(), call.body, "sha256").hexdigest()
    elif provider == "mandrill":
        told = url + "mandrill_events" + json.dumps(payload)
        headers["x-mandrill-signature"] = _base64_hmac(given.signing.encode(), told.encode(), "sha1")
    elif provider == "resend":
        name = "msg_" + hashlib.sha256(call.body).hexdigest()[:20]
        key = base64.b64decode(given.signing.removeprefix("whsec_"))
        right = _base64_hmac(key, f"{name}.{stamp}.".encode() + call.body, "sha256")
        headers |= {"svix-id": name, "svix-timestamp": stamp, "svix-signature": f"v1,AAAA v1,{right}"}
    elif provider == "sendgrid":
        shown = private("ec").sign(stamp.encode() + call.body, ec.ECDSA(hashes.SHA256()))
        headers["x-twilio-email-event-webhook-signature"] = base64.b64encode(shown).decode()
        headers["x-twilio-email-event-webhook-timestamp"] = stamp
    elif provider == "postal":
        shown = private("rsa").sign(call.body, padding.PKCS1v15(), hashes.SHA1())
        headers["x-postal-signature"] = base64.b64encode(shown).decode()
    return replace(call, headers={**call.headers, **headers})


def sns(message: dict[str, Any]) -> dict[str, Any]:
    """An SNS message with its signature."""
    message = message | {"TopicArn": TOPIC, "SignatureVersion": "2", "SigningCertURL": CERTIFICATE}
    names = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"]
    told = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    shown = private("rsa").sign(told.encode(), padding.PKCS1v15(), hashes.SHA256())
    return message | {"Signature": base64.b64encode(shown).decode()}


def _base64_hmac(key: bytes, message: bytes, digest: str) -> str:
    return base64.b64encode(hmac.new(key, message, digest).digest()).decode()
