"""An organisation's own account from the request to the last e-mail, beside the house's: encrypted, signed in, within
its own limits; its password changed on the server, and put right here."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path

from flask import Flask
from sqlalchemy import text

from extensions import db
from mail import accounts, outbox
from models import Security
from models.words import EventKind, Status
from tests.auth_server import AuthServer, certificate
from tests.conftest import House
from tests.mail.test_accounts import account
from tests.mail.test_lines import quick  # noqa: F401 (a fixture)
from tests.mail.test_paced_sending import server, until, working  # noqa: F401 (a fixture)
from tests.mail.test_sending import ask, entry, kinds, state

FIRST, SECOND = "une clé très longue", "une autre clé"


def recipients(taken: list[bytes]) -> set[str]:
    return {str(message_from_bytes(body)["To"]) for body in taken}


def test_an_organisations_own_account_sends_beside_the_houses(
    app: Flask, cassiopee: House, boreale: House, server, quick, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    made = certificate(tmp_path, "127.0.0.1")
    quick(mail_ca_file=made.authority)
    with AuthServer({"zoe": FIRST}, certificate=made) as theirs:
        own = account(
            boreale, host="127.0.0.1", port=theirs.port, security=Security.STARTTLS, secret=accounts.seal(FIRST),
            connections=2, messages_per_connection=4, per_minute=1,
        )  # fmt: skip
        boreale.sender.account_id = own.id
        db.session.commit()
        with working(app, 2):
            slow = ask(boreale, *[f"b{n}@client.example" for n in range(12)])
            quickly = ask(cassiopee, *[f"c{n}@client.example" for n in range(30)])
            until(lambda: len(server.taken) == 30 and theirs.taken != [], 60)
            assert len(theirs.taken) <= 2, "one a minute, and the one before"
            own.per_minute = None
            db.session.execute(text("UPDATE pace SET next_at = now() WHERE account_id = :id"), {"id": own.id})
            db.session.commit()
            until(lambda: len(theirs.taken) == 12 and theirs.open_now == 0, 60)
            _its_password_changes(theirs, cassiopee, boreale)
    assert {state(email)[0] for email in [*slow, *quickly]} == {Status.SENT}
    assert recipients(theirs.taken) == {f"b{n}@client.example" for n in range(12)} | {"late@client.example"}
    assert {taken.recipient.rpartition("@")[0][0] for taken in server.taken} == {"c"}
    assert max(theirs.carried) <= 4 and theirs.most_open <= 2
    assert set(theirs.signed_in) == {"zoe"} and len(theirs.signed_in) >= sum(carried > 0 for carried in theirs.carried)
    assert theirs.said.index("STARTTLS") < next(n for n, said in enumerate(theirs.said) if said.startswith("AUTH"))
    assert all("@boreale.example>" in said for said in theirs.said if said.startswith("MAIL"))


def _its_password_changes(theirs: AuthServer, cassiopee: House, boreale: House) -> None:
    """Nothing fails and nobody else waits; with the new one, and a click, all leaves."""
    theirs.users["zoe"] = SECOND
    (late,) = ask(boreale, "late@client.example")
    until(lambda: db.session.refresh(boreale.sender) is None and bool(boreale.sender.paused_at), 60)
    assert "535" in boreale.sender.paused_why and state(late)[0] is Status.REQUESTED
    until(lambda: entry(late).attempt_count == 0, 60)  # let go of again, uncounted
    assert kinds(late) == [EventKind.REQUESTED]
    (mine,) = ask(cassiopee, "c@client.example")
    until(lambda: state(mine)[0] is Status.SENT, 60)
    db.session.execute(text("UPDATE smtp_account SET secret = :secret"), {"secret": accounts.seal(SECOND)})
    outbox.resume(boreale.sender)
    db.session.commit()
    until(lambda: state(late)[0] is Status.SENT, 60)
    until(lambda: theirs.open_now == 0, 60)
