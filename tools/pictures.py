"""Take the pictures of README.md and docs/tour.md from a running demo: `python -m tools.pictures --at http://127.0.0.1:5000`.

Promises docs/images/*.png in light, the first three in dark too, at 1440 × 900. A test holds that
every picture that a paper shows is there (tests/test_house.py).
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from bench.screens import CHROMIUM, sign_in

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"


@dataclass(frozen=True)
class Picture:
    """`name`.png: the page at `path` after `clicks`, scrolled to `at` if something is named; in dark too if `dark`."""

    name: str
    path: str
    clicks: tuple[str, ...] = ()
    at: str = ""
    dark: bool = False
    keys: str = ""


PICTURES = (
    Picture("dashboard", "/", dark=True),
    Picture("history", "/emails", dark=True),
    Picture(
        "expanded", "/emails?reason=mailbox_full&subject=certificat", ("tbody .expand",), at="tr.is-open", dark=True
    ),
    Picture("search", "/sessions", ("a.search-open",), keys="convocation"),
    Picture("todo", "/todo"),
)


def take(browser: Browser, base: str, theme: str, wanted: tuple[Picture, ...], folder: Path) -> None:
    """Write the pictures of one theme."""
    context = sign_in(browser, base, "admin@cassiopee.example", "fr")
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    for picture in wanted:
        page.goto(base + picture.path)
        for click in picture.clicks:
            page.locator(click).first.click()
        if picture.keys:
            page.keyboard.type(picture.keys)
            page.locator(".found").first.wait_for()
        if picture.at:
            page.locator(picture.at).first.wait_for()
            page.locator(picture.at).first.evaluate("one => scrollTo(0, one.getBoundingClientRect().top - 90)")
        # Not "networkidle", which pages that ask again by themselves never reach.
        expect(page.locator(".htmx-request")).to_have_count(0)
        page.evaluate("document.fonts.ready")
        page.wait_for_timeout(800)  # the letter in its frame
        file = folder / f"{picture.name}{'-dark' if theme == 'dark' else ''}.png"
        page.screenshot(path=file)
        print(f"{file.name:22} {file.stat().st_size // 1000} kB")
    context.close()


def main() -> None:
    """Read where the house is, take them all."""
    wish = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wish.add_argument("--at", default="http://127.0.0.1:5000")
    wish.add_argument("--out", type=Path, default=FOLDER)
    args = wish.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        take(browser, args.at, "light", PICTURES, args.out)
        take(browser, args.at, "dark", tuple(one for one in PICTURES if one.dark), args.out)
        browser.close()


if __name__ == "__main__":
    main()
