"""The global search: people, sessions and e-mails by a few words, from every page; words stay out of addresses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from extensions import db
from history import HistoryFilter, Scope, views, wanted
from models.words import ContactKind, Status
from tests import days
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_contact, make_email, make_session

NOW = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
TODAY = date(2026, 11, 22)


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def asked(**values: Any) -> HistoryFilter:
    return HistoryFilter().with_(**values)


def test_what_words_may_mean() -> None:
    joining = ("convocation", "convocation_reminder")
    assert list(wanted.readings("dupont convocation", TODAY)) == [
        asked(type=joining, recipient="dupont"), asked(recipient="dupont convocation"),
        asked(type=joining, subject="dupont"), asked(subject="dupont convocation"),
        asked(recipient="dupont", subject="convocation"), asked(recipient="convocation", subject="dupont"),
    ]  # fmt: skip
    assert next(wanted.readings("Rappels convocation", TODAY)) == asked(type=("convocation_reminder",))
    assert next(wanted.readings("joining dupont", TODAY)) == asked(type=joining, recipient="dupont")
    assert next(wanted.readings("E-7m2k9x0c4t", TODAY)) == asked(number=("E-7m2k9x0c4t",))
    assert list(wanted.readings("à:petit statut:erreur", TODAY)) == [asked(recipient="petit", status=("error",))]
    assert next(wanted.readings("14:30", TODAY)) == asked(recipient="14:30")  # no operator, no nonsense
    assert list(wanted.readings("", TODAY)) == []


@pytest.mark.parametrize("typed", ["", " ", "a", "%", "\0", "!!", "é"])
def test_too_little_is_not_looked_for(staff: Browser, typed: str) -> None:
    assert wanted.clean(typed) == ""
    staff.get("/search", query_string={"q": typed})
    assert "par exemple" in staff.text()


@pytest.mark.parametrize("typed", ["%%", "__", "a\\b", "';--", "<b>x</b>", "x" * 900, " ".join("abcdefghij"), "ﬃ ß"])
def test_hostile_words_find_nothing_and_break_nothing(staff: Browser, cassiopee: House, typed: str) -> None:
    make_email(cassiopee)
    staff.get("/search", query_string={"q": typed})
    assert not staff.html.xpath("//a[@class='found']")


def links(browser: Browser, part: str) -> list[str]:
    return [str(href) for href in browser.html.xpath(f"//section[@aria-labelledby='found-{part}']//a/@href")]


def test_has_dupont_received_it(staff: Browser, cassiopee: House, boreale: House) -> None:
    dupont = make_contact(cassiopee, "Maëlle Dupont", email="m.dupont@example.org")
    make_contact(cassiopee, "Menuiserie Dupont", ContactKind.COMPANY)
    who = {"address": "m.dupont@example.org", "name": "Maëlle Dupont", "contact_id": dupont.id}
    joining = make_email(cassiopee, **who, status=Status.DELIVERED, ago=timedelta(days=3))
    make_email(cassiopee, **who, type="free", subject="Parking", status=Status.OPENED)
    make_email(cassiopee, "x@example.org", "Camille Petit", type="convocation")
    make_email(boreale, "d@example.org", "Léa Dupont")
    make_contact(boreale, "Léa Dupont")
    staff.get("/search?q=dupont+convocation")
    assert links(staff, "emails") == [f"/emails/{joining.public_id}"]
    assert "Reçu" in staff.html.xpath("string(//section[@aria-labelledby='found-emails'])")
    # the person too, with the newest e-mail, a step away from all of them
    assert links(staff, "people") == [f"/contacts/{c}" for c in (
        dupont.public_id, f"{dupont.public_id}/emails")] + links(staff, "people")[2:]  # fmt: skip
    assert "Reçu et ouvert" in staff.html.xpath("string(//section[@aria-labelledby='found-people'])")
    staff.get("/search?q=DUPÔNT")  # case and accents aside
    assert len(links(staff, "emails")) == 2 and len(links(staff, "people")) == 3
    assert "Léa" not in staff.text()
    staff.get("/search?q=dupont+facture")  # he got none: no e-mail, but there he is
    assert links(staff, "emails") == [] and links(staff, "people")
    staff.get("/search?q=petit+incendie")  # of whom and about what, no word says which
    assert len(links(staff, "emails")) == 1
    staff.get("/search?q=zzz")
    assert "Rien de trouvé" in staff.text()


def test_sessions_the_soonest_first(staff: Browser, cassiopee: House, boreale: House) -> None:
    today = days.today()
    over = make_session(cassiopee, "Excel débutant", ends_on=today - timedelta(days=2), starts_on=today - timedelta(3))
    later = make_session(cassiopee, "Excel avancé", starts_on=today + timedelta(9), ends_on=today + timedelta(9))
    soon = make_session(cassiopee, "Excel", reference="XL-7", starts_on=today + timedelta(1), ends_on=today)
    make_session(boreale, "Excel boréal")
    staff.get("/search?q=excel")
    found = [href for href in links(staff, "sessions") if not href.endswith("/emails")]
    assert found == [f"/sessions/{one.public_id}" for one in (soon, later, over)]
    staff.get("/search?q=xl-7")
    assert links(staff, "sessions")[0] == f"/sessions/{soon.public_id}"
    staff.get("/search?q=excel+convocation")
    assert len(links(staff, "sessions")) == 6


def test_every_page_offers_it_with_and_without_script(staff: Browser) -> None:
    for path in ("/", "/sessions", "/emails", "/search"):
        staff.get(path)
        assert staff.html.xpath("//aside//a[@href='/search'][@data-dialog='search-dialog']")
        (form,) = staff.html.xpath("//dialog[@id='search-dialog']//form[@role='search']")
        assert (form.get("method"), form.get("action")) == ("post", "/search")
    # without script the dialog's form leads to an address; typing asks for the piece
    answer = staff.post("/search", {"q": " dupont   convocation "})
    assert answer.headers["Location"] == "/search?q=dupont+convocation"
    staff.post("/search", {"q": "dupont"}, htmx=True, status=200)
    assert not staff.html.xpath("//h1") and staff.html.xpath("//*[@role='status']")


def test_more_than_fit_lead_to_the_list(staff: Browser, cassiopee: House) -> None:
    for n in range(20):
        make_email(cassiopee, f"petit{n}@example.org", f"Petit {n}")
    staff.get("/search?q=petit")
    assert links(staff, "emails")[-1] == "/emails?recipient=petit" and len(links(staff, "emails")) == 19
    staff.post("/search", {"q": "petit convocation"}, htmx=True, status=200)
    assert links(staff, "emails")[-1].startswith("/emails?recipient=petit&type=convocation")
    assert len(links(staff, "emails")) == 7


def test_words_stay_out_of_addresses_for_whoever_wants_that(staff: Browser, cassiopee: House) -> None:
    for n in range(20):
        make_email(cassiopee, f"petit{n}@example.org", f"Petit {n}")
    views.prefer_short(cassiopee.staff, True)
    db.session.commit()
    staff.get("/search")
    assert staff.html.xpath("//main//form[@role='search']/@method") == ["post"]
    answer = staff.post("/search", {"q": "petit"}, status=200)
    assert answer.headers["Referrer-Policy"] == "origin"
    assert not [href for href in staff.html.xpath("//@href") if "petit" in href]
    (form,) = staff.html.xpath("//form[@action='/views/steps']")
    step = staff.post("/views/steps", dict(form.form_values()))
    assert "petit" not in step.headers["Location"] and "v=V-" in step.headers["Location"]


def test_it_asks_little(staff: Browser, cassiopee: House) -> None:
    counts = []
    for number in (1, 30):
        for n in range(number):
            contact = make_contact(cassiopee, f"Ada Petit{number}x{n}")
            make_email(cassiopee, f"p{number}x{n}@example.org", contact.name, contact_id=contact.id)
            make_session(cassiopee, f"Petit atelier {n}")
        seen: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        staff.get("/search?q=petit")
        event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts[0] <= 10 and counts[1] <= 10, counts


def test_what_is_found_is_one_organisations(cassiopee: House, boreale: House) -> None:
    make_email(boreale, "secret@example.org", "Léa Secret")
    found = wanted.emails(Scope(cassiopee.id, zone="Europe/Paris"), "secret", 6, NOW)
    assert (found.rows, found.more, found.filter) == ([], False, asked(recipient="secret"))
