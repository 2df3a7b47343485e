"""Segments, saved views, columns and long exports in a browser, as people use them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visit
from tests.browser.house import House
from tests.browser.test_history import ids

MANY = 60_000


def press(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name, exact=isinstance(name, str)).click()


def test_a_segment_by_rule_is_previewed_saved_and_filters(visit: Callable[..., Visit]) -> None:
    page = visit("staff").goto("/segments/new")
    page.locator("input[name=name]").fill("Apprenants d'ici")
    expect(page.locator("#preview")).to_contain_text("au moins une condition")
    page.locator("input[name=kind][value=learner]").check()
    count = page.locator("#preview .count")
    expect(count).not_to_have_text("0")
    expect(page.locator("#preview li")).not_to_have_count(0)
    learners = count.inner_text()
    page.locator("input[name=kind][value=company]").check()
    expect(count).not_to_have_text(learners)
    page.locator("input[name=kind][value=company]").uncheck()
    expect(count).to_have_text(learners)
    press(page, "Enregistrer")
    expect(page.locator("h1")).to_have_text(re.compile("Apprenants d.ici"))
    page.locator(".page-header, header").get_by_role("link", name="E-mails envoyés").first.click()
    page.wait_for_url(re.compile(r"/emails\?segment=G-\w+$"))
    assert ids(page)
    expect(page.locator("#search-text")).to_have_value(re.compile('segment:"Apprenants d.ici"'))
    expect(page.locator("#filter-chips")).to_contain_text("Apprenants d")
    page.locator("#search-text").fill("segment:apprenants statut:erreur")
    page.locator("#search-text").press("Enter")
    page.wait_for_url(re.compile(r"status=error&segment=G-\w+$"))
    page.goto(page.url.partition("/emails")[0] + "/segments")
    page.get_by_role("link", name=re.compile("Apprenants d.ici")).first.click()
    page.locator("summary", has_text="Supprimer ce segment").click()
    press(page, "Supprimer le segment")
    expect(page.locator("main")).to_contain_text("est supprimé")


@pytest.mark.parametrize("script", [True, False])
def test_a_member_is_put_in_and_taken_out_by_hand(visit: Callable[..., Visit], script: bool) -> None:
    page = visit("staff", script=script).goto("/segments/new?mode=members")
    name = f"Choisis {'avec' if script else 'sans'} script"
    page.locator("input[name=name]").fill(name)
    press(page, "Enregistrer")
    expect(page.locator("main")).to_contain_text("Personne pour l")
    page.get_by_label("Rechercher un contact à ajouter").fill("petit")
    page.get_by_label("Rechercher un contact à ajouter").press("Enter")
    box = page.locator("input[name=contact]").first
    who = box.locator("xpath=..").locator("bdi").first.inner_text()
    box.check()
    press(page, "Ajouter au segment")
    expect(page.locator("table")).to_contain_text(who)
    page.get_by_role("button", name=re.compile("Retirer")).click()
    expect(page.locator("main")).to_contain_text("Personne pour l")
    page.locator("summary", has_text="Supprimer ce segment").click()
    press(page, "Supprimer le segment")


def test_a_view_is_saved_shared_pinned_opened_first_and_deleted(visit: Callable[..., Visit]) -> None:
    page = visit("manager").goto("/emails")
    page.locator("#search-text").fill("statut:erreur")
    page.locator("#search-text").press("Enter")
    page.wait_for_url(re.compile("status=error"))
    rows = ids(page)
    page.locator("summary", has_text="Vues").click()
    page.locator("#view-name").fill("Tout ce qui a échoué")
    page.locator("#views input[name=shared]").check()
    page.locator("#views input[name=pinned]").check()
    press(page, "Enregistrer la vue")
    expect(page).to_have_url(re.compile(r"/emails\?status=error$"))
    pin = page.locator(".nav").get_by_role("link", name="Tout ce qui a échoué")
    expect(pin).to_have_attribute("aria-current", "page")
    colleague = visit("staff").goto("/sessions")
    colleague.locator(".nav").get_by_role("link", name="Tout ce qui a échoué").click()
    colleague.wait_for_url(re.compile("status=error"))
    assert ids(colleague) == rows
    page.goto(page.url.partition("/emails")[0] + "/views")
    panel = page.locator("section.panel", has_text="Tout ce qui a échoué")
    panel.locator("input[name=preferred]").check()
    panel.get_by_role("button", name=re.compile("^Enregistrer")).click()
    page.locator(".nav").get_by_role("link", name="E-mails envoyés").click()
    expect(page).to_have_url(re.compile(r"/emails\?status=error$"))
    page.locator("#filter-chips .filter-clear").click()
    expect(page).to_have_url(re.compile(r"/emails\?view=all$"))
    assert ids(page) != rows
    page.goto(page.url.partition("/emails")[0] + "/views")
    panel.get_by_role("button", name=re.compile("^Supprimer")).click()
    expect(page.locator(".nav").get_by_role("link", name="Tout ce qui a échoué")).to_have_count(0)
    page.goto(page.url.partition("/views")[0] + "/emails")
    expect(page).to_have_url(re.compile(r"/emails$"))


def heads(page: Page) -> list[str]:
    """Those that can be chosen: not the box to tick, not the arrow."""
    return page.locator("thead tr").first.locator("th").evaluate_all("all => all.map(one => one.className)")[2:]


def test_columns_are_chosen_and_ordered_and_remembered(visit: Callable[..., Visit]) -> None:
    page = visit("admin").goto("/emails")
    usual = heads(page)
    page.locator("#f-recipient").fill("courrier")
    expect(page).to_have_url(re.compile("recipient=courrier"))
    ids(page)
    page.locator("summary", has_text="Colonnes").click()
    for key in ("session", "contact", "files"):
        page.locator(f"input[name=column][value={key}]").uncheck()
    for place, key in enumerate(("status", "recipient", "subject", "type", "date"), 1):
        page.locator(f"input[name=place-{key}]").fill(str(place))
    press(page, "Appliquer")
    page.wait_for_load_state()
    expect(page).to_have_url(re.compile(r"recipient=courrier$"))  # what was filtered stays so
    chosen = ["col-status", "col-recipient", "col-subject", "col-type", "col-date"]
    assert heads(page) == chosen
    page.locator("tbody .expand").first.click()
    expect(page.locator("tr[id$=-detail]")).to_have_count(1)
    page.goto(page.url.partition("/emails")[0] + "/emails?attachment=yes")
    assert heads(page) == chosen
    page.locator("#f-subject").fill("convocation")
    expect(page).to_have_url(re.compile(r"subject=convocation&attachment=yes"))  # a filter without its column stays
    page.locator("summary", has_text="Colonnes").click()
    press(page, "Colonnes habituelles")
    page.wait_for_load_state()
    assert heads(page) == usual


@pytest.fixture
def many(house: House) -> Iterator[None]:
    """So many e-mails of Formation Boréale that its exports are a job's; the other organisation has none of them."""
    database = f"host={house.folder / 'data' / 'run' / 'pg'} dbname=sillage user=sillage"
    with psycopg.connect(database, autocommit=True) as connection:
        wanted = """
            INSERT INTO email
                (organisation_id, public_id, address_id, sender_id, created_at, updated_at, status, type, subject)
            SELECT organisation_id, 'E-many' || g, address_id, sender_id, created_at - g * interval '1 minute',
                updated_at, 'sent', 'free', 'Lettre ' || g FROM generate_series(1, %s) AS g,
                (SELECT e.* FROM email e JOIN organisation o ON o.id = e.organisation_id
                 WHERE o.name = 'Formation Boréale' ORDER BY e.id LIMIT 1) AS one"""
        connection.execute(wanted, [MANY])
        connection.execute("ANALYZE email")
        yield
        connection.execute("DELETE FROM email WHERE public_id LIKE 'E-many%'")


def test_a_long_export_is_followed_cancelled_announced_and_fetched(
    visit: Callable[..., Visit], browser: Browser, house: House, many: None
) -> None:
    one = visit(None)
    page = one.goto("/sign-in")
    page.locator("button.demo-account", has_text="Formation Boréale").first.click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
    page.goto(house.url + "/emails")
    page.locator("#exports summary").click()
    page.locator("#exports a[href$='format=xlsx']").click()
    page.wait_for_url("**/exports/new?*")
    expect(page.locator("main")).to_contain_text("Plus de 50")
    press(page, re.compile("Préparer"))
    page.wait_for_url(re.compile(r"/exports$"))
    row = page.locator("#export-list tbody tr").first
    expect(row.locator("progress, [role=progressbar]")).to_be_visible()
    expect(row).to_contain_text(re.compile(r"sur 60.\d{3} e-mails"))
    row.get_by_role("button", name=re.compile("^Annuler")).click()
    expect(page.locator("#export-list tbody tr").first).to_contain_text("Annulé")
    page.goto(house.url + "/emails")
    page.locator("#exports summary").click()
    page.locator("#exports a[href$='format=csv']").click()
    page.wait_for_url("**/exports/new?*")
    press(page, re.compile("Préparer"))
    page.goto(house.url + "/sessions")
    notice = page.locator("#ready-exports")
    for _look in range(60):
        if notice.get_by_role("button", name=re.compile("^Télécharger")).count():
            break
        page.wait_for_timeout(500)
        page.reload()
    with page.expect_download() as download:
        notice.get_by_role("button", name=re.compile("^Télécharger")).click()
    assert re.fullmatch(r"emails_\d{4}-\d{2}-\d{2}_\d{4}\.csv", download.value.suggested_filename)
    text = download.value.path().read_text(encoding="utf-8")
    assert text.count("Lettre ") == MANY
    page.goto(house.url + "/sessions")
    expect(notice.get_by_role("button", name=re.compile("^Télécharger"))).to_have_count(0)  # it has been fetched


def test_all_of_it_fits_a_phone_in_both_languages(visit: Callable[..., Visit]) -> None:
    for language in ("fr", "en"):
        one: Any = visit("admin", width=390, height=844, language=language, theme="dark")
        for path in ("/emails?recipient=courrier&status=error", "/views", "/segments", "/segments/new", "/exports",
                     "/exports/new?format=csv", "/contacts/learners/new"):  # fmt: skip
            one.goto(path)
            one.fits()
