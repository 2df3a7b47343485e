"""The search box on the three lists: what is typed becomes the list's own address, and the address becomes text."""

from __future__ import annotations

from typing import Any

import pytest

from extensions import db
from models import Segment
from models.words import Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_contact, make_email, make_session


@pytest.fixture
def filled(cassiopee: House) -> dict[str, Any]:
    contact = make_contact(cassiopee, "Élodie Petit")
    session = make_session(cassiopee, "Secourisme")
    made = {"contact_id": contact.id, "training_session_id": session.id}
    make_email(cassiopee, subject="Votre carte est expirée", status=Status.FAILED, reason=Reason.USER_UNKNOWN, **made)
    make_email(cassiopee, subject="Votre carte est expirée", **made)
    make_email(cassiopee, "paul.roy@example.org", "Paul Roy", subject="Facture", type="invoice", **made)
    loyal = {"name": "Clients fidèles", "public_id": "G-vip", "rule": {"kind": ["x"]}}
    db.session.add(Segment(organisation_id=cassiopee.id, **loyal))
    db.session.commit()
    return {"session": session.public_id, "contact": contact.public_id}


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def box(browser: Browser) -> str:
    (value,) = browser.html.xpath("//input[@id='search-text']/@value")
    return str(value)


def rows(browser: Browser) -> int:
    return len(browser.html.xpath("//tbody[@id='rows']/tr[@id]"))


def mistakes(browser: Browser) -> list[str]:
    return [node.text_content().strip() for node in browser.html.xpath("//*[@id='search-mistakes']/*")]


def test_text_becomes_the_address_and_the_address_text(staff: Browser, filled: dict[str, Any]) -> None:
    text = 'to:petit statut:erreur objet:"carte expirée" segment:fidèles'
    typed = {"in": "", "q": text, "sort": "date", "limit": "25"}
    to = staff.post("/views/steps", typed).headers["Location"]
    assert to == (
        "/emails?status=error&recipient=petit&subject=carte+expir%C3%A9e&segment=G-vip&sort=date&limit=25"
    )  # fmt: skip
    staff.get(to)
    assert box(staff) == 'à:petit objet:"carte expirée" statut:erreur segment:"Clients fidèles"'
    assert staff.html.xpath("//input[@id='f-recipient']/@value") == ["petit"]
    assert staff.html.xpath("//input[@name='status'][@checked]/@value") == ["error"]
    assert len(staff.html.xpath("//ul[@id='filter-chips']/li")) == 5  # four, and the one that clears
    assert "envoyés à « petit »" in staff.text().replace("\u00a0", " ")
    assert staff.post("/views/steps", {"q": box(staff), "sort": "date", "limit": "25"}).headers["Location"] == to
    staff.post("/language", {"language": "en"})
    staff.get(to)
    assert box(staff) == 'to:petit subject:"carte expirée" status:error segment:"Clients fidèles"'
    assert staff.post("/views/steps", {"q": box(staff), "sort": "date", "limit": "25"}).headers["Location"] == to


def test_it_stands_on_every_list_and_stays_there(staff: Browser, filled: dict[str, Any]) -> None:
    for key, path in (("", "/emails"), (filled["session"], f"/sessions/{filled['session']}/emails"),
                      (filled["contact"], f"/contacts/{filled['contact']}/emails")):  # fmt: skip
        staff.get(path)
        assert (rows(staff), box(staff)) == (3, "")
        assert staff.html.xpath("//form[@id='search']//input[@name='in']/@value") == [key]
        to = staff.post("/views/steps", {"in": key, "q": "carte statut:erreur"}).headers["Location"]
        assert to == f"{path}?status=error&subject=carte"
        staff.get(to)
        assert rows(staff) == 1
        assert staff.post("/views/steps", {"in": key, "q": " "}).headers["Location"] == path
    staff.post("/views/steps", {"in": "S-nowhere", "q": "x"}, status=404)


def test_a_mistake_is_said_once_beside_the_box_and_the_rest_applied(staff: Browser, filled: dict[str, Any]) -> None:
    typed = "to:petit statut:erruer"
    to = staff.post("/views/steps", {"q": typed}).headers["Location"]
    assert to == "/emails?recipient=petit"
    staff.get(to)
    assert (rows(staff), box(staff)) == (2, typed)
    assert mistakes(staff) == [
        "«\u00a0statut:erruer\u00a0» n’est pas connu. Vouliez-vous dire «\u00a0erreur\u00a0»\u202f?",
        "Le reste de la recherche est appliqué à la liste.",
    ]
    assert staff.html.xpath("//input[@id='search-text']/@aria-invalid") == ["true"]
    staff.get(to)
    assert (box(staff), mistakes(staff)) == ("à:petit", [])
    long = 'to:petit objet:"' + "é" * 900
    staff.get(staff.post("/views/steps", {"q": long}).headers["Location"])
    assert len(mistakes(staff)) == 3 and box(staff).startswith("à:petit objet:éé")


def test_filters_under_the_headers_rewrite_the_box(staff: Browser, filled: dict[str, Any]) -> None:
    answer = staff.get("/emails?recipient=roy&type=invoice", htmx=True)
    assert answer.headers["HX-Push-Url"] == "/emails?recipient=roy&type=invoice"
    assert box(staff) == "à:roy type:facture"
    assert staff.html.xpath("//input[@id='search-text']/@hx-swap-oob") == ["true"]


def test_the_help_is_there_in_both_languages(staff: Browser, filled: dict[str, Any]) -> None:
    """Unfolded it is asked for; without script its link leads to a page of its own."""
    staff.get("/emails")
    (piece,) = staff.html.xpath("//*[contains(@class, 'search-help')]/*[@hx-get]")
    (link,) = piece.xpath(".//a/@href")
    assert piece.get("hx-get") == link == "/search-help?list=global"
    help_ = staff.get(link).get_data(as_text=True)
    assert "à:petit" in help_ and "réception-impossible" in help_ and "boîte-pleine" in help_
    assert "apprenants:oui" not in help_
    unfolded = staff.get(link, htmx=True).get_data(as_text=True)
    assert unfolded in help_ and "<html" not in unfolded
    staff.post("/language", {"language": "en"})
    staff.get(f"/contacts/{filled['contact']}/emails")
    (link,) = staff.html.xpath("//*[contains(@class, 'search-help')]//a/@href")
    help_ = staff.get(link).get_data(as_text=True)
    assert "to:petit" in help_ and "undeliverable" in help_ and "mailbox-full" in help_
    assert "customer:" not in help_


@pytest.mark.parametrize(
    "typed",
    ["\0", "%", "\\", "'", '"', ":", "::", "a:" * 400, "to:" + "\u202e" * 50, "le:0000-00-00", "le:٢٠٢٦", "-", "«»",
     "avant:9999-12-31", "après:2199-12-31", "statut:", "=:=", "session:=\\%_", "😀" * 300,
     "\ud800".encode("utf-16", "surrogatepass")],
)  # fmt: skip
def test_nonsense_is_answered(staff: Browser, filled: dict[str, Any], typed: Any) -> None:
    to = staff.post("/views/steps", {"q": typed}).headers["Location"]
    staff.get(to)
    again = staff.post("/views/steps", {"q": box(staff)}).headers["Location"]
    staff.get(again)
