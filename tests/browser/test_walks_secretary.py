"""A secretary, and the same question on a phone in a corridor (docs/walks.md): who misses what of the next sessions is
seen without a click, "has somebody received it?" takes two steps, a failed convocation three."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Visit


def test_from_what_is_missing_to_whoever_misses_it(visit: Callable[..., Visit]) -> None:
    one = visit("staff")
    page = one.goto("/")
    risk = page.locator(".risk").first
    expect(risk.locator("time, .chip").first).to_be_visible()
    title = risk.get_by_role("heading").inner_text()
    page = one.goto("/sessions")
    row = page.get_by_role("row", name=re.compile(re.escape(title)))
    mark = row.locator(".risk-marks")
    expect(mark).to_be_visible()  # at a glance
    mark.click()
    page.wait_for_url("**/completeness")
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    page.keyboard.press("Control+k")
    page.keyboard.type("martinez convocation")
    found = page.locator("#search-found .found", has_text="Martinez").first
    expect(found.locator("[data-status]")).to_be_visible()  # the first step answers
    page.go_back()
    expect(page.locator("#session-list")).to_be_visible()


def test_a_phone_resends_a_failed_convocation_in_three_touches(visit: Callable[..., Visit]) -> None:
    phone = visit("admin", width=390, height=844)
    page = phone.goto("/emails?reason=mailbox_full&type=convocation")
    page.locator("tbody .expand").first.click()  # 1
    detail = page.locator("tr[id$=-detail]")
    expect(detail).to_be_visible()
    phone.fits()
    first = detail.locator("[data-first]")
    seen = {"scrolled": page.evaluate("scrollY"), "row": page.locator("tbody tr").first.bounding_box(),
            "remedy": first.bounding_box()}  # fmt: skip
    expect(first, str(seen)).to_be_in_viewport()  # the remedy stands on the first screen of what opened
    first.click()  # 2: to the form, filled in
    page.wait_for_url(re.compile(r"/emails/E-\w+\?repair=tomorrow#resend-"))
    third = page.get_by_role("button", name="Renvoyer demain")
    expect(third).to_be_in_viewport()  # 3 would send: other tests need the demo's e-mail as it is
    expect(page.get_by_role("radio", checked=True)).to_have_count(1)
    phone.fits()


def test_what_a_row_opens_to_at_the_foot_of_a_phone_is_brought_to_the_screen(visit: Callable[..., Visit]) -> None:
    phone = visit("admin", width=390, height=844)
    page = phone.goto("/emails?status=failed")
    opener = page.locator("tbody .expand").nth(4)
    opener.evaluate("link => scrollBy(0, link.getBoundingClientRect().bottom + 8 - innerHeight)")
    opener.click()
    detail = page.locator("tr[id$=-detail]")
    expect(detail.locator("[data-first]").or_(detail.locator(".letter-head")).first).to_be_in_viewport()
    expect(page.locator("tbody tr.is-open th")).to_be_in_viewport()  # and one still sees whose it is
