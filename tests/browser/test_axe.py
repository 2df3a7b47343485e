"""axe finds nothing on any page nor in any state, light and dark, French and English; and every page fits a phone.

Colours do not depend on the language nor structure on words nor names on the theme: light French gets every rule, dark
the contrast, English the rules of what has a name, a label or a language.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from bench.screens import STATES, endpoint_of

AXE = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text()
# What an open menu lies over is no small target: it closes.
_RUN = """options => axe.run(document, {resultTypes: ['violations'], iframes: false, preload: false, ...options}).then(
  result => result.violations.map(v => ({id: v.id, nodes: v.nodes.filter(
    n => !n.any.some(c => c.id === 'target-size' && /obscured/i.test((c.data || {}).messageKey)))})).filter(
  v => v.nodes.length).map(v => v.id + ': ' + v.nodes.slice(0, 3).map(
    n => n.html.slice(0, 140) + ' — ' + (n.any[0] || n.all[0] || n.none[0] || {}).message).join(' | ')))"""

# What words alone can break.
WORDED = ["cat.language", "cat.name-role-value", "cat.text-alternatives", "cat.forms"]

# The pages of a signed-in admin; {session}, {contact}, {email} are of the demo.
PAGES = (
    "/", "/?period=custom", "/search", "/search?q=convocation",
    "{session}/completeness", "{session}/completeness/missing", "{session}/people/{learner}/space",
    "/opportunities", "/opportunities?stage=quoted", "/opportunities/new", "{opportunity}", "{opportunity}/edit",
    "{opportunity}/emails", "{opportunity}/emails/new", "{opportunity}/quote", "/settings/training-types",
    "/settings/training-types/new", "/settings/training-types/default",
    "/sessions", "/sessions/new", "{session}", "{session}/edit", "{session}/people", "{session}/people/import",
    "{session}/emails",
    "{session}/emails/new", "{session}/convocation", "/contacts/learners", "/contacts/companies",
    "{session}/documents", "{session}/documents/convocation", "{session}/documents/programme",
    "{session}/documents/uploaded", "{session}/documents/programme/preview", "{session}/evaluations",
    "{session}/evaluations/hot", "{session}/evaluations/hot/emails/new?who=all", "/programmes", "/programmes/new",
    "/contacts/trainers", "/contacts/customers", "/contacts/funders", "/contacts/learners/new", "{contact}",
    "{contact}/edit", "{contact}/emails", "/contacts/import", "/emails",
    "/emails?status=error&recipient=nobody-at-all", "{email}", "{blocked}", "{blocked}/assistance",
    "{carrying}/attachments/1/view", "/emails/attachments", "/emails/proofs",
    "/settings", "/settings/organisation", "/settings/senders", "/settings/senders/new", "/settings/users",
    "/settings/users/new",
    "/settings/tokens", "/settings/tokens/new", "/settings/webhooks", "/settings/webhooks/new",
    "/settings/templates", "{template}", "{template}/versions", "{template}/versions/1", "/settings/look",
    "{session}/planned", "{session}/planned?show=past", "{session}/automations", "/settings/automations", "/events",
    "/events?type=nothing", "/settings/billing", "/settings/billing/new",
    "/settings/quarantine", "/settings/quarantine?state=lifted", "/settings/quarantine?address=nobody-at-all",
    "{quarantined}", "{stopped}", "{uncertain}",
    "/settings/operations", "/settings/providers", "/settings/providers/new", "{provider}", "/settings/opt-outs",
    "/settings/pace", "/settings/pace/domains/new", "/settings/accounts/new", "{account}",
    "/settings/domains/cassiopee.example",
    "/settings/reports", "/settings/reports?state=unreadable", "{report}", "/settings/reports/told", "{told}",
    "/settings/audit", "/settings/audit?action=emails", "/settings/audit?subject=nobody-at-all",
    "/help/statuses", "/start", "/start/template", "/start/test",
    "/account", "/todo", "/todo?who=mine", "/todo?cause=spam&domain=none",
    "/views", "/segments", "/segments/new", "/exports", "/exports/new",
    "/api/v1/docs", "/gallery", "/no/such/page",
)  # fmt: skip


def violations(page: Page, **options: Any) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    return page.evaluate(_RUN, options)


def first_link(page: Page, pattern: str) -> str:
    hrefs = page.locator("main a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    return next(found[0] for href in hrefs if (found := re.match(pattern, href)))


def places(one) -> dict[str, str]:
    names = {}
    for name, path, pattern in (
        ("session", "/sessions", r"/sessions/S-\w+"),
        ("contact", "/contacts/learners", r"/contacts/C-\w+"),
        ("email", "/emails?status=error", r"/emails/E-\w+"),
        ("blocked", "/emails?reason=blocked", r"/emails/E-\w+"),
        ("carrying", "/emails?attachment=yes", r"/emails/E-\w+"),
        ("stopped", "/emails?reason=suppressed", r"/emails/E-\w+"),
        ("uncertain", "/emails?status=uncertain", r"/emails/E-\w+"),
        ("quarantined", "/settings/quarantine", r"/settings/quarantine/Q-\w+"),
        ("provider", "/settings/providers", r"/settings/providers/F-\w+"),
        ("report", "/settings/reports", r"/settings/reports/R-\w+"),
        ("told", "/settings/reports/told", r"/settings/reports/told/\d+"),
        ("account", "/settings/senders", r"/settings/accounts/(?!new)[\w-]+"),
        ("template", "/settings/templates", r"/settings/templates/T-\w+"),
        ("opportunity", "/opportunities", r"/opportunities/O-\w+"),
    ):
        names[name] = first_link(one.goto(path), pattern)
    people = one.goto(names["session"] + "/people")
    names["learner"] = first_link(people, r"/contacts/(C-\w+)").rpartition("/")[2]
    return names


# What of the page ends right of the window, where the page is wider than it.
_STICKS_OUT = """(() => {
  const page = document.documentElement, seen = page.clientWidth
  if (page.scrollWidth <= seen) return []
  const out = [...document.body.querySelectorAll("*")].filter(one => one.getBoundingClientRect().right > seen + 0.5)
  return [`${page.scrollWidth - seen} px`, ...out.slice(0, 5).map(one => one.outerHTML.slice(0, 120))]
})()"""


def check(one, where: str, language: str, *, targets: bool = True) -> list[str]:
    """What axe and the phone's width say of the page that is open; with `targets`, whether a finger finds room (WCAG
    2.2: axe leaves it out unless asked)."""
    page, found = one.page, []
    if language == "fr":
        found += [f"{where} light {v}" for v in violations(page, rules={"target-size": {"enabled": targets}})]
        page.emulate_media(color_scheme="dark")
        only = {"runOnly": ["color-contrast"]}
        found += [f"{where} dark {v}" for v in violations(page, **only)]
        page.emulate_media(color_scheme="light")
    else:
        found += [f"{where} en {v}" for v in violations(page, runOnly=WORDED)]
    page.set_viewport_size({"width": 390, "height": 844})
    wide = page.evaluate(_STICKS_OUT)
    found += [f"{where} {language} is wider than a phone: {', '.join(wide)}"] if wide else []
    page.set_viewport_size({"width": 1440, "height": 900})
    return found


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_page_is_clean(visit, language):
    one = visit("admin", language=language)
    one.expected += ("404",)
    found, names = [], places(one)
    for path in PAGES:
        where = path.format(**names)
        answer = one.page.goto(one.house.url + where)
        if answer.status == 404 and "/no/such" not in where:
            found.append(f"{where} answers 404")
            continue
        assert one.page.locator("html").get_attribute("lang") == language
        found += check(one, where, language)
    one.goto("/emails?status=error")
    one.page.locator("tbody .expand").first.click()
    one.page.locator("tr[id$=-detail]").wait_for()
    one.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    # Never open together, they lie over one another here: how much is left of a target says nothing.
    found += check(one, "expanded row with every menu open", language, targets=False)
    one.goto(names["session"] + "/convocation")
    one.page.locator("button[name=choose][value=learner]").click()
    one.page.locator(".form-actions button[name=step][value=preview]").click()
    one.page.locator(".letter").wait_for()
    found += check(one, "preview", language)
    assert not found, "\n".join(found)


def test_every_state_is_clean(visit, app: Flask):
    """What `bench.screens` pictures after clicks: a refused form, unfolded menus, opened rows."""
    one, adapter = visit("admin"), app.url_map.bind("localhost")
    one.expected += ("404", "422")
    page, found, names = one.page, [], places(one)
    paths: dict[str | None, str] = {}
    for path in PAGES:
        where = path.format(**names)
        paths.setdefault(endpoint_of(adapter, where.partition("?")[0]), where.partition("?")[0])
    for state in STATES:
        if not state.clicks or state.slow:  # no other structure than what is judged anyway
            continue
        page.goto(one.house.url + paths[state.at] + state.more)
        page.evaluate("for (const form of document.forms) form.noValidate = true")
        for click in state.clicks:
            if not page.locator(click).first.is_visible():  # only a phone has it
                page.set_viewport_size({"width": 390, "height": 844})
            page.locator(click).first.click()
            expect(page.locator(".htmx-request")).to_have_count(0)
            if click == "tbody .expand":
                expect(page.locator("tr[id$=-detail]")).to_be_visible()
        # The bar of what one does with selected rows floats over whichever row is there: as with menus above.
        found += check(one, state.name, "fr", targets=state.name != "rows selected")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_door_is_clean(visit, language):
    one = visit(None, language=language)
    one.goto("/sign-in")
    found = check(one, "/sign-in", language)
    assert not found, "\n".join(found)
