"""Looks at the open pixel: kept, judged with those about them, recorded, dropped; and whose opens are measured."""

from __future__ import annotations

import pytest
from sqlalchemy import event, func, select, text

from extensions import db
from mail import marks, mime, outbox, post, tokens
from mail.compose import Draft
from mail.fold import Fact
from mail.tracking import record
from models import Contact, Email, EmailContent, Sighting
from models.words import ContactKind, EventKind, Status
from tests.client import Browser
from tests.conftest import House

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


@pytest.fixture
def measuring(cassiopee: House) -> House:
    cassiopee.organisation.track_opens = True
    db.session.commit()
    return cassiopee


def learner(house: House, measured: bool | None = None) -> Contact:
    contact = Contact(organisation_id=house.id, kind=ContactKind.LEARNER, name="Léa", sort_name="lea",
                      email="lea@client.example", measured=measured)  # fmt: skip
    db.session.add(contact)
    db.session.commit()
    return contact


def sent(house: House, contact: Contact | None = None, ago: str = "1 hour", type: str = "free") -> Email:
    """An e-mail that its server took `ago`."""
    draft = Draft("lea@client.example", "Léa", contact.id if contact else None, None, type, "Bonjour",
                  "<p>Bonjour</p>", "Bonjour\n")  # fmt: skip
    key = f"key {db.session.scalar(select(func.count()).select_from(Email))}"
    email = post([draft], organisation=house.organisation, sender=house.sender, by=None, request_key=key)[0]
    then = db.session.execute(text(f"SELECT now() - interval '{ago}'")).scalar_one()
    record([Fact(email.id, EventKind.ACCEPTED, "smtp", "1", then)])
    db.session.commit()
    return email


def status(email: Email) -> Status:
    db.session.expire_all()
    return db.session.get_one(Email, email.id).status


def look(
    client: Browser, email: Email, browser: str = FIREFOX, address: str = "192.0.2.7", method: str = "GET"
) -> None:
    answer = client.client.open(
        f"/t/o/{tokens.token('pixel', email.id)}.gif", method=method, headers={"User-Agent": browser},
        environ_base={"REMOTE_ADDR": address},
    )  # fmt: skip
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store, private"


def test_a_persons_look_makes_it_opened_once_judged(measuring: House, client: Browser) -> None:
    email = sent(measuring)
    look(client, email)
    assert marks.judge() == 0, "it waits for what may come with it"
    assert status(email) is Status.SENT
    assert marks.judge(age=0) == 1
    assert status(email) is Status.OPENED
    assert marks.judge(age=0) == 0, "judged once"


@pytest.mark.parametrize(("browser", "method", "ago"), [("Mozilla/5.0", "GET", "1 hour"), (FIREFOX, "HEAD", "1 hour"),
                                                        (FIREFOX, "GET", "2 seconds")])  # fmt: skip
def test_a_machines_look_is_said_to_be_one(
    measuring: House, client: Browser, browser: str, method: str, ago: str
) -> None:
    email = sent(measuring, ago=ago)
    look(client, email, browser, method=method)
    marks.judge(age=0)
    assert status(email) is Status.DELIVERED
    why = db.session.scalar(text("SELECT data ->> 'why' FROM delivery_event WHERE kind = 'machine_opened'"))
    assert why == {"Mozilla/5.0": "name"}.get(browser, "head" if method == "HEAD" else "soon")


def test_a_burst_from_one_network_is_a_machine_whichever_round_judges_it(measuring: House, client: Browser) -> None:
    emails = [sent(measuring) for _ in range(6)]
    for email in emails[:2]:
        look(client, email, address="192.0.2.1")
    marks.judge(age=-1)  # at once: those to come could not be known
    assert [status(email) for email in emails[:2]] == [Status.OPENED] * 2
    for number, email in enumerate(emails[2:], 2):
        look(client, email, address=f"192.0.2.{number}")
    marks.judge(age=-1)
    assert [status(email) for email in emails[2:]] == [Status.DELIVERED] * 4, "the judged ones count with them"


def test_nothing_of_the_looker_stays(measuring: House, client: Browser) -> None:
    email = sent(measuring)
    look(client, email, browser=FIREFOX + " Corner-Office", address="203.0.113.9")
    network = db.session.scalar(select(Sighting.network))
    assert len(network) == 8 and b"203.0.113" not in network
    db.session.execute(text("UPDATE sighting SET seen_at = now() - interval '1 minute'"))
    db.session.commit()
    marks.judge()
    assert db.session.scalar(select(func.count()).select_from(Sighting)) == 0
    kept = db.session.execute(text("SELECT row_to_json(e)::text FROM delivery_event e")).scalars().all()
    assert not any("Corner" in row or "203.0.113" in row for row in kept)


def test_a_strangers_token_takes_the_same_way_and_leaves_nothing(measuring: House, client: Browser) -> None:
    email = sent(measuring)
    good = tokens.token("pixel", email.id)
    said: list[list[str]] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said[-1].append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    answers = []
    try:
        for token in (good, "a" * 40, good[:-1] + ("a" if good[-1] != "a" else "b"), tokens.token("envid", email.id)):
            said.append([])
            answers.append(client.client.get(f"/t/o/{token}.gif", headers={"User-Agent": FIREFOX}).data)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert answers == [marks.PIXEL] * 4
    assert said == [said[0]] * 4
    assert db.session.scalar(select(func.count()).select_from(Sighting)) == 1


def measured(email: Email) -> bool:
    """Whether it carries the pixel; the row and the bytes must say the same."""
    content = db.session.get_one(EmailContent, email.id)
    carries = outbox.pixel_url(email.id) in (mime.shown(content.skeleton).html or "")
    assert carries == db.session.get_one(Email, email.id).open_measured
    return carries


@pytest.mark.parametrize(
    ("by_consent", "said", "expected"),
    [(False, None, True), (False, True, True), (False, False, False),
     (True, None, False), (True, True, True), (True, False, False)],
)  # fmt: skip
def test_who_is_measured(measuring: House, by_consent: bool, said: bool | None, expected: bool) -> None:
    measuring.organisation.track_by_consent = by_consent
    contact = learner(measuring, said)
    assert measured(sent(measuring, contact)) is expected
    assert measured(sent(measuring)) is not by_consent, "somebody without a record has said nothing"
    measuring.organisation.track_opens = False
    assert measured(sent(measuring, contact)) is False


def test_types_that_are_never_measured(measuring: House) -> None:
    measuring.organisation.untracked_types = ["free"]
    assert measured(sent(measuring)) is False
    assert measured(sent(measuring, type="convocation")) is True


def test_a_refusal_holds_for_what_has_left_already(measuring: House, client: Browser) -> None:
    contact = learner(measuring)
    email = sent(measuring, contact)
    contact.measured = False
    db.session.commit()
    look(client, email)
    assert marks.judge(age=0) == 1
    assert status(email) is Status.SENT


def test_the_form_of_a_record_says_what_the_person_said(measuring: House, client: Browser) -> None:
    contact, address = learner(measuring), "lea@client.example"
    client.sign_in(measuring.staff).get(f"/contacts/{contact.public_id}/edit")
    for word, said in (("no", False), ("yes", True), ("", None)):
        client.post(f"/contacts/{contact.public_id}/edit", {"last_name": "Martin", "email": address, "language": "fr",
                                                            "measured": word, "country": "FR"})  # fmt: skip
        db.session.expire_all()
        assert contact.measured is said
        client.get(f"/contacts/{contact.public_id}/edit")
        assert client.html.xpath("//input[@name='measured'][@checked]/@value") == [word]
    client.post(f"/contacts/{contact.public_id}/edit", {"last_name": "Martin", "email": address, "language": "fr",
                                                        "measured": "perhaps"}, status=422)  # fmt: skip


def test_the_organisation_says_which_types(measuring: House, client: Browser) -> None:
    client.sign_in(measuring.admin)
    client.post("/settings/organisation", {"name": "Cassiopée", "timezone": "Europe/Paris", "track_opens": "y",
                              "track_by_consent": "y", "untracked_types": ["invoice", "quote"]})  # fmt: skip
    db.session.expire_all()
    organisation = measuring.organisation
    assert organisation.track_by_consent and sorted(organisation.untracked_types) == ["invoice", "quote"]
    client.get("/settings/organisation")
    assert client.html.xpath("//input[@name='untracked_types'][@checked]/@value") == ["invoice", "quote"]
