"""A person with a screen reader and no mouse: every stop of Tab has a name and is seen, no key loses the place.

The order is the page's own (no tabindex above 0), what opens is the next stop, Escape gives the focus back, what
changes by itself is told by a live region, and the one key that acts alone can be turned off (WCAG 2.1.4).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit

# Name, whether it is seen, whether its focus is drawn.
_STOP = """() => {
  const at = document.activeElement, box = at.getBoundingClientRect();
  const name = at.getAttribute('aria-label') || [...(at.labels || [])].map(l => l.innerText).join(' ')
    || at.innerText || at.title || at.querySelector?.('img')?.alt || '';
  return {tag: at.tagName, id: at.id, name: name.trim().replace(/\\s+/g, ' '), tabindex: at.tabIndex,
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
    drawn: getComputedStyle(at).outlineStyle !== 'none' || getComputedStyle(at).boxShadow !== 'none'
      || getComputedStyle(at.parentElement).outlineStyle !== 'none'};
}"""


def stops(page: Page, number: int) -> list[dict]:
    """What Tab meets, one after the other."""
    met = []
    for _ in range(number):
        page.keyboard.press("Tab")
        met.append(page.evaluate(_STOP))
        if met[-1]["tag"] == "BODY":
            return met[:-1]
    return met


@pytest.mark.parametrize("path", ["/", "/todo", "/emails?status=error", "/account"])
def test_every_stop_has_a_name_and_is_seen(visit: Callable[..., Visit], path: str) -> None:
    page = visit("admin").goto(path)
    met = stops(page, 45)
    assert met[0]["name"] == "Aller au contenu" and len(met) > 20
    wrong = [one for one in met if not one["name"] or not one["seen"] or not one["drawn"] or one["tabindex"] > 0]
    assert not wrong, wrong
    page.goto(page.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # past the navigation
    expect(page.locator("main")).to_be_focused()
    (first,) = stops(page, 1)
    assert page.locator("main").evaluate("main => main.contains(document.activeElement)"), first


def test_from_a_filter_to_the_cause_and_back_without_a_mouse(visit: Callable[..., Visit]) -> None:
    one = visit("admin")
    page = one.goto("/emails?status=error")
    table = page.get_by_role("table", name="E-mails envoyés par l’organisme")
    opener = table.get_by_role("button", name=re.compile("^Détail de l’e-mail à")).first
    expect(table.get_by_role("rowheader").first).to_contain_text("@")  # a row is named by whom it went to
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.locator("tr[id$=-detail]")).to_be_visible()
    expect(opener).to_be_focused()
    expect(opener).to_have_attribute("aria-expanded", "true")
    for _ in range(12):  # what opened comes next
        page.keyboard.press("Tab")
        if page.locator("tr[id$=-detail]").evaluate("row => row.contains(document.activeElement)"):
            break
    else:
        raise AssertionError("the opened e-mail is not the next thing Tab meets")
    page.keyboard.press("Escape")
    expect(page.locator("tr[id$=-detail]")).to_have_count(0)
    expect(opener).to_be_focused()
    expect(opener).to_have_attribute("aria-expanded", "false")

    field = page.get_by_role("textbox", name="Destinataire")
    field.focus()
    page.keyboard.type("personne-de-ce-nom")
    told = page.locator("#count[aria-live=polite]")
    expect(told).to_have_text("0 e-mail")  # said, and the place is kept
    expect(field).to_be_focused()
    field.fill("")
    expect(told).not_to_have_text("0 e-mail")

    status = page.locator(".grid-filters .col-status summary")
    expect(status).to_have_accessible_name(re.compile("^Statut En erreur"))  # its column, then what is chosen
    expect(page.locator(".grid-filters .col-type summary")).to_have_accessible_name(re.compile("^Type Tous"))
    status.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "status"
    page.keyboard.press("Escape")
    expect(status).to_be_focused()

    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog").get_by_label("Personne, session ou e-mail")).to_be_focused()
    page.keyboard.press("Escape")
    expect(status).to_be_focused()


def test_the_key_that_acts_alone_can_be_turned_off(visit: Callable[..., Visit]) -> None:
    one = visit("staff")
    page = one.goto("/account")
    choice, box = page.get_by_label("Aller à la recherche par la touche"), page.locator("#search-dialog")
    expect(choice).to_be_checked()
    choice.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("#flash")).to_contain_text("ne sert plus qu’à écrire")
    expect(choice).not_to_be_checked()
    page.keyboard.press("/")
    expect(box).to_be_hidden()
    page = one.goto("/emails")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).not_to_be_focused()
    page.keyboard.press("Control+k")
    expect(box).to_be_visible()
