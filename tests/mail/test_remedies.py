"""The first thing to do about a failure: for each reason and each right, from the pure table."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from mail.remedies import FAILURES, OUR_DOMAIN, STEPS, Seen, Step, first_step
from models.words import Reason, Status

FAILED = Seen(Status.UNDELIVERABLE, Reason.UNKNOWN, default_sender=False, has_files=True, has_document=True)
WANTED = {
    "address_syntax": "correct", "domain_unknown": "correct", "user_unknown": "correct", "moved": "record",
    "mailbox_disabled": "other_address", "mailbox_full": "tomorrow", "too_big": "link", "spam": "domain",
    "authentication": "domain", "blocked": "letter", "content": "link", "policy": "reply", "greylisted": "resend",
    "throttled": "resend", "unreachable": "resend", "expired": "resend", "suppressed": "lift",
    "sender_rejected": "sender", "not_prepared": "document", "cancelled": None, "too_late": None, "unknown": "reply",
}  # fmt: skip


def test_every_reason_has_its_first_step() -> None:
    assert set(STEPS) == set(Reason)
    steps = {reason.value: first_step(replace(FAILED, status=reason.status, reason=reason)) for reason in Reason}
    assert steps == WANTED


@pytest.mark.parametrize("reason", sorted(OUR_DOMAIN))
def test_from_the_default_sender_ones_own_address_comes_first(reason: Reason) -> None:
    assert first_step(replace(FAILED, reason=reason, default_sender=True)) is Step.OWN_DOMAIN


@pytest.mark.parametrize("reason, without, step", [
    (Reason.MOVED, "has_contact", Step.CORRECT), (Reason.TOO_BIG, "has_files", Step.ANEW),
    (Reason.CONTENT, "has_files", Step.ANEW), (Reason.NOT_PREPARED, "has_document", Step.ANEW),
])  # fmt: skip
def test_what_the_email_lacks_changes_the_step(reason: Reason, without: str, step: Step) -> None:
    assert first_step(replace(FAILED, status=reason.status, reason=reason, **{without: False})) is step


def test_nobody_is_offered_what_they_may_not_do() -> None:
    rights = (False, True)
    for status, reason, resend, configure in product(FAILURES | {Status.UNCERTAIN}, Reason, rights, rights):
        seen = replace(FAILED, status=status, reason=reason, may_resend=resend, may_configure=configure)
        step = first_step(seen)
        free = first_step(replace(seen, may_resend=True, may_configure=True))
        assert step in (free, Step.ADMINISTRATOR)
        if step is not None:
            assert resend or not step.needs_resend
            assert configure or not step.needs_configure
            assert (step is Step.ADMINISTRATOR) == (
                (free.needs_resend and not resend) or (free.needs_configure and not configure)
            )


@pytest.mark.parametrize("status", [Status.SENT, Status.DELIVERED, Status.OPENED, Status.REQUESTED])
def test_what_has_not_failed_asks_for_nothing(status: Status) -> None:
    assert first_step(replace(FAILED, status=status, reason=Reason.GREYLISTED)) is None


def test_what_waits_for_a_paused_sender_leads_to_it() -> None:
    waiting = replace(FAILED, status=Status.REQUESTED, reason=None, sender_paused=True)
    assert first_step(waiting) is Step.SENDER
    assert first_step(replace(waiting, may_configure=False)) is Step.ADMINISTRATOR


def test_an_unknown_outcome_is_judged_by_who_may() -> None:
    unknown = Seen(Status.UNCERTAIN, None)
    assert first_step(unknown) is Step.JUDGE
    assert first_step(replace(unknown, may_resend=False)) is Step.ADMINISTRATOR
