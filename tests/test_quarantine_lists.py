"""The quarantine as lists: taken away, brought in after a preview, and over the API."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from extensions import db
from mail import quarantine
from mail.quarantine_entries import Entry, Fate, enter, foresee
from models import AuditAction, AuditEntry, Grounds, Suppression
from tests.client import Browser
from tests.conftest import House
from tests.program import Program

LIST = "/settings/quarantine"
MOMENT = datetime(2026, 3, 12, 9, 14, tzinfo=UTC)


def held(house: House, address: str, **more: object) -> Suppression:
    values = {"reason": Grounds.USER_UNKNOWN, "shown_at": MOMENT} | more
    one = Suppression(organisation_id=house.id, address=address, **values)
    db.session.add(one)
    db.session.commit()
    return one


def lasting(house: House) -> dict[str, str]:
    db.session.rollback()
    query = select(Suppression).where(Suppression.organisation_id == house.id, Suppression.lifted_at.is_(None))
    return {one.address: one.reason.value for one in db.session.scalars(query)}


def test_the_fates(cassiopee: House, boreale: House) -> None:
    held(cassiopee, "deja@mail.example")
    held(cassiopee, "levee@mail.example", lifted_at=MOMENT + timedelta(days=1), lifted_by_id=cassiopee.admin.id)
    held(boreale, "neuve@mail.example")
    unknown = Grounds.USER_UNKNOWN
    asked = [
        Entry("Deja@Mail.example", unknown), Entry("levee@mail.example", unknown, MOMENT),
        Entry("Neuve@mail.example", unknown, MOMENT), Entry("neuve@MAIL.example", unknown), Entry("rien", unknown),
        Entry("été@bücher.example", Grounds.COMPLAINT),
    ]  # fmt: skip
    assert foresee(cassiopee.id, asked) == [Fate.HELD, Fate.LIFTED, Fate.NEW, Fate.TWICE, Fate.WRONG, Fate.NEW]
    assert len(enter(cassiopee.id, asked)) == 2
    db.session.commit()
    assert lasting(cassiopee) == {
        "deja@mail.example": "user_unknown", "neuve@mail.example": "user_unknown",
        "été@xn--bcher-kva.example": "complaint",
    }  # fmt: skip
    assert enter(cassiopee.id, asked) == [] and foresee(cassiopee.id, []) == []
    assert quarantine.quarantined(cassiopee.id, ["NEUVE@mail.example"]) == {"NEUVE@mail.example"}


def test_an_entry_of_today_follows_a_lift_of_yesterday(cassiopee: House) -> None:
    held(cassiopee, "levee@mail.example", lifted_at=datetime.now(UTC) - timedelta(days=1))
    assert foresee(cassiopee.id, [Entry("levee@mail.example", Grounds.COMPLAINT)]) == [Fate.NEW]


def test_a_moment_never_lies_ahead(cassiopee: House) -> None:
    enter(cassiopee.id, [Entry("a@mail.example", Grounds.COMPLAINT, datetime.now(UTC) + timedelta(days=900))])
    db.session.commit()
    assert db.session.scalars(select(Suppression.shown_at)).one() <= datetime.now(UTC)


@pytest.mark.parametrize("format_, delimiter", [("csv", ","), ("csv-excel", ";")])
def test_taken_away_and_brought_back(client: Browser, cassiopee: House, format_: str, delimiter: str) -> None:
    held(cassiopee, "=cmd@mail.example", reason=Grounds.COMPLAINT)
    held(cassiopee, "zoe@mail.example")
    held(cassiopee, "levee@mail.example", lifted_at=MOMENT, lifted_note="=1+1")
    browser = client.sign_in(cassiopee.admin)
    answer = browser.get(f"{LIST}.csv?format={format_}&state=all")
    text = answer.get_data().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    assert {row[0] for row in rows[1:]} == {"'=cmd@mail.example", "zoe@mail.example", "levee@mail.example"}
    assert "'=1+1" in text and answer.headers["Content-Disposition"].startswith("attachment")
    assert db.session.scalars(select(AuditEntry.action)).all() == [AuditAction.QUARANTINE_EXPORTED]
    before = lasting(cassiopee)
    db.session.query(Suppression).delete()
    db.session.commit()
    browser.post(f"{LIST}/import", {"text": text}, status=200)
    assert lasting(cassiopee) == {}
    confirm(browser)
    assert lasting(cassiopee) == before
    assert {one.shown_at for one in db.session.scalars(select(Suppression))} == {MOMENT}


def kept(browser: Browser) -> str:
    """The key of the preview on the page."""
    (key,) = browser.html.xpath("//input[@name='confirm']/@value")
    return str(key)


def confirm(browser: Browser) -> str:
    key = kept(browser)
    return browser.post(f"{LIST}/import", {"confirm": key}).location


def test_a_foreign_list_in_a_preview(client: Browser, cassiopee: House) -> None:
    held(cassiopee, "deja@mail.example")
    held(cassiopee, "levee@mail.example", lifted_at=datetime(2026, 6, 1, tzinfo=UTC))
    text = (
        "email,reason,created\nA@mail.example,Hard bounce,2026-05-01T10:00:00Z\nb@mail.example,spam,\n"
        "deja@mail.example,,\nlevee@mail.example,bounce,01/05/2026\nrien,,\nc@mail.example,mailbox full,\n"
        "d@mail.example,,hier\na@mail.example,,\n<script>@x.example,,\n"
    )
    browser = client.sign_in(cassiopee.admin)
    source = browser.post(f"{LIST}/import", {"text": text}, status=200).get_data(as_text=True)
    said = browser.text()
    for words in (
        "Motif inconnu : mailbox full",
        "Date illisible : hier",
        "Levée depuis cette date",
        "Déjà dans le fichier",
    ):
        assert words in said.replace("\u00a0", " ").replace("\u202f", " "), words
    assert "<script>@" not in source
    assert set(lasting(cassiopee)) == {"deja@mail.example"}
    browser.get(confirm(browser))
    assert "2 adresses sont entrées en quarantaine" in browser.text().replace("\u202f", " ")
    assert lasting(cassiopee) == {
        "deja@mail.example": "user_unknown", "a@mail.example": "user_unknown", "b@mail.example": "complaint",
    }  # fmt: skip
    line = db.session.scalars(select(AuditEntry).where(AuditEntry.action == AuditAction.QUARANTINE_IMPORTED)).one()
    assert line.data == {"count": 2} and len(line.also) == 2


def test_the_words_of_the_page_are_known(client: Browser, cassiopee: House) -> None:
    lines = ["adresse inconnue", "Domaine inconnu", "a changé d'adresse", "Plainte", "complaint", "moved"]
    text = "adresse;motif\n" + "".join(f"p{n}@mail.example;{reason}\n" for n, reason in enumerate(lines))
    browser = client.sign_in(cassiopee.admin)
    browser.post(f"{LIST}/import", {"text": text}, status=200)
    confirm(browser)
    expected = ["user_unknown", "domain_unknown", "moved", "complaint", "complaint", "moved"]
    assert [lasting(cassiopee)[f"p{n}@mail.example"] for n in range(6)] == expected


@pytest.mark.parametrize("text, said", [
    ("", "vide"), ("nom;prénom\nPetit;Léa\n", "nommer les colonnes"), ("adresse\n", "vide"),
])  # fmt: skip
def test_what_is_no_list(client: Browser, cassiopee: House, text: str, said: str) -> None:
    browser = client.sign_in(cassiopee.admin)
    browser.get(f"{LIST}/import")
    browser.post(f"{LIST}/import", {"text": text}, status=422)
    assert said in browser.text()


def test_a_preview_serves_once(client: Browser, cassiopee: House) -> None:
    browser = client.sign_in(cassiopee.admin)
    browser.post(f"{LIST}/import", {"text": "adresse\na@mail.example\n"}, status=200)
    key = kept(browser)
    for _ in range(2):
        location = browser.post(f"{LIST}/import", {"confirm": key}).location
    browser.get(location)
    assert "a expiré ou a déjà servi" in browser.text()
    assert set(lasting(cassiopee)) == {"a@mail.example"}


def test_over_the_api(app: Flask, cassiopee: House, boreale: House) -> None:
    program = Program(app, cassiopee.admin)
    made = program.post("/suppressions", {"address": "Parti@Mail.example", "reason": "user_unknown"}, 201)
    assert made["address"] == "parti@mail.example" and made["email"] is None
    assert program.post("/suppressions", {"address": "parti@mail.example", "reason": "complaint"}, 201) == made
    assert program.get("/suppressions?address=PARTI@mail.example")["items"] == [made]
    assert program.get("/suppressions?reason=complaint")["total"] == 0
    stranger = Program(app, boreale.admin)
    where = f"/suppressions/{made['id']}"
    assert stranger.get("/suppressions")["items"] == []
    stranger.get(where, 404)
    stranger.ask("DELETE", where, 404)
    lifted = program.ask("DELETE", f"{where}?note=rouverte", 200)
    assert lifted["note"] == "rouverte" and lifted["lifted_at"]
    assert program.ask("DELETE", where, 200) == lifted == program.get(where)
    assert program.get("/suppressions")["items"] == []
    assert program.get("/suppressions?state=lifted&q=parti")["items"] == [lifted]
    wrong = program.post("/suppressions", {"address": "rien", "reason": "user_unknown"}, 422)
    assert wrong["errors"][0]["pointer"] == "#/address"
    program.post("/suppressions", {"address": "a@b.example", "reason": "spam"}, 422)
    acts = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert acts == [AuditAction.ADDRESS_QUARANTINED, AuditAction.QUARANTINE_LIFTED]
