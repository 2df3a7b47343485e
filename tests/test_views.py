"""Saved views, short links, live counts, columns: what a person keeps of the global list, and who else sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from extensions import db
from history import around, query
from models import SavedView, Segment, User
from models.words import Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_contact, make_email


@pytest.fixture
def filled(cassiopee: House, boreale: House) -> House:
    contact = make_contact(cassiopee, "Élodie Petit")
    for number, (status, reason) in enumerate(
        (
            (Status.SENT, None), (Status.OPENED, None), (Status.REQUESTED, None),
            (Status.FAILED, Reason.USER_UNKNOWN), (Status.UNDELIVERABLE, Reason.MAILBOX_FULL), (Status.SENT, None),
        )
    ):  # fmt: skip
        make_email(
            cassiopee, subject=f"Lettre {number}", status=status, reason=reason, ago=timedelta(days=number),
            type="invoice" if number > 3 else "free", contact_id=contact.id,
        )  # fmt: skip
    make_email(boreale, subject="Ailleurs")
    return cassiopee


@pytest.fixture
def staff(client: Browser, filled: House) -> Browser:
    return client.sign_in(filled.staff)


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


def tabs(browser: Browser) -> dict[str, str]:
    """Label → count of the tabs above the table."""
    return {
        link.text.strip(): "".join(link.xpath("./span/text()"))
        for link in browser.html.xpath("//*[@id='tabs']//a")
    }  # fmt: skip


def current(browser: Browser) -> list[str]:
    return [text.strip() for text in browser.html.xpath("//*[@id='tabs']//a[@aria-current]/text()") if text.strip()]


def preferences(user: User) -> dict[str, Any]:
    db.session.expire_all()
    return db.session.get(User, user.id).preferences  # type: ignore[union-attr]


def test_tabs_count_what_the_other_filters_leave(staff: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    staff.get("/emails")
    assert tabs(staff) == {"Tous": "6", "Envoyés": "3", "En attente": "1", "En erreur": "2"}
    assert current(staff) == ["Tous"]
    staff.get("/emails?type=invoice&status=error")
    assert tabs(staff) == {"Tous": "2", "Envoyés": "1", "En attente": "0", "En erreur": "1"}
    assert current(staff) == ["En erreur"]
    link = staff.html.xpath("//*[@id='tabs']//a[contains(.,'Envoyés')]/@href")[0]
    assert link == "/emails?status=sent_all&type=invoice"
    for words in ("subject=lettre", "recipient=petit", "contact=petit", "operator=example.org", "date_field=sent"):
        staff.get(f"/emails?{words}")
        assert tabs(staff) == {"Tous": "6", "Envoyés": "3", "En attente": "1", "En erreur": "2"}, words
    staff.get("/emails?reason=mailbox_full", htmx=True)
    assert tabs(staff) == {"Tous": "1", "Envoyés": "0", "En attente": "0", "En erreur": "1"}
    monkeypatch.setattr(query, "COUNTED", 2)
    monkeypatch.setattr(around, "COUNTED", 2)
    staff.get("/emails?limit=1")
    assert tabs(staff) == {"Tous": "2+", "Envoyés": "2+", "En attente": "1", "En erreur": "2"}


# Who it is, exports that are ready, the rows, what stands around them; a segment's rule comes before.
PINNED = [
    ("", 4), ("limit=1", 4), ("status=error&type=invoice&limit=1", 4), ("subject=lettre", 4), ("reason=blocked", 4),
    ("operator=example.org&by=staff@cassiopee.example", 4), ("treated=no&resent=no", 4), ("segment=G-rule", 5),
]  # fmt: skip


@pytest.mark.parametrize(("question", "most"), PINNED)
def test_a_page_takes_few_statements(
    staff: Browser, filled: House, statements: list[str], question: str, most: int
) -> None:
    db.session.add(Segment(organisation_id=filled.id, name="x", public_id="G-rule", rule={"kind": ["learner"]}))
    db.session.commit()
    staff.post("/views", {"name": "Épinglée", "query": "status=error", "pinned": "1"})
    statements.clear()
    staff.get(f"/emails?{question}")
    assert len(statements) <= most, "\n\n".join(statements)
    assert staff.html.xpath("//nav[@class='nav']//span[text()='Épinglée']")


def test_a_view_is_saved_shown_pinned_and_opened_first(staff: Browser, filled: House) -> None:
    to = staff.post("/views", {"name": " Mes erreurs ", "query": "limit=50&status=error&cursor=x", "pinned": "1"})
    assert to.headers["Location"] == "/emails?status=error"
    staff.get("/emails?status=error")
    assert "Mes erreurs" in "".join(staff.html.xpath("//details//summary//text()"))
    assert staff.html.xpath("//nav[@class='nav']//a[@aria-current='page'][contains(@href,'status=error')]")
    view = db.session.query(SavedView).one()
    assert (view.name, view.query, view.shared, view.user_id) == ("Mes erreurs", "status=error", False, filled.staff.id)
    page = f"/views/{view.public_id}"
    staff.post(page, {"name": "Erreurs", "preferred": "1"})
    assert preferences(filled.staff) == {"view": view.public_id}
    assert staff.get("/emails", status=303).headers["Location"] == "/emails?status=error"
    staff.get("/emails?view=all")
    assert current(staff) == ["Tous"] and not staff.html.xpath("//nav[@class='nav']//a[contains(@href,'status=error')]")
    staff.get("/emails?status=error")
    assert staff.html.xpath("//a[@class='filter-clear']/@href") == ["/emails?view=all"]
    answer = staff.get("/emails?status=", htmx=True, headers={"HX-Current-URL": "http://localhost/emails?status=error"})
    assert answer.headers["HX-Push-Url"] == "/emails?view=all"
    staff.post(page, {"name": "Erreurs"})
    assert preferences(filled.staff) == {}
    staff.get("/emails")
    staff.post(page, {"name": "  "}, status=422)
    staff.post("/views", {"name": "", "query": "status=error"}, status=422)
    assert "Donnez un nom à la vue." in staff.text()
    staff.post(f"{page}/delete")
    assert db.session.query(SavedView).count() == 0


def test_whose_view_it_is(app: Flask, filled: House, boreale: House) -> None:
    people = {name: Browser(app).sign_in(user) for name, user in (
        ("staff", filled.staff), ("manager", filled.manager), ("admin", filled.admin), ("other", boreale.admin),
    )}  # fmt: skip
    people["staff"].post("/views", {"name": "À moi", "query": "status=error"})
    people["staff"].post("/views", {"name": "À tous", "query": "status=waiting", "shared": "1", "pinned": "1"})
    mine, shared = (f"/views/{view.public_id}" for view in db.session.query(SavedView).order_by(SavedView.id))
    for name in ("manager", "admin", "other"):
        people[name].get("/views")
        assert "À moi" not in people[name].text()
        assert ("À tous" in people[name].text()) is (name != "other")
        people[name].post(mine, {"name": "Pris"}, status=404)
        people[name].post(f"{mine}/delete", status=404)
    people["other"].post(shared, {"name": "Pris"}, status=404)
    people["other"].get(shared.replace("/views/", "/v/"), status=404)
    people["manager"].get(mine.replace("/views/", "/v/"), status=404)
    people["manager"].post(f"{shared}/delete", status=403)
    people["manager"].post(shared, {"name": "Pris", "preferred": "1"})  # hers to prefer, not to change
    assert "view" in preferences(filled.manager)
    assert db.session.query(SavedView).filter_by(name="Pris").count() == 0
    people["admin"].post(shared, {"name": "À nous", "shared": "1"})
    people["manager"].get("/views")
    assert "À nous" in people["manager"].text()
    people["admin"].post(f"{shared}/delete")
    people["manager"].get("/emails")  # what was preferred is gone: the list itself opens


def test_a_short_link_says_nothing_and_shows_the_same(
    staff: Browser, app: Flask, filled: House, boreale: House
) -> None:
    asked = {"query": "recipient=petit&status=sent_all&limit=25"}
    to = staff.post("/views/links", asked).headers["Location"]
    assert staff.post("/views/links", asked).headers["Location"] == to  # one question, one link
    assert to.startswith("/v/V-") and "petit" not in to
    colleague = Browser(app).sign_in(filled.manager)
    colleague.get(to)
    assert colleague.html.xpath("count(//tbody[@id='rows']/tr)") == 3
    assert f"http://localhost{to}" in colleague.text()
    kept = f"/emails?v={to.removeprefix('/v/')}"
    exports = colleague.html.xpath("//*[@id='exports']//a/@href")
    asks = f"?{kept.partition('?')[2]}&status=sent_all&limit=25"
    # all their files, and their proof
    assert [exports.pop(-2), exports.pop()] == [f"/emails/attachments{asks}", f"/emails/proofs{asks}"]
    assert exports and all(link.startswith(f"{kept}&status=sent_all&limit=25&format=") for link in exports)
    assert colleague.get(f"{to}?format=csv").get_data(as_text=True).count("Lettre") == 3
    csv = next(link for link in exports if link.endswith("=csv"))
    assert colleague.get(csv).get_data(as_text=True).count("Lettre") == 3
    assert colleague.html.xpath("//input[@name='recipient']/@value") == ["petit"]
    assert colleague.html.xpath("//form[@id='filters']/@action") == ["/views/steps"]
    chips = colleague.html.xpath("//ul[@id='filter-chips']//a/@href")
    assert chips == ["/emails?status=sent_all&limit=25", f"{kept}&limit=25", "/emails?limit=25"]
    staff.get("/views")
    assert to.removeprefix("/v/") not in staff.text()
    Browser(app).sign_in(boreale.admin).get(to, status=404)
    Browser(app).get(to, status=303)


def test_a_short_link_has_pages(staff: Browser) -> None:
    for number in range(30):
        make_email(staff_house(), subject=f"Encore {number}")
    to = staff.post("/views/links", {"query": "recipient=petit&limit=25"}).headers["Location"]
    staff.get(to)
    following = staff.html.xpath("//a[@rel='next']/@href")[0]
    kept = f"/emails?v={to.removeprefix('/v/')}"
    assert following.startswith(f"{kept}&limit=25&cursor=") and "petit" not in following
    staff.get(following)
    assert staff.html.xpath("count(//tbody[@id='rows']/tr)") == 11


def staff_house() -> Any:
    """Atelier Cassiopée as make_email takes it."""
    from models import Organisation, Sender

    class House:
        id = db.session.query(Organisation).filter_by(name="Atelier Cassiopée").one().id
        sender = db.session.query(Sender).filter_by(organisation_id=id).one()
        staff = db.session.query(User).filter_by(organisation_id=id).first()

    return House


def heads(browser: Browser) -> list[str]:
    """The columns' classes, in order."""
    return [css for css in browser.html.xpath("//thead/tr[1]/th/@class") if css not in ("col-select", "col-expand")]


def test_columns_are_chosen_ordered_remembered_and_reset(staff: Browser, filled: House) -> None:
    staff.get("/emails")
    usual = heads(staff)
    chosen = {"list": "global", "column": ["date", "subject", "status", "nonsense"], "place-date": "3",
              "place-subject": "1", "place-status": "2", "next": "/emails?subject=lettre"}  # fmt: skip
    to = staff.post("/views/columns", chosen).headers["Location"]
    assert to == "/emails?subject=lettre"
    staff.get(to)
    assert heads(staff) == ["col-subject", "col-status", "col-date"]
    email = staff.html.xpath("//tbody/tr/@id")[0]
    staff.get(f"/emails/{email}?list=global", htmx=True)
    shown = ["col-select", "col-expand", "col-subject", "col-status", "col-date"]
    assert staff.html.xpath("//tr[@id]/*/@class")[:5] == shown
    staff.get("/emails?type=invoice")  # a filter whose column is hidden goes with the form
    assert staff.html.xpath("//*[@id='kept']/input[@name='type']/@value") == ["invoice"]
    head = staff.get("/emails?format=csv").get_data(as_text=True).splitlines()[0]
    assert "recipient" in head and "type" in head  # exports have every column
    staff.post("/views/columns", {**chosen, "next": "//evil.example"})
    staff.post("/views/columns", {"list": "elsewhere"}, status=400)
    staff.post("/views/columns", {"list": "global", "reset": "1"})
    assert preferences(filled.staff) == {}
    staff.get("/emails")
    assert heads(staff) == usual


def test_the_panel_offers_what_the_organisation_has(staff: Browser, boreale: House) -> None:
    staff.get("/emails?by=staff@cassiopee.example&reason=mailbox_full&treated=no")
    assert staff.html.xpath("//select[@name='by']/option[@selected]/@value") == ["staff@cassiopee.example"]
    assert staff.html.xpath("//input[@name='reason'][@checked]/@value") == ["mailbox_full"]
    assert staff.html.xpath("//*[@id='more-count']/text()") == ["3"]
    assert not [value for value in staff.html.xpath("//select/option/@value") if "boreale" in value]
    assert staff.html.xpath("count(//tbody[@id='rows']/tr)") == 1
