"""Ticking e-mails and sending them again in number, in a browser: with script, by keyboard, and without script."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

ROW = "tbody tr[id^=E-]"
BOX = f"{ROW} input[name=number]"


def pills(page: Page) -> dict[str, int]:
    """The groups of a run on screen and how many each holds."""
    shown = page.locator(".bulk-groups a").evaluate_all(
        "links => links.map(link => [link.firstChild.textContent.trim(), link.querySelector('.count').textContent])"
    )
    return {label: int(count) for label, count in shown}


def test_ticked_rows_stay_ticked_while_rows_are_swapped(visit):
    page = visit("admin").goto("/emails?status=error")
    bar, boxes = page.locator("#pick"), page.locator(BOX)
    expect(bar).to_be_hidden()
    boxes.nth(1).focus()
    page.keyboard.press("Space")
    boxes.nth(2).check()
    expect(bar).to_be_visible()
    expect(bar.locator("[data-count-of]")).to_have_text("2")
    chosen = [boxes.nth(place).get_attribute("value") for place in (1, 2)]
    # opened and folded again, it is the same row
    arrow = page.locator(f"#expand-{chosen[0]}")
    arrow.click()
    expect(page.locator(f"#{chosen[0]}-detail")).to_be_visible()
    expect(page.locator(f"#{chosen[0]} input[name=number]")).to_be_checked()
    arrow.click()
    expect(page.locator(f"#{chosen[0]}-detail")).to_have_count(0)
    expect(bar.locator("[data-count-of]")).to_have_text("2")
    # another question: what is no longer on screen is no longer ticked
    page.locator("#f-subject").fill("zzz")
    expect(page.locator(ROW)).to_have_count(0)
    expect(bar).to_be_hidden()
    page.locator("#f-subject").fill("")
    expect(page.locator(ROW).first).to_be_visible()
    page.locator("[data-select-all=number]").check()
    expect(bar.locator("[data-count-of]")).to_have_text(str(page.locator(ROW).count()))
    page.keyboard.press("Space")
    expect(bar).to_be_hidden()


def test_from_ticked_rows_to_the_account(visit):
    page = visit("admin").goto("/emails?status=error")
    page.locator("[data-select-all=number]").check()
    count = page.locator(ROW).count()
    page.get_by_role("button", name="Renvoyer…").click()
    expect(page).to_have_url(re.compile(r"/resends/N-\w+"))
    found = pills(page)
    assert sum(found.values()) == count and found["Partiront"] > 2, found
    # one is left out by hand, a group goes along all the same
    page.locator("input[name=row]").first.check()
    page.get_by_role("button", name="Laisser de côté les e-mails cochés").click()
    expect(page.locator("#flash")).to_contain_text("restera de côté")
    going = pills(page)["Partiront"]
    assert going == found["Partiront"] - 1
    page.get_by_role("button", name=re.compile("Renvoyer les|Renvoyer l’e-mail")).click()
    # a worker sends them; the page follows by itself and ends
    expect(page.locator("#run")).to_contain_text("Terminé", timeout=60_000)
    assert not page.locator("#run").get_attribute("hx-get")
    done = pills(page)
    assert done["Renvoyés"] == going and sum(done.values()) == count
    page.locator(".bulk-lines .col-actions a").first.click()
    expect(page).to_have_url(re.compile(r"/emails/E-\w+"))
    expect(page.locator("body")).to_contain_text("Renvoi")
    page.goto(page.url.partition("/emails")[0] + "/resends")
    expect(page.locator("tbody")).to_contain_text(f"{going} renvoyés" if going > 1 else "1 renvoyé")


def test_without_script_a_page_or_all_results_are_taken(visit):
    page = visit("admin", script=False).goto("/emails?status=error&limit=5")
    expect(page.locator("#pick")).to_be_visible()
    page.locator("#pick-which").select_option("all")
    page.get_by_role("button", name="Renvoyer…").click()
    page.wait_for_url(re.compile(r"/resends/N-\w+"))
    total = int(re.search(r"\d+", page.locator("h1").inner_text())[0])  # more than the page, whatever fails meanwhile
    assert sum(pills(page).values()) == total > 5
    page.get_by_role("link", name="Abandonner").click()
    page.wait_for_url(re.compile(r"/emails"))
    page = visit("staff", script=False).goto("/emails?status=error&limit=5")
    assert not page.get_by_role("button", name="Renvoyer…").count()
    page.locator(BOX).nth(0).check()
    page.get_by_role("button", name="Marquer comme traité…").click()
    page.wait_for_url(re.compile(r"/selections"))
    expect(page.locator("h1")).to_have_text("Marquer comme traité")
