"""Hostile names, subjects, bodies and files show as text: no dialog, no move, no foreign request, whatever is opened.

The project's own list always; the samples' too where SILLAGE_SAMPLES is there.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import select

import config
from extensions import db
from mail import post
from models import Contact, Organisation, Sender, TrainingSession, User
from models.words import ContactKind, ReturnPath, Role, SessionState
from people import contacts, training
from tests.browser.house import House
from tests.mail.test_sending import draft

SAMPLES = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples")) / "hostile"
# A minute and a half for all of them: HOSTILE_ALL=1; else every sixth.
ALL = os.environ.get("HOSTILE_ALL") == "1"
NAMES = (
    "<script>alert('name')</script>",
    "\"><img src=x onerror=alert(1)>",
    "'-alert(2)-'",
    "javascript:alert(3)",
    "\u202egnp.exe Renée \u2066",
    "=HYPERLINK(\"http://foreign.example\")",
    "Robert'); DROP TABLE email;--",
    "${7*7} #{7*7} %(name)s {0}",
    "Zo\u0301e\u0301 \U0001f468\u200d\U0001f469\u200d\U0001f467 ﷽",
)  # fmt: skip
FILES = ('"><img src=x onerror=alert(4)>.txt', "été; filename=virus.html", "a'b\"c.svg", "%2e%2e%2fpasswd.txt")
BODIES = (
    "<script>alert(1)</script>Bonjour",
    "<img src=x onerror=alert(1)>",
    "<img src=https://foreign.example/pixel.gif>",
    "<svg onload=alert(1)><script>alert(2)</script></svg>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe><iframe src=https://foreign.example></iframe>",
    "<meta http-equiv=refresh content='0;url=https://foreign.example'>",
    "<base href=https://foreign.example/><a href=x>a</a>",
    "<form action=https://foreign.example><input autofocus onfocus=alert(1)><button>b</button></form>",
    "<style>@import url(https://foreign.example/a.css);body{background:url(https://foreign.example/b)}</style>",
    "<p style=\"background:url(https://foreign.example/c);position:fixed;inset:0\">c</p>",
    "<link rel=stylesheet href=https://foreign.example/d.css><link rel=prefetch href=https://foreign.example/e>",
    "<object data=https://foreign.example/f></object><embed src=https://foreign.example/g>",
    "<video poster=https://foreign.example/h autoplay><source src=https://foreign.example/i></video>",
    "<body onload=alert(1) background=https://foreign.example/j>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\"></noscript>",
    "<details open ontoggle=alert(1)><summary>k</summary></details>",
    "<a href=javascript:alert(1) target=_top>l</a><a href=data:text/html,<script>alert(1)</script>>m</a>",
    "</body></html><script>alert(1)</script><!--",
    "<plaintext><script>alert(1)</script>",
)  # fmt: skip


@pytest.fixture(scope="module")
def desk(house: House) -> Iterator[Flask]:
    """The house's own app on its database, for planting what no form would take."""
    from app import create_app

    app = create_app(config.read({"SILLAGE_DATA": str(house.folder / "data")}))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
    app.extensions["redis"].close()


def plant_bodies(bodies: list[str]) -> list[str]:
    """E-mails with these bodies, from a sender that is paused, so that they never leave. Gives their public ids."""
    organisation = db.session.scalars(select(Organisation).where(Organisation.name == "Atelier Cassiopée")).one()
    by = db.session.scalars(select(User).where(User.organisation_id == organisation.id, User.role == Role.ADMIN)).one()
    sender = Sender(
        organisation_id=organisation.id, name=NAMES[1], address=f"{uuid.uuid4().hex}@cassiopee.example",
        is_default=False, return_path=ReturnPath.OWN, paused_at=datetime.now(UTC), paused_why=NAMES[0],
    )  # fmt: skip
    db.session.add(sender)
    db.session.flush()
    drafts = [draft("victime@courrier.example", html=body, text="", subject=NAMES[0]) for body in bodies]
    emails = post(drafts, organisation=organisation, sender=sender, by=by, request_key=str(uuid.uuid4()))
    db.session.commit()
    return [email.public_id for email in emails]


def plant_session() -> str:
    """A session whose every word is hostile, with a learner of each hostile name. Gives its public id."""
    organisation = db.session.scalars(select(Organisation).where(Organisation.name == "Atelier Cassiopée")).one()
    planted = training.save(
        TrainingSession(), organisation, [], title=NAMES[0], reference=NAMES[2][:30], place=NAMES[1], notes=NAMES[3],
        state=SessionState.PLANNED,
    )  # fmt: skip
    people = [
        contacts.save(
            Contact(organisation_id=organisation.id, kind=ContactKind.LEARNER), first_name=name, last_name="Hostile",
            email=f"hostile{n}@courrier.example", phone="", reference=name[:30],
        )
        for n, name in enumerate(NAMES)
    ]  # fmt: skip
    db.session.flush()
    training.enrol(planted, people)
    db.session.commit()
    return planted.public_id


def frames_of(page, ids: list[str]) -> None:
    """Show the bodies of these e-mails as the history does, many at once, and wait until all are there."""
    page.evaluate(
        """ids => Promise.all(ids.map(id => new Promise(done => {
             const frame = document.createElement('iframe');
             frame.setAttribute('sandbox', '');
             frame.onload = done;
             frame.src = '/emails/' + id + '/body';
             document.querySelector('main').append(frame);
           })))""",
        ids,
    )
    page.wait_for_timeout(300)


def stays(page, address: str) -> None:
    """Neither the page nor a frame in it went anywhere."""
    assert page.url == address
    for frame in page.frames[1:]:
        # "": a lazy frame that is not on screen yet
        assert re.search(r"/emails/E-\w+/body$|^about:srcdoc$|^$", frame.url), frame.url
    assert len(page.context.pages) == 1


def test_hostile_words_are_only_words(visit, desk):
    one = visit("admin")
    session = f"/sessions/{plant_session()}"
    page = one.goto("/sessions?q=hostile")
    for path in ("", "/edit", "/people", "/emails"):
        page = one.goto(session + path)
        expect(page.locator("main")).to_contain_text("<script>alert(")
    one.goto("/contacts/learners?q=hostile")
    page = one.goto(session + "/convocation")
    page.locator("button[name=choose][value=learner]").click()
    page.locator("#subject_fr").fill(NAMES[1])
    page.locator("#message_fr").fill("\n\n".join([*NAMES[:3], *BODIES[:6]]))
    files = [{"name": name, "mimeType": "text/html", "buffer": b"<script>alert(5)</script>"} for name in FILES]
    page.locator("input[type=file]").set_input_files(files)
    page.locator(".form-actions button[name=step][value=preview]").click()
    expect(page.locator(".letter")).to_contain_text(NAMES[1])
    stays(page, page.url)
    page.locator("button[name=step][value=send]").click()
    page.wait_for_url("**/documents/convocation")
    page = one.goto(session + "/emails")
    address = page.url
    expect(page.locator("tbody tr[id^=E-]")).to_have_count(len(NAMES))
    for n in range(len(NAMES)):
        row = page.locator("tbody tr[id^=E-]").nth(n)
        expect(row).to_contain_text(NAMES[1])
        row.locator(".expand").click()
        detail = page.locator(f"#{row.get_attribute('id')}-detail")
        expect(detail).to_contain_text(FILES[0])
        expect(detail.frame_locator("iframe.letter-frame").locator("body")).to_contain_text("<script>alert(1)</script>Bonjour")
        row.locator(".expand").click()
        expect(detail).to_have_count(0)
    stays(page, address)
    one.fits()


def test_hostile_bodies_run_nothing_in_their_frame(visit, desk):
    payloads = list(BODIES)
    if (SAMPLES / "html.jsonl").exists():
        lines = (SAMPLES / "html.jsonl").read_text().splitlines()
        payloads += [json.loads(line)["payload"].replace("\x00", "") for line in lines[:: 1 if ALL else 6]]
    ids = plant_bodies(payloads)
    one = visit("admin")
    for start in range(0, len(ids), 120):
        page = one.goto("/account")
        frames_of(page, ids[start : start + 120])
        stays(page, one.house.url + "/account")
        assert len(page.frames) == 1 + len(ids[start : start + 120])
        assert not one.troubles, one.troubles[:5]


def test_hostile_bodies_run_nothing_on_a_page_of_their_own(visit, desk):
    ids = plant_bodies(list(BODIES))
    one = visit("admin")
    for public_id in ids:
        for where in (f"/emails/{public_id}", f"/emails/{public_id}/body"):
            page = one.goto(where)
            page.wait_for_timeout(100)
            stays(page, one.house.url + where)
