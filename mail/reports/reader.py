"""read(raw) → Report: the order in which the readers are asked. Never raises; no clock, no network, no files.

Machine-readable parts first (RFC 3464, 5965, 8098), then the words of mail systems without them, then automatic
answers. What is none of these is "other".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mail.reports import addresses, answers, feedback, kinds, prose, prose_report, status_report, verdict
from mail.reports.fields import status_of, typed
from mail.reports.frame import base_of, date_of, ours, report_of
from mail.reports.mime import Message, parse
from mail.reports.report import Action, Report, ReportedRecipient
from mail.reports.returned import bracketed, message_id_of, own_text, returned_headers, split_text


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


def _read(message: Message, nested: bool = False) -> Report:
    seen = kinds.signs_of(message)
    text = own_text(message)
    human, tail = split_text(text)
    returned = returned_headers(message, tail)
    base = base_of(message, seen, human) | {"returned_from": addresses.clean(returned.text("from"))}

    complaint = feedback.complaint_of(message, seen, returned)
    if complaint:
        recipients = tuple(ReportedRecipient(address) for address in complaint.recipients)
        # It comes to a feedback address, and many hide the recipient: the envelope's sender of our e-mail tells which.
        senders = [complaint.fields.get("original-mail-from") or "", returned.text("return-path")]
        return report_of(
            base,
            kind="feedback",
            envelope_to=[*base["envelope_to"], *(a for text in senders for a in addresses.find(text))],
            recipients=recipients,
            complaint=complaint.type,
            message_id=message_id_of(returned),
            envid=complaint.fields.get("original-envelope-id"),
            occurred_at=date_of(complaint.fields.get("arrival-date")) or base["occurred_at"],
        )

    status = status_report.status_fields(message, text)
    told = " ".join(fields.get("diagnostic-code", "") for fields in status.recipients)
    codes = [code for code in (status_of(fields.get("status", "")) for fields in status.recipients) if code]
    challenge = answers.is_challenge(human, told) and all(code.split(".")[1] in "07" for code in codes)
    if not challenge and (status.recipients or (status.message and message.report_type == "delivery-status")):
        return status_report.from_fields(message, seen, human, returned, status, base)

    receipt = answers.receipt(message)
    disposition = answers.disposition_of(receipt) if receipt is not None else None
    rejected = disposition != "displayed" and seen.from_daemon and kinds.is_failure(message, seen, human)
    if receipt is not None and not rejected:  # a refusal may come in the form of a receipt (RFC 5429 section 2.1.1)
        reader = answers.reader_of(receipt)
        return report_of(
            base,
            kind="read-receipt",
            recipients=(ReportedRecipient(reader),) if reader else (),
            message_id=bracketed(receipt.get("original-message-id")) or answers.answered_id(message.headers),
            envid=receipt.get("original-envelope-id"),
            reporting_mta=typed(receipt.get("reporting-ua") or "") or None,
            disposition=disposition,
        )

    answered = challenge or answers.is_automatic_answer(message, seen, human)
    a_person = challenge or (answered and kinds.by_a_person(message, seen))
    if not a_person and kinds.is_failure(message, seen, human):
        report = prose_report.from_prose(message, seen, human, returned, base)
        inner = None if report.recipients or nested else _wrapped(message)
        if inner is None:
            return report
        message_id = report.message_id or inner.message_id
        return replace(report, kind=inner.kind, recipients=inner.recipients, message_id=message_id, envid=inner.envid)

    if answered:
        sender = addresses.clean(message.headers.text("from"))
        return report_of(
            base,
            kind="auto-reply",
            recipients=(ReportedRecipient(sender),) if sender else (),
            message_id=answers.answered_id(message.headers) or message_id_of(returned),
        )

    if (seen.from_daemon or seen.null_sender) and kinds.is_delivered(seen, human):
        found = prose_report.recipients_of(prose.mentions(human, ours(message)), "delivered", human, final=True)
        return report_of(base, kind="delivered", recipients=found, message_id=message_id_of(returned))
    return Report(**base)


def _wrapped(message: Message) -> Report | None:
    """The report that a gateway sent on inside a report of its own which names nobody."""
    part = next((p for p in message.parts if p.type == "message/rfc822" and p.depth == 0), None)
    inner = _read(parse(part.body), nested=True) if part else None
    return inner if inner and inner.kind in ("bounce", "delayed") and inner.recipients else None
