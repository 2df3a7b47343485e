"""What an outcome on the line means: the fact to record and the move of the outbox entry.

250 → sent. 4xx, network trouble before the dot → another try by the plan, until the give-up time. 5xx → its reason.
Lost after the dot → unknown, never tried again.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from mail.claims import Claimed
from mail.conversation import Outcome
from mail.fold import Fact
from mail.outbox import retry_delay, utc_now
from mail.reasons import classify_reply
from mail.settling import Settlement
from mail.transport import CannotOpen, Reply
from models.words import EventKind, Reason

# A refusal of MAIL for one of these is about this e-mail; any other is the sender's trouble and stops its queue.
_OF_THE_EMAIL = {Reason.TOO_BIG, Reason.CONTENT, Reason.SPAM, Reason.ADDRESS_SYNTAX}
# Tried for two days in vain: these reasons only say that it took too long.
_ONLY_TIME = {Reason.GREYLISTED, Reason.THROTTLED, Reason.UNREACHABLE, Reason.UNKNOWN}


class Outcomes:
    """Turns outcomes into settlements."""

    def __init__(self) -> None:
        self._made, self._key = 0, secrets.token_hex(3)

    def take(self, settlement: Settlement, outcome: Outcome) -> str | None:
        """Add one outcome of a conversation. Gives the server's words where it refuses the sender."""
        job, reply, host = outcome.job, outcome.reply, outcome.host or None
        if outcome.kind == "accepted":
            self._done(settlement, self._fact(job, EventKind.ACCEPTED, None, reply, host=host))
        elif outcome.kind == "unknown":
            self._done(settlement, self._fact(job, EventKind.OUTCOME_UNKNOWN, None, reply, outcome.words, host=host))
        elif outcome.kind == "unsaid":
            # only its address can be put right, by whoever knows another one without such letters
            fact = self._fact(job, EventKind.NOT_SENT, Reason.ADDRESS_SYNTAX, None, outcome.words, host=host)
            self._done(settlement, fact)
        elif outcome.kind == "broken" or reply is None:
            self._later(settlement, job, Reason.UNREACHABLE, reply, outcome.words, host)
        else:
            reason = classify_reply(reply.code, reply.enhanced, reply.text, outcome.phase)
            if not reply.permanent:
                self._later(settlement, job, reason, reply, host=host)
                return None
            self._done(settlement, self._fact(job, EventKind.REFUSED, reason, reply, host=host))
            if outcome.phase == "mail" and reason not in _OF_THE_EMAIL:
                return f"{reply.code} {reply.text}"
        return None

    def unreachable(self, settlement: Settlement, job: Claimed, error: CannotOpen) -> None:
        """No session could be opened."""
        reason = Reason.UNREACHABLE
        if error.reply is not None:
            reason = classify_reply(error.reply.code, error.reply.enhanced, error.reply.text, error.phase, final=False)
        self._later(settlement, job, reason, error.reply, error.words)

    def not_prepared(self, settlement: Settlement, job: Claimed, words: str) -> None:
        """An attachment is missing: nothing is sent in its place."""
        self._done(settlement, self._fact(job, EventKind.NOT_SENT, Reason.NOT_PREPARED, None, words))

    def _done(self, settlement: Settlement, fact: Fact) -> None:
        settlement.facts.append(fact)
        settlement.done.append(fact.email_id)

    def _later(
        self, settlement: Settlement, job: Claimed, reason: Reason, reply: Reply | None, words: str = "",
        host: str | None = None,
    ) -> None:  # fmt: skip
        delay = retry_delay(job.attempt)
        if delay.total_seconds() > job.give_up_in:
            last = Reason.EXPIRED if reason in _ONLY_TIME else reason
            self._done(settlement, self._fact(job, EventKind.NOT_SENT, last, reply, words, host=host))
            return
        settlement.facts.append(self._fact(job, EventKind.DEFERRED, reason, reply, words, delay, host))
        settlement.again.append((job.email_id, delay.total_seconds()))

    def _fact(
        self, job: Claimed, kind: EventKind, reason: Reason | None, reply: Reply | None, words: str = "",
        delay: timedelta | None = None, host: str | None = None,
    ) -> Fact:  # fmt: skip
        self._made += 1
        return Fact(
            job.email_id,
            kind,
            "smtp",
            # made once: writing the same settlement twice records it once
            f"attempt {job.attempt} {self._key}{self._made:x}",
            utc_now(),
            reason,
            attempt=job.attempt,
            smtp_code=reply.code if reply else None,
            enhanced_code=reply.enhanced if reply else None,
            diagnostic=reply.text if reply else words or None,
            remote_host=host,
            data={"next_attempt_in": delay.total_seconds()} if delay else None,
        )
