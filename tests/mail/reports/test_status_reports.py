"""Reports with RFC 3464's fields: recipients, action before status, correlation keys, times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mail.reports import read
from models.words import Reason

REPORT = """\
Return-Path: <>
X-Original-To: retours+v1.kq3t@cassiopee.example
Delivered-To: retours@cassiopee.example
Date: Sun, 22 Nov 2026 10:32:07 +0100 (CET)
From: MAILER-DAEMON@mx.cassiopee.example (Mail Delivery System)
Subject: {subject}
To: retours+v1.kq3t@cassiopee.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="BB/mx"
Message-Id: <20261122093207.1AF3C@mx.cassiopee.example>

This is a MIME-encapsulated message.

--BB/mx
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.cassiopee.example.

--BB/mx
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.cassiopee.example
Original-Envelope-Id: E-9f3k
X-Postfix-Queue-ID: 1AF3C
Arrival-Date: Sun, 22 Nov 2026 10:32:05 +0100 (CET)

{recipients}

--BB/mx
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <retours+v1.kq3t@cassiopee.example>
Date: Sun, 22 Nov 2026 10:32:04 +0100
From: Atelier <bonjour@cassiopee.example>
To: marie@client.example
Message-ID: <e-9f3k.1@cassiopee.example>
Subject: Convocation

--BB/mx--
"""
FAILED = """\
Final-Recipient: rfc822; marie@client.example
Original-Recipient: rfc822;marie@client.example
Action: {action}
Status: {status}
Remote-MTA: dns; mx.client.example
Diagnostic-Code: smtp; {diagnostic}
"""


def report(*recipients: str, subject: str = "Undelivered Mail Returned to Sender") -> bytes:
    return REPORT.format(subject=subject, recipients="\n".join(recipients)).encode()


def one(action: str, status: str, diagnostic: str) -> bytes:
    return report(FAILED.format(action=action, status=status, diagnostic=diagnostic))


def test_a_failed_recipient_with_everything_needed_to_match_it():
    got = read(one("failed", "5.1.1", "550 5.1.1 <marie@client.example>: User unknown"))
    assert got.kind == "bounce"
    assert got.message_id == "<e-9f3k.1@cassiopee.example>"
    assert got.envid == "E-9f3k"
    assert got.envelope_to[0] == "retours+v1.kq3t@cassiopee.example"
    assert got.own_id == "<20261122093207.1AF3C@mx.cassiopee.example>"
    assert got.reporting_mta == "mx.cassiopee.example"
    assert got.null_sender
    assert got.occurred_at == datetime(2026, 11, 22, 9, 32, 5, tzinfo=UTC)
    (marie,) = got.recipients
    assert (marie.address, marie.original_address) == ("marie@client.example", None)
    assert (marie.action, marie.status, marie.smtp_code) == ("failed", "5.1.1", 550)
    assert (marie.reason, marie.address_dead) == (Reason.USER_UNKNOWN, True)
    assert marie.remote_host == "mx.client.example"


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("failed", "4.4.7", "bounce"),  # the digits lie: Action decides
        ("failed", "2.0.0", "bounce"),
        ("delayed", "5.0.0", "delayed"),
        ("delayed", "4.4.1", "delayed"),
        ("delivered", "2.0.0", "delivered"),
        ("relayed", "2.0.0", "relayed"),
        ("expanded", "2.0.0", "relayed"),
        ("Failed (too late)", "4.4.7", "bounce"),
        ("FAILURE", "5.0.0", "bounce"),
    ],
)
def test_action_decides_over_status(action, status, kind):
    got = read(one(action, status, "host said something"))
    assert got.kind == kind
    assert got.recipients[0].action == action.lower().replace("failure", "failed").split()[0]


def test_a_delay_condemns_nobody():
    got = read(one("delayed", "4.1.1", "450 4.1.1 user unknown"))
    assert got.recipients[0].address_dead is False


def test_several_recipients_each_with_its_own_answer():
    got = read(
        report(
            FAILED.format(action="failed", status="5.2.2", diagnostic="552 5.2.2 mailbox full"),
            "Final-Recipient: rfc822; paul@client.example\nAction: delivered\nStatus: 2.1.5\n",
            "Original-Recipient: rfc822;alias@client.example\nFinal-Recipient: rfc822;eve@other.example\n"
            "Action: delayed\nStatus: 4.0.0\nDiagnostic-Code: smtp; 451 try again\n  later\n",
        )
    )
    assert got.kind == "bounce"
    assert [(r.address, r.original_address, r.action) for r in got.recipients] == [
        ("marie@client.example", None, "failed"),
        ("paul@client.example", None, "delivered"),
        ("eve@other.example", "alias@client.example", "delayed"),
    ]
    assert got.recipients[0].reason is Reason.MAILBOX_FULL
    assert got.recipients[2].diagnostic == "451 try again later"


@pytest.mark.parametrize("newline", [b"\r\n", b"\r"])
def test_every_kind_of_newline_gives_the_same(newline):
    raw = one("failed", "5.1.1", "550 5.1.1 no such user")
    assert read(raw.replace(b"\n", newline)) == read(raw)
