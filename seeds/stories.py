"""What may become of an e-mail, as a list of facts: the material of demo histories and of e-mails by the million.

Each story's status, reason and marks come from mail.fold, so what is seeded is what the house would have recorded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import func, select, update

import mail
from extensions import db
from mail.fold import Fact, Folded, fold, key
from mail.tracking import parameters
from models import DeliveryEvent, Email
from models.words import EventKind, Reason

_HOST = "mx.destinataire.example"
_START = datetime(2026, 1, 1, tzinfo=UTC)
REQUESTED_ID = "requested"


@dataclass(frozen=True)
class Step:
    """One fact, `after` seconds from the request (before stretching)."""

    kind: EventKind
    after: float
    source: str = "smtp"
    reason: Reason | None = None
    code: int | None = None
    enhanced: str | None = None
    words: str | None = None
    attempt: int | None = None
    next_in: float | None = None
    said: tuple[tuple[str, str], ...] = ()  # what else its data hold

    def fact(self, email_id: int, at: datetime, number: int) -> Fact:
        """The fact of that e-mail."""
        name = f"attempt {self.attempt} seed" if self.attempt else f"seed {number}"
        data: dict[str, Any] | None = {**dict(self.said), **({"next_attempt_in": self.next_in} if self.next_in else {})}
        data = data or None
        host = _HOST if self.source == "smtp" else None
        return Fact(
            email_id, self.kind, self.source, name, at, self.reason, self.attempt, self.code, self.enhanced,
            self.words, host, data,
        )  # fmt: skip


@dataclass(frozen=True)
class Story:
    """Facts in order after the request; `weight` is how common it is, `waits` that it is still in the outbox."""

    name: str
    weight: float
    steps: tuple[Step, ...] = field(default=())
    waits: bool = False

    @property
    def measured(self) -> bool:
        """Whether it needs the open pixel."""
        return any(step.source == "pixel" for step in self.steps)

    def facts(self, email_id: int, created: datetime, stretch: float, by: str | None) -> list[Fact]:
        """Every fact of an e-mail requested at `created`, delays multiplied by `stretch`."""
        data = {"by": by} if by else None
        first = Fact(email_id, EventKind.REQUESTED, "user", REQUESTED_ID, created, data=data)
        return [first] + [
            step.fact(email_id, created + timedelta(seconds=step.after * stretch), number)
            for number, step in enumerate(self.steps, 1)
        ]

    @cached_property
    def folded(self) -> Folded:
        """Status, reason and marks, which the stretch cannot change."""
        return fold(self.facts(0, _START, 1.0, None))

    @cached_property
    def winner(self) -> int:
        """Which of facts() (from 0) made the status."""
        keys = [(key(fact), number) for number, fact in enumerate(self.facts(0, _START, 1.0, None))]
        return max((mine, number) for mine, number in keys if mine is not None)[1]

    @cached_property
    def rank(self) -> int:
        """The winner's rank."""
        return parameters(self.facts(0, _START, 1.0, None))["rank"][self.winner]

    @cached_property
    def left(self) -> int | None:
        """Which of facts() proved first that the e-mail left."""
        sent_at = self.folded.sent_at
        if sent_at is None:
            return None
        return next(n for n, fact in enumerate(self.facts(0, _START, 1.0, None)) if fact.occurred_at == sent_at)

    @cached_property
    def rows(self) -> list[tuple[float, str, str]]:
        """For COPY, each fact as (delay, its columns before the times, its columns after), tabs between."""
        made = []
        for step, fact in zip((None, *self.steps), self.facts(0, _START, 1.0, None), strict=True):
            before = f"{fact.kind.value}\t{fact.source}\t{fact.source_event_id}"
            after = "\t".join(cell(value) for value in (
                fact.reason.value if fact.reason else None, fact.attempt, fact.smtp_code, fact.enhanced_code,
                fact.diagnostic, fact.remote_host, json.dumps(fact.data) if fact.data else None,
            ))  # fmt: skip
            made.append((step.after if step else 0.0, before, after))
        return made


def record(fact: Fact) -> None:
    """Record what happened to an e-mail of the demo then, as if the house had been told then."""
    mail.record([fact])
    date(fact.email_id)


def date(email_id: int) -> None:
    """Let its last change be when the last thing happened, not when that was told: as all that is seeded."""
    last = select(func.max(DeliveryEvent.occurred_at)).where(DeliveryEvent.email_id == email_id)
    db.session.execute(update(Email).where(Email.id == email_id).values(updated_at=last.scalar_subquery()))


def cell(value: object) -> str:
    """A value in COPY's text format."""
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def accepted(after: float = 2, attempt: int = 1) -> Step:
    """Taken by the next server."""
    return Step(EventKind.ACCEPTED, after, code=250, enhanced="2.0.0", words="2.0.0 Ok: queued", attempt=attempt)


def refused(reason: Reason, code: int, enhanced: str, words: str, after: float = 2) -> Step:
    """Refused for good in the dialogue."""
    said = f"{enhanced} {words}"
    return Step(EventKind.REFUSED, after, reason=reason, code=code, enhanced=enhanced, words=said, attempt=1)


def bounced(reason: Reason, enhanced: str, words: str, after: float = 40) -> Step:
    """A report of failure some time after it was taken."""
    return Step(EventKind.BOUNCED, after, "dsn", reason, enhanced=enhanced, words=f"smtp; 550 {enhanced} {words}")


def _grey(after: float = 2) -> Step:
    words = "4.7.1 Greylisted, please try again in one minute"
    kind, reason = EventKind.DEFERRED, Reason.GREYLISTED
    return Step(kind, after, reason=reason, code=451, enhanced="4.7.1", words=words, attempt=1, next_in=60)


_DELIVERED = Step(EventKind.DELIVERED, 6, "dsn", enhanced="2.0.0", words="smtp; 250 2.0.0 Delivered to mailbox")
_OPENED = Step(EventKind.OPENED, 5400, "pixel")
_GONE = tuple(
    Step(EventKind.DEFERRED, after, reason=Reason.UNREACHABLE, words="connection timed out", attempt=n, next_in=3600)
    for n, after in enumerate((2, 70, 380, 1300, 5000), 1)
)

STORIES = {
    story.name: story
    for story in (
        Story("sent", 17, (accepted(),)),
        Story("delivered", 31, (accepted(), _DELIVERED)),
        Story("opened", 30, (accepted(), _DELIVERED, _OPENED)),
        Story("opened_unreported", 5, (accepted(), _OPENED)),
        Story("greylisted", 3, (_grey(), accepted(65, 2))),
        Story("machine", 2, (accepted(), _DELIVERED, Step(EventKind.MACHINE_OPENED, 9, "pixel"))),
        Story("away", 1.5, (accepted(), Step(EventKind.AUTO_REPLIED, 30, "dsn", words="Absence du bureau"))),
        Story("delayed", 1, (
            accepted(),
            Step(EventKind.DELAYED, 4000, "dsn", enhanced="4.4.1", words="smtp; 451 4.4.1 Connection timed out"),
            Step(EventKind.DELIVERED, 9000, "dsn", enhanced="2.0.0", words="smtp; 250 2.0.0 Delivered to mailbox"),
        )),
        Story("complained", 0.1, (accepted(), _DELIVERED, Step(EventKind.COMPLAINED, 7000, "dsn"))),
        Story("unknown_user", 2, (refused(Reason.USER_UNKNOWN, 550, "5.1.1", "The email account does not exist"),)),
        Story("unknown_later", 0.9, (accepted(), bounced(Reason.USER_UNKNOWN, "5.1.1", "User unknown"))),
        Story("unknown_domain", 0.4, (refused(Reason.DOMAIN_UNKNOWN, 550, "5.1.2", "Host or domain name not found"),)),
        Story("full", 1.3, (accepted(), bounced(Reason.MAILBOX_FULL, "5.2.2", "The mailbox is full: over quota"))),
        Story("disabled", 0.4, (refused(Reason.MAILBOX_DISABLED, 550, "5.2.1", "The mailbox is disabled"),)),
        Story("spam", 0.9, (refused(Reason.SPAM, 554, "5.7.1", "Message rejected as spam by content filtering"),)),
        Story("blocked", 0.5, (refused(Reason.BLOCKED, 554, "5.7.1", "Client host blocked by a reputation list"),)),
        Story("dmarc", 0.4, (refused(Reason.AUTHENTICATION, 550, "5.7.26", "Unauthenticated mail is not accepted"),)),
        Story("expired", 0.5, (*_GONE, Step(
            EventKind.NOT_SENT, 9000, reason=Reason.EXPIRED, words="connection timed out", attempt=6))),
        Story("uncertain", 0.1, (Step(EventKind.OUTCOME_UNKNOWN, 3, words="connection lost", attempt=1),)),
        Story("waiting", 0.1, (_grey(),), waits=True),
    )
}  # fmt: skip
