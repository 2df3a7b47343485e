"""The morning after the bounces (docs/walks.md): an admin understands them by cause, corrects and sends again in
number, each cause in three clicks, and nothing of it is left to be treated."""

from __future__ import annotations

import re
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_axe import violations
from tests.days import today

TITLE = "Le lendemain des échecs"
DOWN, WRONG, SLIP = "panne-du-matin.example", "boites-du-matin.example", "wanado.fr"
# word of the practice post office's, operator, how many
NIGHT = [("injoignable", DOWN, 4), ("inconnu", WRONG, 3), ("expediteur", "mairie-du-matin.example", 1)]


@pytest.fixture
def mended(house: Any) -> Iterator[Callable[[], None]]:
    """The operator's server is back; afterwards it is as it was."""

    def cure(what: str) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        address = f"http://127.0.0.1:{house.mail_page_port}/cures/injoignable"
        opener.open(address, data=urllib.parse.urlencode({"do": what}).encode(), timeout=30).close()

    yield lambda: cure("cure")
    cure("undo")


def card(page: Page, title: str, domain: str = "") -> Locator:
    return page.locator(
        "section.cause", has=page.locator(".cause-head h2", has_text=re.compile(f"{title}\\s*{domain}"))
    )


def night(visit: Any) -> None:
    """A session of tomorrow; its convocations leave and come back."""
    page = visit.goto("/sessions/new")
    page.locator("[name=title]").fill(TITLE)
    page.locator("[name=modules-0-day]").fill((today() + timedelta(days=1)).isoformat())
    page.locator("[name=modules-0-starts]").fill("09:00")
    page.locator("[name=modules-0-ends]").fill("17:00")
    page.get_by_role("button", name="Enregistrer", exact=True).last.click()
    page.wait_for_url(re.compile(r"/sessions/S-\w+$"))
    session = page.url.rpartition("/")[2]
    people = [f"Nuit;{word.title()} {n};nuit{n}.{word}@{domain};0612345678"
              for word, domain, many in NIGHT for n in range(many)]  # fmt: skip
    visit.goto(f"/sessions/{session}/people/import")
    page.locator("textarea").fill("\n".join(["prénom;nom;e-mail;téléphone", *people]))
    page.get_by_role("button", name="Voir l’aperçu").click()
    page.get_by_role("button", name="Importer").click()
    page.wait_for_url("**/people")
    visit.goto(f"/sessions/{session}/documents/convocation/emails/new?who=all")
    page.locator("button[name=choose][value=learner]").click()
    expect(page.locator("input[name=people]:checked")).to_have_count(len(people))
    page.get_by_role("button", name=re.compile("Vérifier")).click()
    page.get_by_role("button", name=re.compile("^Envoyer ")).click()
    page.wait_for_url("**/documents/convocation")
    visit.goto(f"/sessions/{session}/emails?status=error")
    for _look in range(150):  # the reports come by mail
        if page.locator("#rows > tr[id^=E-]").count() == len(people):
            return
        page.wait_for_timeout(200)
        page.reload()
    raise AssertionError("the bounces did not come back")


def test_each_cause_takes_three_clicks(visit: Any, mended: Callable[[], None]) -> None:
    one = visit("admin")
    one.expected = (*one.expected, "status of 422")  # what is wrong stays on the page
    night(one)
    page = one.goto("/")
    expect(page.locator(".stat", has_text="Échecs à traiter")).to_contain_text("depuis moins de 24 h")

    # the operator that was down is back: À traiter, Renvoyer tout…, Renvoyer
    mended()
    page.locator("a.nav-link[href='/todo']").click()
    down = card(page, "Serveur injoignable", DOWN)
    expect(down).to_contain_text("4 en échec sur 4 envoyés")
    assert card(page, "Notre expéditeur est refusé").get_by_role("link", name="Voir l’expéditeur").count() == 1
    down.get_by_role("button", name="Renvoyer tout…").click()
    page.get_by_role("button", name="Renvoyer les 4 e-mails").click()
    expect(page.locator("#run")).to_contain_text("4 renvoyés", timeout=60_000)

    # addresses that do not exist: À traiter, Corriger les adresses…, Corriger et renvoyer
    page.locator("a.nav-link[href='/todo']").click()
    expect(card(page, "Serveur injoignable", DOWN)).to_have_count(0)  # sending it again is dealing with it
    card(page, "Adresse inconnue", WRONG).get_by_role("link", name="Corriger les adresses…").click()
    boxes = page.locator("input[type=email]")
    expect(boxes).to_have_count(3)
    boxes.nth(0).fill("nuit0.recu@courrier.example")
    boxes.nth(1).fill("nuit1.recu@courrier.example")
    boxes.nth(2).fill("pas une adresse")
    page.get_by_role("button", name="Corriger et renvoyer").click()
    expect(page.locator("#flash")).to_contain_text("2 e-mails sont renvoyés à des adresses corrigées. 2 fiches")
    expect(page.locator("[aria-invalid=true]")).to_have_count(1)
    assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    one.fits()
    assert page.locator("input[type=email]").evaluate("box => box.offsetWidth") > 300  # as wide as the phone
    page.locator("input[type=email]").fill("nuit2.recu@courrier.example")
    page.get_by_role("button", name="Corriger et renvoyer").click()
    page.wait_for_url("**/todo")
    one.fits()
    expect(card(page, "Adresse inconnue", WRONG)).to_have_count(0)
