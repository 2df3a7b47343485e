"""What a message in the bounce mailbox says, as values. No reading here: see reader.read.

`Report` is one message, `ReportedRecipient` one address it speaks of. Everything is as given by the message and
cleaned only so far that it can be compared; whom it concerns is decided by mail.reports' callers (matching).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from models.words import Reason

Kind = Literal["bounce", "delayed", "delivered", "relayed", "feedback", "auto-reply", "read-receipt", "other"]
Action = Literal["failed", "delayed", "delivered", "relayed", "expanded"]


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """One recipient of the returned message and what became of it.

    `address` is the final recipient (after forwarding), `original_address` the one that was written to where the
    report names it too. `status` is an RFC 3463 code, `diagnostic` the server's words (at most 2,000 characters).
    `address_dead` is a verdict of its own, stricter than the reason: None means that nothing can be said.
    """

    address: str
    original_address: str | None = None
    action: Action | None = None
    status: str | None = None
    smtp_code: int | None = None
    diagnostic: str = ""
    remote_host: str | None = None
    reason: Reason | None = None
    address_dead: bool | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One message read.

    `message_id` is the *returned* message's, with its angle brackets; `own_id` the report's. `envid` is the
    Original-Envelope-Id as given. `envelope_to` holds the addresses under which the report may have reached us, most
    certain first (candidates for a VERP address). `occurred_at` is aware. `complaint` is the ARF feedback type,
    `disposition` what a read receipt says was done with the message (RFC 8098: displayed, deleted, dispatched…).
    `sender` and `subject` are the report's own, for people; `returned_from` is who wrote the returned message.
    """

    kind: Kind = "other"
    recipients: tuple[ReportedRecipient, ...] = ()
    message_id: str | None = None
    envid: str | None = None
    envelope_to: list[str] = field(default_factory=list)
    occurred_at: datetime | None = None
    reporting_mta: str | None = None
    own_id: str | None = None
    null_sender: bool = False
    complaint: str | None = None
    disposition: str | None = None
    excerpt: str = ""
    sender: str = ""
    subject: str = ""
    returned_from: str | None = None
