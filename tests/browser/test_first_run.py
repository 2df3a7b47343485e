"""An empty house in a browser: its door, the six first steps on a phone, and an e-mail that comes alive by itself.

No house is started for it: the web application of the tests answers, and the test says what a worker would.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect
from sqlalchemy import select
from werkzeug.serving import make_server

import mail
from config import first_run_code
from extensions import db, settings
from mail.fold import Fact
from models import Email
from models.words import EventKind
from tests.browser.test_axe import violations
from tests.need import need


@pytest.fixture
def empty_house(app: Flask) -> Iterator[str]:
    """The address of a web application whose tables are empty."""
    need("chromium")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


# A browser that leaves a page hangs up on a file; the compressing answer then leaves it to the collector to close.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_from_nothing_to_a_followed_email(empty_house: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="fr-FR", reduced_motion="reduce")
    page, troubles = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)

    def clean() -> None:
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{page.url} is {wide} px too wide"
        assert not violations(page), page.url

    page.goto(empty_house)
    expect(page.locator("h1")).to_have_text("Bienvenue dans Sillage")
    page.goto(f"{empty_house}/first-run?code={first_run_code(settings().secret_key)}")
    clean()
    for name, value in (("organisation", "Atelier Neuf"), ("name", "Nadia Neuve"), ("email", "nadia@neuf.example")):
        page.fill(f"[name={name}]", value)
    page.fill("[name=new]", "une phrase bien longue")
    page.fill("[name=again]", "une phrase bien longue")
    page.click("form .btn-primary")
    page.wait_for_url("**/start")
    clean()
    page.click(".is-next .btn")
    page.fill("[name=address]", "1 rue Neuve, 44000 Nantes")
    page.click(".form-actions .btn-primary")
    page.wait_for_url("**/start/sender")
    page.fill("[name=address]", "formation@neuf.example")
    page.click(".form-actions .btn-primary")
    page.wait_for_url("**/start/template")
    page.get_by_role("button", name="Garder ces mots").click()
    page.wait_for_url("**/start/contacts")
    page.fill("[name=text]", "prénom;nom;e-mail\nCamille;Bernard;camille.bernard@mail.example")
    page.click(".form-actions .btn-primary")
    page.locator("button[name=confirm], input[name=confirm]").first.wait_for(state="attached")
    page.locator("main .btn-primary").click()
    page.wait_for_url("**/contacts/learners")
    page.goto(f"{empty_house}/start/session")
    page.get_by_role("button", name="Plus tard").click()
    page.wait_for_url("**/start/test")
    page.get_by_role("button", name="M’envoyer l’essai").click()
    shown = page.locator("#test-email .status")
    expect(shown).to_have_attribute("data-status", "requested")
    clean()
    (email,) = db.session.scalars(select(Email)).all()
    mail.record([Fact(email.id, EventKind.DELIVERED, "dsn", "1", datetime.now(UTC))])
    db.session.commit()
    expect(shown).to_have_attribute("data-status", "delivered", timeout=60_000)  # nobody touched the page
    page.goto(f"{empty_house}/start")
    assert page.locator(".step-mark.is-done").count() == 5
    assert not troubles, troubles
    context.close()
