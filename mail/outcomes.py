"""What an outcome on the line means: the fact to record and the move of the outbox entry.

250 → sent. 4xx, network trouble before the dot → another try by the plan, until the give-up time. 5xx → its reason.
Lost after the dot → unknown, never tried again.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from mail.conversation import Outcome
from mail.fold import Fact
from mail.outbox import Claimed, Settlement, retry_delay, utc_now
from mail.reasons import classify_reply
from mail.transport import CannotOpen, Reply
from models.words import EventKind, Reason

# A refusal of MAIL for one of these is about this e-mail; any other is the sender's trouble and stops its queue.
_OF_THE_EMAIL = {Reason.TOO_BIG, Reason.CONTENT, Reason.SPAM, Reason.ADDRESS_SYNTAX}
# Tried for two days in vain: these reasons only say that it took too long.
_ONLY_TIME = {Reason.GREYLISTED, Reason.THROTTLED, Reason.UNREACHABLE, Reason.UNKNOWN}


class Outcomes:
    """Turns outcomes into a settlement. `refused_sender` holds the server's words once it refuses the sender."""

    def __init__(self, settlement: Settlement) -> None:
        self.settlement = settlement
        self.refused_sender: str | None = None
        self.host: str | None = None

    def take(self, outcome: Outcome) -> None:
        """Add one outcome of a conversation."""
        job, reply = outcome.job, outcome.reply
        self.host = outcome.host or None
        if outcome.kind == "accepted":
            self._done(job, self._fact(job, EventKind.ACCEPTED, None, reply))
        elif outcome.kind == "unknown":
            self._done(job, self._fact(job, EventKind.OUTCOME_UNKNOWN, None, reply, outcome.words))
        elif outcome.kind == "broken" or reply is None:
            self._later(job, Reason.UNREACHABLE, reply, outcome.words)
        else:
            reason = classify_reply(reply.code, reply.enhanced, reply.text, outcome.phase)
            if not reply.permanent:
                self._later(job, reason, reply)
                return
            self._done(job, self._fact(job, EventKind.REFUSED, reason, reply))
            if outcome.phase == "mail" and reason not in _OF_THE_EMAIL:
                self.refused_sender = f"{reply.code} {reply.text}"

    def unreachable(self, job: Claimed, error: CannotOpen) -> None:
        """No session could be opened."""
        reason = Reason.UNREACHABLE
        if error.reply is not None:
            reason = classify_reply(error.reply.code, error.reply.enhanced, error.reply.text, error.phase, final=False)
        self._later(job, reason, error.reply, error.words)

    def not_prepared(self, job: Claimed, words: str) -> None:
        """An attachment is missing: nothing is sent in its place."""
        self._done(job, self._fact(job, EventKind.NOT_SENT, Reason.NOT_PREPARED, None, words))

    def _done(self, job: Claimed, fact: Fact) -> None:
        self.settlement.facts.append(fact)
        self.settlement.done.append(job.email_id)

    def _later(self, job: Claimed, reason: Reason, reply: Reply | None, words: str = "") -> None:
        delay = retry_delay(job.attempt)
        if delay.total_seconds() > job.give_up_in:
            last = Reason.EXPIRED if reason in _ONLY_TIME else reason
            self._done(job, self._fact(job, EventKind.NOT_SENT, last, reply, words))
            return
        fact = self._fact(job, EventKind.DEFERRED, reason, reply, words, delay)
        self.settlement.facts.append(fact)
        self.settlement.again.append((job.email_id, delay.total_seconds()))

    def _fact(
        self, job: Claimed, kind: EventKind, reason: Reason | None, reply: Reply | None, words: str = "",
        delay: timedelta | None = None,
    ) -> Fact:  # fmt: skip
        return Fact(
            job.email_id,
            kind,
            "smtp",
            # made once: writing the same settlement twice records it once
            f"attempt {job.attempt} {secrets.token_hex(4)}",
            utc_now(),
            reason,
            attempt=job.attempt,
            smtp_code=reply.code if reply else None,
            enhanced_code=reply.enhanced if reply else None,
            diagnostic=reply.text if reply else words or None,
            remote_host=self.host,
            data={"next_attempt_in": delay.total_seconds()} if delay else None,
        )
