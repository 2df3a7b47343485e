"""The walk the house is built for: six convocations leave, and within a minute six statuses stand there, explained.

Recorded under test-results/walk: a screenshot at each step and a trace (`playwright show-trace …/trace.zip`).
"""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

SESSION = "Accueil et premiers secours"
# address → (the status that must show within a minute, words that explain it, the remedy or what comes next)
SIX = {
    "camille.bernard": ("Envoyé", "serveur", None),
    "karim.haddad.recu": ("Reçu", "rapport", None),
    "lea.fontaine.lu": ("Reçu et ouvert", "Ouvert", None),
    "hugo.morel.plein": ("Réception impossible", "pleine", "Renvoyez"),
    "ines.garnier.inconnu": ("Erreur à l’envoi", "550", "adresse"),
    "paul.lemaire.attente": ("Demandé", "un peu plus tard", "prochain essai"),
}


def row(page: Page, local: str):
    return page.locator("tbody tr", has_text=local).first


def status_of(page: Page, local: str) -> str:
    """The words of the status cell without its chips: the badge's own."""
    return re.sub(r"\s+", " ", row(page, local).locator("td.col-status .status").first.inner_text()).strip()


def test_six_convocations_and_what_became_of_each(visit, artefacts, house):
    one = visit(None)
    one.context.tracing.start(screenshots=True, snapshots=True)
    page, number = one.page, 0

    def shot(name: str, whole: bool = False) -> None:
        nonlocal number
        number += 1
        page.screenshot(path=artefacts / f"{number:02d}-{name}.png", full_page=whole)

    try:
        one.goto("/sign-in")
        shot("sign-in")
        page.locator("button.demo-account", has_text="Sophie Lambert").click()
        expect(page.locator("h1")).to_be_visible()
        page.locator("button[name=language][value=fr]").click()  # another walk may have read it in English
        expect(page.locator("h1")).to_have_text("Tableau de bord")
        shot("dashboard")
        page.get_by_role("link", name="Sessions", exact=True).click()
        page.wait_for_url("**/sessions*")
        shot("sessions")
        page.get_by_role("link", name=SESSION).first.click()
        expect(page.locator("h1")).to_have_text(SESSION)
        shot("session")
        page.get_by_role("link", name="Gestion", exact=True).click()
        expect(page.get_by_role("link", name="Convocation", exact=True)).to_have_attribute("aria-current", "page")
        shot("documents")
        page.get_by_role("link", name="Envoyer à tous").click()
        page.locator("button[name=choose][value=learner]").click()
        expect(page.locator("input[name=people]:checked")).to_have_count(6)
        page.locator("input[type=file]").set_input_files(
            {"name": "Plan d'accès.txt", "mimeType": "text/plain", "buffer": "Tramway 1, arrêt Étoiles.\n".encode()}
        )
        shot("convocation", whole=True)
        page.get_by_role("button", name=re.compile("Vérifier")).click()
        expect(page.locator(".person-button")).to_have_count(6)
        shot("preview", whole=True)
        page.get_by_role("button", name="Suivant").click()
        expect(page.locator(".person-button").nth(1)).to_have_attribute("aria-current", "true")
        shot("preview-next")
        page.get_by_role("button", name=re.compile("Envoyer 6 e-mails")).click()
        page.wait_for_url("**/documents/convocation")
        sent = time.monotonic()
        shot("sent")
        page.get_by_role("link", name="Suivi", exact=True).click()
        page.wait_for_url("**/sessions/*/emails*")
        expect(page.locator("tbody tr[id^=E-]")).to_have_count(6)
        shot("history-at-once")
        print(f"history {time.monotonic() - sent:.1f} s after Send")

        seen: dict[str, str] = {}
        wanted = {local: status for local, (status, _, _) in SIX.items()}
        while seen != wanted and time.monotonic() - sent < 60:
            page.wait_for_timeout(500)  # the rows refresh themselves: nothing is reloaded here
            seen = {local: status_of(page, local) for local in SIX}
        print(f"six statuses after {time.monotonic() - sent:.1f} s")
        shot("six-statuses")
        assert seen == wanted
        expect(row(page, "paul.lemaire.attente")).to_contain_text(re.compile(r"essai.*\d\d:\d\d"))

        for local, (_, words, remedy) in SIX.items():
            row(page, local).locator(".expand").click()
            detail = page.locator(f"#{row(page, local).get_attribute('id')}-detail")
            expect(detail).to_contain_text(re.compile(words, re.IGNORECASE))
            if remedy:
                expect(detail).to_contain_text(re.compile(remedy, re.IGNORECASE))
            expect(detail).to_contain_text("Plan d'accès.txt")
            frame = detail.frame_locator("iframe.letter-frame")
            expect(frame.locator("body")).to_contain_text(SESSION)
            shot(f"detail-{local.rpartition('.')[2]}")
            row(page, local).locator(".expand").click()
            expect(detail).to_have_count(0)
        one.fits()
        page.set_viewport_size({"width": 390, "height": 844})
        one.fits()
        shot("phone", whole=True)
        row(page, "hugo.morel.plein").locator(".expand").click()
        expect(page.locator("tr[id$=-detail]")).to_be_visible()
        page.locator("tr[id$=-detail] iframe.letter-frame").scroll_into_view_if_needed()
        expect(page.frame_locator("tr[id$=-detail] iframe.letter-frame").locator("body")).to_contain_text(SESSION)
        one.fits()
        shot("phone-detail", whole=True)
    finally:
        shot("end")
        one.context.tracing.stop(path=artefacts / "trace.zip")
