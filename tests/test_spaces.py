"""Recipients' own pages: who may open one, what it shows of whom, what is logged, closing and renewing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from itsdangerous import URLSafeSerializer

import mail
from app import create_app
from config import Config
from documents import blobs, spaces
from extensions import db, limiter
from mail.compose import Draft, File
from models import Contact, Email, RecipientSpace, SpaceVisit, TrainingSession
from models.words import Reason, Status
from tests import days
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_email
from tests.planning.test_completeness import enrolled, session_with


def sent(house: House, made: TrainingSession, contact: Contact, subject: str = "Votre convocation") -> Email:
    """One e-mail with a PDF, really posted."""
    file = File.of("Convocation.pdf", blobs.store(b"%PDF-1.4 " + subject.encode(), "Convocation.pdf"))
    html = '<p>Bonjour <a href="https://example.org/">lien</a></p><script>alert(1)</script>'
    draft = Draft(contact.email, contact.name, contact.id, made.id, "convocation", subject, html, "Bonjour", (file,))
    email = mail.post([draft], organisation=house.organisation, sender=house.sender, by=house.staff,
                      request_key=f"{subject}{contact.id}")[0]  # fmt: skip
    db.session.commit()
    return email


@pytest.fixture
def made(cassiopee: House) -> TrainingSession:
    return session_with(cassiopee, ["convocation"], date.today() + timedelta(days=3), title="Secourisme")


def token(made: TrainingSession, contact: Contact) -> str:
    address = spaces.url(made, contact)
    db.session.commit()
    return address.rpartition("/")[2]


def test_the_page_shows_what_was_sent_to_that_person_alone(
    client: Browser, cassiopee: House, boreale: House, made: TrainingSession
) -> None:
    ada, bob = enrolled(cassiopee, made, "Ada Adam", "Bob Bril")
    other = session_with(cassiopee, None, date.today() + timedelta(days=9), title="Autre session")
    mine, his = sent(cassiopee, made, ada, "Pour Ada"), sent(cassiopee, made, bob, "Pour Bob")
    elsewhere = sent(cassiopee, other, ada, "Ailleurs")
    about = {"training_session_id": made.id, "contact_id": ada.id}
    make_email(cassiopee, subject="Annulé", status=Status.FAILED, reason=Reason.CANCELLED, **about)
    make_email(cassiopee, subject="Interne", type="alert", **about)
    make_email(cassiopee, subject="Refusé", status=Status.UNDELIVERABLE, reason=Reason.SPAM, **about)
    path = f"/r/{token(made, ada)}"
    answer = client.get(path)  # nobody is signed in
    assert sorted(h.text_content() for h in client.html.xpath("//ol//h2")) == ["Pour Ada", "Refusé"]
    text = client.text()
    assert "Bob" not in text and "Refusé par votre messagerie" in text and "En cours d’envoi" in text
    assert answer.headers["Referrer-Policy"] == "no-referrer" and "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert client.html.xpath("//meta[@name='robots']/@content") == ["noindex, nofollow"]
    document = client.html.xpath("//ul[@class='files']//a/@href")[0]
    assert client.get(document).data == b"%PDF-1.4 Pour Ada"
    body = client.get(f"{path}/emails/{mine.public_id}")
    assert "alert(1)" not in body.text and "example.org" in body.text
    assert "sandbox" in body.headers["Content-Security-Policy"]
    for foreign in (his, elsewhere):
        client.get(f"{path}/emails/{foreign.public_id}", status=404)
        client.get(f"{path}/emails/{foreign.public_id}/files/1", status=404)
    client.get(f"{path}/emails/{mine.public_id}/files/2", status=404)
    client.get(f"{path}?language=en")
    assert client.html.get("lang") == "en" and "Hello Ada Adam" in client.text()


def test_forged_older_revoked_and_expired_links_open_nothing(
    client: Browser, app: Flask, cassiopee: House, boreale: House, made: TrainingSession
) -> None:
    (ada,) = enrolled(cassiopee, made, "Ada Adam")
    first = token(made, ada)
    space = db.session.query(RecipientSpace).one()
    client.get(f"/r/{first}")
    forged = URLSafeSerializer("another key", salt="recipient space").dumps([space.public_id, 1])
    salted = URLSafeSerializer(app.secret_key or "", salt="evaluation form").dumps([space.public_id, 1])
    shapes = [URLSafeSerializer(app.secret_key or "", salt="recipient space").dumps(said)
              for said in (space.public_id, [space.public_id], [1, 2, 3], {"a": 1}, [None, 1], [space.public_id, "1"])]
    for wrong in (forged, salted, space.public_id, first[:-1], first + "x", "x" * 4000, *shapes):
        client.get(f"/r/{wrong}", status=404)
    second = spaces.renew(space).rpartition("/")[2]
    db.session.commit()
    client.get(f"/r/{first}", status=404)
    client.get(f"/r/{second}")
    spaces.revoke(space)
    db.session.commit()
    client.get(f"/r/{second}", status=404)
    assert token(made, ada) == second  # a letter written now leads nowhere until somebody opens it again
    client.get(f"/r/{second}", status=404)
    third = spaces.renew(space).rpartition("/")[2]
    made.starts_on = made.ends_on = days.today() - timedelta(days=365)
    db.session.commit()
    client.get(f"/r/{third}")
    made.ends_on = days.today() - timedelta(days=366)
    db.session.commit()
    client.get(f"/r/{third}", status=404)
    theirs = session_with(boreale, None, date.today())
    with pytest.raises(ValueError, match="own"):
        spaces.url(theirs, ada)


@pytest.mark.parametrize("zone", ["America/Martinique", "Europe/Paris", "Pacific/Auckland"])
def test_the_last_day_is_the_organisations(
    cassiopee: House, made: TrainingSession, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """To its last minute on the wall there, wherever the server is."""
    (ada,) = enrolled(cassiopee, made, "Ada Adam")
    text = token(made, ada)
    cassiopee.organisation.timezone, made.starts_on, made.ends_on = zone, date(2026, 1, 10), date(2026, 1, 10)
    db.session.commit()
    midnight = datetime(2027, 1, 11, tzinfo=ZoneInfo(zone))
    for moment, opens in ((midnight - timedelta(minutes=1), True), (midnight + timedelta(minutes=1), False)):
        clock = Mock(wraps=datetime)
        clock.now.side_effect = moment.astimezone
        monkeypatch.setattr(spaces, "datetime", clock)
        assert (spaces.open_(text) is not None) is opens, (moment, moment.astimezone(UTC))


def test_visits_are_logged_and_shown(client: Browser, cassiopee: House, made: TrainingSession) -> None:
    (ada,) = enrolled(cassiopee, made, "Ada Adam")
    email = sent(cassiopee, made, ada)
    path = f"/r/{token(made, ada)}"
    for _again in range(3):
        client.get(path, headers={"User-Agent": "Téléphone d'Ada"})
    client.get(f"{path}/emails/{email.public_id}/files/1", headers={"User-Agent": "Téléphone d'Ada"})
    client.get(path, headers={"User-Agent": "Scanner"})
    whats = [(visit.what, visit.agent) for visit in db.session.query(SpaceVisit).order_by(SpaceVisit.id)]
    assert [what for what, _agent in whats] == ["page", "Convocation.pdf", "page"]  # looks close together are one
    staff = Browser(client.app).sign_in(cassiopee.staff)
    manage = f"/sessions/{made.public_id}/people/{ada.public_id}/space"
    staff.get(manage)
    assert "Convocation.pdf" in staff.text() and "Scanner" in staff.text()


def test_staff_make_renew_and_close_a_link(
    client: Browser, cassiopee: House, boreale: House, made: TrainingSession
) -> None:
    (ada,) = enrolled(cassiopee, made, "Ada Adam")
    staff = client.sign_in(cassiopee.staff)
    manage = f"/sessions/{made.public_id}/people/{ada.public_id}/space"
    staff.get(manage)
    assert "Aucun lien n’existe encore" in staff.text() and db.session.query(RecipientSpace).count() == 0
    staff.post(manage)
    staff.get(manage)
    first = staff.html.xpath("//input[@id='address']/@value")[0]
    assert first == spaces.url(made, ada)
    staff.post(manage)
    staff.get(manage)
    second = staff.html.xpath("//input[@id='address']/@value")[0]
    assert second != first
    stranger = Browser(client.app)
    stranger.get("/r/" + first.rpartition("/")[2], status=404)
    stranger.get("/r/" + second.rpartition("/")[2])
    staff.post(f"{manage}/revoke")
    staff.get(manage)
    assert not staff.html.xpath("//input[@id='address']") and "Le lien est fermé" in staff.text()
    stranger.get("/r/" + second.rpartition("/")[2], status=404)
    admin = Browser(client.app).sign_in(boreale.admin)
    for act in (manage, f"{manage}/revoke"):
        admin.post(act, status=404)
    admin.get(manage, status=404)
    lone = enrolled(cassiopee, session_with(cassiopee, None, date.today(), title="Autre"), "Zoé Seule")[0]
    staff.get(f"/sessions/{made.public_id}/people/{lone.public_id}/space", status=404)


def test_a_page_may_not_be_hammered(app: Flask, test_config: Config) -> None:
    second = create_app(replace(test_config, env="development"))  # with the limits as they are outside tests
    try:
        client, answers = second.test_client(), []
        for _n in range(302):
            with second.app_context():
                answers.append(client.get("/r/nonsense").status_code)
    finally:
        limiter.enabled = False
        with second.app_context():
            db.engine.dispose()
        second.extensions["redis"].close()
    assert answers == [404] * 300 + [429] * 2
