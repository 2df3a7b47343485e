"""Messages of families that the readers were not made from, as they come and in the clothes gateways put on them."""

from __future__ import annotations

import pytest

from mail.reports import Report, read

from .families import Case, load
from .mutations import MUTATIONS

REPORTS = load("servers") + load("languages") + load("fields")
ABSENCES, RECEIPTS, COMPLAINTS, NORMAL = load("absences"), load("receipts"), load("complaints"), load("normal")
ID = "<e-1@cassiopee.example>"


@pytest.mark.parametrize("case", REPORTS, ids=str)
def test_a_report(case: Case):
    got = read(case.raw)
    assert got.kind == case.kind
    assert {r.address: r.action for r in got.recipients} == case.actions
    assert case.dead is None or {r.address_dead is True for r in got.recipients} == {case.dead}
    if ID.encode() in case.raw:
        assert got.message_id == ID


@pytest.mark.parametrize("case", ABSENCES + RECEIPTS + COMPLAINTS + NORMAL, ids=str)
def test_what_is_no_report_of_a_failure(case: Case):
    got = read(case.raw)
    assert got.kind == case.kind
    if got.kind in ("read-receipt", "feedback"):
        assert (got.message_id, [r.address for r in got.recipients]) == (ID, ["marie@client.example"])


def test_a_receipt_says_what_was_done():
    said = [read(case.raw).disposition for case in RECEIPTS]
    done = ["displayed"] * 3 + ["deleted"] * 2 + ["dispatched", "processed", "denied", "failed", "displayed"]
    assert said == [*done, "deleted", "displayed"]


def test_a_complaint_says_its_type():
    said = [read(case.raw).complaint for case in COMPLAINTS]
    assert said[:8] == ["abuse", "fraud", "virus", "other", "opt-out", "not-spam", "auth-failure", "abuse"]


def test_a_complaint_names_the_envelopes_sender_of_our_email():
    raw = COMPLAINTS[0].raw.replace(b"<retours@cassiopee.example>", b"<retours+abc@cassiopee.example>")
    assert read(raw).envelope_to == ["retours@cassiopee.example", "retours+abc@cassiopee.example"]


def essence(report: Report) -> tuple:
    who = [(r.address, r.action, r.address_dead, r.reason) for r in report.recipients]
    return report.kind, who, report.message_id


# A page has no indented lines: the message that PMDF describes in its midst looks like the returned one there.
UNEQUAL = {("page", "PMDF")}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_same_in_other_clothes(mutation):
    normal = [] if mutation == "more_headers" else NORMAL  # a person's mail does not come from the null sender
    for case in [*REPORTS, *ABSENCES, *RECEIPTS, *COMPLAINTS, *normal]:
        if (mutation, case.name) not in UNEQUAL:
            assert essence(read(MUTATIONS[mutation](case.raw))) == essence(read(case.raw)), case.name


def test_an_only_address_in_the_words_is_meant():
    head = b"From: MAILER-DAEMON@mx.example\nSubject: Delivery failure\n\nThe mail was not accepted.\n"
    about = b"It was for a person at marie@client.example who is gone; questions to postmaster@mx.example please.\n"
    assert [r.address for r in read(head + about).recipients] == ["marie@client.example"]
    assert read(head + about + b"Another: somebody like paul@client.example perhaps.\n").recipients == ()


def test_a_refusal_in_the_form_of_a_receipt():
    raw = RECEIPTS[4].raw.replace(b"Marie Petit <marie@", b"Mail Delivery Subsystem <postmaster@")
    words = "Your message to <marie@client.example> was automatically rejected:\nQuota exceeded (mailbox is full)"
    got = read(raw.replace("Accusé de lecture.".encode(), words.encode()))
    assert got.kind == "bounce"
    assert [(r.address, r.reason) for r in got.recipients] == [("marie@client.example", "mailbox_full")]
