"""Rewritten links: signed with their target, measured like opens, followed as written from our own pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from extensions import db
from mail import links, marks, mime, tokens
from mail.compose import Draft
from mail.fold import Fact
from mail.outbox import post
from mail.resend import Ask, resend
from mail.tracking import record
from models import Contact, Email, EmailContent, Sighting, Template
from models.words import ContactKind, EventKind, Status
from tests.client import Browser
from tests.conftest import House

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
TARGET = "https://client.example/inscription?a=1&b=deux#fin"
HTML = (
    '<html lang="fr"><body><p><a href="https://client.example/inscription?a=1&amp;b=deux#fin">Ici</a>'
    '<a href="mailto:a@client.example">écrire</a><a href="http://localhost/r/abc">votre page</a></p></body></html>'
)


def sent(house: House, tracked: bool = True, measured: bool | None = None, kind: str = "") -> Email:
    """An e-mail to Léa that left an hour ago; its template asks for links, or not."""
    house.organisation.track_opens = True
    contact = Contact(organisation_id=house.id, kind=ContactKind.LEARNER, name="Léa", sort_name="lea",
                      email="lea@client.example", measured=measured)  # fmt: skip
    db.session.add_all([contact, Template(organisation_id=house.id, type="free", kind=kind, name="Libre",
                                          track_links=tracked)])  # fmt: skip
    db.session.flush()
    draft = Draft("lea@client.example", "Léa", contact.id, None, "free", "Bonjour", HTML, f"Ici : {TARGET}\n")
    email = post([draft], organisation=house.organisation, sender=house.sender, by=house.admin, request_key="1")[0]
    then = db.session.execute(text("SELECT now() - interval '1 hour'")).scalar_one()
    record([Fact(email.id, EventKind.ACCEPTED, "smtp", "1", then)])
    db.session.commit()
    return email


def said(email: Email) -> str:
    return mime.shown(db.session.get_one(EmailContent, email.id).skeleton).html or ""


def href(email: Email) -> str:
    """The path of its first link."""
    import lxml.html

    return lxml.html.fromstring(said(email)).xpath("//a/@href")[0].removeprefix("http://localhost")


def test_only_links_to_the_web_lead_through_us_and_the_text_stays(cassiopee: House) -> None:
    email = sent(cassiopee)
    html = said(email)
    assert html.count("/t/l/") == 1 and TARGET.replace("&", "&amp;") not in html
    assert 'href="mailto:a@client.example"' in html and 'href="http://localhost/r/abc"' in html
    assert TARGET in (mime.shown(db.session.get_one(EmailContent, email.id).skeleton).text or "")


@pytest.mark.parametrize(
    ("tracked", "measured", "kind"), [(False, None, ""), (True, False, ""), (True, None, "company")]
)
def test_unless_asked_for_and_allowed_links_stay(
    cassiopee: House, tracked: bool, measured: bool | None, kind: str
) -> None:
    assert "/t/l/" not in said(sent(cassiopee, tracked, measured, kind))


def test_a_followed_link_leads_on_and_makes_it_opened(cassiopee: House, client: Browser) -> None:
    email = sent(cassiopee)
    answer = client.client.get(href(email), headers={"User-Agent": FIREFOX})
    assert (answer.status_code, answer.headers["Location"]) == (302, TARGET)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    marks.judge(age=0)
    db.session.expire_all()
    assert email.status is Status.OPENED
    assert db.session.scalars(text("SELECT kind FROM delivery_event ORDER BY id")).all()[-1] == "clicked"


def test_a_scanners_look_at_a_link_is_a_machines(cassiopee: House, client: Browser) -> None:
    email = sent(cassiopee)
    assert client.client.head(href(email), headers={"User-Agent": FIREFOX}).status_code == 302
    marks.judge(age=0)
    db.session.expire_all()
    assert email.status is Status.DELIVERED


def test_nothing_else_can_be_led_to(cassiopee: House, client: Browser) -> None:
    email = sent(cassiopee)
    _, _t, _l, token, packed = href(email).split("/")
    other = href_of("https://evil.example/")
    for path in (f"/t/l/{token}/{other}", f"/t/l/{'a' * 40}/{packed}", f"/t/l/{token}/{packed[:-2]}", f"/t/l/{token}/+",
                 f"/t/l/{tokens.token('pixel', email.id)}/{packed}", f"/t/l/{token}/{'A' * 9000}"):  # fmt: skip
        assert client.client.get(path).status_code == 404
    assert db.session.scalar(select(Sighting.id)) is None


def href_of(target: str) -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(target.encode()).decode().rstrip("=")


def test_our_own_pages_show_the_links_as_written(cassiopee: House, client: Browser) -> None:
    email = sent(cassiopee)
    client.sign_in(cassiopee.admin).get(f"/emails/{email.public_id}/body")
    assert client.html.xpath("//a/@href")[0] == TARGET


def test_a_copy_has_links_of_its_own_or_none_where_the_person_refuses(cassiopee: House) -> None:
    email = sent(cassiopee)
    record([Fact(email.id, EventKind.BOUNCED, "dsn", "1", email.created_at)])
    db.session.commit()
    db.session.expire_all()
    again = resend(email, by=cassiopee.admin, request_key="2")
    db.session.commit()
    assert href(again) != href(email) and links.unwrapped(said(again)).count(TARGET.replace("&", "&amp;")) == 1
    db.session.scalars(select(Contact)).one().measured = False
    db.session.commit()
    third = resend(email, by=cassiopee.admin, request_key="3", ask=Ask(said="Voici"))
    db.session.commit()
    assert href(third) == TARGET and not third.open_measured


_url = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters='"<>'), max_size=60).map(
    lambda rest: "https://x.example/" + "".join(rest.split())
)


@given(st.lists(_url, max_size=4))
def test_what_was_rewritten_comes_back(migrated_app, targets: list[str]) -> None:
    from html import escape

    with migrated_app.app_context():
        html = "".join(f'<a style="color:red" href="{escape(target)}">x</a>' for target in targets)
        through = links.rewritten(html, 7)
        assert links.unwrapped(through) == html
        assert links.readdressed(links.readdressed(through, 8), None) == html
        assert links.readdressed(through, 9) == links.rewritten(html, 9)
        for target in targets:
            one = links.rewritten(f'<a href="{escape(target)}">', 7)
            assert links.target_of(*one.split("/t/l/")[1].removesuffix('">').split("/")) == (7, target)
