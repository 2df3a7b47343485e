"""Reports with RFC 3464's fields, in their own part or put into the text: who, what became of it, why.

Action decides, then the words, the digits last. The human text helps where the fields say too little.
"""

from __future__ import annotations

import re

from mail.reports import answers, kinds, prose, prose_report, verdict
from mail.reports.fields import StatusFields, action_of, read_fields, recipient_of, status_of, typed
from mail.reports.frame import date_of, id_in_text, report_of
from mail.reports.mime import Headers, Message
from mail.reports.report import Action, Kind, Report, ReportedRecipient
from mail.reports.returned import message_id_of, split_text

_RECIPIENT_FIELD = re.compile(r"^[ \t>]{0,8}(?:final-recipient|original-recipient)[ \t]*:", re.I | re.M)
_OTHER_FIELD = re.compile(r"^[ \t>]{0,8}(?:action|status|reporting-mta)[ \t]*:", re.I | re.M)


def status_fields(message: Message, text: str) -> StatusFields:
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


def from_fields(
    message: Message, seen: kinds.Signs, human: str, returned: Headers, status: StatusFields, base: dict
) -> Report:
    """The report that `status` makes; where its fields name nobody, what the words say."""
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
            return prose_report.from_prose(message, seen, human, returned, base)
        kind = "delayed" if kinds.is_delayed(seen, human) else "bounce"
    dates = [fields.get("last-attempt-date") for fields in status.recipients] + [status.message.get("arrival-date")]
    return report_of(
        base,
        kind=kind,
        recipients=tuple(recipients),
        message_id=message_id_of(returned) or id_in_text(human) or answers.answered_id(message.headers),
        envid=status.message.get("original-envelope-id") or None,
        reporting_mta=typed(status.message.get("reporting-mta", "")) or None,
        occurred_at=next((d for d in map(date_of, dates) if d), None) or base["occurred_at"],
    )


def _once_each(recipients: list[ReportedRecipient]) -> list[ReportedRecipient]:
    """One answer an address: a failure outweighs a delay, a delay a delivery."""
    order = ("failed", "delayed", "delivered", "relayed", "expanded", None)
    kept: dict[str, ReportedRecipient] = {}
    for recipient in recipients:
        key = recipient.address.lower()
        if key not in kept or order.index(recipient.action) < order.index(kept[key].action):
            kept[key] = recipient
    return list(kept.values())


def _one_by_fields(
    fields: dict[str, str], address: str, original: str | None, words: str, seen: kinds.Signs, human: str
) -> ReportedRecipient:
    status = status_of(fields.get("status", ""))
    diagnostic = typed(fields.get("diagnostic-code", ""))
    for extra in ("x-supplementary-info", "x-failed-reason"):
        if fields.get(extra):
            diagnostic = f"{diagnostic} {fields[extra]}".strip()
    action = action_of(fields)
    if action is None and "will-retry-until" in fields and (status or "4")[0] == "4":
        action = "delayed"
    elif action is None:
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
