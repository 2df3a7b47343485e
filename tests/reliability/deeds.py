"""What every reliability test does: ask, wait until something is so while the house sweeps, count copies."""

from __future__ import annotations

import contextlib
import gc
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator

from sqlalchemy import func, select, text

from extensions import db
from mail import outbox
from models import OutboxEntry
from models.words import Status
from tests.mail.test_sending import ask, draft, kinds, make_due, state
from tests.smtp_server import SmtpServer

__all__ = [
    "LEASE", "ask", "come_true", "copies", "draft", "house_sweeps", "kinds", "left_open", "make_due", "none_waits",
    "state", "statuses",
]  # fmt: skip

LEASE = 2.0  # of the crew's workers


def house_sweeps() -> None:
    """What the house's clock does every five seconds; here at each look."""
    outbox.sweep()


def come_true(
    condition: Callable[[], bool], seconds: float = 60.0, meanwhile: Callable[[], None] | None = house_sweeps
) -> None:
    """Wait until `condition` holds, doing `meanwhile` in between. Fails when it never does."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it has not come true"
        if meanwhile is not None:
            meanwhile()
        time.sleep(0.05)
        db.session.rollback()


def none_waits() -> bool:
    """Whether every e-mail has an outcome."""
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(OutboxEntry)) == 0


def statuses() -> Counter[Status]:
    """How many e-mails there are of each status."""
    found = db.session.execute(text("SELECT status FROM email")).scalars()
    counted = Counter(Status(status) for status in found)
    db.session.rollback()
    return counted


def copies(server: SmtpServer) -> Counter[str]:
    """How many copies of its e-mail the server took for each recipient."""
    return Counter(taken.recipient for taken in server.taken)


@contextlib.contextmanager
def left_open() -> Iterator[None]:
    """werkzeug leaves the files of a form it refuses half-way to the collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()
