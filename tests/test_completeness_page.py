"""Complétude on screen: the matrix, its live answers, the types of training behind it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from extensions import db
from models import TrainingType
from models.words import Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_email
from tests.planning.test_completeness import enrolled, session_with


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def cells(client: Browser) -> dict[str, list[str]]:
    rows = client.html.xpath("//tbody[@id='cells']/tr")
    said = lambda node: re.sub(r"\s+", " ", node.text_content()).strip()  # noqa: E731
    return {said(row.xpath("./th/a")[0]): [said(cell) for cell in row.xpath("./td")] for row in rows}


def soon(days: int = 1) -> date:
    return date.today() + timedelta(days=days)


def test_the_matrix_says_each_state_in_words_and_leads_on(staff: Browser, cassiopee: House) -> None:
    made = session_with(cassiopee, ["convocation", "certificate"], soon())
    ada, bob, _cyd = enrolled(cassiopee, made, "Ada Adam", "Bob Bril", "Cyd Cros", phone="06 11 22 33 44")
    now = datetime.now(UTC)
    about = {"training_session_id": made.id, "at": now - timedelta(hours=1)}
    read = make_email(cassiopee, status=Status.OPENED, contact_id=ada.id, **about)
    make_email(cassiopee, status=Status.FAILED, reason=Reason.USER_UNKNOWN, contact_id=bob.id, **about)
    staff.get(f"/sessions/{made.public_id}/completeness")
    shown = cells(staff)
    assert list(shown) == ["Ada Adam", "Bob Bril", "Cyd Cros"]
    assert [row[0].split(" ")[0] for row in shown.values()] == ["ReçuReçu", "En", "Jamais"]
    assert shown["Bob Bril"][0] == "En échecAdresse inconnue"
    assert all(row[1].startswith("Pas encore") for row in shown.values())
    assert f"/emails/{read.public_id}" in staff.html.xpath("//tbody[@id='cells']//td//a/@href")
    text = staff.text()
    assert "1 convocation reçue sur 3" in text and "0 certificat reçu sur 3" in text
    # two days before the start: who to call, with the number
    assert "La session commence bientôt et 2 personnes n’ont pas tout reçu" in text
    assert staff.html.xpath("//ul[@class='callers']//a/@href") == ["tel:0611223344"] * 2
    for state in ("Reçu", "En route", "En échec", "Jamais envoyé", "Pas encore"):
        assert staff.html.xpath(f"//dl[@class='key-list']//dt[contains(., '{state}')]//*[local-name()='use']")


def test_live_answers_bring_what_changed_and_stop(staff: Browser, cassiopee: House) -> None:
    made = session_with(cassiopee, ["convocation"], soon(5))
    (ada,) = enrolled(cassiopee, made, "Ada Adam")
    email = make_email(
        cassiopee, status=Status.SENT, training_session_id=made.id, contact_id=ada.id, at=datetime.now(UTC)
    )
    staff.get(f"/sessions/{made.public_id}/completeness")
    asked = staff.html.xpath("//div[@id='live']/@hx-get")[0]
    staff.get(asked, htmx=True)
    assert "En route" not in staff.text()  # nothing new: only the next question
    assert "calm=1" in staff.html.xpath("//div[@id='live']/@hx-get | self::div[@id='live']/@hx-get")[0]
    email.status = Status.DELIVERED
    db.session.commit()
    answer = staff.get(asked, htmx=True, status=286).get_data(as_text=True)
    assert 'id="cells" hx-swap-oob="true"' in answer and "Reçu" in answer and "1 convocation reçue sur 1" in answer
    # what was swapped in equals the reload
    staff.get(f"/sessions/{made.public_id}/completeness")
    assert not staff.html.xpath("//div[@id='live']/@hx-get")
    piece = re.sub(r"\s+", " ", answer[answer.index("<tbody") : answer.index("</tbody>")])
    whole = re.sub(r"\s+", " ", staff.get(f"/sessions/{made.public_id}/completeness").get_data(as_text=True))
    assert piece.replace(' hx-swap-oob="true"', "") in whole


def test_nothing_required_and_nobody_there(staff: Browser, cassiopee: House) -> None:
    empty = session_with(cassiopee, ["convocation"], soon(3))
    staff.get(f"/sessions/{empty.public_id}/completeness")
    assert "Personne à suivre" in staff.text()
    none = session_with(cassiopee, [], soon(4))
    enrolled(cassiopee, none, "Ada Adam")
    staff.get(f"/sessions/{none.public_id}/completeness")
    assert "Aucun e-mail n’est requis" in staff.text()


def test_types_of_training(client: Browser, cassiopee: House, boreale: House) -> None:
    admin = client.sign_in(cassiopee.admin)
    base = "/settings/training-types"
    admin.get(f"{base}/new")
    assert sorted(admin.html.xpath("//input[@name='required'][@checked]/@value")) == [
        "certificate", "convocation", "evaluation_hot",
    ]  # fmt: skip
    admin.post(f"{base}/new", {"name": " ", "required": ["rules"]}, status=422)
    admin.post(f"{base}/new", {"name": "À distance", "required": ["convocation", "programme", "nonsense"]}, status=422)
    admin.post(f"{base}/new", {"name": "À distance", "required": ["convocation", "programme"]})
    kind = db.session.query(TrainingType).one()
    assert (kind.name, kind.required) == ("À distance", ["programme", "convocation"])
    admin.post(f"{base}/new", {"name": "À distance", "required": []}, status=422)
    admin.get(base)
    assert "À distance" in admin.text() and "Programme, Convocation" in admin.text()
    admin.post(f"{base}/{kind.id}", {"name": "Inter", "required": ["convocation"]})
    admin.post(f"{base}/default", {"required": ["convocation"]})
    db.session.expire_all()
    assert (kind.name, kind.required, cassiopee.organisation.required) == ("Inter", ["convocation"], ["convocation"])
    assert boreale.organisation.required == ["convocation", "evaluation_hot", "certificate"]
    other = Browser(client.app).sign_in(boreale.admin)
    other.post(f"{base}/{kind.id}/delete", status=404)
    admin.post(f"{base}/{kind.id}/delete")
    assert db.session.query(TrainingType).count() == 0
