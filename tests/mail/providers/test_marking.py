"""The headers that lead events back: the provider's own by the host that mail leaves by; a resend has its own."""

from __future__ import annotations

import email
import json
from datetime import UTC, datetime

import pytest
from flask import Flask

from extensions import db
from mail import outbox, resend, tokens
from mail.fold import Fact
from mail.providers import PROVIDERS, marking
from mail.providers.matching import match
from mail.tracking import record
from models import Email, EmailContent, SmtpAccount
from models.account import Auth, Security
from models.words import EventKind, Reason
from tests.conftest import House
from tests.mail.providers import documented
from tests.mail.providers.test_told import about, account, post_email


def head_of(posted: Email) -> email.message.Message:
    content = db.session.get_one(EmailContent, posted.id)
    return email.message_from_bytes(content.skeleton)


def test_without_a_provider_nothing_is_added(cassiopee: House) -> None:
    assert not marking.NAMES & {name.lower() for name in head_of(post_email(cassiopee))}


@pytest.mark.parametrize("provider", documented.PAYLOADS)
def test_what_is_added_is_what_leads_an_event_back(cassiopee: House, provider: str) -> None:
    account(cassiopee, provider)
    posted = post_email(cassiopee)
    head = head_of(posted)
    token = tokens.token("mid", posted.id)
    wanted = PROVIDERS[provider].marking(token)
    assert {name: head[name] for name in wanted} == wanted
    assert any(token in value for value in wanted.values())
    module = PROVIDERS[provider]
    for payload in documented.PAYLOADS[provider]:
        events = [e for e in module.parse(documented.call(provider, about(posted, payload))) if e.marks]
        for found in match(cassiopee.id, events):
            assert found and found.email_id == posted.id and found.key == "token" and found.left


def test_every_provider_comes_back_with_its_mark() -> None:
    for provider, payloads in documented.PAYLOADS.items():
        events = [e for p in payloads for e in PROVIDERS[provider].parse(documented.call(provider, p))]
        marked = [e for e in events if any("aaaa" in mark for mark in e.marks)]
        assert len(marked) >= len(events) - 2, provider


def test_the_host_that_mail_leaves_by_decides(app: Flask, cassiopee: House) -> None:
    for provider in ("brevo", "amazon_ses", "postal"):
        account(cassiopee, provider)
    assert marking.chosen(["brevo", "amazon_ses"], "smtp-relay.brevo.com") == ("brevo",)
    assert marking.chosen(["brevo", "amazon_ses"], "email-smtp.eu-west-3.amazonaws.com") == ("amazon_ses",)
    assert marking.chosen(["brevo", "amazon_ses"], "evil-amazonaws.com") == ("amazon_ses", "brevo")
    assert marking.chosen(["brevo", "gone"], "relay.example") == ("brevo",)
    assert marking.chosen(None, "relay.example") == ()
    by = SmtpAccount(
        organisation_id=cassiopee.id, name="Brevo", host="smtp-relay.brevo.com", port=587, auth=Auth.NONE,
        security=Security.STARTTLS, secret=b"",
    )  # fmt: skip
    db.session.add(by)
    db.session.flush()
    cassiopee.sender.account_id = by.id
    db.session.commit()
    head = head_of(post_email(cassiopee, left=False))
    assert head["X-Mailin-custom"] and not head["X-SES-MESSAGE-TAGS"] and not head["X-Postal-Tag"]


def test_a_resend_carries_its_own_mark(cassiopee: House) -> None:
    account(cassiopee, "brevo")
    first = post_email(cassiopee)
    record([Fact(first.id, EventKind.BOUNCED, "dsn", "1", datetime.now(UTC), Reason.MAILBOX_FULL)])
    db.session.refresh(first)
    again = resend.resend(first, by=cassiopee.admin, request_key="again")
    db.session.commit()
    head = head_of(again)
    assert head.get_all("X-Mailin-custom") == [json.dumps({"sillage": tokens.token("mid", again.id)}).replace(" ", "")]
    assert outbox.message_id(again.id, cassiopee.sender) == head["Message-ID"]
