"""Without script nothing stands on a page that only script would answer, and each form shows what sends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import Visit

PAGES = (
    "/", "/emails", "/todo", "/todo/corrections?cause=user_unknown&domain=courrier.example", "/sessions",
    "/contacts/learners", "/settings/domains/cassiopee.example", "/settings/senders", "/exports",
)  # fmt: skip
# What is seen and does nothing: buttons that neither send nor open, boxes that tick others, forms without a button.
_DEAD = """() => {
  const seen = one => one.checkVisibility({visibilityProperty: true}) && one.getBoundingClientRect().width > 0;
  const dead = 'button[type=button]:not([popovertarget]), a:not([href]), [data-copy], [data-copy-from], '
    + '[data-select-all]';
  const forms = [...document.forms].filter(form => {
    const mine = [...form.elements];
    return mine.some(one => one.type !== 'hidden' && one.type !== 'submit' && seen(one))
      && !mine.some(one => one.type === 'submit' && seen(one));
  });
  return [...[...document.querySelectorAll(dead)].filter(seen), ...forms].map(one => one.outerHTML.slice(0, 160));
}"""


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_shown_that_only_script_would_answer(visit: Callable[..., Visit], width: int) -> None:
    one = visit("admin", width=width, script=False)
    paths = list(PAGES)
    one.goto("/sessions")
    session = one.page.locator("main tbody a[href^='/sessions/S-']").first.get_attribute("href")
    assert session is not None
    paths += [f"{session}/documents/convocation", f"{session}/convocation", f"{session}/people"]
    found = {path: one.goto(path).evaluate(_DEAD) for path in paths}
    assert {path: dead for path, dead in found.items() if dead} == {}


def test_on_a_phone_the_sheet_sends_what_was_chosen(visit: Callable[..., Visit]) -> None:
    page = visit("staff", width=390, height=844, script=False).goto("/emails")
    button = page.locator(".filter-submit .btn")
    assert not button.is_visible()
    page.locator(".filter-toggle > summary").click()
    page.locator("input[name=recipient]").fill("martinez")
    button.click()
    assert "recipient=martinez" in page.url
    assert "martinez" in page.locator("tbody tr").first.inner_text().lower()
