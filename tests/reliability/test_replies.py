"""S7, S8: one of two is refused, and a server whose words are long, accented and full of marks. The rest of the S rows
stands in tests/mail/test_sending.py (docs/testing.md says where)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from extensions import db
from mail.drain import drain
from models import DeliveryEvent
from models.words import EventKind, Reason, Status
from tests.client import Browser
from tests.mail.test_lines import quick  # noqa: F401 (a fixture)
from tests.mail.test_sending import server  # noqa: F401 (a fixture)
from tests.program import Program
from tests.reliability.deeds import ask, state

WORDS = ["Réfusé <b>gras</b>", "x" * 400, "fin"]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("order", [1, -1])
def test_s7_of_two_e_mails_of_a_mailing_one_is_refused_and_one_is_sent(cassiopee, quick, order: int) -> None:  # noqa: F811
    quick(drain_connections=1)  # over one line, one after the other
    taken, refused = ask(cassiopee, *["zoe@client.example", "perm@client.example"][::order])[::order]
    assert taken.mailing_id == refused.mailing_id
    drain()
    assert state(taken) == (Status.SENT, None)
    assert state(refused) == (Status.FAILED, Reason.USER_UNKNOWN)
    assert cassiopee.sender.paused_at is None


@pytest.mark.usefixtures("server")
def test_s8_the_servers_words_are_stored_whole_shown_as_words_and_exported_as_text(client: Browser, cassiopee) -> None:
    (email,) = ask(cassiopee, "multi-line@client.example")
    drain()
    assert state(email)[0] is Status.UNDELIVERABLE
    event = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == EventKind.REFUSED)).one()
    assert (event.smtp_code, event.enhanced_code) == (550, "5.7.1")
    assert event.diagnostic == "\n".join(f"5.7.1 {line}" for line in WORDS)
    client.sign_in(cassiopee.admin)
    page = client.get(f"/emails/{email.public_id}").get_data(as_text=True)
    assert "Réfusé &lt;b&gt;gras&lt;/b&gt;" in page and "<b>gras</b>" not in page and "x" * 400 in page
    said = Program(client.app, cassiopee.admin).get(f"/emails/{email.public_id}")
    assert [step["diagnostic"] for step in said["events"] if step["diagnostic"]] == [event.diagnostic]
