"""Configuration › Retours: orphans and unreadable messages on screen, and the raw message behind a line of a story."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from extensions import db
from models import AuditAction, AuditEntry, DeliveryEvent, Email, InboundMessage
from models.words import EventKind, Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.mail.test_inbound import report
from tests.mail.test_sending import ask

LIST = "/settings/reports"
HOSTILE = (
    b"From: <b>x</b> <mailer-daemon@y.example>\r\nSubject: <script>alert(1)</script>\r\n\r\n"
    b"<img src=x onerror=alert(1)>\x00\xff"
)


def filed(house: House, raw: bytes, outcome: str = "orphan", **more: object) -> InboundMessage:
    summary = {
        "subject": "Non remis",
        "from": "mailer-daemon@y.example",
        "recipients": [["zoe@client.example", "failed", "user_unknown"]],
    }
    one = InboundMessage(
        organisation_id=house.id, sha256=str(hash(raw)), mailbox="m", kind="bounce" if outcome == "orphan" else "",
        outcome=outcome, size=len(raw), raw=raw, **({"summary": summary} | more),
    )  # fmt: skip
    db.session.add(one)
    db.session.commit()
    return one


@pytest.fixture
def left(cassiopee: House) -> Email:
    """An e-mail that was accepted."""
    (email,) = ask(cassiopee, "zoe@client.example")
    db.session.add(DeliveryEvent(
        organisation_id=cassiopee.id, email_id=email.id, kind=EventKind.ACCEPTED, source="smtp", source_event_id="1",
        occurred_at=email.created_at,
    ))  # fmt: skip
    db.session.commit()
    return email


def test_the_two_lists(client: Browser, cassiopee: House, boreale: House) -> None:
    mine, poison = filed(cassiopee, b"1"), filed(cassiopee, b"2", "poison", summary={"subject": "Lourd"})
    filed(boreale, b"3", summary={"subject": "Autre"})
    filed(cassiopee, b"4", "dismissed", summary={"subject": "Autre"})
    browser = client.sign_in(cassiopee.admin)
    browser.get(LIST)
    said = browser.text()
    assert "Non remis" in said and "zoe@client.example" in said and "Échec annoncé" in said
    assert "Lourd" not in said and "Autre" not in said
    browser.get(f"{LIST}?state=unreadable")
    assert "Lourd" in browser.text() and "Non remis" not in browser.text()
    browser.get(f"{LIST}/{poison.public_id}")
    assert "n'a pas pu être lu" in browser.text().replace("’", "'")
    browser.get(f"{LIST}/{mine.public_id}")


def test_nothing_waits(client: Browser, cassiopee: House) -> None:
    browser = client.sign_in(cassiopee.admin)
    browser.get(LIST)
    assert "Aucun rapport orphelin" in browser.text()
    browser.get(f"{LIST}?state=unreadable&cursor=nonsense")
    assert "Aucun message illisible" in browser.text()


def test_a_strangers_message_is_text(client: Browser, cassiopee: House) -> None:
    found = filed(cassiopee, HOSTILE, summary={"subject": "<script>alert(1)</script>", "from": "<b>x</b>"})
    browser = client.sign_in(cassiopee.admin)
    for path in (LIST, f"{LIST}/{found.public_id}"):
        source = browser.get(path).get_data(as_text=True)
        assert "<script>alert" not in source and "<img src=x" not in source and "&lt;script&gt;alert(1)" in source
    answer = browser.get(f"{LIST}/{found.public_id}/raw.eml")
    assert answer.get_data() == HOSTILE
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_long_message_is_shown_as_far_as_a_page_bears(client: Browser, cassiopee: House) -> None:
    found = filed(cassiopee, b"Subject: x\r\n\r\n" + b"a" * 1_000_000)
    browser = client.sign_in(cassiopee.admin)
    source = browser.get(f"{LIST}/{found.public_id}").get_data(as_text=True)
    assert len(source) < 260_000 and "Seul son début est affiché" in source


def test_attached_with_a_reason_it_shows_in_the_story(client: Browser, cassiopee: House, left: Email) -> None:
    found = filed(cassiopee, report(None))
    browser = client.sign_in(cassiopee.admin)
    page = browser.get(f"{LIST}/{found.public_id}").get_data(as_text=True)
    assert f'value="{left.public_id}"' in page  # offered: the newest to that address
    browser.post(f"{LIST}/{found.public_id}/attached", {"email": left.public_id, "note": ""}, status=422)
    assert "Dites comment vous savez" in browser.text()
    answer = browser.post(f"{LIST}/{found.public_id}/attached", {"email": left.public_id, "note": "Zoé l'a dit"})
    browser.get(answer.location)
    said = browser.text().replace("’", "'")
    assert "Zoé l'a dit" in said and cassiopee.admin.name in said and "Message reçu" in said
    db.session.expire_all()
    assert (left.status, left.reason) == (Status.FAILED, Reason.USER_UNKNOWN)
    line = db.session.scalars(select(AuditEntry).where(AuditEntry.action == AuditAction.REPORT_ATTACHED)).one()
    assert line.subject == found.public_id and left.public_id in line.also
    evidence = f"/emails/{left.public_id}/messages/{found.id}"
    browser.get(evidence)
    assert "This is the mail system" in browser.text()
    assert browser.get(f"{evidence}.eml").get_data() == found.raw
    browser.get(f"/emails/{left.public_id}/messages/{found.id + 1}", status=404)
    browser.get(f"{LIST}/{found.public_id}", status=303)  # somebody has dealt with it


def test_another_organisations_email_is_none_of_ours(client: Browser, cassiopee: House, boreale: House) -> None:
    (foreign,) = ask(boreale, "zoe@client.example")
    found = filed(cassiopee, report(None))
    browser = client.sign_in(cassiopee.admin)
    assert foreign.public_id not in browser.get(f"{LIST}/{found.public_id}").get_data(as_text=True)
    data = {"email_id": foreign.public_id, "note": "x"}
    browser.post(f"{LIST}/{found.public_id}/attached", data, status=422)
    assert "Aucun de vos e-mails ne porte ce numéro" in browser.text()


@pytest.mark.parametrize("raw, said", [
    (report(None), "ne correspond toujours"), (b"Subject: hello\r\n\r\nhello\r\n", "retiré de la liste"),
])  # fmt: skip
def test_read_again(client: Browser, cassiopee: House, raw: bytes, said: str) -> None:
    found = filed(cassiopee, raw)
    browser = client.sign_in(cassiopee.admin)
    answer = browser.post(f"{LIST}/{found.public_id}/read", {})
    browser.get(answer.location)
    assert said in browser.text()


def test_put_aside(client: Browser, cassiopee: House) -> None:
    found = filed(cassiopee, report(None))
    browser = client.sign_in(cassiopee.admin)
    browser.get(browser.post(f"{LIST}/{found.public_id}/dismissed", {"note": "Faux"}).location)
    assert "mis de côté" in browser.text() and "Aucun rapport orphelin" in browser.text()
    db.session.expire_all()
    assert (found.outcome, found.handled_note) == ("dismissed", "Faux")


def test_in_english(client: Browser, cassiopee: House) -> None:
    cassiopee.admin.language = "en"
    found = filed(cassiopee, report(None))
    browser = client.sign_in(cassiopee.admin)
    browser.get(LIST)
    assert "Orphan reports" in browser.text()
    browser.get(f"{LIST}/{found.public_id}")
    assert "Attach to an e-mail" in browser.text() and "Rattacher" not in browser.text()
