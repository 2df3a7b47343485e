"""Configuration › Expéditeurs: accounts whose secrets show nowhere, senders that choose one, trials line by line."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace

import lxml.html
import pytest
from flask import Flask
from sqlalchemy import func, select, text

from extensions import db
from mail import accounts, trials
from models import Auth, Security, Sender, SenderTrial, SmtpAccount, TrialPhase, TrialTrouble
from tests.auth_server import AuthServer, certificate
from tests.client import Browser
from tests.conftest import House
from tests.mail.test_accounts import account
from tests.smtp_server import Script, SmtpServer

SECRET = "motdepasse-Zz9très-secret"


@pytest.fixture
def admin(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.admin)


def typed(**values: str) -> dict[str, str]:
    return {
        "name": "Google", "host": "smtp.example.org", "port": "587", "security": "starttls", "auth": "password",
        "username": "zoe", "secret": SECRET, "connections": "4", "per_minute": "", "messages_per_connection": "100",
        "minutes_per_connection": "5",
    } | values  # fmt: skip


def only() -> SmtpAccount:
    db.session.expire_all()
    return db.session.scalars(select(SmtpAccount)).one()


def shown(browser: Browser) -> str:
    """The last page's source."""
    return lxml.html.tostring(browser.html, encoding="unicode")


def secret_of(made: SmtpAccount) -> str | None:
    return accounts.of([made.id])[made.id].secret


def test_an_account_is_made_changed_and_deleted(admin: Browser, cassiopee: House) -> None:
    admin.get("/settings/accounts/new")
    admin.post("/settings/accounts/new", typed(per_minute="30"))
    made = only()
    assert (made.host, made.port, made.security, made.per_minute) == ("smtp.example.org", 587, Security.STARTTLS, 30)
    assert secret_of(made) == SECRET
    admin.get(f"/settings/accounts/{made.public_id}")
    admin.post(f"/settings/accounts/{made.public_id}", typed(name="Notre serveur", secret="", connections="8"))
    made = only()
    assert (made.name, made.connections, made.per_minute, secret_of(made)) == ("Notre serveur", 8, None, SECRET)
    cassiopee.sender.account_id = made.id
    db.session.commit()
    admin.post(f"/settings/accounts/{made.public_id}/deletion", status=422)
    assert "Choisissez d’abord un autre compte" in admin.text()
    cassiopee.sender.account_id = None
    db.session.commit()
    admin.post(f"/settings/accounts/{made.public_id}/deletion")
    assert db.session.scalar(select(func.count()).select_from(SmtpAccount)) == 0


def test_a_secret_never_follows_to_another_server(admin: Browser) -> None:
    admin.post("/settings/accounts/new", typed())
    where = f"/settings/accounts/{only().public_id}"
    for moved in ({"host": "smtp.mechant.example"}, {"port": "2525"}, {"security": "none"}):
        admin.post(where, typed(secret="", **moved), status=422)
        assert "retapez le mot de passe" in admin.text()
    assert (only().host, secret_of(only())) == ("smtp.example.org", SECRET)
    admin.post(where, typed(host="smtp.autre.example", secret="un autre"))
    assert secret_of(only()) == "un autre"
    admin.post(where, typed(host="smtp.autre.example", auth="none", username="", secret=""))
    assert (only().auth, only().username, secret_of(only())) == (Auth.NONE, "", None)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": ""}, "Donnez un nom"),
        ({"host": "10.0.0.1"}, "réseau privé"),
        ({"host": "::ffff:192.168.1.1"}, "réseau privé"),
        ({"host": "smtp"}, "pas le nom d’un serveur"),
        ({"host": "smtp.example.org:25"}, "pas le nom d’un serveur"),
        ({"host": "http://smtp.example.org"}, "pas le nom d’un serveur"),
        ({"host": "0x7f.1"}, "pas le nom d’un serveur"),
        ({"host": "2130706433"}, "pas le nom d’un serveur"),
        ({"port": "0"}, "entre 1 et 65535"),
        ({"port": "abc"}, "nombre entier"),
        ({"username": ""}, "Indiquez l’identifiant"),
        ({"secret": ""}, "Indiquez le mot de passe"),
        ({"security": "rot13"}, "Choisissez dans la liste"),
        ({"auth": "xoauth2"}, "XOAUTH2_TOKEN"),
        ({"connections": "0"}, "entre 1 et 100"),
        ({"username": "zoe\r\nRSET"}, "caractère invisible"),
    ],
)
def test_mistakes_are_named_and_nothing_is_kept(admin: Browser, wrong: dict[str, str], words: str) -> None:
    admin.post("/settings/accounts/new", typed(**wrong), status=422)
    assert words in admin.text().replace("\u00a0", " ").replace("\u202f", " ")
    assert SECRET not in shown(admin)
    assert db.session.scalar(select(func.count()).select_from(SmtpAccount)) == 0


def test_in_clear_no_password_leaves_outside_the_demo(app: Flask, admin: Browser) -> None:
    before = app.extensions["sillage"]
    app.extensions["sillage"] = replace(before, env="production")
    try:
        admin.post("/settings/accounts/new", typed(security="none", port="25"), status=422)
        assert "passerait en clair" in admin.text()
    finally:
        app.extensions["sillage"] = before


def test_without_a_key_the_screen_says_why(app: Flask, admin: Browser) -> None:
    before = app.extensions["sillage"]
    app.extensions["sillage"] = replace(before, account_keys=())
    try:
        admin.get("/settings/accounts/new")
        assert "ACCOUNT_KEYS" in admin.text()
        admin.post("/settings/accounts/new", typed(), status=422)
    finally:
        app.extensions["sillage"] = before
    assert db.session.scalar(select(func.count()).select_from(SmtpAccount)) == 0


def test_a_sender_chooses_an_account_of_its_own_organisation(
    admin: Browser, cassiopee: House, boreale: House
) -> None:
    mine, theirs = account(cassiopee), account(boreale, name="Leur compte")
    where = f"/settings/senders/{cassiopee.sender.id}"
    form = {"name": "Formation", "address": "formation@cassiopee.example", "reply_to": "", "return_path": "own",
            "bounce_address": ""}  # fmt: skip
    admin.get(where)
    assert "Leur compte" not in admin.text()
    admin.post(where, form | {"account": mine.public_id})
    db.session.expire_all()
    assert cassiopee.sender.account_id == mine.id
    admin.get(where)
    assert admin.html.xpath("string(//select[@name='account']/option[@selected]/@value)") == mine.public_id
    admin.post(where, form | {"account": theirs.public_id}, status=422)
    admin.post(where, form | {"account": ""})
    db.session.expire_all()
    assert cassiopee.sender.account_id is None


def tried(admin: Browser, where: str) -> SenderTrial:
    """A trial asked for on a screen and run."""
    admin.post(where)
    assert trials.run_waiting() == 1
    db.session.expire_all()
    found = db.session.scalars(select(SenderTrial).order_by(SenderTrial.id.desc()).limit(1)).one()
    admin.get(f"/settings/trials/{found.public_id}")
    return found


def test_a_trial_shows_the_whole_dialogue_the_certificate_and_no_secret(
    app: Flask, admin: Browser, cassiopee: House, tmp_path
) -> None:
    made = certificate(tmp_path, "localhost", "127.0.0.1", days=10)
    before = app.extensions["sillage"]
    app.extensions["sillage"] = replace(before, mail_ca_file=made.authority)
    try:
        with AuthServer({"zoe": SECRET}, certificate=made) as server:
            cassiopee.sender.account_id = account(
                cassiopee, host="127.0.0.1", port=server.port, secret=accounts.seal(SECRET)
            ).id
            db.session.commit()
            found = tried(admin, f"/settings/senders/{cassiopee.sender.id}/trials")
    finally:
        app.extensions["sillage"] = before
    assert found.arrived and found.trouble is None and found.phase is None
    assert b"Subject: " in server.taken[0] and cassiopee.admin.email.encode() in server.taken[0]
    assert found.recipient == cassiopee.admin.email
    words = admin.text()
    for said in (
        "EHLO", "STARTTLS", "AUTH PLAIN ••••••", "235 2.7.0 welcome", "MAIL FROM:<retours@cassiopee.example>",
        "RCPT TO", "250 2.0.0 taken as Q1", "TLSv1.3", "localhost, 127.0.0.1", "Autorité d'essai", "certificat vérifié",
    ):  # fmt: skip
        assert said.lower() in words.lower().replace("’", "'"), said
    assert "expire dans 9" in words.replace("\u00a0", " ") or "expire dans 10" in words.replace("\u00a0", " ")
    assert [one for _, what, one in found.lines if what == "phase"] == [
        "connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "server", "phase", "trouble"),
    [
        ({}, {"users": {}}, TrialPhase.AUTH, TrialTrouble.CREDENTIALS),
        ({}, {"users": {}, "refusal": "454 4.7.0 later"}, TrialPhase.AUTH, TrialTrouble.BUSY),
        ({}, {"mechanisms": ""}, TrialPhase.AUTH, TrialTrouble.NO_AUTH),
        ({}, {"mechanisms": "GSSAPI"}, TrialPhase.AUTH, TrialTrouble.NO_AUTH),
        ({"security": Security.STARTTLS}, {}, TrialPhase.STARTTLS, TrialTrouble.NO_STARTTLS),
        ({"auth": Auth.NONE}, {"rcpt": "550 5.1.1 who?"}, TrialPhase.RCPT, TrialTrouble.RECIPIENT),
        ({"auth": Auth.NONE}, {"greeting": "554 5.7.1 not you"}, TrialPhase.CONNECT, TrialTrouble.GREETING),
        ({"auth": Auth.NONE}, {"greeting": "421 4.3.2 later"}, TrialPhase.CONNECT, TrialTrouble.BUSY),
        ({"auth": Auth.NONE}, {"greeting": "HTTP/1.1 400 Bad Request"}, TrialPhase.CONNECT, TrialTrouble.BROKEN),
        ({"auth": Auth.NONE}, {"greeting": "220 \x00 <b>hi</b>"}, None, None),
        ({"security": Security.TLS}, {}, TrialPhase.TLS, TrialTrouble.TLS),
        ({"secret": b"nonsense"}, {}, TrialPhase.AUTH, TrialTrouble.SECRET),
    ],
)
def test_what_went_wrong_is_said_with_what_to_do(
    admin: Browser, cassiopee: House, changes: dict, server: dict,
    phase: TrialPhase | None, trouble: TrialTrouble | None,
) -> None:  # fmt: skip
    with AuthServer(**({"users": {"zoe": "x"}} | server)) as started:
        values = {"host": "127.0.0.1", "port": started.port, "security": Security.NONE}
        made = account(cassiopee, **(values | changes))
        found = tried(admin, f"/settings/accounts/{made.public_id}/trials")
    assert (found.phase, found.trouble, found.arrived) == (phase, trouble, trouble is None)
    if trouble:
        assert trouble.remedy.replace("'", "’")[:20] in admin.text().replace("\u00a0", " ").replace("\u202f", " ")


def test_an_invalid_certificate_is_shown_but_told_nothing(admin: Browser, cassiopee: House, tmp_path) -> None:
    made = certificate(tmp_path, "autre.example")
    with AuthServer({"zoe": SECRET}, certificate=made, tls=True) as server:
        row = account(cassiopee, host="127.0.0.1", port=server.port, security=Security.TLS)
        found = tried(admin, f"/settings/accounts/{row.public_id}/trials")
    assert (found.phase, found.trouble) == (TrialPhase.TLS, TrialTrouble.CERTIFICATE)
    assert "autre.example" in admin.text() and "certificat non vérifié" in admin.text()
    assert not any(said.startswith(("AUTH", "MAIL")) for said in server.said)


def test_a_private_network_a_closed_port_and_a_lost_name(admin: Browser, cassiopee: House) -> None:
    with SmtpServer() as server:
        port = server.port
    for host, trouble in (("10.1.2.3", TrialTrouble.FORBIDDEN), ("127.0.0.1", TrialTrouble.REFUSED),
                          ("nulle-part.example", TrialTrouble.NAME)):  # fmt: skip
        made = account(cassiopee, name=host, host=host, port=port, security=Security.NONE)
        assert tried(admin, f"/settings/accounts/{made.public_id}/trials").trouble is trouble


def test_a_mute_server_ends_in_time(app: Flask, admin: Browser, cassiopee: House) -> None:
    before = app.extensions["sillage"]
    app.extensions["sillage"] = replace(before, smtp_timeout=0.3)
    try:
        with SmtpServer(Script(mute=True)) as server:
            made = account(cassiopee, host="127.0.0.1", port=server.port, security=Security.NONE)
            assert tried(admin, f"/settings/accounts/{made.public_id}/trials").trouble is TrialTrouble.TIMEOUT
    finally:
        app.extensions["sillage"] = before


def test_the_houses_account_is_tried_too(app: Flask, admin: Browser) -> None:
    with SmtpServer() as server:
        app.extensions["tracked_mail"].port = server.port
        found = tried(admin, "/settings/accounts/house/trials")
        app.extensions["tracked_mail"].port = 1
    assert found.arrived and found.account_id is None and len(server.taken) == 1
    assert "n’était pas chiffrée" in admin.text()


def test_the_page_waits_fills_in_and_stops_asking(admin: Browser, cassiopee: House) -> None:
    admin.post("/settings/accounts/house/trials")
    row = db.session.scalars(select(SenderTrial)).one()
    admin.get(f"/settings/trials/{row.public_id}")
    assert admin.html.xpath("//*[@id='live']/@hx-get") == [f"/settings/trials/{row.public_id}"]
    assert "en cours" in admin.text()
    row.created_at = func.now() - text("interval '1 minute'")
    db.session.commit()
    admin.get(f"/settings/trials/{row.public_id}")
    assert "attend toujours" in admin.text()
    row.started_at = func.now() - text("interval '5 minutes'")
    db.session.commit()
    assert trials.run_waiting() == 0  # its worker died: it is not run twice
    admin.get(f"/settings/trials/{row.public_id}")
    assert not admin.html.xpath("//*[@id='live']") and "interrompu" in admin.text()


def test_old_trials_are_forgotten(admin: Browser, cassiopee: House) -> None:
    admin.post("/settings/accounts/house/trials")
    trials.forget()
    assert db.session.scalar(select(func.count()).select_from(SenderTrial)) == 1
    db.session.execute(text("UPDATE sender_trial SET created_at = now() - interval '31 days'"))
    trials.forget()
    assert db.session.scalar(select(func.count()).select_from(SenderTrial)) == 0


def test_a_secret_is_nowhere_but_encrypted(
    app: Flask, admin: Browser, cassiopee: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Every page, the API's answers, the audit log, the logs and every column of every table: none holds it."""
    caplog.set_level(logging.DEBUG)
    with AuthServer({"zoe": SECRET}, refusal=f"535 5.7.8 {SECRET}?") as server:
        admin.post("/settings/accounts/new", typed(host="127.0.0.1", port=str(server.port), security="none"))
        made = only()
        pages = [shown(admin)]
        form = {"name": "F", "address": cassiopee.sender.address, "return_path": "own", "account": made.public_id}
        admin.post(f"/settings/senders/{cassiopee.sender.id}", form)
        found = tried(admin, f"/settings/senders/{cassiopee.sender.id}/trials")
        pages.append(shown(admin))
        assert found.arrived
        server.users["zoe"] = "changed"
        assert tried(admin, f"/settings/senders/{cassiopee.sender.id}/trials").trouble is TrialTrouble.CREDENTIALS
        pages.append(shown(admin))
    sender = f"/settings/senders/{cassiopee.sender.id}"
    for path in ("/settings/senders", f"/settings/accounts/{made.public_id}", sender, "/settings/audit", "/settings"):
        admin.get(path)
        pages.append(shown(admin))
    tables = [
        str(row[0])
        for table in db.metadata.sorted_tables
        for row in db.session.execute(text(f'SELECT t::text FROM "{table.name}" t'))
    ]
    said = (SECRET, f"\0zoe\0{SECRET}")
    shapes = (SECRET, SECRET.encode().hex(), *(base64.b64encode(one.encode()).decode() for one in said))
    for where in (*pages, caplog.text, *tables):
        for shape in shapes:
            assert shape not in where
    assert db.session.scalars(select(Sender)).first() is not None
