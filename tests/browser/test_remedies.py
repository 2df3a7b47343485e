"""Every reason: produced in the demo by writing to an address, opened, and repaired by following only what the screen
says, until the e-mail arrived or the honest end. What somebody outside has to do (empty a box, allow a sender) is done
on the practice post office's page.

Recorded under test-results/remedies: each panel in a wide window and on a phone.
"""

from __future__ import annotations

import re
import shutil
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import ARTEFACTS

SESSION = "Exemples : un e-mail par motif"
# The post office's word → (status, reason) as the row must show them, and the first step that the screen offers.
PRODUCED = {
    "syntaxe": ("failed", "address_syntax", "correct"),
    "domaine": ("failed", "domain_unknown", "correct"),
    "inconnu": ("failed", "user_unknown", "correct"),
    "demenage": ("failed", "moved", "record"),
    "desactive": ("undeliverable", "mailbox_disabled", "other_address"),
    "plein": ("undeliverable", "mailbox_full", "tomorrow"),
    "lourd": ("undeliverable", "too_big", "link"),
    "virus": ("undeliverable", "content", "link"),
    "spam": ("undeliverable", "spam", "own_domain"),
    "dmarc": ("undeliverable", "authentication", "own_domain"),
    "bloque": ("undeliverable", "blocked", "own_domain"),
    "regle": ("undeliverable", "policy", "own_domain"),
    "attente": ("requested", "greylisted", ""),
    "sature": ("requested", "throttled", ""),
    "raccroche": ("requested", "unreachable", ""),
    "injoignable": ("undeliverable", "unreachable", "resend"),
    "expire": ("undeliverable", "expired", "resend"),
    "expediteur": ("failed", "sender_rejected", "sender"),
    "etrange": ("undeliverable", "unknown", "reply"),
    "coupe": ("uncertain", "", "judge"),
    "plainte": ("delivered", "", ""),
}
# What the demo has of the reasons that no address gives.
SEEDED = {
    "simon.aubert": ("failed", "not_prepared", "document"),
    "tiphaine.morvan": ("failed", "cancelled", ""),
    "ulysse.besson": ("failed", "too_late", ""),
    "yasmine.delorme.retour": ("failed", "suppressed", "lift"),
}


@dataclass
class Walk:
    """The walker's window, and the session it walks in."""

    visit: Any
    page: Page
    session: str
    shots: Path
    seen: set[str] = field(default_factory=set)

    def find(self, recipient: str) -> Locator:
        """The newest e-mail to that local part, in the session's history."""
        query = urllib.parse.urlencode({"recipient": recipient, "limit": 100})
        self.visit.goto(f"/sessions/{self.session}/emails?{query}")
        return self.page.locator("#rows > tr[id^=E-]").first

    def opened(self, recipient: str, status: str, reason: str, step: str) -> Locator:
        """Open it in its row; its panel, which says this reason and offers this first step."""
        row = self.find(recipient)
        expect(row.locator(f".status[data-status={status}]")).to_be_visible()
        row.locator(".expand").click()
        panel = self.page.locator("section.remedy")
        expect(panel).to_be_visible()
        assert (panel.get_attribute("data-reason"), panel.get_attribute("data-step")) == (reason, step), recipient
        assert panel.locator("[data-first]").count() == bool(step), recipient
        self.seen.add(reason)
        name = reason or step or status
        panel.screenshot(path=self.shots / f"{name}-1440.png")
        self.page.set_viewport_size({"width": 390, "height": 844})
        self.visit.fits()
        panel.screenshot(path=self.shots / f"{name}-390.png")
        self.page.set_viewport_size({"width": 1440, "height": 900})
        return panel

    def press(self, panel: Locator) -> None:
        panel.locator("[data-first]").click()
        self.page.wait_for_load_state()

    def resend(self, to: str = "", button: str = "button.btn-primary") -> None:
        """The form that the step led to: another address where the reason asks for one, and the button it stresses."""
        form = self.page.locator("form.resend-form")
        expect(form).to_be_visible()
        if to:
            form.locator("input[name=other]").fill(to)
        form.locator(button).click()
        self.page.wait_for_url(re.compile(r"/emails/E-\w+(/others)?$"))
        if self.page.url.endswith("/others"):
            self.page.get_by_role("link", name="Non, voir l’e-mail renvoyé").click()
            self.page.wait_for_url(re.compile(r"/emails/E-\w+$"))

    def ends(self, status: str) -> None:
        """The e-mail on this page comes to that status."""
        badge = self.page.locator(f".detail-side .status[data-status={status}]")
        for _look in range(100):
            if badge.count():
                return
            self.page.wait_for_timeout(400)
            self.page.reload()
        shown = self.page.locator(".detail-side .status").get_attribute("data-status")
        raise AssertionError(f"{self.page.url}: {shown}, {status} expected")


def write_to(walk: Walk, names: list[str]) -> None:
    """Send the convocation to those people from the session's page for it."""
    page = walk.page
    walk.visit.goto(f"/sessions/{walk.session}/documents/convocation")
    for name in names:
        page.get_by_label(f"Choisir {name}", exact=True).check()
    page.locator(".bulk-bar").get_by_role("button", name="Envoyer").click()
    page.get_by_role("button", name=re.compile("Vérifier")).click()
    page.get_by_role("button", name=re.compile("^Envoyer ")).click()
    page.wait_for_url("**/documents/convocation")


@pytest.fixture
def outside(house: Any) -> Callable[[str, dict[str, str]], None]:
    """What somebody does on the post office's page: post a form there."""

    def post(path: str, form: dict[str, str]) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        address = f"http://127.0.0.1:{house.mail_page_port}{path}"
        opener.open(address, data=urllib.parse.urlencode(form).encode(), timeout=10).close()

    return post


@pytest.fixture
def cure(outside: Callable[[str, dict[str, str]], None]) -> Iterator[Callable[[str], None]]:
    """Somebody puts the cause of a word right; all of it, and the domains' records, is undone afterwards."""
    done: list[str] = []

    def cure(word: str) -> None:
        done.append(word)
        outside(f"/cures/{word}", {"do": "cure"})

    yield cure
    for word in done:
        outside(f"/cures/{word}", {"do": "undo"})
    outside("/names", {"do": "reset"})


@pytest.fixture
def walk(visit: Any) -> Walk:
    one = visit("admin")
    page = one.goto("/sessions")
    page.get_by_role("link", name=SESSION).first.click()
    page.wait_for_url(re.compile(r"/sessions/S-\w+"))
    found = re.search(r"/sessions/(S-\w+)", page.url)
    assert found
    shots = ARTEFACTS / "remedies"
    shutil.rmtree(shots, ignore_errors=True)
    shots.mkdir(parents=True)
    return Walk(one, page, found[1], shots)


def produce(walk: Walk) -> None:
    """One learner for each word, enrolled by an import, and one convocation to each."""
    page = walk.page
    # who asks us to slow down slows its whole domain
    domains = {"sature": "occupe.example"}
    lines = [
        f"Pas;{word.title()};pas.{word}@{domains.get(word, 'courrier.example')};0612345678" for word in PRODUCED
    ]
    walk.visit.goto(f"/sessions/{walk.session}/people/import")
    page.locator("textarea").fill("\n".join(["prénom;nom;e-mail;téléphone", *lines]))
    page.get_by_role("button", name="Voir l’aperçu").click()
    page.get_by_role("button", name="Importer").click()
    page.wait_for_url("**/people")
    write_to(walk, [f"Pas {word.title()}" for word in PRODUCED])
    wanted = {word: (status, reason) for word, (status, reason, _step) in PRODUCED.items()}
    for _look in range(60):
        walk.find("pas.")
        rows = page.locator("#rows > tr[id^=E-]")
        expect(rows).to_have_count(len(PRODUCED))
        shown = {}
        for row in rows.all():
            word = re.search(r"pas\.(\w+)@", row.inner_html())
            assert word
            shown[word[1]] = row.locator(".status").first.get_attribute("data-status")
        if shown == {word: status for word, (status, _reason) in wanted.items()}:
            return
        page.wait_for_timeout(1000)
    raise AssertionError({word: (shown[word], wanted[word][0]) for word in wanted if shown[word] != wanted[word][0]})


def test_every_reason_is_repaired_by_following_the_screen(
    walk: Walk, cure: Callable[[str], None], outside: Callable[[str, dict[str, str]], None]
) -> None:
    page = walk.page
    produce(walk)
    for word in ("attente", "sature", "raccroche"):  # nothing to do: they are tried again, and arrive in the end
        panel = walk.opened(f"pas.{word}@", *PRODUCED[word])
        expect(panel).to_contain_text(re.compile(r"Rien à faire.*\d\d/\d\d/\d{4} \d\d:\d\d"))
        if word != "attente":
            cure(word)

    # the address is wrong: corrected, and for one the record too
    for word in ("syntaxe", "domaine", "inconnu", "demenage", "desactive"):
        walk.press(walk.opened(f"pas.{word}@", *PRODUCED[word]))
        walk.resend(f"corrige.{word[:4]}.recu@courrier.example")
        walk.ends("delivered")
        walk.find(f"pas.{word}@").locator(".expand").click()
        expect(page.locator(".detail-top")).to_contain_text("Un renvoi est arrivé")
    walk.visit.goto("/contacts/learners?q=demenage")
    expect(page.locator("main")).to_contain_text("corrige.deme.recu@courrier.example")

    # a file that does not pass: the page it can be downloaded from
    for word in ("lourd", "virus"):
        walk.press(walk.opened(f"pas.{word}@", *PRODUCED[word]))
        walk.resend()
        walk.ends("delivered")
        expect(page.locator(".detail-side")).not_to_contain_text("Pièces jointes")

    # a full box: tomorrow at eight, as planned as can be
    walk.press(walk.opened("pas.plein@", *PRODUCED["plein"]))
    walk.resend()
    walk.ends("requested")
    planned = re.compile(r"Départ programmé.*Il partira le \S+ 08:00", re.DOTALL)
    expect(page.locator("section.remedy")).to_contain_text(planned)

    # refused by their side: the sending domain first, set up as its page says; then the text for their IT, who allow us
    walk.press(walk.opened("pas.dmarc@", *PRODUCED["dmarc"]))
    set_up_the_domain(walk, outside)
    walk.resend()
    walk.ends("delivered")
    for word in ("spam", "bloque", "regle"):
        walk.press(walk.opened(f"pas.{word}@", *PRODUCED[word]))
        expect(page.locator("#checks")).to_contain_text("cassiopee.example")
        page.get_by_role("link", name="Revenir à l’e-mail pour le renvoyer").click()
        page.get_by_text("Texte pour le service informatique de votre client").click()
        letter = page.locator(".ready-text")
        expect(letter).to_contain_text(f"pas.{word}@courrier.example")
        expect(letter).to_contain_text("À autoriser : l’adresse formation@cassiopee.example")
        cure(word)
        walk.resend()
        walk.ends("delivered")

    # nobody there, too late, an unknown reason: their server is back, or they said what it was
    for word in ("injoignable", "expire"):
        panel = walk.opened(f"pas.{word}@", *PRODUCED[word])
        cure(word)
        walk.press(panel)
        walk.resend()
        walk.ends("delivered")
    panel = walk.opened("pas.etrange@", *PRODUCED["etrange"])
    panel.locator("[data-first]").click()
    expect(panel.locator("details[open] pre").first).to_contain_text("554 5.0.0 Error")
    cure("etrange")
    again(walk, "pas.etrange@")

    # our own side: the sender; the document; the quarantine
    walk.press(walk.opened("pas.expediteur@", *PRODUCED["expediteur"]))
    expect(page.locator("main")).to_contain_text("formation@cassiopee.example")
    cure("expediteur")
    again(walk, "pas.expediteur@")
    walk.press(walk.opened("simon.aubert", *SEEDED["simon.aubert"]))
    page.get_by_role("button", name="Générer pour Simon Aubert").click()
    page.wait_for_load_state()
    write_to(walk, ["Simon Aubert"])
    open_page(walk, "simon.aubert")
    walk.ends("delivered")
    complained(walk)
    walk.opened("yasmine.delorme", *SEEDED["yasmine.delorme.retour"])

    # nobody knows: the person does
    walk.press(walk.opened("pas.coupe@", *PRODUCED["coupe"]))
    page.get_by_label("Comment le savez-vous ?").fill("Au téléphone")
    page.get_by_role("button", name="La personne l’a reçu").click()
    walk.ends("delivered")

    # decided by a person or by the calendar: nothing to do
    for local in ("tiphaine.morvan", "ulysse.besson"):
        expect(walk.opened(local, *SEEDED[local])).to_contain_text("Rien à faire")

    for word in ("attente", "sature", "raccroche"):
        open_page(walk, f"pas.{word}@")
        walk.ends("sent" if word == "attente" else "delivered")


def set_up_the_domain(walk: Walk, outside: Callable[[str, dict[str, str]], None]) -> None:
    """Check the domain, publish what its page says, check again, and go back to the e-mail."""
    page = walk.page
    page.get_by_role("button", name="Vérifier maintenant").click()
    spf = page.locator("[data-check=spf]")
    name, value = (spf.locator(f"code[id^={what}-]").inner_text() for what in ("name", "value"))
    outside("/names", {
        "do": "change", "old_name": name, "old_kind": "TXT", "old_value": spf.locator("pre.found").inner_text(),
        "name": name, "kind": "TXT", "value": value,
    })  # fmt: skip
    page.get_by_role("button", name="Vérifier maintenant").click()
    expect(spf).to_have_attribute("data-state", "good")
    page.get_by_role("link", name="Revenir à l’e-mail pour le renvoyer").click()
    page.wait_for_url(re.compile(r"/emails/E-"))


def open_page(walk: Walk, recipient: str) -> None:
    """The e-mail's own page."""
    address = walk.find(recipient).get_attribute("id")
    walk.visit.goto(f"/emails/{address}")


def again(walk: Walk, recipient: str) -> None:
    """Send it again as it is, by the form that stands open under the panel."""
    open_page(walk, recipient)
    walk.resend()
    walk.ends("delivered")


def complained(walk: Walk) -> None:
    """Who complained is in quarantine: the next e-mail stays, until the quarantine is lifted."""
    panel = walk.opened("pas.plainte@", *PRODUCED["plainte"])
    expect(panel).to_contain_text("signalé cet e-mail comme indésirable")
    write_to(walk, ["Pas Plainte"])
    walk.press(walk.opened("pas.plainte@", "failed", "suppressed", "lift"))
    walk.page.locator("section.remedy").get_by_role("button", name="Lever la quarantaine et renvoyer").click()
    walk.page.wait_for_url(re.compile(r"/emails/E-\w+$"))
    walk.ends("delivered")


def test_the_member_of_staff_tells_an_administrator(visit: Any, house: Any) -> None:
    one = visit("staff", script=False)
    page = one.goto("/emails?recipient=chloe.perrin")
    address = page.locator("#rows > tr[id^=E-]").first.get_attribute("id")
    one.goto(f"/emails/{address}")
    page.get_by_role("link", name="Prévenir l’administrateur").click()
    expect(page.locator("textarea")).to_contain_text("Chloé Perrin")
    page.get_by_role("button", name="Envoyer la demande").click()
    expect(page.locator(".flash, .notice").first).to_contain_text("Votre demande est partie")
    one.goto("/emails?recipient=admin%40cassiopee.example")
    expect(page.locator("#rows")).to_contain_text("Demande d’aide")
