"""One thing a provider says about a message, in django-anymail's vocabulary, and what it says it by.

Pure values: whether a call is authentic is each provider's verify(), which e-mail it is about mail.providers.matching,
what it means for the e-mail mail.providers.facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from models.words import Reason

LARGEST = 1024 * 1024  # bytes of a call's body


class EventType(StrEnum):
    """What happened (the names are django-anymail's, so that its readers are a second opinion on ours)."""

    QUEUED = "queued"
    SENT = "sent"
    REJECTED = "rejected"
    FAILED = "failed"
    BOUNCED = "bounced"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    AUTORESPONDED = "autoresponded"
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SUBSCRIBED = "subscribed"
    INBOUND = "inbound"
    INBOUND_FAILED = "inbound_failed"
    UNKNOWN = "unknown"


class RejectReason(StrEnum):
    """Why a provider did not deliver, as far as it says."""

    INVALID = "invalid"
    BOUNCED = "bounced"
    TIMED_OUT = "timed_out"
    BLOCKED = "blocked"
    SPAM = "spam"
    UNSUBSCRIBED = "unsubscribed"
    OTHER = "other"


@dataclass(frozen=True)
class ProviderEvent:
    """One event about one recipient.

    `message_id` is the provider's own name of the message, `header_id` the Message-ID where it is told, `marks` the
    texts our token may stand in. `identity` is what a webhook and the poll of the same account share (None: a hash of
    the event). `machine` says that the provider itself holds a machine for the opener. `hint` is the reason that the
    provider's own classes give, for where the server's words say nothing; `words` is what else it says of why.
    """

    event_type: EventType
    recipient: str | None = None
    timestamp: datetime | None = None
    message_id: str | None = None
    event_id: str | None = None
    reject_reason: RejectReason | None = None
    description: str | None = None
    mta_response: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    click_url: str | None = None
    user_agent: str | None = None
    header_id: str | None = None
    marks: tuple[str, ...] = ()
    identity: str | None = None
    machine: bool = False
    hint: Reason | None = None
    smtp_code: int | None = None
    enhanced_code: str | None = None
    words: str | None = None
    remote_host: str | None = None


@dataclass(frozen=True)
class Call:
    """An HTTP call as it came: headers by lower-case name, the raw body."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type alone, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Secret:
    """What an account's calls are proved by. `key` signs (for Amazon SES it is the topic that may speak), each of
    `credentials` is a user:password that is accepted, `url` is our address as the provider knows it.

    `certificate` fetches a signing certificate (PEM) from an address already judged to be the provider's own.
    """

    key: str = field(default="", repr=False)
    credentials: tuple[str, ...] = field(default=(), repr=False)
    url: str = field(default="", repr=False)
    certificate: Callable[[str], bytes] | None = field(default=None, repr=False)


class Refused(Exception):
    """A call that proves nothing, is too old or was seen before; the message is for the log and names no secret."""


class Unreadable(Exception):
    """A body that is not what this provider sends."""


class Away(Exception):
    """What is needed to judge a call cannot be had now: the provider is to try again."""
