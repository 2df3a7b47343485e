"""From "it failed" to "it arrived" in three clicks: the address with a slip, corrected, and all that failed with it.

The demo's Gilles Renard has five e-mails that failed at wanado.fr. Without script, then with it.
"""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

SLIP, MEANT = "gilles.renard.recu@wanado.fr", "gilles.renard.recu@wanadoo.fr"
COMPANY = "gilles.renard@menuiserielambert.example"
LIST = "/emails?recipient=gilles.renard&status=error"


def chosen(page: Page) -> str:
    return page.locator(".address-choices label:has(input:checked) bdi").inner_text()


def rows(one, query: str) -> int:
    return one.goto(f"/emails?{query}").locator("tbody#rows tr[id^=E-]").count()


def test_without_script_one_is_corrected_and_sent_once(visit, artefacts):
    one = visit("admin", script=False, width=390, height=844)
    page = one.goto(LIST)
    failed = page.locator("tbody#rows tr[id^=E-]").count()
    assert failed == 5
    page.locator("a.expand").last.click()
    first = page.url
    assert chosen(page) == MEANT
    one.fits()
    page.get_by_text(COMPANY, exact=True).click()
    page.get_by_label(re.compile("Corriger aussi la fiche")).uncheck()
    page.screenshot(path=artefacts / "resend-390-no-script.png", full_page=True)
    page.locator("form.resend-form button[value='']").dblclick()
    page.wait_for_url("**/others")
    assert page.locator("input[name=email]").count() == 4
    page.screenshot(path=artefacts / "resend-390-others.png", full_page=True)
    one.fits()
    page.get_by_role("link", name="Non, voir l’e-mail renvoyé").click()
    expect(page.locator(".chain li")).to_have_count(2)
    expect(page.locator(".chain li[aria-current]")).to_contain_text(COMPANY)
    page.goto(first)
    expect(page.locator(".chain li")).to_have_count(2)  # pressed twice, sent once
    expect(page.locator(".chain li[aria-current]")).to_contain_text(SLIP)
    page.locator("details.resend > summary").click()
    page.get_by_role("link", name=re.compile("Ajouter un mot")).first.click()
    page.get_by_label("Un mot au-dessus de l’e-mail").fill("Bonjour Gilles,\nvoici la bonne adresse.")
    page.locator("input[name=to][value=me]").check()
    page.screenshot(path=artefacts / "resend-390-whole.png", full_page=True)
    one.fits()
    page.get_by_role("button", name="Renvoyer", exact=True).click()
    expect(page.locator(".chain li[aria-current]")).to_contain_text("Copie pour soi-même")


def test_three_clicks_from_a_failure_to_what_arrived(visit, artefacts):
    one = visit("admin")
    page = one.goto("/todo?cause=domain_unknown&domain=wanado.fr")
    page.get_by_role("link", name=re.compile("Convocation : ")).first.click()  # the first click
    expect(page.locator(".address-choices .good").first).to_contain_text("wanadoo.fr reçoit des e-mails")
    expect(page.locator(".address-choices .bad").last).to_contain_text("Le domaine wanado.fr n’existe pas")
    assert chosen(page) == MEANT
    other = page.get_by_label(re.compile("Une autre adresse"))
    other.type("a@wanado.fr")
    expect(page.locator(".verdict .bad")).to_contain_text("Le domaine wanado.fr n’existe pas")
    expect(page.locator(".verdict")).to_contain_text("Vouliez-vous dire a@wanadoo.fr")
    other.fill("")
    expect(page.locator(".verdict")).to_be_empty()
    page.screenshot(path=artefacts / "resend-1440.png", full_page=True)
    page.locator("form.resend-form button[value='']").dblclick()  # the second
    page.wait_for_url("**/others")
    expect(page.locator("#flash")).to_contain_text("La fiche de Gilles Renard est corrigée")
    page.screenshot(path=artefacts / "resend-1440-others.png", full_page=True)
    page.get_by_role("button", name="Renvoyer les e-mails cochés").click()  # the third
    page.wait_for_url("**/contacts/C-*/emails")
    expect(page.locator("#flash")).to_contain_text(MEANT)
    went = page.locator("tbody#rows tr", has_text=MEANT)
    assert went.count() >= 2
    for number in range(went.count()):
        expect(went.nth(number).locator(".status").first).to_have_text(re.compile("Reçu"), timeout=90_000)
    page = one.goto("/todo?cause=domain_unknown&domain=wanado.fr")
    assert page.locator("main").inner_text().count("Convocation : ") <= 1, "what arrived is no longer to be treated"
