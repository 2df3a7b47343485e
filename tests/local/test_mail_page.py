"""The post office's page shows hostile mail as text and fetches nothing by itself."""

import mailbox
import os
from email.message import EmailMessage

import pytest

from local.postoffice import PostOffice
from local.postoffice.web import create_page

HOSTILE = "<script>alert(1)</script>\"'&"


class Desk:
    """A Maildir and a client of its page; `reads` holds what was opened as the recipient."""

    def __init__(self, folder):
        self.maildir = mailbox.Maildir(folder)
        self.reads = []
        self.client = create_page(folder, self.read).test_client()

    def read(self, content):
        self.reads.append(content)
        if b"nobody-answers" in content:
            raise ConnectionRefusedError
        return 1

    def add(self, message):
        return self.maildir.add(message.as_bytes() if isinstance(message, EmailMessage) else message)

    def get(self, path, status=200, **options):
        answer = self.client.get(path, base_url="http://127.0.0.1:8025", **options)
        assert answer.status_code == status
        return answer


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "mail")


def letter(subject="Convocation", html=None, to="camille@client.example"):
    message = EmailMessage()
    message["Delivered-To"] = message["To"] = to
    message["From"] = "formation@cassiopee.example"
    message["Subject"] = subject
    message.set_content(f"Bonjour {HOSTILE}")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def test_the_list_is_newest_first_searchable_and_paged(desk):
    for number in range(60):
        key = desk.add(letter(f"Session {number:02}", to=f"p{number:02}@client.example"))
        os.utime(desk.maildir._path + "/new/" + key, (1000 + number, 1000 + number))
    first = desk.get("/").text
    assert first.index("Session 59") < first.index("Session 10")
    assert "Session 09" not in first
    assert "Session 09" in desk.get("/?page=2").text
    found = desk.get("/?q=P07@").text
    assert "Session 07" in found
    assert "Session 08" not in found
    assert "Aucun e-mail ne correspond." in desk.get("/?q=nobody").text


def test_it_speaks_english_too(desk):
    assert "Nothing leaves this machine" in desk.get("/", headers={"Accept-Language": "en"}).text
    assert "Rien ne quitte cette machine" in desk.get("/").text


def test_hostile_text_is_shown_as_text(desk):
    key = desk.add(letter(HOSTILE, html=f"<p>{HOSTILE}</p>", to='"<b>x</b>"@client.example'))
    for page in (desk.get("/"), desk.get(f"/mails/{key}"), desk.get(f"/?q={HOSTILE}")):
        assert "<script" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")


def test_html_comes_only_sandboxed(desk):
    key = desk.add(letter(html="<p>Bonjour</p><script>alert(1)</script>"))
    assert f'<iframe sandbox="" src="/mails/{key}/html"' in desk.get(f"/mails/{key}").text
    body = desk.get(f"/mails/{key}/html")
    policy = body.headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
    assert body.headers["X-Content-Type-Options"] == "nosniff"


def test_its_own_images_are_shown(desk):
    message = letter(html='<img src="cid:logo@x">')
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo@x>")
    assert 'src="data:image/png;base64,iVBORw=="' in desk.get(f"/mails/{desk.add(message)}/html").text


def test_attachments_and_source_are_downloads(desk):
    message = letter()
    message.add_attachment(b"<html>", maintype="text", subtype="html", filename="été.html")
    key = desk.add(message)
    assert "été.html" in desk.get(f"/mails/{key}").text
    for path in (f"/mails/{key}/files/0", f"/mails/{key}/source"):
        answer = desk.get(path)
        assert answer.mimetype == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")
    desk.get(f"/mails/{key}/files/1", 404)


@pytest.mark.parametrize("key", ["nothing", "..", "..%2f..%2fsecret_key", "%00"])
def test_keys_are_never_paths(desk, key):
    desk.add(letter())
    desk.get(f"/mails/{key}/source", 404)


@pytest.mark.parametrize(
    "poison",
    [b"", b"\xff\xfe\x00", b"Subject: =?utf-8?b?!!!\nFrom: <<<>>@\nTo: ,;:\nDate: never\n\nx", b"From: a\n" * 500],
)
def test_poison_is_shown_somehow(desk, poison):
    key = desk.add(poison)
    desk.get("/")
    desk.get(f"/mails/{key}")


@pytest.mark.parametrize(
    "subject, says", [("Convocation", "Pixels chargés\xa0: 1"), ("nobody-answers", "Sillage n’a pas répondu.")]
)
def test_a_person_can_open_it_as_the_recipient(desk, subject, says):
    key = desk.add(letter(subject))
    desk.get(f"/mails/{key}")
    assert desk.reads == []
    options = {"base_url": "http://127.0.0.1:8025", "headers": {"Origin": "http://127.0.0.1:8025"}}
    answer = desk.client.post(f"/mails/{key}/reading", **options)
    assert answer.status_code == 303
    assert answer.headers["Referrer-Policy"] == "same-origin"  # else a browser's form has the Origin "null"
    assert len(desk.reads) == 1
    assert says in desk.get(answer.location).text


def test_other_sites_are_refused(desk):
    key = desk.add(letter())
    assert desk.client.get("/", base_url="http://evil.example:8025").status_code == 421
    options = {"base_url": "http://127.0.0.1:8025", "headers": {"Origin": "http://evil.example"}}
    assert desk.client.post(f"/mails/{key}/reading", **options).status_code == 403
    assert desk.reads == []


def test_what_makes_it_refuse_can_be_put_right_here(tmp_path):
    with PostOffice(tmp_path / "mail", tmp_path / "bounces") as office:
        client = create_page(tmp_path / "mail", office.read, "", office).test_client()
        here = {"base_url": "http://127.0.0.1:8025"}
        assert "la personne fait de la place" in client.get("/", **here).text
        assert client.post("/cures/plein", data={"do": "cure"}, **here).status_code == 303
        assert office.cured == {"plein"}
        assert "C’est fait ; défaire" in client.get("/", **here).text.replace("&#39;", "’")
        client.post("/cures/plein", data={"do": "undo"}, **here)
        assert office.cured == frozenset()
        assert client.post("/cures/inconnu", data={"do": "cure"}, **here).status_code == 404
        assert client.post("/cures/plein", headers={"Origin": "http://evil.example"}, **here).status_code == 403
