"""The pages of a resend in number: preview, choices, confirmation, account; who may; À traiter's way to it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from extensions import db
from mail import bulk_resend
from models import AuditEntry, Email, ResendRow, ResendRun, RunState
from models.audit import AuditAction
from models.words import Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.days import today
from tests.history.making import make_email

LONG_AGO = datetime.now(UTC) - timedelta(days=30)


def failed(house: House, name: str, **values: Any) -> Email:
    values = {"at": LONG_AGO, "status": Status.UNDELIVERABLE, "reason": Reason.MAILBOX_FULL, **values}
    return make_email(house, f"{name.lower().replace(' ', '.')}@mail.example", name, **values)


@pytest.fixture
def admin(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.admin)


@pytest.fixture
def emails(cassiopee: House) -> list[Email]:
    """Two that would go, two that were received, one on its way."""
    return [
        failed(cassiopee, "Zoé Petit"), failed(cassiopee, "=Ali Benali", subject="=1+1"),
        failed(cassiopee, "Léa Roux", status=Status.OPENED, reason=None),
        failed(cassiopee, "Max Noir", status=Status.OPENED, reason=None),
        failed(cassiopee, "Eva Blanc", status=Status.REQUESTED, reason=None),
    ]  # fmt: skip


def preview(client: Browser, query: str = "") -> str:
    where = client.post("/selections", {"which": "all", "query": query, "do": "resend"}).headers["Location"]
    client.get(where)
    return where


def pills(client: Browser) -> dict[str, int]:
    """The groups on screen and how many each holds."""
    shown = {}
    for link in client.html.xpath("//div[@id='run']//ul[contains(@class, 'tabs')]//a"):
        shown[link.text.strip()] = int(link.xpath("string(.//span)"))
    return shown


def names(client: Browser) -> list[str]:
    return [a.text_content() for a in client.html.xpath("//table//td[contains(@class, 'col-recipient')]/a")]


def test_from_the_preview_to_the_account(admin: Browser, emails: list[Email]) -> None:
    where = preview(admin)
    said = admin.text()
    assert "Renvoyer 5 e-mails" in said and "2 partiront, 3 laissés de côté." in said
    assert pills(admin) == {"Partiront": 2, "Encore en route": 1, "Déjà reçus": 2}
    assert names(admin) == ["=Ali Benali", "Zoé Petit"]
    admin.get(f"{where}?group=on_its_way")
    assert names(admin) == ["Eva Blanc"]
    assert not admin.html.xpath("//input[@name='row'] | //button[@name='do']"), "what cannot be sent is not offered"
    admin.get(f"{where}?group=received")
    assert names(admin) == ["Max Noir", "Léa Roux"]
    # one all the same; one of those that would go is left
    lea, zoe = emails[2].public_id, emails[0].public_id
    to = admin.post(f"{where}/choices", {"do": "take", "row": [lea], "group": "received"}).headers["Location"]
    admin.get(to)
    assert "1 e-mail partira quand même." in admin.text() and names(admin) == ["Max Noir"]
    admin.post(f"{where}/choices", {"do": "leave", "row": [zoe], "group": "go"})
    admin.get(where)
    assert pills(admin) == {"Partiront": 2, "Encore en route": 1, "Déjà reçus": 1, "Laissés de côté par vous": 1}
    assert "quand même : Déjà reçus" in admin.text().replace("\xa0", " ")
    # confirmed twice by an impatient hand, it begins once
    admin.post(f"{where}/start"), admin.post(f"{where}/start")
    admin.get(where, htmx=True)
    assert admin.html.xpath("//div[@id='run']/@hx-trigger | @hx-trigger") == ["every 2s"]
    assert "0 renvoyé, 2 attendent, 3 laissés de côté" in admin.text()
    assert bulk_resend.work() == 2
    admin.get(where)
    assert not admin.html.xpath("//div[@id='run']/@hx-get")
    assert pills(admin) == {"Renvoyés": 2, "Encore en route": 1, "Déjà reçus": 1, "Laissés de côté par vous": 1}
    assert "2 renvoyés, 3 laissés de côté." in admin.text()
    (new,) = db.session.scalars(select(Email).where(Email.resend_of_id == emails[2].id))
    assert f"/emails/{new.public_id}" in admin.html.xpath("//table//td[contains(@class, 'col-actions')]/a/@href")
    started = db.session.scalars(select(AuditEntry).where(AuditEntry.action == AuditAction.BULK_RESEND_STARTED)).all()
    assert [line.data for line in started] == [{"count": 2, "left": 3}]
    # every one of them in the file, and nothing in it that a spreadsheet would run
    answer = admin.get(f"{where}/list.csv")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";"))
    assert {row["id"]: row["outcome"] for row in rows} == {
        emails[0].public_id: "Laissés de côté par vous", emails[1].public_id: "Renvoyés", lea: "Renvoyés",
        emails[3].public_id: "Déjà reçus", emails[4].public_id: "Encore en route",
    }  # fmt: skip
    assert {row["subject"] for row in rows} == {"'=1+1", emails[0].subject}
    admin.get("/resends")
    assert "5 e-mails choisis, 2 renvoyés" in admin.text()


def test_a_whole_group_is_taken_along(admin: Browser, emails: list[Email]) -> None:
    where = preview(admin)
    admin.post(f"{where}/choices", {"do": "whole", "group": "received"})
    admin.post(f"{where}/choices", {"do": "whole", "group": "on_its_way"})
    admin.get(where)
    assert pills(admin) == {"Partiront": 4, "Encore en route": 1}
    admin.post(f"{where}/choices", {"do": "whole", "group": "nonsense"}, status=400)
    admin.post(f"{where}/choices", {"do": "destroy"}, status=400)
    admin.post(f"{where}/choices", {"do": "take"})
    admin.get(where)
    assert "Cochez au moins un e-mail." in admin.text()


def test_a_run_is_stopped(admin: Browser, emails: list[Email], monkeypatch: Any) -> None:
    where = preview(admin)
    admin.post(f"{where}/cancel")
    assert db.session.scalars(select(ResendRun)).one().state is RunState.DRAFT  # a draft needs no stopping
    admin.post(f"{where}/start")
    admin.post(f"{where}/cancel")
    admin.get(where)
    assert "2 pas partis" in admin.text() and pills(admin)["Pas partis"] == 2
    assert bulk_resend.work() == 0


def test_a_run_for_tomorrow_is_seen_and_withdrawn(
    admin: Browser, emails: list[Email], cassiopee: House, boreale: House
) -> None:
    where = preview(admin, "reason=mailbox_full")
    assert admin.html.xpath("string(//button[contains(@class, 'btn-primary')])").strip() == "Renvoyer demain à 8 h"
    admin.post(f"{where}/start", {"when": "tomorrow"})
    (run,) = db.session.scalars(select(ResendRun))
    zone = ZoneInfo(cassiopee.organisation.timezone)
    assert run.not_before and run.not_before.astimezone(zone).isoformat()[:16] == f"{today() + timedelta(1)}T08:00"
    assert bulk_resend.work() == 0
    admin.get(where)
    planned = f"{today() + timedelta(1):%d/%m/%Y} 08:00"
    assert f"partira le {planned}" in admin.text() and "2 attendent" in admin.text()
    assert not admin.html.xpath("//progress")
    admin.get("/resends")
    assert f"partira le {planned}" in admin.text()
    admin.get("/todo")
    assert f"Renvoi de 2 e-mails prévu le {planned}" in admin.text()
    admin.get("/settings/audit")
    assert f"Pas avant : {planned}" in admin.text()
    admin.sign_in(boreale.admin)
    admin.get("/todo")
    assert "prévu" not in admin.text()
    admin.sign_in(cassiopee.staff)
    admin.get("/todo")
    assert planned in admin.text() and not admin.html.xpath("//a[starts-with(@href, '/resends/')]")
    admin.sign_in(cassiopee.admin)
    admin.post(f"{where}/cancel")
    admin.get("/todo")
    assert "Le renvoi est retiré : rien n’est parti." in admin.text() and planned not in admin.text()
    assert run.state is RunState.CANCELLED and bulk_resend.work() == 0


def test_a_run_for_a_moment_of_ones_own(admin: Browser, emails: list[Email], cassiopee: House) -> None:
    where = preview(admin)
    assert admin.html.xpath("string(//button[contains(@class, 'btn-primary')])").strip() == "Renvoyer les 2 e-mails"
    (run,) = db.session.scalars(select(ResendRun))
    for day, said in (("", "Indiquez le jour et l’heure."), ("2020-01-01", "Choisissez un moment à venir")):
        admin.post(f"{where}/start", {"when": "at", "day": day, "hour": "07:30"})
        admin.get(where)
        assert said in admin.text() and run.state is RunState.DRAFT
    day = today() + timedelta(days=3)
    admin.post(f"{where}/start", {"when": "at", "day": day.isoformat(), "hour": "07:30"})
    db.session.expire_all()
    zone = ZoneInfo(cassiopee.organisation.timezone)
    assert run.not_before and run.not_before.astimezone(zone).isoformat()[:16] == f"{day}T07:30"
    (line,) = db.session.scalars(select(AuditEntry).filter_by(action=AuditAction.BULK_RESEND_STARTED))
    assert datetime.fromisoformat(line.data["not_before"]) == run.not_before


def test_nothing_to_send_again(admin: Browser, cassiopee: House) -> None:
    admin.post("/selections", {"which": "all", "query": "", "do": "resend"})
    admin.get("/emails")
    assert "Aucun e-mail n’est choisi." in admin.text()
    failed(cassiopee, "Eva Blanc", status=Status.REQUESTED, reason=None)
    where = preview(admin)
    assert admin.html.xpath("//button[@disabled]") and "Rien à renvoyer" in admin.text()
    admin.post(f"{where}/start")
    assert db.session.scalars(select(ResendRun)).one().state is RunState.DRAFT


def test_pages_of_a_group_go_on_where_the_last_ended(admin: Browser, cassiopee: House, monkeypatch: Any) -> None:
    from mail import resend_account

    monkeypatch.setattr(resend_account, "PAGE", 2)
    for number in range(5):
        failed(cassiopee, f"Nu Méro{number}")
    preview(admin)
    seen = names(admin)
    while following := admin.html.xpath("//a[@rel='next']/@href"):
        admin.get(following[0])
        seen += names(admin)
    assert seen == [f"Nu Méro{number}" for number in range(5)][::-1]


def test_who_may(client: Browser, cassiopee: House, boreale: House, emails: list[Email]) -> None:
    client.sign_in(cassiopee.admin)
    where = preview(client)
    for person in (cassiopee.staff, cassiopee.manager):
        client.sign_in(person)
        client.get("/emails")
        assert not client.html.xpath("//button[@name='do' and @value='resend']")
        client.post("/selections", {"which": "all", "query": "", "do": "resend"}, status=403)
        for path in (where, f"{where}/list.csv", "/resends"):
            client.get(path, status=403)
            client.get(path, htmx=True, status=403)
        for action in ("start", "cancel", "choices"):
            client.post(f"{where}/{action}", status=403)
    client.sign_in(boreale.admin)
    for path in (where, f"{where}/list.csv"):
        client.get(path, status=404)
    for action in ("start", "cancel", "choices"):
        client.post(f"{where}/{action}", status=404)
    assert db.session.scalar(select(func.count()).select_from(ResendRow)) == 5
    client.post("/selections", {"which": "chosen", "number": [emails[0].public_id], "do": "resend"})
    assert db.session.scalar(select(func.count()).select_from(ResendRow)) == 5, "of another organisation"


def test_a_cause_leads_to_the_same_preview(admin: Browser, emails: list[Email], cassiopee: House) -> None:
    failed(cassiopee, "Autre Cause", reason=Reason.SPAM)
    admin.get("/todo")
    forms = {form.get("aria-label"): form for form in admin.html.xpath("//form[@action='/selections']")}
    assert len(forms) == 2
    form = next(one for one in forms.values() if "mailbox_full" in dict(one.fields)["query"])
    where = admin.post("/selections", dict(form.fields) | {"do": "resend"}).headers["Location"]
    admin.get(where)
    assert pills(admin) == {"Partiront": 2} and names(admin) == ["=Ali Benali", "Zoé Petit"]


def test_english(admin: Browser, cassiopee: House, emails: list[Email]) -> None:
    cassiopee.admin.language = "en"
    db.session.commit()
    preview(admin)
    assert "2 will go, 3 left out." in admin.text() and pills(admin)["Already received"] == 2
