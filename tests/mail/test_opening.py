"""Sessions opened with an account: who we say we are, over what, where to, and for how long at most."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from mail import accounts, network, opening
from mail.accounts import Account
from mail.opening import MASK, CannotOpen, open_session, quit_session
from models import Auth, Security
from tests.auth_server import AuthServer, certificate
from tests.smtp_server import Script, SmtpServer

PASSWORD = "ma clé très secrète"


def account(port: int, **changes) -> Account:
    values = {
        "id": 7, "host": "127.0.0.1", "port": port, "security": Security.NONE, "auth": Auth.PASSWORD,
        "username": "zoé@example.org", "secret": PASSWORD, "connections": 4, "per_minute": None, "most_messages": 100,
        "most_seconds": 300.0, "verify": True,
    }  # fmt: skip
    return Account(**(values | changes))


def opened(app, one: Account, **kwargs) -> list[tuple[str, str]]:
    """What was noted while a session was opened and left."""
    noted = []
    session = open_session(one, app.extensions["sillage"], lambda what, words: noted.append((what, words)), **kwargs)
    quit_session(session)
    return noted


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "PLAIN LOGIN", "XOAUTH2 PLAIN"])
def test_a_password_of_any_letters_signs_in_and_is_masked(app, mechanism):
    with AuthServer(users={"zoé@example.org": PASSWORD}, mechanisms=mechanism) as server:
        noted = opened(app, account(server.port))
    assert server.signed_in == ["zoé@example.org"]
    whole = "\n".join(words for _, words in noted)
    assert MASK in whole and PASSWORD not in whole
    for said in server.said:
        for word in said.split():
            if word.endswith("=") or PASSWORD in word:
                assert word not in whole
    assert [words for what, words in noted if what == "phase"] == ["connect", "ehlo", "auth"]


def test_cram_md5_never_says_the_password(app):
    with AuthServer(users={"zoe": "plain ascii"}, mechanisms="CRAM-MD5") as server:
        opened(app, account(server.port, username="zoe", secret="plain ascii"))
    assert server.signed_in == ["zoe"]


def test_a_refused_password_is_told_with_the_servers_words_but_never_repeated(app):
    refusal = f"535 5.7.8 no, {PASSWORD} is not it"
    with AuthServer(users={}, refusal=refusal) as server, pytest.raises(CannotOpen) as caught:
        opened(app, account(server.port))
    assert (caught.value.phase, caught.value.reply.code, caught.value.reply.enhanced) == ("auth", 535, "5.7.8")
    assert PASSWORD not in caught.value.words and MASK in caught.value.words


def test_a_secret_that_no_key_opens_is_not_the_servers_refusal(app):
    with AuthServer() as server, pytest.raises(CannotOpen) as caught:
        opened(app, account(server.port, secret=None))
    assert caught.value.phase == "auth" and caught.value.reply is None
    assert not any(said.startswith("AUTH") for said in server.said)


@pytest.fixture
def tokens(app, tmp_path, monkeypatch):
    """A hook that gives old, then new; `app`'s settings name it."""
    (tmp_path / "our_hook.py").write_text(
        "given = ['old', 'new']\n\n\ndef token(account):\n    return given.pop(0) if given else 'newer'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "our_hook", raising=False)
    accounts.forget_tokens()
    before = app.extensions["sillage"]
    app.extensions["sillage"] = replace(before, xoauth2_token="our_hook:token")
    yield
    app.extensions["sillage"] = before


def test_xoauth2_renews_a_refused_token_once(app, tokens):
    with AuthServer(tokens={"new"}, mechanisms="PLAIN XOAUTH2") as server:
        noted = opened(app, account(server.port, auth=Auth.XOAUTH2, secret=None))
        assert server.signed_in == ["zoé@example.org"]
        opened(app, account(server.port, auth=Auth.XOAUTH2, secret=None))
    asked = [said for said in server.said if said.startswith("AUTH")]
    assert [base64.b64decode(said.split()[-1]).decode().split("\x01")[1] for said in asked] == [
        "auth=Bearer old", "auth=Bearer new", "auth=Bearer new",
    ]  # fmt: skip
    assert not any("Bearer" in words or asked[0].split()[-1] in words for _, words in noted)


def test_xoauth2_refused_twice_is_a_refusal(app, tokens):
    with AuthServer(tokens={"other"}, mechanisms="XOAUTH2") as server, pytest.raises(CannotOpen) as caught:
        opened(app, account(server.port, auth=Auth.XOAUTH2))
    assert caught.value.reply.permanent and len([s for s in server.said if s.startswith("AUTH")]) == 2


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_over_tls_with_a_known_authority(app, tmp_path, security):
    made = certificate(tmp_path, "127.0.0.1")
    config = app.extensions["sillage"]
    with AuthServer({"zoé@example.org": PASSWORD}, certificate=made, tls=security is Security.TLS) as server:
        one = account(server.port, security=security)
        with pytest.raises(CannotOpen) as caught:
            open_session(one, config)
        assert "certificate" in caught.value.words and not server.signed_in
        quit_session(open_session(one, replace(config, mail_ca_file=made.authority)))
    assert server.signed_in == ["zoé@example.org"]


@pytest.mark.parametrize(("names", "days"), [(["other.example"], 30), (["127.0.0.1"], -2)])
def test_another_name_or_an_old_certificate_is_refused(app, tmp_path, names, days):
    made = certificate(tmp_path, *names, days=days)
    config = replace(app.extensions["sillage"], mail_ca_file=made.authority)
    with AuthServer(certificate=made, tls=True) as server, pytest.raises(CannotOpen):
        open_session(account(server.port, security=Security.TLS), config)


def test_starttls_that_is_not_offered_sends_no_password(app):
    with AuthServer(users={"zoé@example.org": PASSWORD}) as server, pytest.raises(CannotOpen) as caught:
        opened(app, account(server.port, security=Security.STARTTLS))
    assert caught.value.phase == "starttls" and not any(said.startswith("AUTH") for said in server.said)


def test_drops_of_a_reply_do_not_stretch_the_time(app):
    with AuthServer(drip=0.4) as server:
        with pytest.raises(CannotOpen):
            opened(app, account(server.port), seconds=0.5)
        assert server.said == []  # the greeting alone takes it longer


def test_a_mute_server_is_left(app):
    with SmtpServer(Script(mute=True)) as server, pytest.raises(CannotOpen) as caught:
        opened(app, account(server.port), seconds=0.3)
    assert caught.value.phase == "connect" and caught.value.reply is None


@pytest.mark.parametrize("env", ["production", "development"])
def test_own_accounts_never_reach_this_machine_outside_the_demo_and_the_house_does(app, env):
    config = replace(app.extensions["sillage"], env=env)
    with SmtpServer() as server:
        with pytest.raises(CannotOpen) as caught:
            open_session(account(server.port, auth=Auth.NONE), config)
        assert isinstance(caught.value.__cause__, network.Forbidden)
        with pytest.raises(CannotOpen):
            open_session(account(server.port, auth=Auth.NONE, host="localhost"), config)
        assert server.connections == 0
        quit_session(open_session(account(server.port, id=None, auth=Auth.NONE), config))
        config = replace(config, account_networks=("127.0.0.0/8",))
        quit_session(open_session(account(server.port, auth=Auth.NONE), config))
    assert server.connections == 2


def test_a_name_that_changes_its_mind_leads_nowhere(app, monkeypatch):
    """The address that was checked is the one connected to; and the socket's other end is looked at again."""
    with SmtpServer() as server:
        asked = []
        whole = network.look_up

        def look_up(host, port, seconds):
            asked.append(host)
            return whole("127.0.0.1", port, seconds)

        monkeypatch.setattr(network, "look_up", look_up)
        answers = iter([True, False])
        with pytest.raises(network.Forbidden):
            network.connect("rebinding.example", server.port, lambda ip: next(answers), 1)
        assert asked == ["rebinding.example"]


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "[::1]".strip("[]"), "::ffff:10.0.0.1", "fd00::1",
     "64:ff9b::a00:1", "0.0.0.0", "224.0.0.1", "fe80::1", "2002:7f00:1::1"],
)  # fmt: skip
@pytest.mark.parametrize("env", ["production", "demo"])
def test_no_private_address_is_ever_connected_to(app, host, env):
    config = replace(app.extensions["sillage"], env=env)
    if env == "demo" and host == "::1":
        assert network.for_accounts(config)(network.look_up(host, 25, 1)[0])
        return
    with pytest.raises(network.Forbidden):
        network.connect(host, 25, network.for_accounts(config), 1)


def test_in_the_demo_nothing_leaves_this_machine(app):
    with pytest.raises(network.Forbidden):
        network.connect("9.9.9.9", 25, network.for_accounts(replace(app.extensions["sillage"], env="demo")), 1)


def test_the_line_of_an_account_is_opened_by_the_mail_object(app):
    with AuthServer(users={"zoé@example.org": PASSWORD}) as server:
        connection = app.extensions["tracked_mail"].connect(account(server.port))
        connection.__enter__()
        line = connection.line()
        assert server.signed_in == ["zoé@example.org"] and line.pipelining
        line.close()
    assert opening.Reply(250, "2.0.0 ok").enhanced == "2.0.0"
