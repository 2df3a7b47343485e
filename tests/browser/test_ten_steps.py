"""Ten steps through the history, of every kind, then all of them back and forth; the search box by keyboard, on a
phone and without script; searches that leave no word in an address."""

from __future__ import annotations

import contextlib
import re
from typing import Any
from urllib.parse import unquote

from playwright.sync_api import Error, Page, expect

from tests.browser.test_history import ids

_INPUTS = """() => Object.fromEntries([
  ...[...document.querySelectorAll("#f-recipient, #f-subject, #f-session, #f-contact, #f-operator, #f-period, #f-from,"
    + " #f-to, #f-attachment, #f-limit, #f-resent, #f-treated, #search-text")].map((one) => [one.id, one.value]),
  ...["status", "type", "reason"].map((name) =>
    [name, [...document.querySelectorAll(`input[name=${name}]:checked`)].map((box) => box.value).join()]),
  ["chips", [...document.querySelectorAll("#filter-chips li")].map((one) => one.textContent.trim()).join("|")],
  ["tab", document.querySelector("#tabs [aria-current]")?.textContent.trim() ?? ""],
  ["sentence", document.querySelector("#sentence").textContent.trim()],
  ["sorted", document.querySelector("th.col-date").getAttribute("aria-sort")],
])"""


def shown(page: Page) -> tuple[list[str], dict[str, str]]:
    """The rows, and all that the page says of the question."""
    return ids(page), page.evaluate(_INPUTS)


def pick(page: Page, selector: str, value: str) -> None:
    """Choose in a select that may stand in a folded panel."""
    page.locator(selector).evaluate("one => { const fold = one.closest('details'); if (fold) fold.open = true }")
    page.locator(selector).select_option(value)
    page.locator(selector).evaluate("one => { const fold = one.closest('details'); if (fold) fold.open = false }")


def tick(page: Page, name: str, value: str) -> None:
    box = page.locator(f"input[name={name}][value='{value}']")
    box.evaluate("one => { one.closest('details').open = true }")
    box.check()
    box.evaluate("one => { one.closest('details').open = false }")


def move(page: Page, way: str) -> None:
    """Back or forward, until the page has come anew: no page of ours is shown from a memory of it."""
    ids(page)
    page.wait_for_load_state()
    page.evaluate("way => { window.left = true; setTimeout(() => history[way](), 0) }", way)
    for _look in range(200):
        with contextlib.suppress(Error):  # between two pages there is none to ask
            if page.evaluate("!window.left && document.readyState === 'complete'"):
                return
        page.wait_for_timeout(50)
    raise AssertionError(f"{way}: the page did not come anew")


def test_back_and_forward_through_ten_steps(visit: Any) -> None:
    page = visit("admin").goto("/emails")
    steps = [(page.url, shown(page))]

    def step(address: str) -> None:
        expect(page).to_have_url(re.compile(address))
        page.wait_for_load_state()
        assert page.url != steps[-1][0]
        steps.append((page.url, shown(page)))

    page.locator("#f-recipient").fill("courrier")
    step(r"recipient=courrier$")
    pick(page, "#f-limit", "25")
    step(r"limit=25")
    tick(page, "status", "sent_all")
    step(r"status=sent_all")
    page.locator("#pager a[rel=next]").click()
    step(r"cursor=")
    page.locator("#sort-date").click()
    step(r"sort=date")
    pick(page, "#f-period", "year")
    step(r"period=year")
    page.locator("#filter-chips li", has_text="courrier").locator("a").click()
    step(r"emails\?(?!.*recipient)")
    page.locator("#tabs a", has_text="En erreur").click()
    step(r"status=error")
    page.locator(".more-filters summary").click()  # the panel comes when it is opened
    tick(page, "reason", "user_unknown")
    step(r"reason=user_unknown")
    page.locator("#search-text").fill("objet:convocation avant:2027-01-01")
    page.locator("#search-text").press("Enter")
    step(r"subject=convocation&period=custom&to=2026-12-31")
    page.locator("#filter-chips .filter-clear").click()
    step(r"emails(\?sort=date&limit=25|\?view=all)?")

    assert len(steps) == 12
    assert len({tuple(rows) for _url, (rows, _inputs) in steps}) >= 8  # each step shows something else
    for place in reversed(range(len(steps) - 1)):
        move(page, "back")
        expect(page).to_have_url(steps[place][0])
        assert shown(page) == steps[place][1], f"back to step {place}: {steps[place][0]}"
    for place in range(1, len(steps)):
        move(page, "forward")
        expect(page).to_have_url(steps[place][0])
        assert shown(page) == steps[place][1], f"forward to step {place}: {steps[place][0]}"
    page.reload()
    assert shown(page) == steps[-1][1]


def test_the_search_box_by_the_keyboard_alone(visit: Any) -> None:
    page = visit("staff").goto("/emails")
    ids(page)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search-text"
    page.keyboard.type("à:courrier statut:reçu")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"status=delivered&recipient=courrier$"))
    expect(page.locator("#search-text")).to_have_value("à:courrier statut:reçu")
    assert ids(page)
    page.keyboard.press("/")
    page.keyboard.press("End")
    page.keyboard.type(" statu:x")
    page.keyboard.press("Enter")
    expect(page.locator("#search-mistakes")).to_contain_text("Vouliez-vous dire")
    assert page.evaluate("document.activeElement.id") == "search-text"  # to be mended at once
    expect(page.locator("#search-text")).to_have_value("à:courrier statut:reçu statu:x")
    expect(page.locator("#f-recipient")).to_have_value("courrier")
    page.keyboard.press("Tab")  # the button
    page.keyboard.press("Tab")  # the help
    page.keyboard.press("Enter")
    expect(page.locator(".search-help .menu-panel")).to_contain_text("à:petit")  # it comes when it is unfolded
    page.keyboard.press("Escape")
    expect(page.locator(".search-help .menu-panel")).to_be_hidden()


def test_the_search_box_on_a_phone_and_without_script(visit: Any) -> None:
    one = visit("staff", width=390, height=844, script=False, language="en")
    page = one.goto("/emails")
    one.fits()
    page.locator(".search-help summary").click()
    page.locator(".search-help .menu-panel a").click()
    expect(page.locator(".search-help")).to_contain_text("to:petit")
    one.fits()
    page.go_back()
    page.locator("#search-text").fill("to:courrier status:delivered stat:x")
    page.locator("#search-text").press("Enter")  # the phone's own key; the button shows when it has the focus
    page.wait_for_url(re.compile(r"status=delivered&recipient=courrier"))
    expect(page.locator("#search-mistakes")).to_contain_text("stat:x")
    expect(page.locator("#f-recipient")).to_have_value("courrier")
    one.fits()
    page.locator("#search-text").fill("subject:convocation")
    page.locator("#search-text").press("Enter")
    page.wait_for_url(re.compile(r"/emails\?subject=convocation$"))
    expect(page.locator("#search-mistakes")).to_be_empty()


def test_further_filters_with_and_without_script(visit: Any) -> None:
    page = visit("staff").goto("/emails")
    page.locator(".more-filters summary").click()
    page.locator("#f-operator").press_sequentially("cassio", delay=20)  # what came later filters while one types too
    expect(page).to_have_url(re.compile(r"operator=cassio$"))
    page.locator("#f-operator").fill("")
    page.locator("#f-resent").select_option("no")
    expect(page).to_have_url(re.compile(r"/emails\?resent=no$"))
    expect(page.locator("#more-count")).to_have_text("1")
    one = visit("staff", width=390, height=844, script=False)
    page = one.goto("/emails?status=error")
    page.locator(".more-filters summary").click()
    page.get_by_role("button", name="Voir tous les filtres").click()
    page.wait_for_url(re.compile(r"more=1"))
    one.fits()
    page.locator("#f-treated").select_option("no")
    page.get_by_role("button", name="Filtrer", exact=True).last.click()
    page.wait_for_url(re.compile(r"treated=no"))
    expect(page.locator("#filter-chips li")).to_have_count(3)
    page.locator("summary", has_text="Colonnes").click()
    page.get_by_role("link", name="Choisir les colonnes").click()
    one.fits()
    page.get_by_role("button", name="Colonnes habituelles").click()
    page.wait_for_url(re.compile(r"treated=no"))  # back to what was asked


def test_who_wants_short_addresses_leaves_no_word_in_any(visit: Any) -> None:
    one = visit("manager")
    asked: list[str] = []
    one.context.on("request", lambda request: asked.append(unquote(request.url)))
    page = one.goto("/views")
    page.locator("input[name=short]").check()
    page.get_by_role("button", name="Enregistrer le choix des adresses").click()
    page.goto(one.house.url + "/emails")
    page.locator("#f-recipient").fill("courrier")
    expect(page).to_have_url(re.compile(r"/emails\?v=V-\w+$"))
    typed = (page.url, shown(page))
    assert typed[1][0] and typed[1][1]["f-recipient"] == "courrier"
    tick(page, "status", "delivered")
    expect(page).to_have_url(re.compile(r"\?v=V-\w+&status=delivered$"))
    ticked = (page.url, shown(page))
    page.locator("#tabs a", has_text="En erreur").click()
    expect(page).to_have_url(re.compile(r"\?v=V-\w+&status=error$"))
    page.locator("#f-subject").fill("convocation")
    expect(page).to_have_url(re.compile(r"\?v=V-\w+&status=error$"))
    expect(page.locator("#filter-chips")).to_contain_text("convocation")
    both = (page.url, shown(page))
    page.locator("#search-text").fill("à:courrier objet:avis")
    page.locator("#search-text").press("Enter")
    expect(page).to_have_url(re.compile(r"\?v=V-\w+$"))
    ids(page)
    searched = page.url
    page.locator("#filter-chips li", has_text="courrier").locator("a").click()
    expect(page).to_have_url(f"{searched}&drop=recipient")
    expect(page.locator("#f-recipient")).to_have_value("")
    for address in (searched, both[0]):
        move(page, "back")
        expect(page).to_have_url(address)
    assert shown(page) == both[1]
    for address in (re.compile("status=error"), ticked[0]):
        move(page, "back")
        expect(page).to_have_url(address)
    assert shown(page) == ticked[1]
    move(page, "back")
    expect(page).to_have_url(typed[0])
    assert shown(page) == typed[1]
    assert not [address for address in asked if re.search("courrier|convocation|avis", address)]
    page.goto(one.house.url + "/views")
    page.locator("input[name=short]").uncheck()
    page.get_by_role("button", name="Enregistrer le choix des adresses").click()
    expect(page.locator("input[name=short]")).not_to_be_checked()
