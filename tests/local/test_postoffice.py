"""The practice post office over real SMTP: each behaviour, DSN, reports, reading."""

import email
import http.server
import mailbox
import re
import smtplib
import socket
import threading
import time
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP, default

import pytest

from local.postoffice import PostOffice
from local.postoffice.behaviours import PLAIN, TABLE, behaviour_of
from local.processes import wait_until

SENDER = "retours+tok3n@cassiopee.example"


class Place:
    """A post office with short delays, and its two mailboxes."""

    def __init__(self, folder, base_url="http://127.0.0.1:9"):
        self.delivered, self.bounces = folder / "delivered", folder / "bounces"
        self.office = PostOffice(
            self.delivered, self.bounces, base_url=base_url, report_delay=0.05, read_delay=0.05, grey_seconds=0.4
        )

    def kept(self):
        return [email.message_from_bytes(m.as_bytes(), policy=default) for m in mailbox.Maildir(self.delivered)]

    def returned(self, count=1):
        """The mails of the bounce mailbox, once there are `count`."""
        assert wait_until(lambda: len(mailbox.Maildir(self.bounces)) >= count, 60)
        return [email.message_from_bytes(m.as_bytes(), policy=default) for m in mailbox.Maildir(self.bounces)]

    def send(self, to, mail_options=(), rcpt_options=(), message=None):
        """(code, text) of each step until the first refusal, or of all: MAIL, RCPT, DATA."""
        with smtplib.SMTP("127.0.0.1", self.office.port, timeout=60) as line:
            line.ehlo("client.example")
            steps = [line.mail(SENDER, list(mail_options)), line.rcpt(to, list(rcpt_options))]
            if steps[-1][0] < 300:
                steps.append(line.data((message or letter()).as_bytes()))
            return [(code, text.decode()) for code, text in steps]


def letter(html="<p>Bonjour</p>", file=False):
    message = EmailMessage(policy=SMTP)
    message["From"] = "Atelier <formation@cassiopee.example>"
    message["To"] = "someone@client.example"
    message["Subject"] = "Convocation à l'été"
    message["Message-ID"] = "<E-1.abc@cassiopee.example>"
    message.set_content("Bonjour")
    message.add_alternative(html, subtype="html")
    if file:
        message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="convocation.pdf")
    return message


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    with place.office:
        yield place


def delivery_status(report):
    """The fields about the message and about the recipient, of an RFC 3464 report."""
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    words, status, original = report.iter_parts()
    assert words.get_content_type() == "text/plain"
    assert original.get_content_type() in ("text/rfc822-headers", "message/rfc822")
    about_message, about_recipient = status.get_payload()
    return dict(about_message.items()), dict(about_recipient.items()), original


@pytest.mark.parametrize(
    "address, word",
    [
        ("inconnu@x.example", "inconnu"),
        ("Camille.INCONNU@x.example", "inconnu"),
        ("camille+plein@x.example", "plein"),
        ("camille.plein.2@x.example", "plein"),
        ("luc.lu@x.example", "lu"),
        ("lucie.pleinel@x.example", None),
        ("louise@inconnu.example", None),
    ],
)
def test_the_word_in_the_local_part_chooses(address, word):
    assert behaviour_of(address) is (TABLE[word] if word else PLAIN)


def test_it_offers_what_operators_offer(place):
    with smtplib.SMTP("127.0.0.1", place.office.port) as line:
        line.ehlo()
        assert set(line.esmtp_features) >= {"size", "8bitmime", "smtputf8", "pipelining", "dsn", "enhancedstatuscodes"}


def test_a_plain_recipient_gets_the_mail_and_nothing_comes_back(place):
    steps = place.send("camille@client.example", ["RET=HDRS", "ENVID=x"], ["NOTIFY=SUCCESS,FAILURE"])
    assert steps[-1][0] == 250
    assert re.fullmatch(r"2\.0\.0 Ok: queued as [0-9A-F]+", steps[-1][1])
    (kept,) = place.kept()
    assert (kept["Return-Path"], kept["Delivered-To"]) == (f"<{SENDER}>", "camille@client.example")
    assert kept["Subject"] == "Convocation à l'été"
    time.sleep(0.3)
    assert place.returned(0) == []


@pytest.mark.parametrize("word", [word for word, behaviour in TABLE.items() if behaviour.at_rcpt or behaviour.at_data])
def test_a_refusal_says_its_reply_and_keeps_nothing(place, word):
    code, text = (TABLE[word].at_rcpt or TABLE[word].at_data).split(" ", 1)
    steps = place.send(f"{word}@client.example", message=letter(file=TABLE[word].files_only))
    assert steps[-1] == (int(code), text)
    assert len(steps) == (2 if TABLE[word].at_rcpt else 3)
    assert place.kept() == []


@pytest.mark.parametrize("word", [word for word, behaviour in TABLE.items() if behaviour.files_only])
def test_who_refuses_files_takes_a_letter_without(place, word):
    assert place.send(f"{word}@client.example")[-1][0] == 250
    assert len(place.kept()) == 1


@pytest.mark.parametrize("word", [word for word, behaviour in TABLE.items() if behaviour.cure])
def test_what_is_put_right_is_an_ordinary_mailbox(place, word):
    place.office.cure(word)
    place.send(f"{word}@client.example", rcpt_options=["NOTIFY=SUCCESS,FAILURE"])
    about_recipient = delivery_status(place.returned()[0])[1]
    assert (len(place.kept()), about_recipient["Action"]) == (1, "delivered")
    place.office.cure(word, cured=False)
    assert place.office.behaviour(f"{word}@client.example") is TABLE[word]


def test_what_nobody_can_put_right_has_no_cure(place):
    with pytest.raises(KeyError):
        place.office.cure("inconnu")


@pytest.mark.parametrize("word", [word for word, behaviour in TABLE.items() if behaviour.report])
def test_a_report_comes_back_as_operators_write_it(place, word):
    report = TABLE[word].report
    if TABLE[word].greylists:
        place.send(f"c.{word}@client.example")
        time.sleep(0.45)
    place.send(
        f"c.{word}@client.example",
        ["RET=HDRS", "ENVID=aBc+2Bdef"],
        ["NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT=rfc822;c+2E{word}@client.example"],
    )
    back = next(mail for mail in place.returned() if mail.get_param("report-type") == "delivery-status")
    assert (back["Return-Path"], back["Delivered-To"], back["X-Original-To"]) == ("<>", SENDER, SENDER)
    assert back["Auto-Submitted"] == "auto-replied"
    about_message, about_recipient, original = delivery_status(back)
    assert about_message["Original-Envelope-Id"] == "aBc+def"
    assert about_recipient["Original-Recipient"] == f"rfc822;c.{word}@client.example"
    assert about_recipient["Final-Recipient"] == f"rfc822; c.{word}@client.example"
    found = [about_recipient[name] for name in ("Action", "Status", "Diagnostic-Code")]
    assert found == [report.action, report.status, report.diagnostic]
    assert "Message-ID: <E-1.abc@cassiopee.example>" in original.get_payload()


@pytest.mark.parametrize(
    "word, notify, comes",
    [
        ("recu", "SUCCESS", True),
        ("recu", "FAILURE,DELAY", False),
        ("recu", None, False),
        ("retour", None, True),
        ("retour", "NEVER", False),
        ("retour", "SUCCESS", False),
        ("retard", "FAILURE", False),
        ("retard", "DELAY", True),
    ],
)
def test_notify_decides_what_comes_back(place, word, notify, comes):
    place.send(f"{word}@client.example", [], [f"NOTIFY={notify}"] if notify else [])
    time.sleep(0.3)
    assert len(place.returned(0)) == comes


def test_the_whole_message_comes_back_with_a_failure_where_asked(place):
    place.send("retour@client.example", ["RET=FULL"])
    original = delivery_status(place.returned()[0])[2]
    assert original.get_payload(0).get_body(("plain",)).get_content().strip() == "Bonjour"


@pytest.mark.parametrize("options", [["RET=ALL"], ["SIZE=99999999"], ["NONSENSE=1"]])
def test_wrong_options_are_refused(place, options):
    with smtplib.SMTP("127.0.0.1", place.office.port) as line:
        line.ehlo()
        assert line.mail(SENDER, options)[0] in (501, 552, 555)
        line.rset()
        line.mail(SENDER)
        assert line.rcpt("c@client.example", ["NOTIFY=NEVER,SUCCESS"])[0] == 501


def test_nobody_answers_a_null_sender(place):
    with smtplib.SMTP("127.0.0.1", place.office.port) as line:
        line.ehlo()
        for word in ("retour", "absent", "plainte"):
            line.mail("<>")
            line.rcpt(f"{word}@client.example")
            assert line.data(letter().as_bytes())[0] == 250
    time.sleep(0.3)
    assert place.returned(0) == []


def test_greylisting_passes_with_time(place):
    assert place.send("attente@client.example")[-1][0] == 451
    assert place.send("attente@client.example")[-1][0] == 451
    time.sleep(0.45)
    assert place.send("attente@client.example")[-1][0] == 250


def test_it_hangs_up_without_a_reply_yet_keeps_the_mail(place):
    with pytest.raises(smtplib.SMTPServerDisconnected):
        place.send("coupe@client.example")
    assert len(place.kept()) == 1


def test_it_hangs_up_before_the_body_and_keeps_nothing(place):
    with pytest.raises(smtplib.SMTPServerDisconnected):
        place.send("raccroche@client.example")
    assert place.kept() == []


def test_an_automatic_reply_names_the_message_it_answers(place):
    place.send("absent@client.example")
    (reply,) = place.returned()
    assert (reply["From"], reply["To"], reply["Auto-Submitted"]) == ("absent@client.example", SENDER, "auto-replied")
    assert reply["In-Reply-To"] == "<E-1.abc@cassiopee.example>"
    assert reply["Subject"] == "Absence : Re: Convocation à l'été"


def test_a_complaint_is_a_feedback_report(place):
    place.send("plainte@client.example", ["ENVID=e1"])
    (back,) = place.returned()
    assert back.get_param("report-type") == "feedback-report"
    _, feedback, original = back.iter_parts()
    assert "Feedback-Type: abuse" in str(feedback)
    assert "Original-Envelope-Id: e1" in str(feedback)
    assert original.get_payload(0)["Message-ID"] == "<E-1.abc@cassiopee.example>"


def test_reports_still_due_are_written_when_it_stops(tmp_path):
    place = Place(tmp_path)
    place.office._delays["report"] = 60
    with place.office:
        place.send("retour@client.example")
    assert len(place.returned()) == 1


def test_addresses_and_headers_beyond_ascii_pass(place):
    message = letter()
    message.replace_header("Subject", "x" * 70)
    raw = message.as_bytes().replace(b"x" * 70, "été".encode())
    with smtplib.SMTP("127.0.0.1", place.office.port) as line:
        line.ehlo()
        line.command_encoding = "utf-8"
        line.mail(SENDER, ["SMTPUTF8", "BODY=8BITMIME"])
        line.rcpt("zoé.retour@client.example")
        assert line.data(raw)[0] == 250
    _, about_recipient, original = delivery_status(place.returned()[0])
    assert about_recipient["Final-Recipient"] == "utf-8; zoé.retour@client.example"
    assert "été" in original.get_content()


def test_a_taken_port_is_told(place, tmp_path):
    with pytest.raises(OSError, match="in use"):
        PostOffice(tmp_path / "a", tmp_path / "b", port=place.office.port).start()


# --- reading ---


@contextmanager
def web_server():
    """A server that notes what is asked of it: (path, User-Agent)."""
    asked = []

    class Notes(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["User-Agent"]))
            if "/away" in self.path:
                self.send_response(302)
                self.send_header("Location", "/t/o/second.gif")
            else:
                self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Notes) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("word, agent", [("lu", "Thunderbird"), ("machine", "Mozilla/5.0")])
def test_a_reader_fetches_the_pixel_once(tmp_path, word, agent):
    with web_server() as (url, asked):
        place = Place(tmp_path, url)
        with place.office:
            html = f'<img src="{url}/t/o/abc.gif"><img src="{url}/t/o/abc.gif"><img src="{url}/logo.png">'
            place.send(f"{word}@client.example", message=letter(html))
            assert wait_until(lambda: asked, 60)
        assert [path for path, _ in asked] == ["/t/o/abc.gif"]
        assert agent in asked[0][1]


def test_a_reader_goes_nowhere_else(tmp_path):
    with web_server() as (url, asked):
        place = Place(tmp_path, url)
        html = "".join(
            f'<img src="{source}">'
            for source in (
                "http://192.0.2.1/t/o/a.gif",
                "http://pixel.example/t/o/a.gif",
                "file:///t/o/a.gif",
                "http://[bad/t/o/a.gif",
                f"{url}/other.gif",
                f"{url}/t/o/away.gif",
            )
        )
        with place.office:
            assert place.office.read(letter(html).as_bytes()) == 1
        assert [path for path, _ in asked] == ["/t/o/away.gif"]


def test_a_pixel_nobody_serves_harms_nothing(place):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    place.send("lu@client.example", message=letter(f'<img src="http://127.0.0.1:{port}/t/o/a.gif">'))
    time.sleep(0.3)
    assert place.send("camille@client.example")[-1][0] == 250
