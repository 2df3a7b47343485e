"""The history in a browser: Back and Forward walk through filters, and without script everything is still there."""

from __future__ import annotations

import contextlib
import re

from playwright.sync_api import Error, Page, Route, expect


def ids(page: Page) -> list[str]:
    """The rows on screen, once nothing is under way."""
    expect(page.locator(".htmx-request, .htmx-settling, .htmx-swapping")).to_have_count(0)
    return page.locator("tbody tr[id^=E-]").evaluate_all("rows => rows.map(row => row.id)")


def shown(page: Page) -> tuple[str, list[str], str, list[str]]:
    """(address, rows, what the recipient's input holds, the statuses that are ticked)."""
    rows = ids(page)
    ticked = page.locator("input[name=status]:checked").evaluate_all("boxes => boxes.map(box => box.value)")
    return page.url, rows, page.locator("#f-recipient").input_value(), ticked


def settles(page: Page, step: tuple[str, list[str], str, list[str]]) -> None:
    """The page comes to show that step: Back and Forward are honest reloads, which take their time."""
    expect(page).to_have_url(step[0])
    for _try in range(100):
        with contextlib.suppress(Error):  # looked at while it was being left
            if shown(page) == step:
                return
        page.wait_for_timeout(100)
    assert shown(page) == step


def test_back_and_forward_show_the_rows_and_inputs_of_each_step(visit):
    page = visit("admin").goto("/emails")
    steps = [shown(page)]
    assert len(steps[0][1]) > 20

    page.locator("td.col-status summary").first.click()
    page.locator("input[name=status][value=failed]").check()
    expect(page).to_have_url(re.compile("status=failed"))
    steps.append(shown(page))
    assert steps[1][1] and steps[1][1] != steps[0][1] and steps[1][3] == ["failed"]

    page.locator("#f-period").evaluate("select => select.closest('details').open = true")
    page.locator("#f-period").select_option("year")
    expect(page).to_have_url(re.compile("period=year"))
    steps.append(shown(page))

    for place in (1, 0):
        page.go_back()
        settles(page, steps[place])
    for place in (1, 2):
        page.go_forward()
        settles(page, steps[place])
    page.reload()
    assert shown(page) == steps[2]


def test_typing_filters_keeps_the_focus_and_makes_no_step_a_letter(visit):
    page = visit("admin").goto("/emails")
    before = page.evaluate("history.length")
    page.locator("#f-recipient").press_sequentially("courrier", delay=40)
    expect(page).to_have_url(re.compile("recipient=courrier"))
    found = shown(page)
    assert found[1] and page.evaluate("document.activeElement.id") == "f-recipient"
    assert page.evaluate("history.length") - before <= 1
    for row in page.locator("tbody tr[id^=E-] .col-recipient").all_inner_texts():
        assert "courrier" in row
    page.reload()
    assert shown(page) == found


def test_without_script_enter_filters_and_a_link_opens_an_email(visit):
    one = visit("admin", script=False)
    page = one.goto("/emails")
    page.locator("#f-recipient").fill("courrier")
    page.locator("#f-recipient").press("Enter")
    page.wait_for_url(re.compile("recipient=courrier"))
    texts = page.locator("tbody tr[id^=E-] .col-recipient").all_inner_texts()
    assert texts and all("courrier" in text for text in texts)
    page.get_by_role("link", name=re.compile("Suivant")).first.click()
    page.wait_for_url(re.compile("cursor="))
    assert page.locator("#f-recipient").input_value() == "courrier"
    page.locator("tbody tr[id^=E-] .col-recipient a").first.click()
    page.wait_for_url(re.compile(r"/emails/E-\w+"))
    expect(page.frame_locator("iframe.letter-frame").locator("body")).to_contain_text("Atelier Cassiopée")
    expect(page.locator("main")).to_contain_text("Ce qui s’est passé")


def test_without_script_a_session_is_found_and_its_form_opened(visit):
    page = visit("staff", script=False).goto("/sessions")
    page.locator("input[type=search]").first.fill("premiers secours")
    page.locator("input[type=search]").first.press("Enter")
    page.get_by_role("link", name="Accueil et premiers secours").first.click()
    page.get_by_role("link", name="Gestion", exact=True).click()
    page.get_by_role("link", name="Envoyer à tous").click()
    page.locator("button[name=choose][value=learner]").click()
    page.get_by_role("button", name=re.compile("Vérifier")).click()
    expect(page.locator(".person-button")).to_have_count(6)


def test_an_expanded_row_folds_by_the_keyboard(visit):
    page = visit("manager").goto("/emails")
    first = page.locator("tbody tr[id^=E-] .expand").first
    first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("tr[id$=-detail]")).to_have_count(1)
    expect(page.locator("tbody .expand").first).to_have_attribute("aria-expanded", "true")
    page.locator("tbody .expand").first.focus()
    page.keyboard.press("Escape")
    expect(page.locator("tr[id$=-detail]")).to_have_count(0)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.hasAttribute('data-search')")


def hold(page: Page, address: str) -> list[Route]:
    """Requests to `address`, kept on the way until the test lets them go."""
    held: list[Route] = []
    page.route(address, lambda route: held.append(route))
    return held


def refresh(page: Page, row: str) -> None:
    """The page asks for its changed rows now, as if it had known an older state of this one."""
    page.locator("#live").evaluate(
        "(live, row) => { live.setAttribute('hx-get', `/emails/changed?list=global&rows=${row}.00000000`);"
        " live.setAttribute('hx-trigger', 'now'); htmx.process(live); htmx.trigger(live, 'now') }",
        row,
    )


def stays_open(page: Page, row: str) -> None:
    expect(page.locator(".htmx-request")).to_have_count(0)
    expect(page.locator(f"#{row}-detail")).to_contain_text("Repères")
    expect(page.locator(f"#{row}-detail")).to_have_count(1)
    expect(page.locator(f"#{row} .expand")).to_have_attribute("aria-expanded", "true")


def test_a_refresh_does_not_take_away_the_row_that_is_being_opened(visit):
    page = visit("admin").goto("/emails")
    row = page.locator("tbody tr[id^=E-]").first.get_attribute("id")
    held = hold(page, "**/emails/E-*")
    page.locator(f"#{row} .expand").click()
    expect(page.locator(".expand.htmx-request")).to_have_count(1)
    refresh(page, row)
    expect(page.locator("#live.htmx-request")).to_have_count(0)
    held[0].continue_()
    stays_open(page, row)


def test_on_a_slow_network_the_place_of_what_opens_is_held(visit):
    page = visit("admin").goto("/emails")
    row = page.locator("tbody tr[id^=E-]").first.get_attribute("id")
    held = hold(page, "**/emails/E-*")
    page.locator(f"#{row} .expand").click()
    place = page.locator(f"#{row} + .detail-wait")
    expect(place).to_be_visible()
    held[0].continue_()
    stays_open(page, row)
    expect(place).to_have_count(0)


def test_a_refresh_asked_before_a_row_was_opened_does_not_fold_it(visit):
    page = visit("admin").goto("/emails")
    row = page.locator("tbody tr[id^=E-]").first.get_attribute("id")
    held = hold(page, "**/emails/changed?*")
    refresh(page, row)
    expect(page.locator("#live.htmx-request")).to_have_count(1)
    page.locator(f"#{row} .expand").click()
    expect(page.locator(f"#{row}-detail")).to_contain_text("Repères")
    with contextlib.suppress(Error):  # the page may have given it up
        held[0].continue_()
    stays_open(page, row)


def test_every_address_is_read_whole_beside_the_menu_and_on_a_tablet(visit):
    for width in (1440, 1024, 768):
        page = visit("staff", width=width).goto("/emails?limit=100&status=error")
        assert len(ids(page)) > 20
        cut = page.locator("tbody .col-recipient > *").evaluate_all(
            "lines => lines.filter(line => line.scrollHeight > line.clientHeight + 1).map(line => line.textContent)"
        )
        assert cut == [], f"at {width} px"
        subject = page.locator("tbody .col-subject").first.bounding_box()
        assert subject and subject["width"] > 80, f"at {width} px"


def test_no_head_of_a_column_runs_into_the_next(visit):
    """The longest is what the list is ordered by."""
    for width in (1440, 1024, 768):
        page = visit("staff", width=width).goto("/emails?date_field=updated")
        stuck_out = page.locator("thead tr:first-child th").evaluate_all(
            "heads => heads.filter(head => head.scrollWidth > head.clientWidth).map(head => head.innerText)"
        )
        assert stuck_out == [], f"at {width} px"


def test_links_of_an_opened_email_look_as_on_its_own_page(visit):
    page = visit("admin").goto("/emails")
    colours = "links => links.map(link => [link.textContent.trim(), getComputedStyle(link).color])"
    links = "aside.detail-side a:not(.btn), .letter-foot a"
    page.locator("tbody tr[id^=E-] .expand").first.click()
    page.locator(links).first.wait_for()
    opened = page.locator(links).evaluate_all(colours)
    page.goto(page.url.partition("/emails")[0] + page.locator("tr.is-open .col-recipient a").get_attribute("href"))
    assert opened and page.locator(links).evaluate_all(colours) == opened
