"""deliver(): send what is due, several at a time, and write what came of each. What a job of the queue `work` wakes.

The database is the main thread's alone and no connection is held while a receiver is waited for; threads only speak
HTTP. `meanwhile` is called all the time, for the queue's other short work must not wait for a slow receiver.
"""

from __future__ import annotations

import logging
import ssl
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from errors import Permanent, UserMistake
from extensions import settings
from models.webhook import Trouble
from webhooks import addresses, call, ledger, signing, switching
from webhooks.addresses import Target
from webhooks.call import Answer
from webhooks.ledger import Claimed

log = logging.getLogger("sillage.webhooks")

USER_AGENT = "Sillage-Webhooks/1"
THREADS = 8
_LOOK = 0.5  # seconds between two looks at `meanwhile` while receivers are waited for


@dataclass(frozen=True)
class _Flight:
    """A try on its way."""

    claimed: Claimed
    started_at: datetime


def deliver(
    meanwhile: Callable[[], object] = lambda: None, stopped: Callable[[], bool] = lambda: False, seconds: float = 45
) -> int:
    """Send until nothing is due, `seconds` have passed or `stopped`; returns how many tries were made.

    What is on its way then is waited for (at most the time a try may take). Safe to run beside others.
    """
    config = settings()
    owner, end, tries = uuid.uuid4().hex, time.monotonic() + seconds, 0
    flying: dict[Future[Answer], _Flight] = {}
    context: ssl.SSLContext | None = None
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhook") as pool:
        more = True
        while True:
            more = more and time.monotonic() < end and not stopped()
            if more and len(flying) < THREADS:
                # the lease outlives the longest try
                lease = config.webhook_timeout + config.lease
                claimed = ledger.claim(owner, THREADS - len(flying), lease, _busy(flying))
                if claimed and context is None:  # reading the authorities takes a while
                    context = call.context_for(str(config.webhook_ca_file) if config.webhook_ca_file else None)
                for one in claimed:
                    flying[pool.submit(*_prepared(one, context))] = _Flight(one, datetime.now(UTC))
                if not claimed and not flying:
                    break
            elif not flying:
                break
            done, _waiting = wait(flying, timeout=_LOOK, return_when=FIRST_COMPLETED)
            for future in done:
                _settle(owner, flying.pop(future), future)
                tries += 1
            meanwhile()
    return tries


def _busy(flying: dict[Future[Answer], _Flight]) -> list[int]:
    """Endpoints that have as many tries on their way as they may."""
    under_way = Counter(flight.claimed.endpoint_id for flight in flying.values())
    failing = {flight.claimed.endpoint_id for flight in flying.values() if flight.claimed.failing}
    return [endpoint for endpoint, count in under_way.items() if count >= ledger.AT_ONCE or endpoint in failing]


def _prepared(claimed: Claimed, context: ssl.SSLContext | None) -> tuple[Any, ...]:
    """The call that a thread makes, and all it needs: threads have neither the app nor the database."""
    config = settings()
    try:
        target = addresses.read(claimed.url, config.webhook_loopback)
        secrets = [signing.unseal(stored) for stored in claimed.secrets]
    except UserMistake:  # allowed when it was typed, no longer
        return (_refused, Trouble.PRIVATE)
    except Permanent as error:
        log.error("%s", error)
        return (_refused, Trouble.SECRET)
    return (_send, claimed, target, secrets, context, config.webhook_timeout, config.webhook_loopback)


def _refused(trouble: Trouble) -> Answer:
    return Answer(None, trouble, "", 0)


def _send(
    claimed: Claimed, target: Target, secrets: list[str], context: ssl.SSLContext, seconds: float, loopback: bool
) -> Answer:
    body, moment = claimed.payload.encode(), int(time.time())
    headers = {
        "Content-Type": "application/json", "User-Agent": USER_AGENT, "webhook-id": claimed.message_id,
        "webhook-timestamp": str(moment),
        "webhook-signature": signing.signature(secrets, claimed.message_id, moment, body),
    }  # fmt: skip
    return call.post(target, headers, body, seconds=seconds, loopback=loopback, context=context)


def _settle(owner: str, flight: _Flight, future: Future[Answer]) -> None:
    claimed = flight.claimed
    try:
        answer = future.result()
    except Exception:
        log.exception("webhook %s fell over", claimed.message_id)
        answer = ledger.lost(claimed)
    why = ledger.settle(owner, claimed, answer, flight.started_at)
    if why is not None:
        switching.switch_off(claimed.endpoint_id, why)
