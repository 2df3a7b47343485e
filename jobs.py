"""Every function RQ may run: ids in, a few lines, one verb woken. SCHEDULE is the one list of what runs when.

Jobs are rung by name (extensions.ring), so nothing imports this module but the worker; a test resolves every name.
A job may run twice, late or never: the rows decide.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from rq import get_current_job

import webhooks
from documents import runs
from history import export_jobs, export_work, tallies
from history.export_cells import Format
from mail import bulk_resend, inbound, mailbox, marks, outbox, trials
from mail.domain_checks import check_due
from mail.drain import drain as run_drain
from mail.providers import ledger, poller
from mail.providers import trials as provider_trials
from planning import alerts, digest, events, plans, retention
from proofs import many

_stop_asked = False
_worker: int | None = None


def work_for(worker: int) -> None:
    """Those forked from here do their jobs for that process. Said before the fork: a child that asks for its parent
    may be told who took it in since."""
    global _worker
    _worker = worker


def ask_to_stop(*_: object) -> None:
    """A warm shutdown: the drain finishes what is on its lines and takes nothing new (a signal handler)."""
    global _stop_asked
    _stop_asked = True


def _stop() -> bool:
    """Whether to end: asked to, or left an orphan by a worker that was killed."""
    return _stop_asked or (_worker is not None and os.getppid() != _worker)


def drain() -> None:
    """Send what is due, until asked to stop or left an orphan."""
    run_drain(_stop)


def sweep() -> None:
    """Free what dead workers held; ring for what no ring announced."""
    outbox.sweep()
    webhooks.sweep()
    ledger.sweep()


def poll_mailboxes() -> None:
    """Read what came back into the bounce mailboxes, at a low priority: a storm of reports must not slow sending."""
    if get_current_job() is not None:  # this process is the job's own, and so is its priority
        os.setpriority(os.PRIO_PROCESS, 0, mailbox.NICENESS)
    mailbox.poll()


def judge_marks() -> None:
    """Say of the looks at open pixels and links whether they were a person's."""
    marks.judge()


def forget_reports() -> None:
    """Delete what came back long ago and changed nothing."""
    inbound.forget()


def apply_provider_calls() -> None:
    """Read what providers told, and look again at what waits for its e-mail."""
    ledger.apply()


def poll_providers() -> None:
    """Ask providers for the events that no webhook told."""
    poller.poll_due(_stop)


def try_provider(account_id: int) -> None:
    """Call our own address as that account's provider would."""
    provider_trials.send(account_id, datetime.now(UTC))


def prune_providers() -> None:
    """Forget what providers told long ago; the facts stay."""
    ledger.prune()


def _sweeping() -> Callable[[], bool]:
    """What a long job of the queue `work` calls in between: sweeps mail when it is time to, and says whether it did."""
    last = time.monotonic()

    def meanwhile() -> bool:
        nonlocal last
        due = time.monotonic() - last >= SCHEDULE[0][2]
        if due:
            outbox.sweep()
            last = time.monotonic()
        return due

    return meanwhile


def export() -> None:
    """Make the exports that wait, and those a dead worker left; the queue's short jobs go on in between."""
    swept = _sweeping()

    def meanwhile() -> None:
        if swept():
            webhooks.deliver(seconds=2)

    export_work.run(meanwhile, _stop, {Format.PROOF: many.making})


def deliver_webhooks() -> None:
    """Tell the organisations' programs what is due, and go on sweeping while they take their time."""
    webhooks.deliver(_sweeping(), _stop)


def prune_webhooks() -> None:
    """Forget what was told long ago."""
    webhooks.prune()


def make_documents() -> None:
    """Make the documents that were asked for by the hundred; the queue's short jobs go on in between."""
    runs.work(_sweeping(), _stop)


def send_again() -> None:
    """Send again what was confirmed by the hundred; the queue's short jobs go on in between."""
    bulk_resend.work(_sweeping(), _stop)


def forget_drafts() -> None:
    """Take away the previews of resends that nobody confirmed."""
    bulk_resend.forget_drafts()


def alert_incomplete() -> None:
    """Tell those who answer for an organisation which learners miss something just before their session."""
    alerts.send_due()


def send_digests() -> None:
    """Tell who wants it what failed and nobody has dealt with."""
    digest.send_due()


def apply_events() -> None:
    """Lead the business events that came in to their e-mails."""
    events.apply_waiting()


def send_planned() -> None:
    """Send what dated rules planned for now, and take back what waited past the start of its session."""
    plans.send_due()


def replan_all() -> None:
    """Bring every session's plans to what follows from its dates: a net under what no save told."""
    plans.replan_all()


def replan_organisation(organisation_id: int) -> None:
    """The same for one organisation, whose hours or rules have changed."""
    plans.replan_all(organisation_id)


def check_domains() -> None:
    """Look at the sending domains whose turn has come; the queue's short jobs go on in between."""
    swept = _sweeping()

    def stop() -> bool:
        swept()
        return _stop()

    check_due(stop)


def try_senders() -> None:
    """Send the test messages that were asked for, and forget the old ones."""
    trials.run_waiting(_stop)
    trials.forget()


def expire_exports() -> None:
    """Take away the files of exports whose time is over."""
    export_jobs.expire()


def keep_figures() -> None:
    """Bring what charts are drawn from up to date."""
    tallies.keep_all(_stop)


def erase_old() -> None:
    """Erase the bodies, files and raw reports that organisations' rules keep no longer; short jobs go on in between."""
    swept = _sweeping()

    def stop() -> bool:
        swept()
        return _stop()

    retention.erase_old(stop)


# (job, queue, seconds between two runs)
SCHEDULE = (
    ("sweep", "work", 5),
    ("poll_mailboxes", "inbound", 5),
    ("judge_marks", "inbound", 5),
    ("export", "work", 15),
    ("make_documents", "work", 15),
    ("send_again", "work", 15),
    ("alert_incomplete", "work", 300),
    ("send_digests", "work", 300),
    ("apply_events", "inbound", 15),
    ("send_planned", "inbound", 15),
    ("replan_all", "work", 3600),
    ("expire_exports", "work", 600),
    ("check_domains", "work", 900),
    ("try_senders", "inbound", 60),
    ("prune_webhooks", "work", 3600),
    ("poll_providers", "work", 60),
    ("prune_providers", "work", 3600),
    ("forget_drafts", "work", 3600),
    ("forget_reports", "work", 3600),
    ("keep_figures", "work", 60),
    ("erase_old", "work", 3600),
)
