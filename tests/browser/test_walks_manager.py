"""Before an auditor (docs/walks.md): a manager takes a session's attachments, a year's list as it is filtered, and the
proof of one convocation, and finds in the log who did all that."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

SESSION = "Exemples : un e-mail par nouvelle"


def taken(page: Page, button: Locator, folder: Path) -> tuple[str, bytes]:
    """The file that a press gives: its name and bytes."""
    with page.expect_download() as download:
        button.click()
    download.value.save_as(folder / "taken")
    return download.value.suggested_filename, (folder / "taken").read_bytes()


def checked(archive: zipfile.ZipFile) -> None:
    """Every digest of the archive computed again."""
    lines = archive.read("SHA256SUMS").decode().splitlines()
    assert len(lines) == len(archive.namelist()) - 1
    for line in lines:
        digest, member = line.split("  ", 1)
        assert hashlib.sha256(archive.read(member)).hexdigest() == digest


def test_what_an_auditor_asks_for(visit: Any, tmp_path: Path) -> None:
    one = visit("manager")
    page = one.goto("/")

    # the attachments of a session, three clicks: Sessions, the session, Pièces jointes
    page.locator(".nav").get_by_role("link", name="Sessions", exact=True).click()
    page.get_by_role("link", name=SESSION).first.click()
    asked = page.get_by_role("region", name="Pour un auditeur")
    name, data = taken(page, asked.get_by_role("button", name="Pièces jointes"), tmp_path)
    assert name.startswith("pieces_exemples-un-e-mail-par-nouvelle_")
    assert zipfile.ZipFile(io.BytesIO(data)).namelist()[-1] == "liste.csv"

    # the proof of all of it, from the same place
    name, data = taken(page, asked.get_by_role("button", name="Dossier de preuve"), tmp_path)
    assert name.startswith("preuves_exemples-un-e-mail-par-nouvelle_")
    checked(zipfile.ZipFile(io.BytesIO(data)))

    # a year's list, exactly as it is filtered
    rows = page.locator("#rows > tr[id^=E-]")
    one.goto("/emails?period=year&status=error&type=convocation&limit=200")
    shown = [row.get_attribute("id") for row in rows.all()]
    page.locator("#exports summary").click()
    _name, data = taken(page, page.get_by_role("link", name=re.compile("CSV standard")), tmp_path)
    listed = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [line["id"] for line in listed] == shown and shown

    # the proof of one convocation: the row, Dossier de preuve
    arrow = rows.first.locator(".expand")
    arrow.click()
    detail = page.locator(f"#{shown[0]}-detail")
    link = detail.get_by_role("link", name="Dossier de preuve (.zip)")
    expect(link).to_be_visible()
    name, data = taken(page, link, tmp_path)
    assert name == f"Preuve {shown[0]}.zip"
    archive = zipfile.ZipFile(io.BytesIO(data))
    checked(archive)
    told = json.loads(archive.read("faits.json"))
    assert told["email"]["id"] == shown[0] and told["taken_by"] == "Mathieu Rolland"
    assert archive.read(f"Preuve {shown[0]}.pdf").startswith(b"%PDF-")

    # who did what: the log about that e-mail, from the row
    detail.get_by_role("link", name="Voir dans le journal").click()
    first = page.locator("#audit-list tbody tr").first
    expect(first).to_contain_text("Dossier de preuve téléchargé")
    expect(first).to_contain_text("Mathieu Rolland")
