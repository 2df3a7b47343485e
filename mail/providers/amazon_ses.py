"""Amazon SES by way of SNS: each call is signed with a certificate of Amazon's, fetched from a pinned host only.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
…/sns/latest/dg/sns-verify-signature-of-message.html. The account's secret is the topic that may speak. Not
tried against the real service.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from mail.providers import proof
from mail.providers.event import Call, EventType, ProviderEvent, Refused, RejectReason, Secret, Unreadable
from mail.providers.fields import Fields, loads, read_json
from models.words import N_, Reason

NAME, LABEL = "amazon_ses", "Amazon SES"
SMTP_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")
KEY = N_("ARN du sujet SNS : lui seul sera écouté.")
POLL_KEY = None
STEPS = (
    N_("Dans Amazon SNS, créez un sujet (topic) et copiez son ARN ci-dessous."),
    N_("Dans Amazon SES › Configuration sets, ajoutez une destination SNS vers ce sujet, avec tous les évènements."),
    N_("Dans SNS, abonnez l'adresse ci-dessus au sujet (protocole HTTPS) : l'abonnement se confirme tout seul."),
)  # fmt: skip
CONTENT_TYPES = ("text/plain", "application/json")  # SNS says text/plain

# SNS tries again for about an hour with the same signed moment.
_UNDER_WAY = timedelta(hours=1, minutes=5)
_TOPIC = re.compile(r"arn:(aws[a-z-]*):sns:([a-z]{2}(?:-[a-z0-9]+){1,3}):\d{12}:[A-Za-z0-9_-]{1,256}")
_CERTIFICATE = re.compile(
    r"https://sns\.[a-z]{2}(?:-[a-z0-9]+){1,3}\.amazonaws\.com(?:\.cn)?/SimpleNotificationService-[0-9a-f]{8,64}\.pem"
)
_OF_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _OF_CONFIRMATION, "UnsubscribeConfirmation": _OF_CONFIRMATION,
}  # fmt: skip
_E, _R = EventType, RejectReason
# bounceType and bounceSubType → our reason where the server's words say nothing.
_HINTS = {
    "NoEmail": Reason.USER_UNKNOWN, "Suppressed": Reason.BLOCKED, "OnAccountSuppressionList": Reason.BLOCKED,
    "MailboxFull": Reason.MAILBOX_FULL, "MessageTooLarge": Reason.TOO_BIG, "ContentRejected": Reason.CONTENT,
    "AttachmentRejected": Reason.CONTENT, "CustomTimeoutExceeded": Reason.EXPIRED,
    "UnsubscribedRecipient": Reason.BLOCKED,
}  # fmt: skip


def verify(call: Call, secret: Secret, now: datetime) -> str | None:
    """Amazon signed it for our topic, lately. Raises Refused, and Away while the certificate cannot be had."""
    proof.basic(call, secret)
    said = _envelope(call)
    names = _SIGNED.get(said.text("Type") or "")
    values = {name: said.text(name) for name in names or ()}
    if names is None or any(values[name] is None for name in names if name != "Subject"):
        raise Refused("no SNS message")
    if not _TOPIC.fullmatch(secret.key) or not proof.same((values["TopicArn"] or "").encode(), secret.key.encode()):
        raise Refused("another topic")
    where = said.text("SigningCertURL", "SigningCertUrl") or ""
    if not _CERTIFICATE.fullmatch(where) or secret.certificate is None:
        raise Refused("a certificate from elsewhere")
    message = "".join(f"{name}\n{values[name]}\n" for name in names if values[name] is not None)
    digest = hashes.SHA256() if said.text("SignatureVersion") == "2" else hashes.SHA1()  # version 1 is SHA-1
    _check(secret.certificate(where), message, said.text("Signature") or "", digest, now)
    proof.fresh(said.iso("Timestamp"), now, _UNDER_WAY)
    return values["MessageId"]


def _check(pem: bytes, message: str, shown: str, digest: hashes.HashAlgorithm, now: datetime) -> None:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError as error:
        raise Refused("no certificate") from error
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Refused("a certificate out of date")
    if not isinstance(key, rsa.RSAPublicKey):
        raise Refused("a certificate of another kind")
    proof.checked(key, message.encode("utf-8", "surrogatepass"), shown, digest)


def confirmation(call: Call) -> tuple[str, str] | None:
    """Where a subscription is confirmed, (host, path), for a verified call that asks for it; None for any other.

    Made of the topic and the token, never of the address in the message.
    """
    said = _envelope(call)
    topic = _TOPIC.fullmatch(said.text("TopicArn") or "")
    token = said.text("Token") or ""
    if said.text("Type") != "SubscriptionConfirmation" or not topic or not re.fullmatch(r"[0-9a-zA-Z]{1,600}", token):
        return None
    china = ".cn" if topic[1] == "aws-cn" else ""
    asked = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic[0], "Token": token, "Version": "2010-03-31"})
    return f"sns.{topic[2]}.amazonaws.com{china}", f"/?{asked}"


def judge_key(text: str) -> bool:
    """Whether a text is the name of a topic."""
    return bool(_TOPIC.fullmatch(text))


def _envelope(call: Call) -> Fields:
    try:
        return Fields(read_json(call))
    except Unreadable as error:
        raise Refused("no SNS message") from error


def parse(call: Call) -> list[ProviderEvent]:
    """The events of a call: an event tells of one recipient or more. Raw delivery (no envelope) is read too."""
    said = Fields(read_json(call))
    if "Type" not in said:
        return _events(said, None, None)
    if said.text("Type") != "Notification":
        return []
    inner = said.text("Message") or ""
    told = loads(inner)
    if told is None and not inner.startswith("Successfully validated SNS topic"):
        raise Unreadable("no SES event")
    return _events(Fields(told), said.text("MessageId"), said.iso("Timestamp"))


def _events(said: Fields, event_id: str | None, published: datetime | None) -> list[ProviderEvent]:
    name = said.text("eventType", "notificationType") or ""
    mail, about = said.inside("mail"), said.inside("failure" if name == "Rendering Failure" else _named(name))
    every = [{"recipient": address} for address in mail.texts("destination")]
    only = every[0]["recipient"] if len(every) == 1 else None  # one that is not named again
    metadata, tags, header_id = _headers(mail)
    common: dict[str, Any] = {
        "event_type": _E.UNKNOWN, "event_id": event_id, "message_id": mail.text("messageId"), "metadata": metadata,
        "tags": tags, "header_id": header_id, "timestamp": published or about.iso("timestamp") or mail.iso("timestamp"),
        "marks": tuple(mail.inside("tags").texts("sillage")),
    }  # fmt: skip
    if name == "Bounce":
        kind, part = about.text("bounceType"), about.text("bounceSubType")
        common |= {
            "event_type": _E.BOUNCED, "reject_reason": _R.BOUNCED, "description": f"{kind}: {part}",
            "hint": _HINTS.get(part or "") or (Reason.USER_UNKNOWN if kind == "Permanent" else None),
            "remote_host": about.text("reportingMTA"),
        }  # fmt: skip
        every = [
            {"recipient": one.text("emailAddress"), "mta_response": one.text("diagnosticCode"),
             "enhanced_code": one.text("status")}
            for one in map(Fields, about.each("bouncedRecipients"))
        ]  # fmt: skip
    elif name == "Complaint":
        common |= {
            "event_type": _E.COMPLAINED, "reject_reason": _R.SPAM, "user_agent": about.text("userAgent"),
            "description": about.text("complaintFeedbackType"),
        }  # fmt: skip
        every = [{"recipient": Fields(one).text("emailAddress")} for one in about.each("complainedRecipients")]
    elif name == "Delivery":
        common |= {
            "event_type": _E.DELIVERED, "mta_response": about.text("smtpResponse"),
            "remote_host": about.text("reportingMTA"),
        }  # fmt: skip
        every = [{"recipient": address} for address in about.texts("recipients")]
    elif name == "DeliveryDelay":
        common |= {"event_type": _E.DEFERRED, "description": about.text("delayType")}
        every = [
            {"recipient": one.text("emailAddress") or only, "mta_response": one.text("diagnosticCode"),
             "enhanced_code": one.text("status")}
            for one in map(Fields, about.each("delayedRecipients"))
        ] or every  # fmt: skip
    elif name == "Send":
        common |= {"event_type": _E.SENT}
    elif name == "Reject":
        common |= {
            "event_type": _E.REJECTED, "description": about.text("reason"), "reject_reason": _R.BLOCKED,
            "hint": Reason.CONTENT,
        }  # fmt: skip
    elif name in ("Open", "Click"):
        common |= {"event_type": _E.OPENED if name == "Open" else _E.CLICKED, "user_agent": about.text("userAgent")}
        common |= {"click_url": about.text("link")}
    elif name == "Rendering Failure":
        common |= {"event_type": _E.FAILED, "description": about.text("errorMessage"), "hint": Reason.NOT_PREPARED}
    else:
        common |= {"description": f"Unknown SES eventType '{name}'"}
    return [ProviderEvent(**common, **one) for one in every]


def _named(name: str) -> str:
    return "deliveryDelay" if name == "DeliveryDelay" else name.lower()


def _headers(mail: Fields) -> tuple[dict[str, Any], list[str], str | None]:
    """Metadata, tags and Message-ID from the message's own headers, where SES was told to include them."""
    metadata: dict[str, Any] = {}
    tags: list[str] = []
    header_id = mail.inside("commonHeaders").text("messageId")
    for one in map(Fields, mail.each("headers")):
        name, value = (one.text("name") or "").lower(), one.text("value") or ""
        if name == "x-tag":
            tags.append(value)
        elif name == "x-metadata":
            metadata = Fields(loads(value)).all or metadata
        elif name == "message-id":
            header_id = value
    return metadata, tags, header_id


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events."""
    return {"X-SES-MESSAGE-TAGS": f"sillage={token}"}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """What SES would tell, without SNS's envelope: its signature is Amazon's alone."""
    moment = now.isoformat()
    return "application/json", {
        "eventType": "Delivery", "delivery": {"timestamp": moment, "recipients": [recipient], "smtpResponse": "250 OK"},
        "mail": {
            "timestamp": moment, "messageId": "essai", "destination": [recipient], "tags": {"sillage": [token]},
            "headers": [{"name": "Message-ID", "value": message_id}],
        },
    }  # fmt: skip
