"""read(raw) → Report: the order in which the readers are asked. Never raises; no clock, no network, no files.

Machine-readable parts first (RFC 3464, 5965, 8098), then the words of mail systems without them, then automatic
answers. What is none of these is "other".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mail.reports import addresses, answers, feedback, kinds, prose, verdict
from mail.reports.fields import StatusFields, action_of, read_fields, recipient_of, status_of, typed
from mail.reports.mime import Headers, Message, parse
from mail.reports.report import Action, Kind, Report, ReportedRecipient
from mail.reports.returned import bracketed, message_id_of, returned_headers, split_text
from mail.server_words import fold

EXCERPT = 2000
_RECIPIENT_FIELD = re.compile(r"^[ \t>]{0,8}(?:final-recipient|original-recipient)[ \t]*:", re.I | re.M)
_OTHER_FIELD = re.compile(r"^[ \t>]{0,8}(?:action|status|reporting-mta)[ \t]*:", re.I | re.M)


def read(raw: bytes, second: Callable[[bytes], list[str]] | None = None) -> Report:
    """What the message in `raw` says. Anything unreadable is kind "other".

    `second` is asked for the recipients of a failure that names nobody we understand (see second.py).
    """
    try:
        message = parse(raw)
        report = _read(message)
        unsaid = report.kind in ("bounce", "delayed") and not report.recipients
        if second and (unsaid or (report.kind == "other" and kinds.is_suspect(message))):
            report = _seconded(report, second(raw))
        return report
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return Report()


def _seconded(report: Report, found: list[str]) -> Report:
    action: Action = "delayed" if report.kind == "delayed" else "failed"
    named = [address for address in (addresses.clean(text) for text in found) if address]
    if not named:
        return report
    return replace(
        report,
        kind="delayed" if report.kind == "delayed" else "bounce",
        recipients=tuple(
            verdict.recipient(a, original=None, action=action, status=None, diagnostic="", words=report.excerpt)
            for a in named
        ),
    )


def _read(message: Message) -> Report:
    seen = kinds.signs_of(message)
    text = _own_text(message)
    human, tail = split_text(text)
    returned = returned_headers(message, tail)
    base = _base(message, seen, human)

    complaint = feedback.complaint_of(message, seen, returned)
    if complaint:
        recipients = tuple(ReportedRecipient(address) for address in complaint.recipients)
        return _with(
            base,
            kind="feedback",
            recipients=recipients,
            complaint=complaint.type,
            message_id=message_id_of(returned),
            envid=complaint.fields.get("original-envelope-id"),
            occurred_at=_date(complaint.fields.get("arrival-date")) or base["occurred_at"],
        )

    status = _status_fields(message, text)
    told = " ".join(fields.get("diagnostic-code", "") for fields in status.recipients)
    codes = [code for code in (status_of(fields.get("status", "")) for fields in status.recipients) if code]
    challenge = answers.is_challenge(human, told) and all(code.split(".")[1] in "07" for code in codes)
    if not challenge and (status.recipients or (status.message and message.report_type == "delivery-status")):
        return _from_fields(message, seen, human, returned, status, base)

    receipt = answers.receipt(message)
    if receipt is not None:
        reader = answers.reader_of(receipt)
        return _with(
            base,
            kind="read-receipt",
            recipients=(ReportedRecipient(reader),) if reader else (),
            message_id=bracketed(receipt.get("original-message-id")) or answers.answered_id(message.headers),
            envid=receipt.get("original-envelope-id"),
            reporting_mta=typed(receipt.get("reporting-ua") or "") or None,
        )

    answered = challenge or answers.is_automatic_answer(message, seen, human)
    a_person = challenge or (answered and kinds.by_a_person(message, seen))
    if not a_person and kinds.is_failure(message, seen, human):
        return _from_prose(message, seen, human, returned, base)

    if answered:
        sender = addresses.clean(message.headers.text("from"))
        return _with(
            base,
            kind="auto-reply",
            recipients=(ReportedRecipient(sender),) if sender else (),
            message_id=answers.answered_id(message.headers) or message_id_of(returned),
        )

    if (seen.from_daemon or seen.null_sender) and kinds.is_delivered(seen, human):
        found = _recipients_of(prose.mentions(human, _ours(message)), "delivered", human, final=True)
        return _with(base, kind="delivered", recipients=found, message_id=message_id_of(returned))
    return Report(**base)


# --- RFC 3464 -----------------------------------------------------------------------------------------------------


def _status_fields(message: Message, text: str) -> StatusFields:
    """The fields of the delivery-status parts; of the text where they were put there instead."""
    parts = [part for part in message.parts if "delivery-status" in part.type and part.depth == 0]
    if parts:
        found = StatusFields()
        for part in parts:
            one = read_fields(part.text)
            found.message.update({k: v for k, v in one.message.items() if k not in found.message})
            found.recipients.extend(one.recipients)
        if found.recipients:
            return found
    by_system = message.report_type == "delivery-status" or kinds.signs_of(message).from_daemon
    if by_system and _RECIPIENT_FIELD.search(text) and _OTHER_FIELD.search(text):
        return read_fields(split_text(text)[0])
    return StatusFields()


def _from_fields(
    message: Message, seen: kinds.Signs, human: str, returned: Headers, status: StatusFields, base: dict
) -> Report:
    spoken = {m.address.lower(): m for m in prose.mentions(_before_fields(human), frozenset())}
    recipients: list[ReportedRecipient] = []
    for fields in status.recipients:
        address, original = recipient_of(fields)
        if address is None:
            named = [m for m in spoken.values() if m.tier == 3]
            if len(named) != 1 or len(status.recipients) != 1:
                continue
            address = named[0].address
        mention = spoken.get(address.lower()) or (spoken.get(original.lower()) if original else None)
        words = (
            f"{mention.before} {' '.join(mention.words)}"
            if mention
            else (_before_fields(human) if len(status.recipients) == 1 else "")
        )
        recipients.append(_one_by_fields(fields, address, original, words, seen, human))
    recipients = _once_each(recipients)
    kind = _kind_of([r.action for r in recipients])
    if not recipients:
        if status.recipients and kinds.is_failure(message, seen, human):
            return _from_prose(message, seen, human, returned, base)
        kind = "delayed" if kinds.is_delayed(seen, human) else "bounce"
    dates = [fields.get("last-attempt-date") for fields in status.recipients] + [status.message.get("arrival-date")]
    return _with(
        base,
        kind=kind,
        recipients=tuple(recipients),
        message_id=message_id_of(returned) or _id_in_text(human) or answers.answered_id(message.headers),
        envid=status.message.get("original-envelope-id") or None,
        reporting_mta=typed(status.message.get("reporting-mta", "")) or None,
        occurred_at=next((d for d in map(_date, dates) if d), None) or base["occurred_at"],
    )


def _one_by_fields(
    fields: dict[str, str], address: str, original: str | None, words: str, seen: kinds.Signs, human: str
) -> ReportedRecipient:
    status = status_of(fields.get("status", ""))
    diagnostic = typed(fields.get("diagnostic-code", ""))
    for extra in ("x-supplementary-info", "x-failed-reason"):
        if fields.get(extra):
            diagnostic = f"{diagnostic} {fields[extra]}".strip()
    action = action_of(fields)
    if action is None:
        action = _guessed_action(status, seen, human)
    return verdict.recipient(
        address,
        original=original,
        action=action,
        status=status,
        diagnostic=diagnostic,
        words=words,
        status_comment=fields.get("status", ""),
        category=fields.get("x-powermta-bouncecategory", "").lower(),
        remote_host=typed(fields.get("remote-mta", "")) or None,
    )


def _guessed_action(status: str | None, seen: kinds.Signs, human: str) -> Action:
    if status and status[0] == "2":
        return "delivered"
    return "delayed" if kinds.is_delayed(seen, human) else "failed"


def _kind_of(actions: list[Action | None]) -> Kind:
    for action, kind in (("failed", "bounce"), ("delayed", "delayed"), ("delivered", "delivered")):
        if action in actions:
            return kind  # type: ignore[return-value]
    return "relayed" if actions and set(actions) <= {"relayed", "expanded"} else "bounce"


def _before_fields(human: str) -> str:
    match = re.search(r"^[ \t>]{0,8}(?:reporting-mta|final-recipient|original-recipient)[ \t]*:", human, re.I | re.M)
    return human[: match.start()] if match else human


# --- words only -------------------------------------------------------------------------------------------------


def _from_prose(message: Message, seen: kinds.Signs, human: str, returned: Headers, base: dict) -> Report:
    delayed = kinds.is_delayed(seen, human)
    action: Action = "delayed" if delayed else "failed"
    named = [a for value in message.headers.all("x-failed-recipients") for a in addresses.find(value)]
    spoken = prose.mentions(human, _ours(message))
    if named:
        by_name = {m.address.lower(): m for m in spoken}
        spoken = [by_name.get(a.lower()) or prose.Mention(a, 3, 0) for a in named]
    if not spoken:
        inner = _wrapped(message)
        if inner:
            return _with(
                base,
                kind=inner.kind,
                recipients=inner.recipients,
                message_id=message_id_of(returned) or inner.message_id,
                envid=inner.envid,
            )
        spoken = [prose.Mention(a, 1, 0) for a in _last_resorts(message, human, returned)]
    return _with(
        base,
        kind="delayed" if delayed else "bounce",
        recipients=_recipients_of(spoken, action, human, final=not delayed),
        message_id=message_id_of(returned) or _id_in_text(human) or answers.answered_id(message.headers),
    )


def _wrapped(message: Message) -> Report | None:
    """The report that a gateway sent on inside a report of its own which names nobody."""
    part = next((p for p in message.parts if p.type == "message/rfc822" and p.depth == 0), None)
    if part is None:
        return None
    inner = _read(parse(part.body))
    return inner if inner.kind in ("bounce", "delayed") and inner.recipients else None


def _recipients_of(
    spoken: list[prose.Mention], action: Action, human: str, *, final: bool
) -> tuple[ReportedRecipient, ...]:
    return tuple(
        verdict.recipient(
            m.address,
            original=m.original,
            action=action,
            status=None,
            diagnostic=" ".join(m.words),
            words=f"{m.before} {' '.join(m.words)} {human if len(spoken) == 1 else ''}",
        )
        for m in spoken
    )


def _last_resorts(message: Message, human: str, returned: Headers) -> list[str]:
    """Where the words name no address: the subject, or a name on its own line or among the returned message's To."""
    ours = _ours(message)
    found = [a for a in addresses.find(message.headers.text("subject")) if a.lower() not in ours]
    if found:
        return found
    written_to = [a for name in ("to", "cc") for a in addresses.find(returned.text(name))]
    words = f" {re.sub(r'[^a-z0-9._+-]+', ' ', fold(human))} "
    found = [a for a in written_to if f" {a.partition('@')[0].lower()} " in words and a.lower() not in ours]
    sender = addresses.clean(message.headers.text("from")) or ""
    alone = re.search(r"following recipients?[\s\S]{0,400}?\n[ \t]+([A-Za-z0-9][\w.+\-]{2,63})[ \t]*\n", human + "\n")
    if not found and not written_to and alone and sender.lower().startswith("mailer-daemon@"):
        return [f"{alone[1]}@{sender.partition('@')[2]}"]
    return found


# --- shared -----------------------------------------------------------------------------------------------------


def _own_text(message: Message) -> str:
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


def _ours(message: Message) -> frozenset[str]:
    """Addresses that the report was sent to or from: seldom its subject."""
    values = [message.headers.text(name) for name in ("to", "from", "delivered-to", "return-path")]
    return frozenset(a.lower() for value in values for a in addresses.find(value))


def _once_each(recipients: list[ReportedRecipient]) -> list[ReportedRecipient]:
    """One answer an address: a failure outweighs a delay, a delay a delivery."""
    order = ("failed", "delayed", "delivered", "relayed", "expanded", None)
    kept: dict[str, ReportedRecipient] = {}
    for recipient in recipients:
        key = recipient.address.lower()
        if key not in kept or order.index(recipient.action) < order.index(kept[key].action):
            kept[key] = recipient
    return list(kept.values())


def _base(message: Message, seen: kinds.Signs, human: str) -> dict:
    headers = message.headers
    to: list[str] = []
    for name in (
        "x-original-to",
        "delivered-to",
        "envelope-to",
        "x-envelope-to",
        "x-rcpt-to",
        "apparently-to",
        "to",
        "cc",
    ):
        for value in headers.all(name):
            to.extend(a for a in addresses.find(value) if a.lower() not in {t.lower() for t in to})
    return {
        "envelope_to": to[:20],
        "occurred_at": _date(headers.get("date")),
        "own_id": message_id_of(headers),
        "null_sender": seen.null_sender,
        "excerpt": human.strip()[:EXCERPT],
    }


def _with(base: dict, **values: object) -> Report:
    return Report(**{**base, **values})  # type: ignore[arg-type]


def _id_in_text(human: str) -> str | None:
    """A Message-ID named in the report's own words (PMDF, Exchange, Domino)."""
    match = re.search(r"message[\- ]?id\s{0,4}[:=]?\s{0,4}(<[^<>\s]{3,300}@[^<>\s]{1,200}>)", human[:20000], re.I)
    return match[1] if match else None


def _date(value: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime((value or "")[:100])
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
