"""Reports in words only: a failure or a delay that a mail system tells as to a person."""

from __future__ import annotations

import re

from mail.reports import addresses, answers, kinds, prose, verdict
from mail.reports.frame import id_in_text, ours, report_of
from mail.reports.mime import Headers, Message
from mail.reports.report import Action, Report, ReportedRecipient
from mail.reports.returned import message_id_of
from mail.server_words import fold

# Whom a report names as the one to turn to.
_OFFICES = (
    "postmaster", "abuse", "support", "help", "admin", "mailer-daemon", "noreply", "no-reply", "info@", "contact@",
    "root@", "webmaster", "hostmaster", "security", "privacy", "aide@", "assistance",
)  # fmt: skip


def from_prose(message: Message, seen: kinds.Signs, human: str, returned: Headers, base: dict) -> Report:
    """The failure or the delay that `human` tells."""
    delayed = kinds.is_delayed(seen, human)
    action: Action = "delayed" if delayed else "failed"
    named = [a for value in message.headers.all("x-failed-recipients") for a in addresses.find(value)]
    spoken = prose.mentions(human, ours(message))
    if named:
        by_name = {m.address.lower(): m for m in spoken}
        spoken = [by_name.get(a.lower()) or prose.Mention(a, 3, 0) for a in named]
    if not spoken:
        spoken = [prose.Mention(a, 1, 0) for a in _last_resorts(message, human, returned)]
    return report_of(
        base,
        kind="delayed" if delayed else "bounce",
        recipients=recipients_of(spoken, action, human, final=not delayed),
        message_id=message_id_of(returned) or id_in_text(human) or answers.answered_id(message.headers),
    )


def recipients_of(
    spoken: list[prose.Mention], action: Action, human: str, *, final: bool
) -> tuple[ReportedRecipient, ...]:
    """Those spoken of, with reason and verdict."""
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
    own = ours(message)
    found = [a for a in addresses.find(message.headers.text("subject")) if a.lower() not in own]
    if found:
        return found
    written_to = [a for name in ("to", "cc") for a in addresses.find(returned.text(name))]
    words = f" {re.sub(r'[^a-z0-9._+-]+', ' ', fold(human))} "
    found = [a for a in written_to if f" {a.partition('@')[0].lower()} " in words and a.lower() not in own]
    if not found:
        found = _spoken_of(human, written_to, own, returned)
    sender = addresses.clean(message.headers.text("from")) or ""
    alone = re.search(r"following recipients?[\s\S]{0,400}?\n[ \t]+([A-Za-z0-9][\w.+\-]{2,63})[ \t]*\n", human + "\n")
    if not found and not written_to and alone and sender.lower().startswith("mailer-daemon@"):
        return [f"{alone[1]}@{sender.partition('@')[2]}"]
    return found


def _spoken_of(human: str, written_to: list[str], own: frozenset[str], returned: Headers) -> list[str]:
    """Addresses in the words, whatever stands around them: those written to, else the only one that is nobody's of us
    or of the mail system."""
    senders = {
        a.lower() for name in ("from", "sender", "reply-to", "return-path") for a in addresses.find(returned.text(name))
    }
    named = [a for a in addresses.find(human[:20000]) if a.lower() not in own | senders]
    to = {a.lower() for a in written_to}
    if meant := [a for a in named if a.lower() in to]:
        return meant
    people = [a for a in named if not a.lower().startswith(_OFFICES) and "." in a.rpartition("@")[2]]
    return people if len(people) == 1 and not written_to else []
