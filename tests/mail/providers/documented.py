"""Calls as the providers' documentation describes them, written here: every kind of event each of them knows."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from mail.providers.event import Call

WHO, ID = "lea.petit@example.net", "<abc.123@cassiopee.example>"
AT = 1795346100  # 2026-11-22 22:55 UTC
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_FULL = "452 4.2.2 The email account that you tried to reach is over quota"
_NONE = "550 5.1.1 <lea.petit@example.net>: Recipient address rejected: User unknown"


def brevo() -> list[Any]:
    base = {
        "email": WHO, "id": 26224, "date": "2026-11-22 23:55:00", "ts": AT, "message-id": ID, "ts_event": AT,
        "subject": "Convocation", "X-Mailin-custom": '{"sillage":"aaaa"}', "sending_ip": "185.41.28.109",
        "ts_epoch": AT * 1000, "tags": ["convocation"], "template_id": 22,
    }  # fmt: skip
    names = (
        "request", "delivered", "unique_opened", "opened", "unique_proxy_open", "proxy_open", "unsubscribe",
        "complaint", "spam", "list_addition", "surprise",
    )  # fmt: skip
    found = [base | {"event": name} for name in names]
    found.append(base | {"event": "click", "link": "https://example.org/a?b=c"})
    found += [base | {"event": name, "reason": _NONE} for name in ("hard_bounce", "blocked", "invalid_email", "error")]
    found += [base | {"event": name, "reason": _FULL} for name in ("soft_bounce", "deferred")]
    return [
        *found,
        {k: v for k, v in base.items() if k not in ("tags", "ts_epoch")} | {"event": "delivered", "tag": "a"},
    ]


def mailjet() -> list[Any]:
    base = {
        "time": AT, "MessageID": 19421777835146490, "Message_GUID": "1ab23cd4-e567-8901-2345-6789f0gh1i2j",
        "email": WHO, "mj_campaign_id": 7257, "mj_contact_id": 4, "customcampaign": "", "CustomID": "aaaa",
        "Payload": '{"sillage": "aaaa"}',
    }  # fmt: skip
    found = [
        base | {"event": "sent", "mj_message_id": "19421777835146490", "smtp_reply": "sent (250 2.0.0 OK 4242 fa5si855896wjc)"},
        base | {"event": "open", "ip": "127.0.0.1", "geo": "FR", "agent": _BROWSER},
        base | {"event": "click", "url": "https://mailjet.com", "ip": "127.0.0.1", "geo": "FR", "agent": _BROWSER},
        base | {"event": "spam", "source": "JMRPP"},
        base | {"event": "unsub", "mj_list_id": 1, "ip": "127.0.0.1", "geo": "FR", "agent": _BROWSER},
        base | {"event": "surprise"},
    ]  # fmt: skip
    for error in ("user unknown", "mailbox inactive", "quota exceeded", "invalid domain", "no mail host", "greylisted",
                  "relay/access denied", "typofix", "other"):  # fmt: skip
        for hard in (True, False):
            found.append(base | {
                "event": "bounce", "blocked": False, "hard_bounce": hard, "error_related_to": "recipient",
                "error": error, "comment": "Host or domain name not found.",
            })  # fmt: skip
    for error in ("preblocked", "spam reporter", "blacklisted", "content blocked", "policy issue", "sender blocked"):
        found.append(base | {"event": "blocked", "error_related_to": "mailjet", "error": error})
    return [*found, found[:3]]


def mailgun() -> list[Any]:
    base = {
        "id": "CPgfbmQMTCKtHW6uIWtuVe", "timestamp": AT + 0.521, "log-level": "info", "recipient": WHO,
        "message": {"headers": {"to": f"Léa Petit <{WHO}>", "message-id": ID.strip("<>"), "from": "a@b.example"}},
        "user-variables": {"sillage": "aaaa"}, "tags": ["convocation"], "recipient-domain": "example.net",
    }  # fmt: skip
    status = {"code": 250, "message": "OK", "description": "", "mx-host": "mx.example.net", "attempt-no": 1}
    client = {"client-info": {"client-type": "browser", "user-agent": _BROWSER}, "ip": "50.56.129.169"}
    refused = {"delivery-status": {"code": 550, "message": _NONE, "description": "", "enhanced-code": "5.1.1"}}
    events = [
        base | {"event": "accepted", "envelope": {"sender": "a@b.example"}},
        base | {"event": "delivered", "delivery-status": status},
        base | {"event": "failed", "severity": "permanent", "reason": "bounce"} | refused,
        base | {"event": "failed", "severity": "permanent", "reason": "suppress-bounce",
                "delivery-status": {"code": 605, "message": "", "description": "Not delivering to previously bounced address"}},
        base | {"event": "failed", "severity": "permanent", "reason": "old",
                "delivery-status": {"code": 602, "message": "Too old", "description": ""}},
        base | {"event": "failed", "severity": "temporary", "reason": "generic",
                "delivery-status": {"code": 452, "message": _FULL, "retry-seconds": 600}},
        base | {"event": "opened"} | client,
        base | {"event": "clicked", "url": "https://example.org"} | client,
        base | {"event": "unsubscribed"} | client,
        base | {"event": "complained"},
        base | {"event": "rejected", "reject": {"reason": "Sandbox subdomains are for test purposes only."}, "recipient": ""},
        base | {"event": "surprise", "delivery-status": None},
    ]  # fmt: skip
    block = {"timestamp": str(AT), "token": "a" * 50, "signature": "0" * 64}
    return [{"signature": block, "event-data": event} for event in events]


def postmark() -> list[Any]:
    base = {"MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Metadata": {"sillage": "aaaa"}, "Tag": "convocation",
            "ServerID": 23, "MessageStream": "outbound"}  # fmt: skip
    found: list[Any] = [
        base | {"RecordType": "Delivery", "Recipient": WHO, "DeliveredAt": "2026-11-22T22:55:00Z", "Details": "250 OK"},
        base | {"RecordType": "Open", "FirstOpen": True, "Recipient": WHO, "ReceivedAt": "2026-11-22T22:55:00Z",
                "Client": {"Name": "Chrome 140", "Company": "Google", "Family": "Chrome"}, "UserAgent": _BROWSER},
        base | {"RecordType": "Click", "Recipient": WHO, "ReceivedAt": "2026-11-22T22:55:00Z", "UserAgent": _BROWSER,
                "OriginalLink": "https://example.org"},
        base | {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "ID": 42, "Email": WHO,
                "BouncedAt": "2026-11-22T22:55:00.1234567-05:00", "Description": "The subscriber marked it"},
        base | {"RecordType": "SubscriptionChange", "Recipient": WHO, "ChangedAt": "2026-11-22T22:55:00Z",
                "SuppressSending": True, "SuppressionReason": "HardBounce", "Origin": "Recipient"},
        base | {"RecordType": "SubscriptionChange", "Recipient": WHO, "ChangedAt": "2026-11-22T22:55:00Z",
                "SuppressSending": False, "SuppressionReason": None},
        base | {"RecordType": "SubscriptionChange", "Recipient": WHO, "ChangedAt": "2026-11-22T22:55:00Z",
                "SuppressSending": True, "SuppressionReason": "ManualSuppression"},
        {"surprise": True},
    ]  # fmt: skip
    for name in ("HardBounce", "Transient", "Unsubscribe", "Subscribe", "AutoResponder", "AddressChange", "DnsError",
                 "SpamNotification", "OpenRelayTest", "Unknown", "SoftBounce", "VirusNotification",
                 "ChallengeVerification", "BadEmailAddress", "ManuallyDeactivated", "Unconfirmed", "Blocked",
                 "SMTPApiError", "DMARCPolicy", "TemplateRenderingFailed", "Surprise"):  # fmt: skip
        found.append(base | {
            "RecordType": "Bounce", "ID": 901542550, "Type": name, "Email": WHO, "Inactive": True,
            "BouncedAt": "2026-11-22T22:55:00.3963933-05:00", "Description": "…", "Details": f"smtp;{_NONE}",
        })  # fmt: skip
    return found


def amazon_ses() -> list[Any]:
    mail = {
        "timestamp": "2026-11-22T22:54:58.000Z", "source": "a@cassiopee.example", "messageId": "0000014644fe5ef6",
        "destination": [WHO], "tags": {"sillage": ["aaaa"]}, "headersTruncated": False,
        "headers": [{"name": "Message-ID", "value": ID}, {"name": "X-Tag", "value": "convocation"}],
    }  # fmt: skip
    at = "2026-11-22T22:55:00.000Z"
    one = {"emailAddress": WHO, "status": "5.1.1", "action": "failed", "diagnosticCode": f"smtp; {_NONE}"}
    told: list[dict[str, Any]] = [
        {"eventType": "Send", "send": {}},
        {"eventType": "Delivery", "delivery": {"timestamp": at, "recipients": [WHO], "smtpResponse": "250 2.6.0 OK"}},
        {"eventType": "Complaint", "complaint": {"timestamp": at, "complainedRecipients": [{"emailAddress": WHO}]}},
        {"eventType": "Reject", "reject": {"reason": "Bad content"}},
        {"eventType": "Open", "open": {"timestamp": at, "userAgent": _BROWSER, "ipAddress": "192.0.2.1"}},
        {"eventType": "Click", "click": {"timestamp": at, "userAgent": _BROWSER, "link": "https://example.org"}},
        {"eventType": "Rendering Failure", "failure": {"errorMessage": "Attribute 'x' is not present", "templateName": "t"}},
        {"eventType": "DeliveryDelay", "deliveryDelay": {"timestamp": at, "delayType": "MailboxFull", "delayedRecipients": [
            {"emailAddress": WHO, "status": "4.2.2", "diagnosticCode": f"smtp; {_FULL}"}]}},
        {"notificationType": "Surprise"},
    ]  # fmt: skip
    for kind, part in (
        ("Permanent", "General"),
        ("Permanent", "NoEmail"),
        ("Permanent", "OnAccountSuppressionList"),
        ("Transient", "MailboxFull"),
        ("Transient", "MessageTooLarge"),
        ("Undetermined", "Undetermined"),
    ):
        recipients = [one] if part != "OnAccountSuppressionList" else [{"emailAddress": WHO}]
        bounce = {"bounceType": kind, "bounceSubType": part, "timestamp": at, "bouncedRecipients": recipients}
        told.append({"notificationType": "Bounce", "bounce": bounce})
    envelope = {"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "Timestamp": at,
                "TopicArn": "arn:aws:sns:eu-west-3:123456789012:Sillage"}  # fmt: skip
    return [
        envelope
        | {"MessageId": f"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf3{n:02d}", "Message": json.dumps(event | {"mail": mail})}
        for n, event in enumerate(told)
    ]


def sendgrid() -> list[Any]:
    base = {
        "email": WHO, "timestamp": AT, "smtp-id": ID, "category": ["convocation"], "sg_event_id": "rWVYmVk90MjZJ9iohOBa3w",
        "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "sillage": "aaaa",
    }  # fmt: skip
    return [
        [base | {"event": "processed"}, base | {"event": "delivered", "response": "250 OK", "tls": 1}],
        [base | {"event": "deferred", "response": _FULL, "attempt": "5"}],
        [base | {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": _NONE, "bounce_classification": "Invalid Address"}],
        [base | {"event": "bounce", "type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 Blocked"}],
        *([base | {"event": "dropped", "reason": why, "status": "5.0.0"}] for why in (
            "Bounced Address", "Unsubscribed Address", "Spam Reporting Address", "Invalid")),
        [base | {"event": "open", "useragent": _BROWSER, "ip": "255.255.255.255", "sg_machine_open": True}],
        [base | {"event": "click", "useragent": _BROWSER, "url": "https://example.org", "url_offset": {"index": 0}}],
        [base | {"event": name} for name in ("spamreport", "unsubscribe", "group_unsubscribe", "group_resubscribe", "surprise")],
    ]  # fmt: skip


def resend() -> list[Any]:
    data = {
        "created_at": "2026-11-22T22:54:58.000Z", "email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "to": [WHO],
        "from": "A <a@cassiopee.example>", "subject": "Convocation", "headers": [{"name": "X-Sillage", "value": "aaaa"}],
    }  # fmt: skip
    words = (
        "The recipient's email provider sent a hard bounce message, but didn't specify the reason for the hard bounce.",
        "The recipient's email provider sent a bounce message because the recipient's inbox was full.",
        "Resend has suppressed sending to this address because it is on the account-level suppression list.",
        "Something new.",
    )  # fmt: skip
    told: list[tuple[str, dict[str, Any]]] = [
        (f"email.{name}", {}) for name in ("sent", "delivered", "delivery_delayed", "complained", "opened", "surprise")
    ]
    told.append(("email.clicked", {"click": {"link": "https://example.org", "userAgent": _BROWSER}}))
    told += [("email.bounced", {"bounce": {"message": one, "type": "Permanent"}}) for one in words]
    return [{"type": name, "created_at": "2026-11-22T22:55:00.123Z", "data": data | more} for name, more in told]


def mailersend() -> list[Any]:
    email = {"status": "sent", "message": {"id": "62fb66bef54a112e920b5493"}, "recipient": {"email": WHO},
             "tags": ["aaaa"], "subject": "Convocation"}  # fmt: skip
    morphs: dict[str, Any] = {
        "soft_bounced": {"object": "recipient_bounce", "reason": _FULL}, "clicked": {"object": "click", "url": "https://a.example"},
        "hard_bounced": {"object": "recipient_bounce", "reason": "Host or domain name not found", "readable_reason": _NONE},
        "opened": {"object": "open", "ip": "192.0.2.1"}, "unsubscribed": {"object": "recipient_unsubscribe", "reason": "option_3"},
        "spam_complaint": {"object": "spam_complaint", "reason": None},
    }  # fmt: skip
    names = ("sent", "delivered", "soft_bounced", "hard_bounced", "opened", "clicked", "unsubscribed",
             "spam_complaint", "surprise")  # fmt: skip
    return [
        {"type": f"activity.{name}", "created_at": "2026-11-22T22:55:01.000000Z", "webhook_id": "x", "data": {
            "id": f"62f114f8165fe0d8db0288e{n}", "object": "activity", "type": name, "email": email,
            "created_at": "2026-11-22T22:55:00.123000Z", "morph": morphs.get(name)}}
        for n, name in enumerate(names)
    ]  # fmt: skip


def sparkpost() -> list[Any]:
    base = {
        "event_id": "92356927693813856", "message_id": "000443ee14578172be22", "raw_rcpt_to": WHO, "rcpt_to": WHO,
        "rcpt_meta": {"sillage": "aaaa"}, "timestamp": str(AT), "transmission_id": "65832150921904138",
        "campaign_id": "convocation",
    }  # fmt: skip
    groups: dict[str, list[dict[str, Any]]] = {
        "message_event": [
            {"type": "injection"}, {"type": "delivery"}, {"type": "spam_complaint", "fbtype": "abuse"},
            {"type": "delay", "bounce_class": "22", "error_code": "452", "raw_reason": _FULL},
            {"type": "policy_rejection", "bounce_class": "25", "raw_reason": "CLIENT_REJECTED"}, {"type": "surprise"},
            {"type": "out_of_band", "bounce_class": "60", "raw_reason": "On vacation"},
            *({"type": "bounce", "bounce_class": c, "error_code": "550", "raw_reason": _NONE}
              for c in ("1", "10", "20", "21", "22", "23", "24", "30", "40", "50", "51", "52", "53", "54", "70", "90", "100", "7")),
        ],
        "track_event": [
            {"type": "open", "user_agent": _BROWSER}, {"type": "click", "target_link_url": "https://example.org"},
            {"type": "initial_open", "user_agent": "Mozilla/5.0", "user_agent_parsed": {"is_prefetched": True}},
        ],
        "gen_event": [{"type": "generation_failure", "raw_reason": "no template"}, {"type": "generation_rejection"}],
        "unsubscribe_event": [{"type": "list_unsubscribe"}, {"type": "link_unsubscribe"}],
    }  # fmt: skip
    found: list[Any] = [
        [{"msys": {name: base | {"event_id": f"923569276938{name}{n}"} | one}} for n, one in enumerate(ones)]
        for name, ones in groups.items()
    ]
    return [*found, [{"msys": {}}]]


def mandrill() -> list[Any]:
    message = {"ts": AT - 2, "email": WHO, "sender": "a@cassiopee.example", "tags": ["convocation"], "_id": "a" * 32,
               "metadata": {"sillage": "aaaa"}, "state": "sent", "subject": "Convocation"}  # fmt: skip
    base = {"ts": AT, "_id": "a" * 32, "msg": message}
    told: list[Any] = [base | {"event": name} for name in ("send", "unsub", "spam", "reject", "surprise")]
    told += [
        base | {"event": "open", "user_agent": _BROWSER}, base | {"event": "click", "url": "https://a.example"},
        base | {"event": "deferral", "msg": message | {"diag": _FULL, "state": "deferred"}},
        base | {"event": "hard_bounce", "msg": message | {"diag": _NONE, "bounce_description": "bad_mailbox"}},
        base | {"event": "soft_bounce", "msg": message | {"diag": _FULL, "bounce_description": "mailbox_full"}},
        {"type": "blacklist", "action": "add", "ts": AT, "reject": {"email": WHO, "reason": "hard-bounce", "detail": "…"}},
    ]  # fmt: skip
    return [told]


def postal() -> list[Any]:
    message = {"id": 12345, "token": "abcdef123", "direction": "outgoing", "message_id": ID.strip("<>"), "to": WHO,
               "from": "a@cassiopee.example", "subject": "Convocation", "timestamp": AT - 2.5, "tag": "aaaa"}  # fmt: skip
    told: list[tuple[str, dict[str, Any]]] = [
        (name, {"message": message, "status": status, "details": "…", "output": _NONE, "timestamp": AT})
        for name, status in (("MessageSent", "Sent"), ("MessageDelayed", "SoftFail"), ("MessageDeliveryFailed", "HardFail"),
                             ("MessageHeld", "Held"), ("MessageSent", "Surprise"))
    ]  # fmt: skip
    told += [
        ("MessageBounced", {"original_message": message, "bounce": message | {"id": 9}}),
        ("MessageLinkClicked", {"message": message, "url": "https://a.example", "token": "VJzsFA0S", "user_agent": _BROWSER}),
        ("MessageLoaded", {"message": message, "ip_address": "192.0.2.1", "user_agent": _BROWSER}),
        ("DomainDNSError", {"server": {}, "domain": "a.example"}),
    ]  # fmt: skip
    return [{"event": n, "timestamp": AT + 0.4, "payload": p, "uuid": f"0d8f4a5f-{k}"} for k, (n, p) in enumerate(told)]


def scaleway() -> list[Any]:
    """Pages of its API, not calls."""
    base = {"id": "4f3a6b1e-1f0c-4a53-8a0a-0a2b0d3c9e11", "message_id": ID, "mail_rcpt": WHO, "mail_from": "a@b.example",
            "created_at": "2026-11-22T22:54:58Z", "updated_at": "2026-11-22T22:55:03Z", "flags": [], "status_details": None}  # fmt: skip
    tried = {"rank": 1, "tried_at": "2026-11-22T22:55:00Z"}
    return [
        base | {"status": "new", "try_count": 0, "last_tries": []},
        base | {"status": "sending", "try_count": 1, "last_tries": [tried | {"code": 452, "message": _FULL}]},
        base | {"status": "sent", "try_count": 1, "last_tries": [tried | {"code": 250, "message": "OK"}]},
        base | {"status": "failed", "try_count": 1, "flags": ["hard_bounce", "mailbox_not_found"],
                "last_tries": [tried | {"code": 550, "message": _NONE}]},
        base | {"status": "canceled", "try_count": 0, "last_tries": []},
    ]  # fmt: skip


PAYLOADS: dict[str, list[Any]] = {
    made.__name__: made()
    for made in (
        brevo,
        mailjet,
        mailgun,
        postmark,
        amazon_ses,
        sendgrid,
        resend,
        mailersend,
        sparkpost,
        mandrill,
        postal,
    )
}


def call(provider: str, payload: Any, headers: dict[str, str] | None = None) -> Call:
    """A payload as that provider would post it, unsigned."""
    body, kind = json.dumps(payload).encode(), "application/json"
    if provider == "mandrill":
        body, kind = urlencode({"mandrill_events": json.dumps(payload)}).encode(), "application/x-www-form-urlencoded"
    if provider == "amazon_ses":
        kind = "text/plain; charset=UTF-8"
    extra = {"svix-id": "msg_abc"} if provider == "resend" else {}
    return Call({"content-type": kind} | extra | (headers or {}), body)
