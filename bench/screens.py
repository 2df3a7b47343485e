"""Picture every screen of a running house: `python -m bench.screens --at http://127.0.0.1:5000 --out var/screens`.

Promises one address for every page of the URL map that can be reached from the navigation by links, and the states
named in STATES (zero results, a mistake, opened rows, unfolded menus, a slow network), each at three widths, in both
themes and both languages, with an index.html that shows them side by side and says which pages no link reached. Eyes
judge. `--only sessions,todo` takes some endpoints, `--widths 1440`, `--themes light`, `--languages fr` fewer pictures;
`--extreme` adds bench.extremes to the house and to the set.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

from lxml import html
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import Error as BrowserError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, RequestRedirect

from app import create_app
from bench import extremes

CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
]  # fmt: skip
WIDTHS = {1440: 900, 1024: 768, 390: 844}
# Answers of these are no screens: pieces of pages, files, and what ends a visit.
NO_SCREEN = re.compile(r"changed|thumbnail|pixel|\.(file|raw|source|body|frame|export|results|archive|account|letter|"
                       r"of_email|convocation_pdf|preview_pdf|evidence_raw)$|static|^sheets|^health|^metrics|"
                       r"^auth\.sign_out|^track|more_filters|search_help|choose_columns|suggested|addresses|"
                       r"^api\.(?!docs)|openapi")  # fmt: skip

# What is wider than the page, and what sticks out of the cell or panel it stands in.
_WIDE = """() => {
  const root = document.documentElement, found = root.scrollWidth - root.clientWidth;
  const wrong = found > 0 ? [`page ${found} px too wide`] : [];
  for (const one of document.querySelectorAll('td, th, .panel, .notice, .card, .empty, main')) {
    const over = one.scrollWidth - one.clientWidth, style = getComputedStyle(one);
    if (over > 2 && one.clientWidth > 2 && style.overflowX === 'visible' && style.display !== 'contents')
      wrong.push(`${one.localName}.${one.className} ${over} px`);
  }
  return [...new Set(wrong)].slice(0, 4);
}"""


@dataclass(frozen=True)
class State:
    """A page in a state: `at` is the endpoint it begins from, `more` goes behind its address, then the `clicks`.

    `slow`: the last click is answered after four seconds, and the picture shows what stands meanwhile. Not `whole`:
    the first screen alone, for what lies over it.
    """

    name: str
    at: str
    more: str = ""
    clicks: tuple[str, ...] = ()
    slow: bool = False
    whole: bool = True


@dataclass(frozen=True)
class Screen:
    """One line of the set: `who` is the account that looks, "" the one that was asked for."""

    name: str
    path: str
    state: State | None = None
    who: str = ""


STATES = (
    State("zero results", "emails.index", "?recipient=nobody-at-all&status=error"),
    State("an expanded failure", "emails.index", "?status=error", ("tbody .expand",)),
    State("an expanded e-mail with attachments", "emails.index", "?attachment=yes", ("tbody .expand",)),
    State("an expanded e-mail with hostile files", "emails.index", "?subject=Pour+pr%C3%A9parer", ("tbody .expand",)),
    State("an expanded failure, slow network", "emails.index", "?status=error", ("tbody .expand",), slow=True),
    State("rows selected", "emails.index", "", tuple(f"tbody .col-select input >> nth={row}" for row in (0, 1))),
    State("the filter sheet", "emails.index", "?status=error", (".filter-toggle > summary",), whole=False),
    State("more filters", "emails.index", "", (".more-filters > summary",), whole=False),
    State("the filters' help", "emails.index", "", (".search-help > summary",), whole=False),
    State("the account's menu", "sessions.index", "", (".account",), whole=False),
    State("the export menu", "emails.index", "", ("#exports summary",), whole=False),
    State("the statuses' help", "emails.index", "", (".history-menus details >> nth=-1 >> summary",), whole=False),
    State("the search from anywhere", "sessions.index", "", ("[data-dialog=search-dialog]:visible",), whole=False),
    State("the navigation of a phone", "sessions.index", "", (".topbar [popovertarget=nav]",), whole=False),
    State("a form refused", "sessions.new", "", ("main .form-actions button.btn-primary",)),
    State("a learner refused", "contacts.new", "", ("main .form-actions button.btn-primary",)),
    State("no session found", "sessions.index", "?q=nothing-of-that-name"),
    State("nobody found", "contacts.index", "?q=nobody-at-all"),
    State("nothing to treat", "todo.index", "?who=mine"),
    State("corrections of a cause", "todo.index", "/corrections?cause=user_unknown&domain=courrier.example"),
    State("what a rule would erase", "settings.index", "/retention?years=1"),
    State("corrections, none", "todo.index", "/corrections?cause=user_unknown&domain=nobody.example"),
    State("an erased e-mail", "emails.index", "?subject=Bilan", ("tbody .expand",)),
    # Of more than a page waits for: a job.
    State("a proof under way", "emails.index", "/proofs", ("main .form-actions button",)),
    State("no such page", "dashboard.home", "no/such/page"),
)


def chromium() -> str | None:
    """The browser of this machine: the whole one, else the one without windows."""
    return shutil.which("chromium") or shutil.which("chromium-headless-shell")


def endpoint_of(adapter: MapAdapter, path: str) -> str | None:
    try:
        return str(adapter.match(path, method="GET")[0])
    except RequestRedirect as elsewhere:
        return endpoint_of(adapter, urlsplit(elsewhere.new_url).path)
    except HTTPException:
        return None


def reach(context: BrowserContext, base: str, adapter: MapAdapter) -> dict[str, str]:
    """The first address found of each endpoint, by following links from the first page, breadth first."""
    found, line, asked = {"dashboard.home": "/"}, ["/", "/gallery"], set()
    while line:
        path = line.pop(0)
        if path in asked:
            continue
        asked.add(path)
        answer = context.request.get(base + path)
        if "text/html" not in answer.headers.get("content-type", "") or not answer.ok:
            continue
        for href in html.fromstring(answer.body()).xpath("//a/@href"):
            there = urlsplit(str(href))
            name = endpoint_of(adapter, there.path) if there.path.startswith("/") and not there.netloc else None
            if name and name not in found and not NO_SCREEN.search(name):
                bare = context.request.get(base + there.path).ok
                found[name] = there.path if bare else str(href)
                line.append(found[name])
    return found


def sign_in(browser: Browser, base: str, who: str, language: str) -> BrowserContext:
    """A window of the demo's account `who`, or of nobody's, its pages in `language`."""
    locale = "fr-FR" if language == "fr" else "en-GB"
    context = browser.new_context(locale=locale, reduced_motion="reduce", timezone_id="Europe/Paris")
    if who == extremes.NOBODY:
        return context
    page = context.new_page()
    page.goto(base + "/sign-in")
    page.fill("input[name=email]", who)
    page.fill("input[name=password]", "demo")
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url(lambda address: "/sign-in" not in address)
    page.locator(f"button[name=language][value={language}]").evaluate("button => button.form.requestSubmit(button)")
    page.wait_for_load_state("networkidle")
    page.close()
    return context


def _slowed(page: Page, slow: bool) -> None:
    network = page.context.new_cdp_session(page)
    network.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": 4000 if slow else 0, "downloadThroughput": -1, "uploadThroughput": -1,
    })  # fmt: skip


def picture(page: Page, file: Path, state: State | None = None) -> str:
    """Take one picture of the whole page (at most 2,600 px of it); what went wrong, if something did."""
    # A form that is refused shows the product's own words, not Chromium's.
    page.evaluate("for (const form of document.forms) form.noValidate = true")
    slow = state is not None and state.slow
    clicks = state.clicks if state else ()
    for number, click in enumerate(clicks, 1):
        target = page.locator(click).first
        if not target.is_visible():
            return f"not shown at this width: {click}"
        if slow and number == len(clicks):
            _slowed(page, True)
        target.click()
        page.wait_for_timeout(350)
        if not slow:
            expect(page.locator(".htmx-request")).to_have_count(0, timeout=15_000)
    wide = page.evaluate(_WIDE)
    tall = min(page.evaluate("document.documentElement.scrollHeight"), 2600)
    size = page.viewport_size or {"width": 1440, "height": 900}
    if state is None or state.whole:
        page.set_viewport_size({"width": size["width"], "height": max(tall, size["height"])})
    page.screenshot(path=file)
    page.set_viewport_size(size)
    if slow:
        _slowed(page, False)
    return ", ".join(wide)


def _screens(args: argparse.Namespace, context: BrowserContext, found: dict[str, str]) -> list[Screen]:
    """What is to be pictured, of what was reached."""
    screens = [Screen(name, path) for name, path in sorted(found.items())]
    screens += [Screen(one.name, found[one.at] + one.more, one) for one in STATES if one.at in found]
    if args.extreme:
        screens += [Screen(name, path, None, who) for name, path, who in extremes.hard(context, args.at)]
    return [one for one in screens if not args.only or any(word in one.name for word in args.only)]


def shots(args: argparse.Namespace, browser: Browser, adapter: MapAdapter) -> Iterator[tuple[str, str, str, str]]:
    """Take them all: (screen, address, picture's name, what went wrong)."""
    first = sign_in(browser, args.at, args.who, args.languages[0])
    found = reach(first, args.at, adapter)
    screens = _screens(args, first, found)
    first.close()
    for language, who in product(args.languages, dict.fromkeys(one.who for one in screens)):
        context = sign_in(browser, args.at, who or args.who, language)
        page = context.new_page()
        for theme, width in product(args.themes, args.widths):
            page.emulate_media(color_scheme=theme)
            for one in (screen for screen in screens if screen.who == who):
                page.set_viewport_size({"width": width, "height": WIDTHS.get(width, 900)})
                file = f"{re.sub(r'[^a-z0-9]+', '-', one.name.lower()).strip('-')}_{width}_{theme}_{language}.png"
                try:
                    page.goto(args.at + one.path)
                    wrong = picture(page, args.out / file, one.state)
                except (BrowserError, AssertionError) as error:
                    wrong = str(error).splitlines()[0]
                yield one.name, one.path, file, wrong
        context.close()
    for name in sorted({str(rule.endpoint) for rule in adapter.map.iter_rules() if "GET" in (rule.methods or ())}):
        if name not in found and not NO_SCREEN.search(name) and not args.only:
            yield name, "", "", "no link leads here in the demo"


def index(taken: list[tuple[str, str, str, str]]) -> str:
    """One page with every picture, a screen a row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for name, path, file, wrong in taken:
        cell = f"<figure><a href='{file}'><img loading='lazy' src='{file}' alt=''></a>" if file else "<figure>"
        cell += f"<figcaption>{escape(file)} <b>{escape(wrong)}</b></figcaption></figure>"
        rows.setdefault((name, path), []).append(cell)
    body = "".join(f"<h2>{escape(name)} <code>{escape(path)}</code></h2><div>{''.join(cells)}</div>"
                   for (name, path), cells in rows.items())  # fmt: skip
    return (
        "<!doctype html><meta charset=utf-8><title>Screens</title><style>body{font:14px system-ui;margin:24px;"
        "background:#eee}div{display:flex;gap:12px;overflow-x:auto;align-items:start}img{height:420px;border:1px solid "
        f"#ccc}}figure{{margin:0}}figcaption{{font-size:11px}}b{{color:#a00}}</style>{body}"
    )


def main() -> None:
    """Read the wishes, take the pictures, write the index."""
    wish = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wish.add_argument("--at", default="http://127.0.0.1:5000")
    wish.add_argument("--who", default="admin@cassiopee.example")
    wish.add_argument("--out", type=Path, default=Path("var/screens"))
    wish.add_argument("--only", type=lambda text: text.split(","), default=[])
    wish.add_argument("--widths", type=lambda text: [int(one) for one in text.split(",")], default=list(WIDTHS))
    wish.add_argument("--themes", type=lambda text: text.split(","), default=["light", "dark"])
    wish.add_argument("--extreme", action="store_true", help="make the house extreme first")
    wish.add_argument("--languages", type=lambda text: text.split(","), default=["fr", "en"])
    args = wish.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    adapter = create_app().url_map.bind("localhost")
    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        for one in shots(args, browser, adapter):
            taken.append(one)
            if one[3]:
                print(f"{one[0]:32} {one[1]:40} {one[2]} {one[3]}", flush=True)
        browser.close()
    (args.out / "index.html").write_text(index(taken))
    print(f"{sum(1 for one in taken if one[2])} pictures: {args.out / 'index.html'}")


if __name__ == "__main__":
    main()
