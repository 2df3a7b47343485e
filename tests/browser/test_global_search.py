"""The global search by keys, by touch and without script; the dashboard's figures as people change and follow them."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_axe import violations


def test_has_somebody_received_it_in_two_steps_from_anywhere(visit: Callable[..., Visit]) -> None:
    one = visit("staff")
    page = one.goto("/account")  # a page without a search box of its own
    box, field = page.locator("#search-dialog"), page.get_by_label("Personne, session ou e-mail")
    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.keyboard.type("convocation")
    first = page.locator("#search-found .found").first
    expect(first).to_contain_text("Convocation")
    expect(first.locator("[data-status]")).to_be_visible()  # answered: one step
    assert violations(page) == []
    page.keyboard.press("ArrowDown")
    expect(first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    assert "convocation" not in page.url
    # where the list has a box of its own "/" is that one's, Ctrl-K is the house's everywhere; the words are still there
    page = one.goto("/emails")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    page.keyboard.type("convocation")
    expect(first).to_contain_text("Convocation")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/emails/E-"))


def test_on_a_phone_in_the_dark_and_without_script(visit: Callable[..., Visit]) -> None:
    phone = visit("staff", width=390, height=844, theme="dark", language="en")
    page = phone.goto("/sessions")
    page.locator(".topbar").get_by_role("link", name="Search").click()
    page.get_by_label("Person, session or e-mail").fill("convocation")
    expect(page.locator("#search-found .found").first).to_be_visible()
    phone.fits()
    assert violations(page, runOnly=["color-contrast", "target-size"]) == []
    page.get_by_label("Person, session or e-mail").press("Enter")  # all of them, as a page that can be kept
    page.wait_for_url(re.compile(r"/search\?q=convocation"))
    phone.fits()
    plain = visit("staff", script=False)
    page = plain.goto("/sessions")
    page.locator("aside").get_by_role("link", name="Rechercher").click()
    page.locator("main").get_by_label("Personne, session ou e-mail").fill("convocation")
    page.locator("main").get_by_role("button", name="Rechercher").click()
    expect(page.locator("main .found").first).to_be_visible()


def test_the_dashboards_figures_by_keyboard(visit: Callable[..., Visit]) -> None:
    one = visit("staff", width=1024)
    page = one.goto("/")
    page.locator("#figures-period").focus()
    page.locator("#figures-period").select_option("year")
    page.wait_for_url(re.compile(r"\?period=year$"))
    expect(page.locator("#chart-title")).to_have_text("Par mois de la demande")
    expect(page.locator("#figures-period")).to_be_focused()  # where it was before the piece came
    page.get_by_text("Ces chiffres en tableau").press("Enter")
    link = page.locator(".figures-table td a").first
    expect(link).to_be_visible()
    assert violations(page) == []
    number = int(link.inner_text())
    link.press("Enter")
    page.wait_for_url(re.compile(r"/emails\?period=custom&from="))
    assert 0 < number == int(page.locator(".count-line").first.inner_text().split()[0])
