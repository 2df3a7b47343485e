"""The selection in the history: which e-mails a form selects, and what may be done with them."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from extensions import db
from models import Email
from models.words import Mark, Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.history.making import NOW, make_email, make_session


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def picked(client: Browser, ticked: list[str] | None = None, **more: str) -> dict[str, Any]:
    """The form of the selection as the last page has it, with those rows ticked."""
    form = client.html.get_element_by_id("pick")
    boxes = client.html.xpath("//tbody[@id='rows']//input[@form='pick']")
    assert {box.name for box in boxes} == {"number"}
    kept = [number for number in (box.get("value") for box in boxes) if number in (ticked or [])]
    return {name: value for name, value in form.fields.items() if name} | {"number": kept} | more


def exported(client: Browser, form: dict[str, Any]) -> list[str]:
    """The subjects of the file that a selection makes."""
    where = client.post("/selections", form).headers["Location"]
    answer = client.get(where)
    return [row["subject"] for row in csv.DictReader(io.StringIO(answer.text))]


def test_every_row_has_a_box_and_the_bar_says_what_it_takes(staff: Browser, cassiopee: House) -> None:
    for number in range(3):
        make_email(cassiopee, subject=f"Lettre {number}")
    staff.get("/emails")
    assert len(staff.html.xpath("//tbody/tr/td[1][@class='col-select']/input")) == 3
    assert staff.html.xpath("//thead//input/@data-select-all") == ["number"]
    options = [option.text for option in staff.html.xpath("//select[@id='pick-which']/option")]
    assert options == ["Les e-mails cochés", "Les 3 e-mails de la page"]
    staff.get("/emails?limit=2")
    options = [option.text for option in staff.html.xpath("//select[@id='pick-which']/option")]
    assert options[1:] == ["Les 2 e-mails de la page", "Tous les résultats\xa0: 3 e-mails"]
    answer = staff.get("/emails?limit=2", htmx=True).text
    assert re.search(r"<template>\s*<form[^>]* id=\"pick\"", answer), "browsers empty a form that follows a tbody"
    staff.get("/emails?subject=rien")
    assert not staff.html.xpath("//form[@id='pick']")


def test_a_selection_is_exported(staff: Browser, cassiopee: House) -> None:
    session = make_session(cassiopee, "Sécurité incendie")
    made = [make_email(cassiopee, subject=f"Lettre {n}", training_session_id=session.id) for n in range(4)]
    make_email(cassiopee, subject="Lettre ailleurs")
    staff.get(f"/sessions/{session.public_id}/emails?subject=lettre&limit=2&sort=date")
    form = picked(staff, [made[1].public_id], export="csv")
    assert exported(staff, form) == ["Lettre 1"]
    assert exported(staff, form | {"which": "page"}) == ["Lettre 0", "Lettre 1"]
    assert exported(staff, form | {"which": "all"}) == [f"Lettre {n}" for n in range(4)]


def test_a_selection_of_nothing_says_so(staff: Browser, cassiopee: House) -> None:
    make_email(cassiopee)
    staff.get("/emails?status=sent_all")
    form = picked(staff, export="csv")
    assert staff.post("/selections", form, headers={"Referer": "http://localhost/emails?status=error"}).headers[
        "Location"
    ] == "/emails?status=error"
    staff.get("/emails")
    assert "Cochez au moins un e-mail." in staff.text()


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"which": "all", "export": "pdf"}, 400),
        ({"which": "all", "number": "E-1"}, 400),
        ({"which": "all", "export": "csv", "query": "&".join(["status=error"] * 300)}, 400),
        ({"which": "all", "export": "csv", "query": "in=S-nowhere"}, 404),
        ({"which": "page", "page": "<b>,E-%00", "export": "csv"}, 303),
    ],
)
def test_nonsense_is_answered(staff: Browser, cassiopee: House, form: dict[str, str], status: int) -> None:
    make_email(cassiopee)
    staff.post("/selections", form, status=status)


def test_a_selection_holds_nothing_of_another_organisation(
    client: Browser, cassiopee: House, boreale: House
) -> None:
    theirs = make_email(cassiopee, subject="À eux")
    where = make_session(cassiopee, "Ailleurs")
    make_email(boreale, subject="À nous")
    client.sign_in(boreale.admin)
    assert exported(client, {"which": "chosen", "number": [theirs.public_id], "export": "csv"}) == []
    assert exported(client, {"which": "all", "query": "", "export": "csv"}) == ["À nous"]
    client.post("/selections", {"which": "all", "query": f"in={where.public_id}", "export": "csv"}, status=404)


def test_words_that_stay_out_of_addresses_stay_out_of_them(staff: Browser, cassiopee: House) -> None:
    petit = make_email(cassiopee, "petit@mail.example", "Zoé Petit", subject="Lettre")
    make_email(cassiopee, "autre@mail.example", "Autre", subject="Lettre")
    staff.post("/views/addresses", {"short": "1"})
    asked = staff.post("/views/steps", {"in": "", "q": "à:petit"}).headers["Location"]
    staff.get(asked)
    form = picked(staff, [petit.public_id], which="all", export="csv")
    where = staff.post("/selections", form).headers["Location"]
    assert "petit" not in where and "v=V-" in where
    assert exported(staff, form) == ["Lettre"]
    assert exported(staff, form | {"which": "chosen"}) == ["Lettre"]
    staff.sign_in(cassiopee.manager).post("/views/addresses", {"short": "1"})
    asked = staff.post("/views/steps", {"in": "", "q": "à:petit"}).headers["Location"]
    staff.get(asked)
    where = staff.post("/selections", picked(staff, which="all", export="files")).headers["Location"]
    assert where.startswith("/emails/attachments?") and "petit" not in where and "v=V-" in where


def treating(client: Browser, **form: Any) -> Any:
    """The preview of marking, and its form."""
    client.post("/selections", {"which": "all", "query": "", "do": "treat"} | form, status=200)
    return dict(client.html.xpath("//form[@action='/selections/treated']")[0].fields)


def test_a_selection_is_marked_as_dealt_with(staff: Browser, cassiopee: House) -> None:
    broken = {"status": Status.UNDELIVERABLE, "reason": Reason.MAILBOX_FULL}
    first, second = (make_email(cassiopee, **broken) for _n in range(2))
    make_email(cassiopee, status=Status.OPENED)
    make_email(cassiopee, status=Status.FAILED, reason=Reason.CANCELLED)
    make_email(cassiopee, **broken, treated_at=NOW)
    again = make_email(cassiopee, **broken, marks=Mark.RESENT)
    make_email(cassiopee, status=Status.DELIVERED, resend_of_id=again.id)
    form = treating(staff)
    said = staff.text()
    assert "2 e-mails seront marqués comme traités." in said and "5 e-mails sont laissés de côté" in said
    assert "2 ne sont pas en erreur" in said and "1 est déjà marqué" in said
    assert "1 a été annulé" in said and "1 a été renvoyé" in said
    make_email(cassiopee, **broken, updated_at=datetime.now(UTC) + timedelta(minutes=1))  # failed after it was shown
    staff.post("/selections/treated", form | {"note": "appelé"})
    for email in (first, second):
        db.session.refresh(email)
        assert (email.treated_note, email.treated_by_id) == ("appelé", cassiopee.staff.id)
    treated = db.session.scalar(select(func.count()).select_from(Email).where(Email.treated_at.is_not(None)))
    assert treated == 3
    staff.get("/todo")
    assert "2 e-mails sont marqués comme traités." in staff.text(), "it can be undone there"
    staff.post("/selections/treated", form | {"seen": "hier"}, status=400)
    staff.post("/selections/treated", form)
    staff.get("/emails")
    assert "Il n’y avait plus rien à marquer" in staff.text()


def test_a_ticked_row_is_marked_and_no_other(staff: Browser, cassiopee: House, boreale: House) -> None:
    broken = {"status": Status.UNDELIVERABLE, "reason": Reason.MAILBOX_FULL}
    mine, other = make_email(cassiopee, **broken), make_email(cassiopee, **broken)
    theirs = make_email(boreale, **broken)
    form = treating(staff, which="chosen", number=[mine.public_id, theirs.public_id])
    staff.post("/selections/treated", form | {"back": "https://evil.example/"})
    for email, treated in ((mine, True), (other, False), (theirs, False)):
        db.session.refresh(email)
        assert (email.treated_at is not None) is treated
