"""The help on statuses, reasons and mentions: complete, in step with the vocabulary, and where it is needed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask

import mail
from blueprints import status_help
from extensions import db
from i18n import french
from mail.compose import Draft
from mail.fold import Fact
from models.words import Chip, EventKind, Reason, Status
from tests.client import Browser
from tests.conftest import House


def test_nothing_of_the_vocabulary_is_left_out() -> None:
    assert list(status_help.NOT_SAID) == list(Status)
    assert set(status_help.MENTIONS) == set(Chip)
    filed = [reason for family in status_help.FAMILIES for reason in family.reasons]
    assert sorted(filed) == sorted(Reason)  # each once
    assert {status_help.family_of(reason).key for reason in Reason if reason.silent} == {"decided"}


def test_the_page_says_each_once_and_leads_to_its_emails(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff).get("/help/statuses")
    terms = client.html.xpath("//dt/@id")
    assert terms == [
        *(f"status-{status.value}" for status in Status),
        *(f"reason-{reason.value}" for family in status_help.FAMILIES for reason in family.reasons),
        *(f"mention-{chip.value}" for chip in status_help.MENTIONS),
    ]
    for reason in Reason:
        said = client.html.xpath(f"string(//dt[@id='reason-{reason.value}']/following-sibling::dd[1])")
        assert french(reason.sentence) in said and french(reason.remedy) in said
        assert ("quarantaine : plus rien" in said.replace("\u00a0", " ")) == reason.address_dead
    for link in client.html.xpath("//main//dd//a/@href"):
        client.get(link)


def test_a_list_has_the_short_help_and_a_page_without_script(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff).get("/emails")
    (panel,) = client.html.xpath("//*[@hx-get='/help/statuses']")
    assert panel.xpath(".//a/@href") == ["/help/statuses"]
    piece = client.get("/help/statuses", htmx=True)
    assert "<h1" not in piece.text
    assert client.html.xpath("//dt/span/@data-status") == [status.value for status in Status]


@pytest.mark.parametrize("reason", [Reason.USER_UNKNOWN, Reason.SPAM])
def test_the_opened_email_explains_its_status_and_its_reason(
    app: Flask, client: Browser, cassiopee: House, reason: Reason
) -> None:
    draft = Draft("camille@mail.example", "Camille", None, None, "free", "Bonjour", "<p>x</p>", "x")
    (email,) = mail.post(
        [draft], organisation=cassiopee.organisation, sender=cassiopee.sender, by=cassiopee.staff, request_key="1"
    )
    mail.record([Fact(email.id, EventKind.REFUSED, "smtp", "1", datetime.now(UTC), reason, 1, 550, "5.1.1", "no")])
    db.session.commit()
    number = email.public_id
    client.sign_in(cassiopee.staff).get(f"/emails/{number}")
    links = client.html.xpath("//details//a[starts-with(@href, '/help/statuses#')]/@href")
    assert sorted(links) == [f"/help/statuses#reason-{reason.value}", f"/help/statuses#status-{reason.status.value}"]
    assert french(status_help.family_of(reason).about) in client.html.xpath("string(//main)")
