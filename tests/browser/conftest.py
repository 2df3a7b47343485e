"""Chromium on the real house. A visit notes every dialog, console error and request to another host; there are none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.browser.house import ROOT, House
from tests.need import need

# Screenshots and the trace of the walk: `playwright show-trace test-results/walk/trace.zip`.
ARTEFACTS = ROOT / "test-results"
# A machine that runs two browsers and two houses at once answers late, which is no fault of the page.
expect.set_options(timeout=20_000)
ACCOUNTS = {"staff": "Sophie Lambert", "manager": "Mathieu Rolland", "admin": "Agnès Kermadec"}


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return browser_type_launch_args | {
        "executable_path": need("chromium"),
        "args": [
            "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--font-render-hinting=none",
            "--disable-lcd-text", "--force-color-profile=srgb",
        ],
    }  # fmt: skip


@pytest.fixture(scope="session")
def house(folder: Path) -> Iterator[House]:
    need("chromium")
    with House(folder / "browser") as running:
        yield running


@dataclass
class Visit:
    """One person at one window. `troubles` must stay empty."""

    house: House
    context: BrowserContext
    page: Page
    troubles: list[str] = field(default_factory=list)
    # Words of what is no trouble: Chromium says so of each sandboxed frame into which Playwright looks, and when a
    # frame's policy stops what a stranger's e-mail asked for. What matters is that nothing ran and nothing was fetched.
    expected: tuple[str, ...] = ("Blocked script execution", "violates the following Content Security Policy")

    def __post_init__(self) -> None:
        self.context.on("request", self._requested)
        self.context.on("page", self._watch)
        self._watch(self.page)

    def _watch(self, page: Page) -> None:
        page.set_default_timeout(20_000)
        page.on("console", lambda m: self._note(f"console: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self._note(f"script: {error}"))
        page.on("dialog", lambda dialog: (self._note(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("response", lambda answer: self._note(f"{answer.status} {answer.url}") if answer.status > 499 else None)

    def _requested(self, request: Request) -> None:
        where = urlsplit(request.url)
        # chrome and chrome-extension: the browser's own, such as its viewer of PDF
        inside = ("data", "blob", "about", "chrome", "chrome-extension")
        ours = where.scheme in inside or request.url.startswith(self.house.url)
        if not ours:
            self._note(f"request to another host: {request.url}")

    def _note(self, words: str) -> None:
        if not any(word in words for word in self.expected):
            self.troubles.append(words)

    def goto(self, path: str) -> Page:
        """Open a page of the house, which answers 200."""
        answer = self.page.goto(self.house.url + path)
        assert answer is not None and answer.status == 200, f"{path}: {answer and answer.status}"
        return self.page

    def fits(self) -> None:
        """No page is wider than its window."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{self.page.url} is {wide} px too wide"


@pytest.fixture(scope="session")
def signed_in(browser: Browser, house: House) -> Callable[[str, str], Any]:
    """The cookies of an account in a language, got once by its demo button and the switch in the page."""
    kept: dict[tuple[str, str], Any] = {}

    def cookies(role: str, language: str) -> Any:
        if (role, language) not in kept:
            context = browser.new_context(locale="fr-FR")
            page = context.new_page()
            page.goto(house.url + "/sign-in")
            page.locator("button.demo-account", has_text=ACCOUNTS[role]).click()
            page.wait_for_url(lambda url: "/sign-in" not in url)
            page.locator(f"button[name=language][value={language}]").click()
            page.wait_for_load_state()
            assert page.locator("html").get_attribute("lang") == language
            kept[role, language] = context.storage_state()
            context.close()
        return kept[role, language]

    return cookies


@pytest.fixture
def visit(
    browser: Browser, house: House, signed_in: Callable[[str, str], Any]
) -> Iterator[Callable[..., Visit]]:
    """visit("staff", width=…, script=…, theme=…, language=…) opens a window; at the end nothing may have gone wrong."""
    visits: list[Visit] = []

    def begin(
        role: str | None = "staff", *, width: int = 1440, height: int = 900, script: bool = True,
        theme: str = "light", language: str = "fr",
    ) -> Visit:  # fmt: skip
        context = browser.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=script, color_scheme=theme,
            locale="fr-FR" if language == "fr" else "en-GB", timezone_id="Europe/Paris",
            storage_state=signed_in(role, language) if role else None, reduced_motion="reduce",
        )  # fmt: skip
        visits.append(Visit(house, context, context.new_page()))
        return visits[-1]

    yield begin
    for one in visits:
        one.context.close()
    troubles = [trouble for one in visits for trouble in one.troubles]
    assert not troubles, "\n".join(troubles)


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """An empty folder for what a person may want to look at afterwards."""
    folder = ARTEFACTS / "walk"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
