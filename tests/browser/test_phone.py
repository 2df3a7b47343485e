"""On a phone, sheets rise from below, nothing in a box is cut, and what belongs together stands on one line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit

PHONE = {"width": 390, "height": 844}
# The example in each empty box that is seen, as wide as it is drawn, and the room it has.
_EXAMPLES = """() => {
 const seen = [...document.querySelectorAll('main input[type=search]')].filter(one => one.offsetWidth > 1);
 return seen.map(one => {
  const style = getComputedStyle(one), pen = document.createElement('canvas').getContext('2d');
  pen.font = style.font;
  const room = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  return [one.placeholder, pen.measureText(one.placeholder).width - room];
 });
}"""


def _box(page: Page, selector: str) -> dict[str, float]:
    box = page.locator(selector).first.bounding_box()
    assert box is not None, selector
    return {"left": box["x"], "right": box["x"] + box["width"], "top": box["y"], "bottom": box["y"] + box["height"]}


def test_the_further_filters_are_a_sheet(visit: Callable[..., Visit]) -> None:
    page = visit("staff", **PHONE).goto("/emails")
    page.locator(".more-filters > summary").click()
    page.locator("#f-treated").select_option("no")
    expect(page.locator("#more-count")).to_have_text("1")
    sheet = _box(page, ".more-filters .menu-panel")
    assert (sheet["left"], sheet["right"], sheet["bottom"]) == (0, 390, 844)
    assert page.evaluate("getComputedStyle(document.body).overflow") == "hidden"
    page.mouse.click(195, 844 - 38)  # its button, at the foot
    expect(page.locator(".more-filters .menu-panel")).to_be_hidden()
    page.locator(".more-filters > summary").click()
    page.mouse.click(195, 20)  # the shade
    expect(page.locator(".more-filters .menu-panel")).to_be_hidden()


def test_without_script_the_sheet_of_further_filters_sends(visit: Callable[..., Visit]) -> None:
    page = visit("staff", **PHONE, script=False).goto("/emails?more=1")
    page.locator("#f-treated").select_option("no")
    button = _box(page, ".filter-submit .btn")
    assert button["left"] == 16 and button["right"] == 374 and button["bottom"] == 844 - 16
    page.locator(".filter-submit .btn").click()
    page.wait_for_url(lambda url: "treated=no" in url)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_example_in_a_search_box_is_cut(visit: Callable[..., Visit], language: str) -> None:
    one = visit("staff", **PHONE, language=language)
    for path in ("/emails", "/sessions", "/contacts/learners", "/programmes", "/opportunities"):
        found = one.goto(path).evaluate(_EXAMPLES)
        assert found and {example: over for example, over in found if over > 0} == {}, path


def test_what_a_date_is_of_stands_under_it(visit: Callable[..., Visit]) -> None:
    page = visit("staff", **PHONE).goto("/emails?status=error")
    lines = page.locator("tbody .col-date :is(time, .sub:not(:has(time)))")
    ends = lines.evaluate_all("""all => all.map(one => {
      const range = document.createRange();
      range.selectNodeContents(one);
      return Math.round(range.getBoundingClientRect().right);
    })""")
    assert page.locator("tbody .col-date .sub").count() and set(ends) == {390 - 16}


def test_tabs_that_go_on_fade_and_show_which_is_open(visit: Callable[..., Visit]) -> None:
    page = visit("staff", **PHONE).goto("/emails?status=error")
    tabs = page.locator("#tabs .tabs")
    open_one = _box(page, "#tabs [aria-current]")
    assert open_one["left"] >= 0 and open_one["right"] <= 390
    tabs.evaluate("one => { one.scrollLeft = one.scrollWidth }")
    # although one wants no movement
    expect(tabs).to_have_css("--tabs-before", "32px")
    expect(tabs).to_have_css("--tabs-after", "0px")


def test_the_menus_of_one_session_stand_on_the_line_of_its_search(visit: Callable[..., Visit]) -> None:
    one = visit("staff", **PHONE)
    page = one.goto("/sessions")
    href = page.locator("main tbody a[href^='/sessions/S-']").first.get_attribute("href")
    page = one.goto(f"{href}/emails")
    search, menus = _box(page, ".search-box .row-flex"), _box(page, ".history-menus")
    assert abs(search["top"] - menus["top"]) <= 1 and menus["bottom"] - search["bottom"] <= 1
    assert search["right"] <= menus["left"] and menus["right"] <= 390
    one.fits()
