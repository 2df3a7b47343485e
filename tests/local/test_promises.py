"""Each behaviour of the practice post office gives the status that its line in the table promises, by the real path:
outbox, drain, SMTP, report in a Maildir, fold."""

import uuid

import pytest

from documents import blobs
from extensions import db
from local.postoffice import PostOffice
from local.postoffice.behaviours import TABLE, Behaviour
from local.processes import wait_until
from mail import mailbox, post
from mail.compose import Draft, File
from mail.drain import drain
from mail.reasons import classify_reply
from models.words import Status

# Those who read, follow a link, confirm or leave need the web server (the demo's walk and test_acting show them);
# `lent` only takes its time.
WORDS = [word for word in TABLE if word not in ("lu", "clic", "accuse", "quitte", "lent")]


@pytest.fixture
def office(app, tmp_path):
    with PostOffice(tmp_path / "delivered", tmp_path / "bounces", report_delay=0.01, read_delay=600) as office:
        app.extensions["tracked_mail"].port = office.port
        yield office
    app.extensions["tracked_mail"].port = 1


def promise(behaviour: Behaviour) -> str:
    """The first status its line names after the colon: what shows within seconds."""
    return behaviour.about.rpartition(" : ")[2].split(",")[0]


@pytest.mark.parametrize("word", WORDS)
def test_the_status_is_the_one_promised(cassiopee, office, tmp_path, word):
    stored = blobs.store(b"%PDF-1.7\n%%EOF\n", "convocation.pdf")
    file = File("convocation.pdf", stored.sha256, stored.size, stored.media_type)
    draft = Draft(
        recipient=f"c.{word}@client.example", name="C", contact_id=None, training_session_id=None, type="free",
        subject="Bonjour", html="<p>Bonjour</p>", text="Bonjour",
        files=(file,) if TABLE[word].files_only else (),
    )  # fmt: skip
    house = cassiopee
    (email,) = post(
        [draft], organisation=house.organisation, sender=house.sender, by=house.staff, request_key=uuid.uuid4().hex
    )
    db.session.commit()
    drain()
    behaviour = TABLE[word]
    comes_back = behaviour.keeps and not behaviour.greylists and (behaviour.report or behaviour.answers)
    if comes_back:
        assert wait_until(lambda: any((tmp_path / "bounces" / "new").iterdir()), 60)
        mailbox.take(mailbox.maildir(tmp_path / "bounces"))
    db.session.expire_all()
    assert email.status.label == promise(behaviour)


def test_every_status_can_be_seen():
    promised = {promise(behaviour) for behaviour in TABLE.values()}
    assert promised == {status.label for status in Status}


REASONS = {
    "syntaxe": "address_syntax", "inconnu": "user_unknown", "domaine": "domain_unknown", "demenage": "moved",
    "retour": "user_unknown", "plein": "mailbox_full", "expire": "expired", "injoignable": "unreachable",
    "desactive": "mailbox_disabled", "spam": "spam", "bloque": "blocked", "regle": "policy", "etrange": "unknown",
    "dmarc": "authentication", "expediteur": "sender_rejected", "lourd": "too_big", "virus": "content",
    "sature": "throttled",
}  # fmt: skip


def test_each_refusal_is_taken_for_the_reason_it_is_for():
    found = {}
    for word, behaviour in TABLE.items():
        if reply := behaviour.at_rcpt or behaviour.at_data:
            code, _, text = reply.partition(" ")
            found[word] = classify_reply(int(code), None, text, "rcpt" if behaviour.at_rcpt else "body")
        elif behaviour.report and behaviour.report.action == "failed":
            said = behaviour.report
            found[word] = classify_reply(None, said.status, said.diagnostic, "report", final=True)
    assert found == REASONS
