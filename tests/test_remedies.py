"""The panel above an opened e-mail: every reason, for each role, in both languages; the text for the recipient's IT."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import mail
from blueprints.remedies import FOR_ADMINS, WRONG_ADDRESS, sending_host
from extensions import db
from history.detail import Event
from mail.fold import Fact
from mail.remedies import ON_THEIR_SIDE
from models import Email
from models.words import EventKind, Mark, QueueState, Reason, Status
from tests.days import PARIS
from tests.history.making import make_contact, make_email, make_session

HOSTILE = "554 5.7.1 <script>alert(1)</script> {{7*7}} blocked"
FRENCH = re.compile(r"[éèàçêîôû«»]|\b(le|la|les|une|des|vous|votre|cette|serveur)\b")


def failed(house: Any, reason: Reason, words: str = "said by the server", **values: Any) -> Email:
    """An e-mail about a session that failed for that reason, as a server's reply told."""
    contact = make_contact(house, "Camille Petit", email="camille@client.example", phone="06 12 34 56 78")
    session = make_session(house, "Sécurité incendie")
    email = make_email(house, training_session_id=session.id, contact_id=contact.id, at=datetime.now(UTC), **values)
    kind = EventKind.REFUSED if reason.status is Status.UNDELIVERABLE else EventKind.NOT_SENT
    mail.record([
        Fact(email.id, EventKind.OUTCOME_UNKNOWN, "smtp", "0", email.created_at, diagnostic="connection lost"),
        Fact(email.id, kind, "smtp", "1", email.created_at + timedelta(minutes=4), reason, 1, 554, "5.7.1", words,
             "mx.client.example"),
    ])  # fmt: skip
    db.session.execute(
        db.text("UPDATE email SET status = :s, reason = :r WHERE id = :i"),
        {"s": reason.status.value, "r": reason.value, "i": email.id},
    )
    db.session.commit()
    return email


def panel(client: Any) -> Any:
    (found,) = client.html.xpath("//section[@class='remedy']")
    return found


def firsts(found: Any) -> list[Any]:
    return found.xpath(".//*[@data-first]")


@pytest.mark.parametrize("role", ["staff", "manager", "admin"])
@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_what_happened_and_shows_one_button(
    client: Any, cassiopee: Any, role: str, reason: Reason
) -> None:
    email = failed(cassiopee, reason)
    client.sign_in(getattr(cassiopee, role))
    client.get(f"/emails/{email.public_id}")
    said = " ".join(panel(client).text_content().split()).replace("’", "'").replace("\u202f", " ").replace("\xa0", " ")
    told = FOR_ADMINS.get(reason, reason.remedy) if role == "admin" else reason.remedy
    if reason is Reason.AUTHENTICATION:
        told = "cause la plus probable" if role == "admin" else "qu'un administrateur peut remplacer"
    assert reason.label in said and reason.sentence in said and told in said
    if reason.silent:
        assert firsts(panel(client)) == []
        return
    assert "06 12 34 56 78" in said
    assert panel(client).xpath(".//pre[contains(., 'said by the server')]")
    form = client.html.xpath("//details[starts-with(@id, 'resend-')]")
    if role == "admin" and reason in WRONG_ADDRESS - {Reason.SUPPRESSED}:  # the form, and no button that leads to it
        assert firsts(panel(client)) == [] and form[0].get("open") is not None
        return
    (first,) = firsts(panel(client))
    if first.tag == "a":
        led_to_form = "#resend-" in first.get("href")
        assert "btn-primary" in first.get("class")
        assert not led_to_form or form[0].get("open") is None
        client.get(first.get("href").partition("#")[0])
        if led_to_form:  # pressed: it is open, and the button does not stand above it once more
            assert client.html.xpath("//details[starts-with(@id, 'resend-') and @open]") and not firsts(panel(client))


@pytest.mark.parametrize("reason", list(Reason))
def test_who_may_not_resend_can_correct_the_record(client: Any, cassiopee: Any, reason: Reason) -> None:
    email = failed(cassiopee, reason)
    for person in (cassiopee.staff, cassiopee.admin):
        client.sign_in(person).get(f"/emails/{email.public_id}")
        links = panel(client).xpath(".//a[contains(., 'Corriger la fiche')]")
        assert len(links) == (reason in WRONG_ADDRESS and person is cassiopee.staff)
        for link in links:
            client.get(link.get("href"))


@pytest.mark.parametrize("reason", list(Reason))
def test_in_english_no_french_is_left(client: Any, cassiopee: Any, reason: Reason) -> None:
    email = failed(cassiopee, reason, type="free")
    cassiopee.admin.language = "en"
    cassiopee.admin.name = "Agnes"
    db.session.commit()
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{email.public_id}")
    said = " ".join(panel(client).text_content().split()).replace("Cassiopée", "")
    assert not FRENCH.search(said), said


@pytest.mark.parametrize("reason", list(Reason))
def test_only_a_refusal_of_theirs_gives_a_text_for_their_it(client: Any, cassiopee: Any, reason: Reason) -> None:
    email = failed(cassiopee, reason, HOSTILE)
    client.sign_in(cassiopee.staff)
    client.get(f"/emails/{email.public_id}")
    texts = panel(client).xpath(".//pre[contains(@class, 'ready-text')]")
    assert len(texts) == (reason in ON_THEIR_SIDE)
    for text in texts:
        said = text.text_content()
        assert HOSTILE in said  # as text
        for fact in ("camille.petit@example.org", "formation@cassiopee.example", "cassiopee.example.",
                     "mx.client.example", cassiopee.staff.name,
                     f"{(email.created_at + timedelta(minutes=4)).astimezone(PARIS):%d/%m/%Y}",
                     mail.outbox.message_id(email.id, cassiopee.sender)):  # fmt: skip
            assert fact in said
        (copy,) = panel(client).xpath(".//button[@data-copy-from]")
        assert copy.get("data-copy-from") == f"#{text.get('id')}"
    assert not client.html.xpath("//script[not(@src)]")


@pytest.mark.parametrize("code, enhanced, diagnostic, shown", [
    (554, "5.7.1", "5.7.1 Blocked", "554 5.7.1 Blocked"), (550, None, "No such user", "550 No such user"),
    (554, "5.7.1", "Blocked", "554 5.7.1 Blocked"), (550, "5.1.1", "550 5.1.1 No", "550 5.1.1 No"),
    (None, "5.2.2", "smtp; 552 5.2.2 Full", "smtp; 552 5.2.2 Full"), (None, None, None, ""), (421, None, None, "421"),
])  # fmt: skip
def test_a_servers_words_say_each_code_once(code: Any, enhanced: Any, diagnostic: Any, shown: str) -> None:
    event = Event(EventKind.REFUSED, "smtp", datetime.now(UTC), None, 1, code, enhanced, diagnostic, None, {})
    assert event.server_words == shown


def test_what_is_tried_again_says_when(client: Any, cassiopee: Any) -> None:
    next_try = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
    email = make_email(
        cassiopee, status=Status.REQUESTED, reason=Reason.GREYLISTED, queue=QueueState.WAITING, attempts=1,
        next_attempt_at=next_try,
    )  # fmt: skip
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{email.public_id}")
    said = panel(client).text_content()
    assert "Rien à faire" in said and "01/12/2026 10:30" in said
    assert Reason.GREYLISTED.remedy not in said and not firsts(panel(client))


def test_what_is_planned_says_when(client: Any, cassiopee: Any) -> None:
    later = datetime.now(UTC) + timedelta(hours=30)
    email = make_email(cassiopee, status=Status.REQUESTED, queue=QueueState.WAITING, next_attempt_at=later)
    client.sign_in(cassiopee.staff)
    client.get(f"/emails/{email.public_id}")
    said = panel(client).text_content()
    assert "Départ programmé" in said and f"{later.astimezone(PARIS):%d/%m/%Y %H:%M}" in said
    assert not firsts(panel(client))


def test_what_waits_for_a_paused_sender_says_so(client: Any, cassiopee: Any) -> None:
    email = make_email(cassiopee, status=Status.REQUESTED, queue=QueueState.WAITING)
    cassiopee.sender.paused_at = datetime.now(UTC)
    db.session.commit()
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{email.public_id}")
    assert "Expéditeur en pause" in panel(client).text_content()
    (first,) = firsts(panel(client))
    assert first.get("href").startswith("/settings/")
    client.sign_in(cassiopee.staff).get(f"/emails/{email.public_id}")
    assert "/assistance" in firsts(panel(client))[0].get("href")


def test_a_complaint_is_told_as_one(client: Any, cassiopee: Any) -> None:
    email = make_email(cassiopee, status=Status.DELIVERED, marks=Mark.COMPLAINED)
    client.sign_in(cassiopee.staff)
    client.get(f"/emails/{email.public_id}")
    assert "signalé cet e-mail comme indésirable" in panel(client).text_content()


def test_all_is_well_says_nothing(client: Any, cassiopee: Any) -> None:
    email = make_email(cassiopee, status=Status.DELIVERED)
    client.sign_in(cassiopee.staff)
    client.get(f"/emails/{email.public_id}")
    assert client.html.xpath("//section[@class='remedy']") == []


@pytest.mark.parametrize("server, shown", [
    ("smtp.relais.example", "smtp.relais.example"), ("127.0.0.1", ""), ("localhost", ""), ("10.0.0.8", ""),
    ("8.8.8.8", "8.8.8.8"), ("mailhog", ""),
])  # fmt: skip
def test_only_a_name_that_others_know_is_told(app: Any, monkeypatch: Any, server: str, shown: str) -> None:
    from dataclasses import replace

    monkeypatch.setitem(app.extensions, "sillage", replace(app.extensions["sillage"], mail_server=server))
    assert sending_host() == shown
