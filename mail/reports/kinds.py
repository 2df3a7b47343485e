"""Judges what a message is by its headers and words: a report of a mail system, an automatic answer, or neither.

Only evidence that normal mail does not carry counts: a mail system as sender or none at all, together with the words
of a failure; a discussion about bounces, a newsletter or a forwarded report has one of the two at most.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mail.reports import addresses, prose, signs
from mail.reports.mime import Message
from mail.reports.returned import own_text
from mail.server_words import fold

_NULL = re.compile(r"^\s*(?:<\s*>|MAILER-DAEMON|<MAILER-DAEMON>|<#@\[\]>|\"?\"?\s*<>)\s*$", re.I)
_RETURNED_TYPES = ("message/rfc822", "text/rfc822-headers", "message/global")
_REPLY_PREFIX = re.compile(r"^\s*(?:re|aw|sv|antw|rif|rép|res|fwd?|tr|wg|rv|i)\s*(?:\[\d+\])?\s*:", re.I)


@dataclass(frozen=True, slots=True)
class Signs:
    """What the headers show; `subject` and `sender` are folded."""

    subject: str
    sender: str
    from_daemon: bool
    null_sender: bool
    list_mail: bool
    is_reply: bool
    automatic: bool


def signs_of(message: Message) -> Signs:
    headers = message.headers
    sender = headers.text("from") or headers.text("sender")
    address = (addresses.clean(sender) or sender).lower()
    name = fold(sender.replace(address, " "))
    null = any(_NULL.match(value) for value in headers.all("return-path")) or _NULL.match(sender or "") is not None
    daemon = signs.DAEMON_ADDRESS.found_in(fold(address)) or signs.DAEMON_NAME.found_in(name)
    return Signs(
        subject=fold(headers.text("subject")[:500]),
        sender=fold(sender[:300]),
        from_daemon=daemon or _NULL.match(sender or "") is not None,
        null_sender=null,
        list_mail="list-unsubscribe" in headers or "list-post" in headers,
        is_reply=_REPLY_PREFIX.match(headers.text("subject")) is not None,
        automatic=_automatic(message),
    )


def _automatic(message: Message) -> bool:
    headers = message.headers
    submitted = fold(headers.get("auto-submitted") or "")
    return (
        submitted.startswith(("auto-replied", "auto-generated", "auto-notified"))
        or any(name in headers for name in ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply"))
        or fold(headers.get("precedence") or "") in ("auto_reply", "auto-reply", "autoreply")
    )


def is_failure(message: Message, seen: Signs, human: str) -> bool:
    """A report of failure or delay without a machine-readable part.

    The less certain the sender, the more the rest must say: a mailer daemon needs words of failure, a postmaster (who
    also writes as a person or as a program) needs them in the subject or beside a returned message or an address.
    """
    if "x-failed-recipients" in message.headers:
        return True
    words = fold(human[:6000])
    subject = signs.SUBJECT_FAILED.found_in(seen.subject) or signs.SUBJECT_DELAYED.found_in(seen.subject)
    body = signs.FAILED.found_in(words) or signs.DELAYED.found_in(words)
    returned = any(part.type in _RETURNED_TYPES for part in message.parts) or len(human) < len(own_text(message)) - 80
    if seen.is_reply and not (seen.from_daemon and body):
        return False
    if seen.from_daemon and not (signs.ABSENCE_SUBJECT.found_in(seen.subject) and not subject):
        sure = signs.SURE_DAEMON.found_in(seen.sender) or seen.null_sender or returned or "@" in seen.subject
        if body:
            return subject or sure or "@" in words
        return subject and (sure or any(m.tier == 3 for m in prose.mentions(human, frozenset())))
    if seen.null_sender:
        return body and (subject or returned)
    return not seen.list_mail and subject and body and (returned or signs.SYSTEM_SENTENCE.found_in(words[:1500]))


def is_suspect(message: Message) -> bool:
    """Nothing proves a failure, but the sender or the subject is that of one."""
    seen = signs_of(message)
    return not seen.is_reply and (seen.from_daemon or seen.null_sender or signs.SUBJECT_FAILED.found_in(seen.subject))


def by_a_person(message: Message, seen: Signs) -> bool:
    """Nothing but words speaks for a mail system: neither the sender nor a list of failed recipients."""
    return not seen.from_daemon and "x-failed-recipients" not in message.headers


def is_delayed(seen: Signs, human: str) -> bool:
    """The report says that the mail system still tries (and does not say that it has given up)."""
    words = fold(human[:6000])
    if signs.FINAL.found_in(words) and "warning message only" not in words:
        return False
    if signs.DELAYED.found_in(words):
        return True
    return signs.SUBJECT_DELAYED.found_in(seen.subject) and not signs.SUBJECT_FINAL.found_in(seen.subject)


def is_delivered(seen: Signs, human: str) -> bool:
    """The report says that the message arrived."""
    words = fold(human[:6000])
    return (
        signs.SUBJECT_DELIVERED.found_in(seen.subject)
        and not signs.FAILED.found_in(words)
        or (signs.DELIVERED.found_in(words) and not signs.FAILED.found_in(words))
    )
