"""The practice recipients who do more than read: they follow a link, confirm the receipt, leave by one click.

Against the real pages, over HTTP, as a browser would.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.serving import make_server

from extensions import db
from local.postoffice import reader
from mail import leaving, links, marks
from mail.fold import Fact
from mail.own_address import LEAVE, RECEIPT
from mail.tracking import record
from models import DeliveryEvent, Email, LeftBy, OptOut
from models.words import EventKind
from tests.conftest import House
from tests.mail.test_leaving import sent


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """The app on a port of its own, which it knows as its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    object.__setattr__(app.extensions["sillage"], "base_url", url)
    try:
        yield url
    finally:
        object.__setattr__(app.extensions["sillage"], "base_url", "http://localhost")
        server.shutdown()
        thread.join()
        server.server_close()


def letter(one: Email) -> bytes:
    """What its recipient gets: a followed link, a receipt, a way out."""
    message = EmailMessage()
    message["Subject"], message["List-Unsubscribe"] = "Bonjour", f"<{LEAVE.of(one.id)}>"
    html = links.rewritten('<p><a href="https://cassiopee.example/programme">Programme</a></p>', one.id)
    message.set_content("Bonjour")
    message.add_alternative(f'{html}<a href="{RECEIPT.of(one.id)}">Oui</a>', subtype="html")
    return message.as_bytes()


def kinds(one: Email) -> list[str]:
    db.session.expire_all()
    found = select(DeliveryEvent.kind).where(DeliveryEvent.email_id == one.id).order_by(DeliveryEvent.id)
    return [kind.value for kind in db.session.scalars(found)]


@pytest.fixture
def newsletter(cassiopee: House) -> Email:
    cassiopee.organisation.optional_types = ["newsletter"]
    one = sent(cassiopee)
    record([Fact(one.id, EventKind.ACCEPTED, "smtp", "1", datetime(2026, 1, 1, tzinfo=UTC))])
    db.session.commit()
    return one


def test_a_link_is_followed(served: str, newsletter: Email) -> None:
    assert reader.act(letter(newsletter), served, "follows")
    marks.judge(0)
    assert kinds(newsletter)[-1] == "clicked"


def test_a_receipt_is_confirmed_by_its_button(served: str, newsletter: Email) -> None:
    assert reader.act(letter(newsletter), served, "confirms")
    assert kinds(newsletter)[-1] == "confirmed"
    assert not reader.act(letter(newsletter), served, "confirms")  # thanked: no button any more


def test_somebody_leaves_by_one_click(served: str, newsletter: Email) -> None:
    assert reader.act(letter(newsletter), served, "leaves")
    assert kinds(newsletter)[-1] == "unsubscribed"
    assert db.session.scalars(select(OptOut.left_by)).all() == [LeftBy.ONE_CLICK] and leaving.lasting(newsletter)


@pytest.mark.parametrize("how", ["follows", "confirms", "leaves"])
def test_what_offers_nothing_of_ours_is_left_alone(served: str, newsletter: Email, how: str) -> None:
    """Neither a letter without, nor one that names somebody else's host."""
    elsewhere = letter(newsletter).replace(b"127.0.0.1", b"192.0.2.1")
    for said in (b"Subject: x\r\n\r\nx", elsewhere):
        assert not reader.act(said, served, how)
    assert kinds(newsletter)[-1] == "accepted"
    assert db.session.scalar(select(func.count()).select_from(OptOut)) == 0
