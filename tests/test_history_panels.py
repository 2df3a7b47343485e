"""What the list weighs, and the panels that come when they are opened: with script, without, for each kind of list."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import lxml.html
import pytest
from jinja2.exceptions import UndefinedError

from blueprints import keeping
from extensions import db
from history import views
from models.words import Mark, QueueState, Reason, Status
from seeds.names import COMPANIES, FIRST, LAST, TITLES
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_contact, make_email, make_session

_PDF = ("Convocation.pdf", "application/pdf", "a" * 64)
_OUTCOMES: tuple[tuple[Status, Reason | None], ...] = (
    (Status.OPENED, None), (Status.DELIVERED, None), (Status.SENT, None), (Status.REQUESTED, None),
    (Status.FAILED, Reason.USER_UNKNOWN), (Status.UNDELIVERABLE, Reason.MAILBOX_FULL),
)  # fmt: skip


@pytest.fixture
def staff(client: Any, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def test_a_page_of_fifty_is_light(client: Any, cassiopee: House) -> None:
    now = datetime.now(UTC)
    sessions = [make_session(cassiopee, title) for title in TITLES[:12]]
    for number in range(51):
        first, last = FIRST[number % len(FIRST)], LAST[number * 7 % len(LAST)]
        name, house = f"{first} {last}", COMPANIES[number % len(COMPANIES)]
        session, (status, reason) = sessions[number % 12], _OUTCOMES[number % 6]
        make_email(
            cassiopee, f"{first}.{last}{number}@{house.split()[0]}.example".lower(), name, status=status, reason=reason,
            at=now - timedelta(hours=3 * number), subject=f"Convocation : {session.title}",
            contact_id=make_contact(cassiopee, name).id, training_session_id=session.id,
            files=(_PDF,) if number % 3 == 0 else (), updated_at=now - timedelta(hours=2 * number),
            marks=Mark.RESENT if number % 10 == 0 else Mark(0),
            queue=QueueState.WAITING if status is Status.REQUESTED else None,
        )  # fmt: skip
    client.sign_in(cassiopee.admin)
    page = client.get("/emails")
    assert client.html.xpath("count(//tbody[@id='rows']/tr)") == 50
    assert len(page.data) <= 120_000 and len(gzip.compress(page.data, 6)) <= 15_000
    travelled = client.client.get("/emails", headers={"Accept-Encoding": "gzip"})
    assert travelled.headers["Content-Encoding"] == "gzip" and len(travelled.data) <= 15_000


def test_the_panel_comes_when_it_is_opened(staff: Browser, boreale: House) -> None:
    staff.get("/emails")
    assert not staff.html.xpath("//select[@name='by']")
    (stub,) = staff.html.xpath("//details[contains(@class, 'more-filters')]/*[@hx-get]")
    assert stub.get("hx-get") == "/more-filters?list=global"
    assert stub.xpath("./button[@name='more'][@value='1']") and stub.xpath("ancestor::form[@id='filters']")
    piece = staff.get(stub.get("hx-get"), htmx=True).get_data(as_text=True)
    assert "<html" not in piece and not staff.html.xpath("//option[@selected][@value != '']")
    by = staff.html.xpath("//select[@name='by']/option/@value")
    assert "staff@cassiopee.example" in by and not [value for value in by if "boreale" in value]
    staff.get("/more-filters?list=session", htmx=True)
    assert staff.html.xpath("//select[@name='by']") and not staff.html.xpath("//select[@name='segment']")
    assert staff.get("/more-filters", status=303).headers["Location"] == "/emails?more=1"


def test_without_script_the_panel_is_a_page_that_has_it(staff: Browser) -> None:
    staff.get("/emails?status=error&more=1")
    (panel,) = staff.html.xpath("//details[contains(@class, 'more-filters')]")
    assert "open" in panel.attrib and panel.xpath(".//select[@name='by']") and not panel.xpath(".//*[@hx-get]")
    assert staff.html.xpath("//ul[@id='filter-chips']/li[1]//a/@href") == ["/emails"]  # it is nothing to filter by
    staff.get("/emails?resent=yes")  # it goes with every submit, so it stands in the page
    (panel,) = staff.html.xpath("//details[contains(@class, 'more-filters')]")
    assert "open" not in panel.attrib and panel.xpath(".//select[@name='resent']/option[@selected]/@value") == ["yes"]
    assert not staff.html.xpath("//*[@id='kept']/input")


def test_whoever_wants_no_word_in_an_address_has_the_panel_at_once(client: Any, cassiopee: House) -> None:
    views.prefer_short(cassiopee.staff, True)
    db.session.commit()
    client.sign_in(cassiopee.staff)
    client.get("/emails")
    assert client.html.xpath("//form[@id='filters'][@method='post']//select[@name='by']")


def test_the_columns_come_when_their_menu_is_opened(staff: Browser, cassiopee: House) -> None:
    session = make_session(cassiopee, "Sécurité incendie")
    staff.get(f"/sessions/{session.public_id}/emails")
    (stub,) = staff.html.xpath("//*[starts-with(@hx-get, '/views/columns')]")
    assert stub.xpath("./a/@href") == [stub.get("hx-get")] == ["/views/columns?list=session"]
    piece = staff.get(stub.get("hx-get"), htmx=True).get_data(as_text=True)
    assert "<html" not in piece and not staff.html.xpath("//input[@name='next']")  # the list's own says where to
    keys = staff.html.xpath("//input[@name='column'][@checked]/@value")
    assert keys == ["date", "type", "recipient", "subject", "files", "status"]
    asked = "/emails?type=free"
    for came, back in ((f"http://localhost{asked}", asked), ("http://evil.example/x", "/emails")):
        staff.get("/views/columns", headers={"Referer": came})
        assert staff.html.xpath("//form[@id='columns']/input[@name='next']/@value") == [back]


def test_a_kept_page_holds_nothing_of_whoever_asked_first(app: Any, cassiopee: House, boreale: House) -> None:
    make_email(cassiopee, "a@one.example", "Aline Un", subject="Un")
    make_email(boreale, "b@two.example", "Boris Deux", subject="Deux")
    first, second = Browser(app).sign_in(cassiopee.admin), Browser(app).sign_in(boreale.admin)
    first.client.set_cookie("theme", "dark")
    pages = []
    for one in (first, second, first):
        pages.append(one.get("/emails?sort=date").get_data(as_text=True))
    assert ("Aline Un" in pages[0]) and ("Boris Deux" not in pages[0]) and 'data-bs-theme="dark"' in pages[0]
    for word in ("Aline", cassiopee.organisation.name, cassiopee.admin.name, 'data-bs-theme="dark"', "hole-"):
        assert word not in pages[1]
    assert "Boris Deux" in pages[1] and boreale.organisation.name in pages[1] and 'data-bs-theme="auto"' in pages[1]
    tokens = [set(lxml.html.fromstring(page).xpath("//input[@name='csrf_token']/@value")) for page in pages[:2]]
    assert len(tokens[0]) == len(tokens[1]) == 1 and tokens[0] != tokens[1]
    first.post("/views", {"name": "Échecs", "query": "status=error"})  # and news stand in no other page
    assert "Échecs" in first.get("/emails?status=error").get_data(as_text=True)
    assert first.html.xpath("//*[@id='flash']/*")
    for one in (second, first):
        one.get("/emails?status=error")
        assert not one.html.xpath("//*[@id='flash']/*")


@pytest.mark.parametrize("asked", ["request.path", "session.get('x')", "g.user", "config.SECRET_KEY", "unknown()"])
def test_a_kept_template_cannot_ask_for_the_request(app: Any, asked: str) -> None:
    with app.test_request_context("/"):
        environment = keeping.environment_of(app)
        shown = environment.from_string("{{ csrf_token() }} {{ kept_piece('_toasts.html') }}").render()
        assert shown.startswith("hole-")
        with pytest.raises(UndefinedError):
            environment.from_string("{{ (" + asked + ").x }}").render()
