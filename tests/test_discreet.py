"""Who wants no words in addresses finds them in none: not in a header, a link, a form's address, nor a request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import lxml.html
import pytest

from extensions import db
from history import export_jobs
from models import SavedView, User
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_contact, make_email, make_session

# Words that nothing else in the pages says.
SECRET = "zorglub"
WORDS = {"recipient": f"{SECRET}1", "contact": f"{SECRET}2", "subject": f"{SECRET}3", "session": f"{SECRET}4"}


@pytest.fixture
def filled(cassiopee: House) -> dict[str, str]:
    contact = make_contact(cassiopee, f"Élodie {SECRET}2")
    session = make_session(cassiopee, f"{SECRET}4 et {SECRET}5")
    for _number in range(60):
        make_email(
            cassiopee, f"x.{SECRET}1@example.org", "X", subject=f"{SECRET}3 {SECRET}6", contact_id=contact.id,
            training_session_id=session.id,
        )  # fmt: skip
    return {"session": session.public_id, "contact": contact.public_id}


@pytest.fixture
def discreet(client: Browser, cassiopee: House) -> Browser:
    client.sign_in(cassiopee.manager)
    client.post("/views/addresses", {"short": "1"})
    return client


def addresses(browser: Browser) -> Iterator[str]:
    """Every address that the last page can lead to by GET, forms with what they hold."""
    for name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
        yield from browser.html.xpath(f"//*/@{name}")
    for form in browser.html.xpath("//form[translate(@method, 'GET', 'get') = 'get' or not(@method)]"):
        own = f"[@form='{form.get('id')}']" if form.get("id") else "[false()]"
        fields = [*form.xpath(".//*[@name]"), *browser.html.xpath(f"//*[@name]{own}")]
        held = [(field.get("name"), field.get("value") or "") for field in fields]
        yield f"{form.get('action')}?{urlencode(held)}"


class Crawl:
    """Pages by GET from one another, up to `depth` steps away; every request line and header is looked at."""

    def __init__(self, browser: Browser) -> None:
        self.browser, self.seen, self.kinds = browser, set[str](), set[str]()

    def look(self, answer: Any) -> None:
        said = [f"{name}: {value}" for name, value in answer.headers if name != "Set-Cookie"]
        assert not [line for line in said if SECRET in unquote(line)]

    def page(self, address: str, depth: int) -> None:
        path = urlsplit(address).path
        if address in self.seen or path.startswith(("/static", "/gallery", "/sign-out")) or not path.startswith("/"):
            return
        self.seen.add(address)
        assert SECRET not in unquote(address)
        answer = self.browser.client.get(address, headers={"Accept-Language": "fr"})
        self.look(answer)
        if answer.status_code == 303:
            self.page(answer.headers["Location"], depth)
        assert answer.status_code in (200, 303, 404, 405), (address, answer.status_code)
        if answer.mimetype != "text/html" or answer.status_code != 200 or "/body" in path:
            return
        self.browser.html = lxml.html.fromstring(answer.get_data(as_text=True))
        for found in list(addresses(self.browser)):
            assert SECRET not in unquote(found), f"{address} leads to {found}"
            if depth and self.worth(found):
                self.page(found, depth - 1)

    def worth(self, address: str) -> bool:
        """Lists are followed wherever they lead; of all else one of each kind is enough."""
        path = urlsplit(address).path
        if "v=V-" in address and "format=" not in address:
            return len(self.seen) < 48
        kind = re.sub(r"[A-Z]-\w+|\d+", "*", path) + ("format" if "format=" in address else "")
        first = kind not in self.kinds
        self.kinds.add(kind)
        return first


def places(filled: dict[str, str]) -> list[tuple[str, str]]:
    return [("", "/emails"), (filled["session"], f"/sessions/{filled['session']}/emails"),
            (filled["contact"], f"/contacts/{filled['contact']}/emails")]  # fmt: skip


@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_address_of_a_filtered_list_says_its_words(
    discreet: Browser, filled: dict[str, str], place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_jobs, "AT_ONCE", 5)
    key, path = places(filled)[place]
    discreet.get(path)
    assert discreet.html.xpath("//form[@id='filters']/@method") == ["post"]
    asked = {"in": key, "discreet": "1", "status": ["sent_all"], **WORDS}
    to = discreet.post("/views/steps", asked)
    crawl = Crawl(discreet)
    crawl.look(to)
    where = to.headers["Location"]
    assert where.startswith(f"{path}?v=V-") and where.endswith("&status=sent_all")
    discreet.get(where)
    assert discreet.html.xpath("count(//tbody[@id='rows']/tr[@id])") == 50
    for name, word in WORDS.items():
        if discreet.html.xpath(f"//*[@id='f-{name}']"):
            assert discreet.html.xpath(f"//*[@id='f-{name}']/@value") == [word]
    assert SECRET in discreet.html.xpath("string(//input[@id='search-text']/@value)")
    crawl.page(where, 2)
    kinds = {urlsplit(address).path for address in crawl.seen}
    assert "/exports/new" in kinds and path in kinds and any(kind.startswith("/emails/E-") for kind in kinds)
    assert len({address for address in crawl.seen if "v=V-" in address}) > 8


def test_typing_goes_by_short_addresses(discreet: Browser, filled: dict[str, str]) -> None:
    was, pushed = "http://localhost/emails", []
    for number, word in enumerate((SECRET[:4], SECRET, f"{SECRET}1")):
        answer = discreet.post(
            "/views/steps", {"in": "", "recipient": word}, htmx=True, status=200, headers={"HX-Current-URL": was}
        )
        pushed.append(answer.headers["HX-Replace-Url" if number else "HX-Push-Url"])
        assert SECRET[:4] not in str(answer.headers)
        was = f"http://localhost{pushed[-1]}"
        (v,) = discreet.html.xpath("//*[@id='filters-place']/input[@name='v']/@value")
        assert pushed[-1] == f"/emails?v={v}"
        assert discreet.html.xpath("count(//tbody[@id='rows']/tr[@id])") == 50
    form = {"in": "", "v": v, "discreet": "1", "recipient": f"{SECRET}1", "status": "error"}
    answer = discreet.post("/views/steps", form, htmx=True, status=200, headers={"HX-Current-URL": was})
    assert answer.headers["HX-Push-Url"] == f"/emails?v={v}&status=error"  # the same words: the same link
    again = discreet.post("/views/steps", form, htmx=True, status=200,
                          headers={"HX-Current-URL": f"http://localhost/emails?v={v}&status=error"})  # fmt: skip
    assert again.headers["HX-Push-Url"] == "false"
    gone = discreet.post("/views/steps", {"in": "", "v": v, "discreet": "1"}, htmx=True, status=200,
                         headers={"HX-Current-URL": was})  # fmt: skip
    assert gone.headers["HX-Push-Url"] == "/emails"


def test_a_search_goes_by_a_short_address(discreet: Browser, filled: dict[str, str]) -> None:
    answer = discreet.post("/views/steps", {"q": f"to:{SECRET}1 statut:envoyés erreur:{SECRET}"})
    to = answer.headers["Location"]
    assert SECRET not in to and to.startswith("/emails?v=V-")
    discreet.get(to)
    assert "n’est pas un filtre connu" in discreet.text()
    assert discreet.html.xpath("count(//tbody[@id='rows']/tr[@id])") == 50


def test_removing_words_one_by_one(discreet: Browser, filled: dict[str, str]) -> None:
    two = {name: WORDS[name] for name in ("recipient", "subject")}
    to = discreet.post("/views/steps", two).headers["Location"]
    discreet.get(to)
    chips = discreet.html.xpath("//ul[@id='filter-chips']//a/@href")
    assert chips == [f"{to}&drop=recipient", f"{to}&drop=subject", "/emails"]
    discreet.get(chips[0])
    assert discreet.html.xpath("//input[@id='f-recipient']/@value") == [""]
    assert discreet.html.xpath("//input[@id='f-subject']/@value") == [WORDS["subject"]]
    assert discreet.html.xpath("//ul[@id='filter-chips']//a/@href") == ["/emails", "/emails"]
    csv = next(a for a in discreet.html.xpath("//*[@id='exports']//a/@href") if a.endswith("=csv"))
    assert discreet.get(csv).get_data(as_text=True).count("@example.org") == 60


def test_saved_views_open_by_their_id(discreet: Browser, filled: dict[str, str]) -> None:
    query = urlencode({"status": "sent_all", **WORDS})
    to = discreet.post("/views", {"name": "Suivis", "query": query, "pinned": "1", "shared": "1"}).headers["Location"]
    view = db.session.query(SavedView).one()
    assert to == f"/emails?v={view.public_id}&status=sent_all"
    discreet.get(to)
    assert discreet.html.xpath("//nav[@class='nav']//a[@aria-current]/@href")[-1] == to
    assert discreet.html.xpath("count(//tbody[@id='rows']/tr[@id])") == 50
    discreet.post(f"/views/{view.public_id}", {"name": "Suivis", "pinned": "1", "preferred": "1"})
    assert discreet.get("/emails", status=303).headers["Location"] == to
    for page in ("/views", "/emails?view=all", "/sessions"):
        discreet.get(page)
        assert to in list(addresses(discreet)), page
        assert not [address for address in addresses(discreet) if SECRET in unquote(address)]


def test_an_address_that_says_them_leads_to_one_that_does_not(
    discreet: Browser, filled: dict[str, str], app: Any, cassiopee: House
) -> None:
    said = f"/emails?{urlencode({'status': 'sent_all', **WORDS})}"
    answer = discreet.get(said)
    assert answer.headers["Referrer-Policy"] == "origin"  # what this page loads is logged with its address
    assert not discreet.html.xpath("//tbody")
    assert not [address for address in addresses(discreet) if SECRET in unquote(address)]
    (form,) = discreet.html.xpath("//main//form")
    fields = [(field.get("name"), field.get("value")) for field in form.xpath(".//input")]
    to = discreet.post(form.get("action"), dict(fields)).headers["Location"]
    assert to.startswith("/emails?v=V-") and to.endswith("&status=sent_all")
    discreet.get(to)
    assert discreet.html.xpath("count(//tbody[@id='rows']/tr[@id])") == 50
    answer = discreet.get(said, htmx=True, status=204)  # by a page from before the wish
    assert answer.headers["HX-Refresh"] == "true"
    colleague = Browser(app).sign_in(cassiopee.staff)  # who opens the short one goes on by short ones
    colleague.get(to)
    assert colleague.html.xpath("count(//tbody[@id='rows']/tr[@id])") == 50
    assert not [address for address in addresses(colleague) if SECRET in unquote(address)]
    colleague.get(said)
    assert colleague.html.xpath("count(//tbody[@id='rows']/tr[@id])") == 50


def test_a_short_link_alone_goes_on_by_short_addresses(
    client: Browser, cassiopee: House, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_jobs, "AT_ONCE", 5)
    client.sign_in(cassiopee.staff)
    asked = {"query": urlencode({"status": "sent_all", **WORDS})}
    to = client.post("/views/links", asked).headers["Location"]
    Crawl(client).page(to, 2)
    v = to.removeprefix("/v/")
    again = {"discreet": "1", "v": v, "recipient": f"{SECRET}1", "subject": f"{SECRET}6"}
    moved = client.post("/views/steps", again, htmx=True, status=200, headers={"HX-Current-URL": f"http://localhost{to}"})
    assert moved.headers["HX-Push-Url"].startswith("/emails?v=V-") and v not in moved.headers["HX-Push-Url"]
    cleared = client.post("/views/steps", {"discreet": "1", "v": v}, htmx=True, status=200,
                          headers={"HX-Current-URL": f"http://localhost{to}"})  # fmt: skip
    assert cleared.headers["HX-Push-Url"] == "/emails"
    client.get("/emails?v=V-nowhere", status=404)


def test_whose_words_they_are(discreet: Browser, filled: dict[str, str], app: Any, boreale: House) -> None:
    to = discreet.post("/views/steps", {"recipient": SECRET}).headers["Location"]
    stranger = Browser(app).sign_in(boreale.admin)
    stranger.get(to, status=404)
    v = dict(parse_qsl(urlsplit(to).query))["v"]
    answer = stranger.post("/views/steps", {"v": v, "status": "error"})
    assert answer.headers["Location"] == "/emails?status=error"
    stranger.post("/views/steps", {"in": filled["session"], "q": "x"}, status=404)


def test_the_wish_is_kept_and_taken_back(discreet: Browser, cassiopee: House) -> None:
    discreet.get("/views")
    assert discreet.html.xpath("//input[@name='short']/@checked") == ["checked"]
    discreet.post("/views/addresses", {})
    db.session.expire_all()
    assert db.session.get(User, cassiopee.manager.id).preferences == {}  # type: ignore[union-attr]
    assert discreet.post("/views/steps", {"q": f"to:{SECRET}"}).headers["Location"] == f"/emails?recipient={SECRET}"
