"""The demo's e-mail with files of every sort, in Chromium: looked at over the page, or on a page of its own without
script, taken as an archive; nothing is fetched before it is asked for, nothing runs, no large image is drawn."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_axe import violations

_SIDES = "image => image.decode().catch(() => null).then(() => [image.naturalWidth, image.naturalHeight])"


def opened(page: Page) -> str:
    """The e-mail's own page; gives its path."""
    public_id = page.locator("tbody#rows tr").first.get_attribute("id")
    return f"/emails/{public_id}"


@pytest.mark.parametrize("width", [1440, 390])
def test_files_are_looked_at_over_the_page(visit: Callable[..., Any], width: int) -> None:
    one = visit("manager", width=width)
    one.expected = (*one.expected, "Applying inline style")  # the browser's own viewer of PDF
    where = opened(one.goto("/emails?subject=Pour+pr%C3%A9parer"))
    asked: list[str] = []
    one.page.on("request", lambda request: asked.append(request.url))
    page = one.goto(where)
    files = page.locator("section.attached li")
    expect(files).to_have_count(5)
    files.first.scroll_into_view_if_needed()
    expect(files.nth(4)).to_contain_text("../../<img src=x onerror=alert(1)> facture\ufffdfdp.exe")
    assert not [url for url in asked if url.endswith("/frame")]
    assert files.nth(1).locator("img").evaluate(_SIDES) == [900, 600]
    assert files.nth(2).locator("img").evaluate(_SIDES) == [1, 1]
    assert violations(page) == []

    files.nth(1).locator("a").first.click()
    dialog = page.locator("dialog[open]")
    expect(dialog.locator("h2")).to_have_text("Plan d'accès.png")
    inside = dialog.frame_locator("iframe")
    assert inside.locator("img").evaluate(_SIDES) == [900, 600]
    assert violations(page) == []
    one.fits()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)

    files.nth(2).locator("a").first.click()
    expect(page.locator("dialog[open]").frame_locator("iframe").locator("main")).to_contain_text(
        "Cette image est trop grande pour être affichée"
    )
    page.locator("dialog[open] form button").click()
    with page.expect_response(lambda answer: answer.url.endswith("/1/frame")) as answer:
        files.nth(0).locator("a").first.click()
    assert answer.value.status == 200 and answer.value.headers["content-type"] == "application/pdf"


def test_without_script_each_file_has_a_page(visit: Callable[..., Any]) -> None:
    one = visit("staff", script=False)
    where = opened(one.goto("/emails?subject=Pour+pr%C3%A9parer"))
    page = one.goto(where)
    page.locator("section.attached li").nth(1).locator("a").first.click()
    page.wait_for_url(f"**{where}/attachments/2/view")
    expect(page.frame_locator("iframe").locator("img")).to_be_visible()
    page.locator("a[rel=next]").click()
    page.wait_for_url(f"**{where}/attachments/3/view")


def test_an_archive_of_the_list_is_taken(visit: Callable[..., Any], tmp_path: Path) -> None:
    one = visit("manager")
    page = one.goto("/emails?subject=Pour+pr%C3%A9parer")
    page.locator("#exports summary").click()
    page.get_by_role("link", name="Pièces jointes (ZIP)").click()
    expect(page.locator("main")).to_contain_text("Télécharger les pièces jointes")
    assert violations(page) == []
    with page.expect_download() as taken:
        page.locator("form[action$='attachments.zip'] button").click()
    taken.value.save_as(tmp_path / "a.zip")
    book = zipfile.ZipFile(tmp_path / "a.zip")
    assert book.testzip() is None
    names = [name.rpartition("/")[2] for name in book.namelist()[1:]]  # what it is, of whom, of which session
    assert [name.split(" - ")[0] + name[name.rindex(".") :] for name in names[:-1]] == [
        "Plan d'accès.png", "Vue de la salle (panorama).png", "Feuille d'émargement.xlsx",
        "img src=x onerror=alert(1)_ facture fdp.exe",
    ]  # fmt: skip
    assert all(name.count(" - ") == 2 for name in names[:-1]) and names[-1] == "liste.csv"
