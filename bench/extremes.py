"""Bring a running house to its extremes for bench.screens: what no demo should hold, and the pages no link leads to.

Promises a session of 200 learners among whom are names of 80 letters and from right to left, and an e-mail of three
files to one of them (by the product's own forms; a second call finds them), the pages behind the tokens of e-mails
that were sent, wrong tokens, errors and a house that has done little. What it adds stays: throw the house away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy

from lxml import html
from playwright.sync_api import BrowserContext, Page

TITLE = "Prévention des risques électriques et habilitation du personnel non électricien, promotion du grand bassin"
LONGEST = ("Marie-Joséphine-Alexandrine", "de La Rochefoucauld-Montmorency-Luxembourg-Châtillon")
RIGHT_TO_LEFT = (("فاطمة الزهراء", "بن عبد الرحمن"), ("מרים", "אבן־עזרא"))
MOST = 200
SUBJECT = "تأكيد التسجيل: vos trois documents, à lire, à signer et à nous renvoyer avant le premier jour"
FILES = (
    "convention de formation professionnelle signée par les deux parties, exemplaire du stagiaire, définitif.txt",
    "programme.txt", "دليل المتدرب.txt",
)  # fmt: skip
LITTLE = "admin@boreale.example"  # the demo's second organisation, where much is empty
NOBODY = "nobody"  # signed out
PUBLIC = {"/f/": "an evaluation", "/r/": "a recipient's space", "/t/u/": "no more e-mails", "/t/r/": "a receipt"}
LITTLE_PAGES = (
    "/", "/todo", "/sessions", "/sessions/new", "/contacts/learners", "/contacts/companies", "/contacts/trainers",
    "/contacts/customers", "/emails", "/opportunities", "/programmes", "/segments", "/views", "/exports", "/events",
    "/settings", "/settings/users", "/settings/senders", "/settings/templates", "/settings/quarantine",
    "/settings/webhooks", "/settings/tokens", "/settings/audit", "/settings/reports", "/settings/operations",
    "/search?q=martin", "/start",
)  # fmt: skip


def hard(context: BrowserContext, base: str) -> list[tuple[str, str, str]]:
    """Every hard page of this house, which is made hard by it: (name, path, account or "" for the asker's own)."""
    page = context.new_page()
    session = _session(page, base)
    long = _contact(page, base, LONGEST[1][:20])
    leftward = _contact(page, base, RIGHT_TO_LEFT[0][1])
    _letter(page, base, session)
    _evaluation(page, base, session)
    page.goto(f"{base}{leftward}/emails")
    letter = page.locator("main tbody#rows tr").last.get_attribute("id")
    page.close()
    pages = [
        ("200 learners, the session", session, ""), ("200 learners, people", f"{session}/people", ""),
        ("200 learners, completeness", f"{session}/completeness", ""),
        ("200 learners, documents", f"{session}/documents", ""),
        ("200 learners, e-mails", f"{session}/emails", ""),
        ("200 learners, a free e-mail", f"{session}/emails/new", ""),
        ("200 learners, convocation", f"{session}/convocation", ""),
        ("a long name", long, ""), ("a long name, edited", f"{long}/edit", ""),
        ("a long name in a list", "/contacts/learners?q=rochefoucauld", ""),
        ("a name from right to left", leftward, ""), ("its e-mails", f"{leftward}/emails", ""),
        ("an e-mail from right to left", f"/emails/{letter}", ""),
        ("names from right to left in a list", "/contacts/learners?q=extreme.example", ""),
        ("forbidden", "/settings/users", "staff@cassiopee.example"), ("the door", "/sign-in", NOBODY),
    ]  # fmt: skip
    pages += [(PUBLIC[start], path, NOBODY) for start, path in _tokens(context, base).items()]
    pages += [(f"{name}, a wrong token", f"{start}wrong-token", NOBODY) for start, name in PUBLIC.items()]
    return pages + [(f"little {path}", path, LITTLE) for path in LITTLE_PAGES]


def _session(page: Page, base: str) -> str:
    """The address of the session of 200, made unless it is there."""
    page.goto(f"{base}/sessions?q=grand+bassin")
    known = page.locator("main a[href^='/sessions/S-']")
    if known.count():
        return str(known.first.get_attribute("href")).partition("?")[0]
    page.goto(f"{base}/sessions/new")
    page.fill("main [name=title]", TITLE)
    page.locator("main form.form .form-actions button[type=submit]").last.click()
    page.wait_for_url(re.compile(r"/sessions/S-"))
    session = page.url.removeprefix(base).partition("?")[0]
    page.goto(f"{base}{session}/people/import")
    page.fill("main [name=text]", "\n".join(_people()))
    page.locator("main form.form button[type=submit]").last.click()
    page.locator("main form:has([name=confirm]) button[type=submit], main button[name=confirm]").last.click()
    page.wait_for_url(lambda address: not address.endswith("/import"))
    return session


def _contact(page: Page, base: str, asked: str) -> str:
    page.goto(f"{base}/contacts/learners?q={asked}")
    return str(page.locator("main a[href^='/contacts/C-']").first.get_attribute("href")).partition("?")[0]


def _letter(page: Page, base: str, session: str) -> None:
    """Send the e-mail of three files to those whose names run from right to left, unless one was sent."""
    page.goto(f"{base}{session}/emails")
    if page.locator("main tbody tr", has_text=SUBJECT[:16]).count():
        return
    page.goto(f"{base}{session}/documents/uploaded/emails/new")
    page.fill("[name=subject_fr]", SUBJECT)
    page.fill("[name=message_fr]", "Bonjour,\n\nVoici les trois documents.\n\nمع أطيب التحيات")
    files = [{"name": name, "mimeType": "text/plain", "buffer": name.encode() * 40} for name in FILES]
    page.locator("main input[type=file]").first.set_input_files(files)  # type: ignore[arg-type]
    _send(page)


def _evaluation(page: Page, base: str, session: str) -> None:
    """Ask them for their evaluation once: its e-mails carry the addresses of the pages that nobody signs in to."""
    page.goto(f"{base}{session}/emails?recipient=extreme.example")
    if page.locator("main tbody#rows tr").count() > len(RIGHT_TO_LEFT):
        return
    page.goto(f"{base}{session}/evaluations/hot/emails/new")
    _send(page)


def _send(page: Page) -> None:
    page.locator("[data-select-all=people]").set_checked(True)
    page.locator("[data-select-all=people]").set_checked(False)
    for _first, last in RIGHT_TO_LEFT:
        page.locator(".people-list label", has_text=last).locator("input").check()
    page.locator("[name=step][value=preview]").last.click()
    page.locator("[name=step][value=send]").last.click()
    page.wait_for_url(lambda address: not address.endswith("/emails/new"))


def _people() -> Iterator[str]:
    yield "prénom;nom;e-mail"
    yield f"{LONGEST[0]};{LONGEST[1]};marie-josephine.de.la.rochefoucauld-montmorency@societe-generale-des-eaux.example"
    for number, (first, last) in enumerate(RIGHT_TO_LEFT):
        yield f"{first};{last};rtl{number}@extreme.example"
    for number in range(3, MOST):
        yield f"Apprenante {number};Dubois-Lefèvre;apprenante.{number}@extreme.example"


def _tokens(context: BrowserContext, base: str) -> dict[str, str]:
    """The public addresses by their beginning that e-mails of the house carry, as far as any does."""
    found: dict[str, str] = {}
    for asked in ("?subject=avis", "?subject=espace", "?subject=Convocation", ""):
        listed = html.fromstring(context.request.get(f"{base}/emails{asked}").body())
        for one in list(dict.fromkeys(re.findall(r"/emails/E-\w+", " ".join(listed.xpath("//a/@href")))))[:8]:
            answer = context.request.get(f"{base}{one}/source")
            if not answer.ok:
                continue
            message = message_from_bytes(answer.body(), policy=policy.default)
            said = " ".join(str(value) for value in message.values())
            said += " ".join(
                str(part.get_content()) for part in message.walk() if part.get_content_maintype() == "text"
            )
            for start, rest in re.findall(r"(/f/|/r/|/t/u/|/t/r/)([\w.=~-]{12,})", said):
                found.setdefault(start, start + rest)
    return found
