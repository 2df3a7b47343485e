"""Sending to those who miss a required e-mail: who is offered, what leaves, and that it leaves once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from extensions import db
from models import Attachment, Email, Evaluation, RecipientSpace
from models.words import Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_email
from tests.planning.test_completeness import enrolled, session_with


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def emails(type: str = "convocation") -> list[Email]:
    db.session.expire_all()
    return list(db.session.query(Email).filter_by(type=type).order_by(Email.id))


def test_the_missing_are_offered_and_written_to_once(staff: Browser, cassiopee: House) -> None:
    made = session_with(cassiopee, ["convocation", "programme"], date.today() + timedelta(days=3))
    ada, bob, cyd, dan = enrolled(cassiopee, made, "Ada Adam", "Bob Bril", "Cyd Cros", "Dan Dupe")
    dan.email = ""
    db.session.commit()
    about = {"training_session_id": made.id, "at": datetime.now(UTC) - timedelta(hours=1)}
    make_email(cassiopee, status=Status.DELIVERED, contact_id=ada.id, **about)
    make_email(cassiopee, bob.email, status=Status.FAILED, reason=Reason.USER_UNKNOWN, contact_id=bob.id, **about)
    page = f"/sessions/{made.public_id}/completeness/missing"
    staff.get(f"{page}?type=convocation")
    boxes = {box.get("value"): box for box in staff.html.xpath("//input[@name='to']")}
    keys = {name: f"convocation:{c.public_id}" for name, c in (("bob", bob), ("cyd", cyd), ("dan", dan))}
    assert list(boxes) == list(keys.values())
    # a dead address is offered unticked, with the way to correct it; nobody is written to without an address
    assert [box.get("checked") is not None for box in boxes.values()] == [False, True, False]
    assert boxes[keys["dan"]].get("disabled") is not None
    assert "Corriger l’adresse" in staff.text() and "Pas d’adresse e-mail" in staff.text()
    answer = staff.get(f"{page}/letter?to={keys['cyd']}")
    assert "Secourisme" in answer.text and answer.headers["Content-Security-Policy"].endswith("sandbox")
    staff.get(f"{page}/letter?to=convocation:{ada.public_id}", status=404)  # she misses nothing
    key = staff.html.xpath("//input[@name='request_key']/@value") if staff.html.xpath("//form") else ["k"]
    form = {"to": [keys["cyd"], keys["dan"], "convocation:C-nobody"], "request_key": key}
    where = staff.post(f"{page}?type=convocation", form).headers["Location"]
    assert where == f"/sessions/{made.public_id}/completeness"
    new = emails()[-1]
    assert len(emails()) == 3 and (new.contact_id, new.requested_by_id) == (cyd.id, cassiopee.staff.id)
    names = [a.filename for a in db.session.query(Attachment).filter_by(email_id=new.id)]
    assert len(names) == 1 and names[0].endswith(".pdf")
    staff.get(where)
    assert "1 e-mail demandé" in staff.text()
    staff.post(f"{page}?type=convocation", form)  # pressed again: nobody misses it any more
    assert len(emails()) == 3
    staff.post(page, {"request_key": "2"}, status=422)
    assert "Choisissez au moins un destinataire." in staff.text()


def test_an_address_corrected_on_the_way_leads_back_to_the_sending(staff: Browser, cassiopee: House) -> None:
    made = session_with(cassiopee, ["convocation"], date.today() + timedelta(days=3))
    (bob,) = enrolled(cassiopee, made, "Bob Bril")
    make_email(cassiopee, bob.email, status=Status.FAILED, reason=Reason.USER_UNKNOWN, contact_id=bob.id,
               training_session_id=made.id, at=datetime.now(UTC) - timedelta(hours=1))  # fmt: skip
    page = f"/sessions/{made.public_id}/completeness/missing"
    staff.get(page)
    (where,) = staff.html.xpath("//a[starts-with(@href, '/contacts/') and contains(@href, '/edit')]/@href")
    staff.get(where)
    assert page in staff.html.xpath("//form//a[contains(., 'Annuler')]/@href")
    answer = staff.post(where, {"first_name": "Bob", "last_name": "Bril", "email": "bob.bril@exemple.example",
                                "language": "fr", "country": "FR"})  # fmt: skip
    assert answer.location == page
    staff.get(page)
    assert staff.html.xpath("//input[@name='to']/@checked"), "what is corrected is ticked"
    assert "Adresse inconnue · à son ancienne adresse" in staff.text()
    staff.get(f"/contacts/{bob.public_id}/edit?missing=S-nobody", status=404)


def test_all_types_leave_together(staff: Browser, cassiopee: House) -> None:
    made = session_with(cassiopee, ["convocation", "rules", "certificate"], date.today() + timedelta(days=3))
    people = enrolled(cassiopee, made, "Ada Adam", "Bob Bril")
    page = f"/sessions/{made.public_id}/completeness/missing"
    staff.get(page)
    offered = staff.html.xpath("//input[@name='to'][@checked]/@value")
    assert offered == [f"{type}:{c.public_id}" for type in ("convocation", "rules") for c in people]
    staff.get(f"{page}?person={people[1].public_id}")
    assert len(staff.html.xpath("//input[@name='to']")) == 2
    staff.post(page, {"to": offered, "request_key": "k"})
    assert [len(emails(type)) for type in ("convocation", "rules", "certificate")] == [2, 2, 0]
    staff.get(page)
    assert "Personne ne manque de rien" in staff.text()


def test_an_evaluation_brings_its_own_address(staff: Browser, cassiopee: House) -> None:
    made = session_with(cassiopee, ["evaluation_hot"], date.today() - timedelta(days=9), days=2)
    (ada,) = enrolled(cassiopee, made, "Ada Adam")
    page = f"/sessions/{made.public_id}/completeness/missing"
    answer = staff.get(f"{page}/letter?to=evaluation_hot:{ada.public_id}")
    assert "/f/" in answer.text
    assert db.session.query(Evaluation).count() == db.session.query(RecipientSpace).count() == 0  # only looked at
    staff.post(page, {"to": [f"evaluation_hot:{ada.public_id}"], "request_key": "k"})
    assert db.session.query(Evaluation).one().contact_id == ada.id
    assert [e.contact_id for e in emails("evaluation_hot")] == [ada.id]


def test_what_was_for_before_the_session_is_not_sent_after_it(staff: Browser, cassiopee: House) -> None:
    made = session_with(cassiopee, ["convocation"], date.today() - timedelta(days=9), days=2)
    (ada,) = enrolled(cassiopee, made, "Ada Adam")
    page = f"/sessions/{made.public_id}/completeness/missing"
    staff.get(page)
    assert "Sa formation est terminée" in staff.text()
    staff.post(page, {"to": [f"convocation:{ada.public_id}"], "request_key": "k"})
    assert emails() == []


def test_what_cannot_be_prepared_is_told(staff: Browser, cassiopee: House) -> None:
    from mail import templates

    made = session_with(cassiopee, ["rules"], date.today() + timedelta(days=2))
    (ada,) = enrolled(cassiopee, made, "Ada Adam")
    templates.ensure_defaults(cassiopee.organisation)
    template = templates.find(cassiopee.id, "rules")
    assert template is not None
    template.files = ["convention"]  # a company's: no learner has one
    db.session.commit()
    staff.post(f"/sessions/{made.public_id}/completeness/missing",
               {"to": [f"rules:{ada.public_id}"], "request_key": "k"})  # fmt: skip
    assert emails("rules") == []
    staff.get(f"/sessions/{made.public_id}/completeness")
    assert "Ada Adam (Règlement intérieur)" in staff.text()
