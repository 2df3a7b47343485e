"""The organisation's list of e-mails, one e-mail, its frozen parts: what each role and each organisation gets."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import lxml.html
import pytest

import mail
from documents import blobs
from extensions import db
from mail.compose import Draft, File
from models import EmailContent
from models.words import EventKind, Mark, QueueState, Reason, Status
from tests.history.making import make_contact, make_email, make_session

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}‮"


def kept(data: bytes, name: str) -> tuple[str, str, str]:
    """A stored file as make_email takes it."""
    stored = blobs.store(data, name)
    db.session.commit()
    return name, stored.media_type, stored.sha256


def test_the_list_shows_an_email_and_its_page_explains_it(client: Any, cassiopee: Any) -> None:
    session = make_session(cassiopee, "Sécurité incendie")
    contact = make_contact(cassiopee, "Camille Petit")
    email = make_email(
        cassiopee, status=Status.FAILED, reason=Reason.USER_UNKNOWN, training_session_id=session.id,
        contact_id=contact.id, events=(EventKind.REQUESTED, EventKind.REFUSED),
    )  # fmt: skip
    client.sign_in(cassiopee.staff)
    client.get("/emails")
    shown = client.text()
    assert "1 e-mail" in shown and "Camille Petit" in shown and "Erreur à l’envoi" in shown
    assert "Adresse inconnue" in shown and "Sécurité incendie" in shown
    client.get(f"/emails/{email.public_id}")
    shown = client.text()
    assert "L’opérateur du destinataire répond que cette adresse n’existe pas." in shown
    assert "550 5.1.1 <b>No such user</b>" in shown
    assert "Seul un administrateur peut renvoyer cet e-mail." in shown


def test_names_and_subjects_from_right_to_left_stand_alone_and_addresses_break_at_their_joints(
    client: Any, cassiopee: Any
) -> None:
    """Each in its own direction, so that the words beside keep their order; the same in the list and on its page."""
    subject, name, address = "تأكيد: à signer", "מרים", "miriam.ezra@rh.grand-bassin.fr"
    email = make_email(cassiopee, subject=subject, address=address, name=name)
    client.sign_in(cassiopee.staff)
    rows = lxml.html.fromstring(client.get("/emails").data).xpath("//tr[@id=$id]/*", id=email.public_id)
    told = {cell.get("class"): cell for cell in rows}
    assert told["col-subject"].xpath("string(bdi)") == subject
    assert told["col-recipient"].xpath("string(a/bdi)") == name
    page = lxml.html.fromstring(client.get(f"/emails/{email.public_id}").data)
    assert page.xpath("string(//h1/bdi)") == page.xpath("string(//h2/bdi)") == subject
    [to] = page.xpath("//header[@class='letter-head']//dt[.='À']/following-sibling::dd[1]")
    assert to.text_content() == f"{name} <{address}>" and to.xpath("string(bdi)") == name
    for shown in (told["col-recipient"].xpath("span/bdi")[0], to.xpath("span/bdi")[0]):
        joints = lxml.html.tostring(shown, encoding="unicode", with_tail=False)
        assert joints.replace("</wbr>", "") == "<bdi>miriam.<wbr>ezra<wbr>@rh.<wbr>grand-bassin.fr</bdi>"


def test_the_same_table_on_a_session_and_on_a_contact(client: Any, cassiopee: Any) -> None:
    session = make_session(cassiopee, "Sécurité incendie")
    contact = make_contact(cassiopee, "Camille Petit")
    make_email(cassiopee, training_session_id=session.id, contact_id=contact.id)
    make_email(cassiopee, subject="Ailleurs")
    client.sign_in(cassiopee.staff)
    for path, heads in (
        (f"/sessions/{session.public_id}/emails", ["Date", "Type", "Destinataire", "Objet", "Pièces", "Statut"]),
        (f"/contacts/{contact.public_id}/emails",
         ["Date", "Type", "Session", "Destinataire", "Objet", "Pièces", "Statut"]),
        ("/emails", ["Date", "Type", "Session", "Client", "Destinataire", "Objet", "Pièces", "Statut"]),
    ):  # fmt: skip
        client.get(path)
        shown = [th.text_content().strip() for th in client.html.xpath("//table/thead//th")]
        assert shown == ["", "Détail", *heads]  # the box that ticks them all has its own name
        filters = client.html.xpath("//tr[@class='grid-filters']/td[not(contains(@class, 'no-filter'))]")
        assert len(filters) == len(heads)
        assert all(td.xpath(".//input | .//select") for td in filters)
        assert len(client.html.xpath("//tbody[@id='rows']/tr")) == (2 if path == "/emails" else 1)
    assert "Session" not in client.get(f"/sessions/{session.public_id}/emails", htmx=True).text.split("<tbody")[0]


def test_expanding_and_folding_a_row(client: Any, cassiopee: Any) -> None:
    email = make_email(cassiopee)
    client.sign_in(cassiopee.admin)
    opened = client.get(f"/emails/{email.public_id}?list=session", htmx=True).get_data(as_text=True)
    assert 'aria-expanded="true"' in opened and f'id="{email.public_id}-detail"' in opened
    folded = client.get(f"/emails/{email.public_id}?list=session&fold=1", htmx=True).get_data(as_text=True)
    assert 'aria-expanded="false"' in folded and 'hx-swap-oob="delete"' in folded


@pytest.mark.parametrize("query", [
    "status=zzz&type=%00&period=x&from=31/02/2026&limit=-5&sort=%27&cursor=%00%ff&date_field=&attachment=2",
    "recipient=%25%5C_&subject=%27%22%3A%2A%28&session=%3Cscript%3E&contact=%F0%9F%92%A9a",
    "recipient=" + "x" * 5000, "status=error&status=error&status=", "from=9999-12-31&to=0001-01-01",
])  # fmt: skip
def test_nonsense_is_answered(client: Any, cassiopee: Any, query: str) -> None:
    make_email(cassiopee)
    client.sign_in(cassiopee.staff)
    client.get(f"/emails?{query}")
    client.get(f"/emails?{query}", htmx=True)


def around(tree: Any) -> dict[str, str]:
    """What the page shows outside its inputs, by id."""
    ids = ["rows", "count", "filter-count", "filter-chips", "sentence", "kept", "exports", "sort-date", "said-date",
           "said-type", "said-status", "pager", "live"]  # fmt: skip
    found = {}
    for name in ids:
        (node,) = tree.xpath(f"//*[@id='{name}']")
        node.attrib.pop("hx-swap-oob", None)
        node.tail = None
        found[name] = lxml.html.tostring(node, encoding="unicode")
    return found


@pytest.mark.parametrize("query", ["", "status=error", "recipient=petit&limit=1", "period=month&sort=date&type=free"])
def test_the_swap_equals_the_reload(client: Any, cassiopee: Any, query: str) -> None:
    for number in range(3):
        make_email(cassiopee, at=datetime.now(UTC) - timedelta(days=4 + number), status=Status.FAILED,
                   reason=Reason.USER_UNKNOWN)  # fmt: skip
    client.sign_in(cassiopee.staff)
    client.get(f"/emails?{query}")
    reloaded = around(client.html)
    swapped = client.get(f"/emails?{query}", htmx=True).get_data(as_text=True)
    assert around(lxml.html.fromstring(f"<table>{swapped}</table>")) == reloaded


def test_the_address_moves_by_steps_not_by_letters(client: Any, cassiopee: Any) -> None:
    client.sign_in(cassiopee.staff)

    def moved(was: str, now: str) -> tuple[str | None, str | None]:
        headers = {"HX-Current-URL": f"http://localhost/emails?{was}"}
        answer = client.get(f"/emails?{now}", htmx=True, headers=headers)
        return answer.headers.get("HX-Push-Url"), answer.headers.get("HX-Replace-Url")

    assert moved("", "recipient=pe&status=") == ("/emails?recipient=pe", None)
    assert moved("recipient=pe", "recipient=petit") == (None, "/emails?recipient=petit")
    assert moved("recipient=petit", "recipient=pet") == (None, "/emails?recipient=pet")
    assert moved("recipient=petit", "recipient=petit&status=error") == ("/emails?status=error&recipient=petit", None)
    assert moved("recipient=petit", "recipient=petit") == ("false", None)
    assert moved("recipient=petit", "recipient=") == ("/emails", None)


def test_rows_that_change_are_sent_and_the_asking_ends(client: Any, cassiopee: Any) -> None:
    now = datetime.now(UTC)
    waiting = make_email(cassiopee, at=now, status=Status.REQUESTED, queue=QueueState.WAITING)
    make_email(cassiopee, at=now, status=Status.OPENED)
    client.sign_in(cassiopee.staff)
    client.get("/emails")
    (live,) = client.html.xpath("//*[@id='live']")
    question = live.get("hx-get")
    assert question.count("E-") == 1 and live.get("hx-trigger") == "every 4s"
    quiet = client.get(question, htmx=True).get_data(as_text=True)
    assert "<tr" not in quiet and "calm=1" in quiet
    db.session.execute(db.text("DELETE FROM outbox_entry"))
    db.session.execute(db.text("UPDATE email SET status = 'opened' WHERE id = :i"), {"i": waiting.id})
    db.session.commit()
    news = client.get(question + f"&open={waiting.public_id}", htmx=True, status=286).get_data(as_text=True)
    assert f'<tr id="{waiting.public_id}" class="is-open" hx-swap-oob="true">' in news
    assert "Reçu et ouvert" in news and 'hx-get="/emails/changed' not in news
    client.get("/emails/changed?rows=nonsense&calm=x", htmx=True, status=286)


def test_live_rows_are_asked_for_less_and_less(client: Any, cassiopee: Any) -> None:
    make_email(cassiopee, at=datetime.now(UTC), status=Status.REQUESTED, queue=QueueState.WAITING)
    client.sign_in(cassiopee.staff)
    client.get("/emails")
    question = client.html.xpath("//*[@id='live']")[0].get("hx-get").partition("&calm=")[0]
    seconds = {}
    for calm in (0, 29, 30, 49, 78):
        seconds[calm] = client.get(f"{question}&calm={calm}", htmx=True).text.partition("every ")[2].partition("s")[0]
    assert seconds == {0: "4", 29: "15", 30: "15", 49: "60", 78: "60"}
    client.get(f"{question}&calm=80", htmx=True, status=286)


def test_the_body_shows_and_runs_nothing(client: Any, cassiopee: Any) -> None:
    email = make_email(
        cassiopee,
        html="<p onclick=x>Été</p><script>alert(1)</script><img src=https://t.example/x>"
        '<a href="javascript:x">a</a><style>@import url(//t.example)</style>'
        '<b style="background:url(//t.example)">b</b>',
    )
    client.sign_in(cassiopee.staff)
    answer = client.get(f"/emails/{email.public_id}/body")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'")
    assert policy.endswith("sandbox")
    assert "Été" in answer.text
    for word in ("script", "onclick", "t.example", "javascript"):
        assert word not in answer.text
    client.get(f"/emails/{email.public_id}")
    (frame,) = client.html.xpath("//iframe")
    assert frame.get("sandbox") == "" and frame.get("src") == f"/emails/{email.public_id}/body"


@pytest.mark.parametrize(("data", "name", "in_place"), [
    (b"%PDF-1.4\nx", "é;\"\r\n../convocation.pdf", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + bytes(30), "a.html", "image/png"),
    (b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 64000, 48000) + bytes(30), "bomb.png", None),
    (b"<script>alert(1)</script>", "a.pdf", None),
    (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "a.png", None),
])  # fmt: skip
def test_a_file_opens_in_place_only_where_that_is_safe(
    client: Any, cassiopee: Any, data: bytes, name: str, in_place: str | None
) -> None:
    email = make_email(cassiopee, files=(kept(data, name),))
    client.sign_in(cassiopee.staff)
    answer = client.get(f"/emails/{email.public_id}/attachments/1")
    assert answer.data == data
    assert answer.headers["Content-Type"] == (in_place or "application/octet-stream")
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("inline" if in_place else "attachment")
    assert "\r" not in disposition and disposition.isascii() and "filename*=UTF-8''" in disposition
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    saved = client.get(f"/emails/{email.public_id}/attachments/1?download=1")
    assert saved.headers["Content-Disposition"].startswith("attachment")
    client.get(f"/emails/{email.public_id}/attachments/2", status=404)
    client.get(f"/emails/{email.public_id}/attachments/{10**12}", status=404)


def test_lost_bytes_are_said_to_be_gone(client: Any, cassiopee: Any) -> None:
    email = make_email(cassiopee, files=(("a.pdf", "application/pdf", "c" * 64),))
    client.sign_in(cassiopee.staff)
    client.get(f"/emails/{email.public_id}/attachments/1", status=410)


def test_hostile_words_show_as_text(client: Any, cassiopee: Any) -> None:
    session = make_session(cassiopee, HOSTILE)
    contact = make_contact(cassiopee, HOSTILE)
    email = make_email(
        cassiopee, "x@example.org", HOSTILE, subject=HOSTILE, type="free", training_session_id=session.id,
        contact_id=contact.id, files=(kept(b"x", HOSTILE),),
    )  # fmt: skip
    client.sign_in(cassiopee.admin)
    for path in ("/emails", f"/emails/{email.public_id}"):
        answer = client.get(path)
        assert "<script>alert" not in answer.text and "49" not in client.html.xpath("string(//tbody)")
        assert "<script>alert(1)</script>" in client.text()
    client.get("/emails?recipient=" + "%3Cscript%3Ealert(1)&subject=%3Cb%3E")
    assert "<script>alert(1)" in client.text()


ROUTES = ["", "/body", "/source", "/attachments/1", "?list=global&fold=1"]


@pytest.mark.parametrize("route", ROUTES)
def test_another_organisation_finds_nothing(client: Any, cassiopee: Any, boreale: Any, route: str) -> None:
    email = make_email(cassiopee, subject="Secret", files=(kept(b"secret", "s.txt"),))
    client.sign_in(boreale.admin)
    client.get(f"/emails/{email.public_id}{route}", status=404)
    client.get(f"/emails/{email.public_id}{route}", status=404, htmx=True)


def test_another_organisation_sees_nothing(client: Any, cassiopee: Any, boreale: Any) -> None:
    session = make_session(cassiopee, "Secret")
    email = make_email(cassiopee, subject="Secret", status=Status.FAILED, reason=Reason.USER_UNKNOWN,
                       training_session_id=session.id)  # fmt: skip
    client.sign_in(boreale.admin)
    for query in ("", "?recipient=petit", "?subject=secret", f"?session={session.public_id}", "?format=csv",
                  "?format=json", "?session=secret"):  # fmt: skip
        assert "Camille" not in client.get(f"/emails{query}").get_data(as_text=True)
    news = client.get(f"/emails/changed?rows={email.public_id}.00000000", htmx=True, status=286)
    assert email.public_id not in news.text
    client.post(f"/emails/{email.public_id}/resends", {"to": "", "request_key": "k"}, status=404)


def test_who_may_resend(client: Any, cassiopee: Any) -> None:
    email = make_email(cassiopee, status=Status.FAILED, reason=Reason.USER_UNKNOWN)
    for person, status in ((cassiopee.staff, 403), (cassiopee.manager, 403)):
        client.sign_in(person)
        client.post(f"/emails/{email.public_id}/resends", {"to": "", "request_key": "k"}, status=status)
        client.get(f"/emails/{email.public_id}")
        assert not client.html.xpath("//form[contains(@action, 'resends')]")
    client.sign_in(cassiopee.admin)
    client.post(f"/emails/{email.public_id}/resends", {"to": "not an address", "request_key": "k"}, status=422)
    assert "Cette adresse e-mail n’est pas valide." in client.text()
    assert client.html.xpath("//input[@name='other']/@value") == ["not an address"]
    client.post(f"/emails/{email.public_id}/resends", {"to": "x@example.org"}, status=400)


def test_marks_and_remedies(client: Any, cassiopee: Any) -> None:
    email = make_email(cassiopee, "camille@gmial.com", status=Status.FAILED, reason=Reason.DOMAIN_UNKNOWN)
    spam = make_email(cassiopee, status=Status.UNDELIVERABLE, reason=Reason.SPAM, marks=Mark.COMPLAINED)
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{email.public_id}")
    assert "Vouliez-vous dire camille@gmail.com" in client.text()
    assert client.html.xpath("//input[@name='to' and @checked]/@value") == ["camille@gmail.com"]
    client.get(f"/emails/{spam.public_id}")
    assert "Configurez d’abord votre adresse d’expédition" in client.text()
    client.get("/emails")
    assert "plainte (spam)" in client.text()


def test_exports_are_what_is_filtered(client: Any, cassiopee: Any) -> None:
    session = make_session(cassiopee, "=cmd()")
    at = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    make_email(cassiopee, "a@example.org", "+33 Petit", at=at, subject="=1+1;\"é\"\nx", status=Status.FAILED,
               reason=Reason.USER_UNKNOWN, training_session_id=session.id, type="free",
               files=(kept(b"x", "@a;b.pdf"), kept(b"y", "b.pdf")))  # fmt: skip
    make_email(cassiopee, "b@example.org", "'quoted", at=at, subject="Autre")
    client.sign_in(cassiopee.staff)

    answer = client.get("/emails?format=csv&status=error")
    name = answer.headers["Content-Disposition"]
    assert name.startswith('attachment; filename="emails_') and name.endswith('_en-erreur.csv"')
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert row["recipient"] == "a@example.org" and row["name"] == "'+33 Petit" and row["status"] == "failed"
    assert row["created_at"] == "2026-07-01T22:30:00Z" and row["subject"] == '\'=1+1;"é" x'
    assert row["attachment_names"] == "'@a;b.pdf | b.pdf" and row["session_title"] == "'=cmd()"
    assert answer.data.count(b"\r\n") == 2 == answer.data.count(b"\n")

    excel = client.get("/emails?format=csv-excel").data
    assert excel.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(excel.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert [r["Statut"] for r in rows] == ["Envoyé", "Erreur à l’envoi"]
    assert rows[0]["Nom"] == "''quoted" and rows[0]["Demandé le"] == "02/07/2026 00:30"

    found = json.loads(client.get("/emails?format=json&recipient=petit").data)
    assert [r["subject"] for r in found] == ['=1+1;"é"\nx']
    assert found[0]["attachment_names"] == ["@a;b.pdf", "b.pdf"] and found[0]["reason"] == "user_unknown"
    assert json.loads(client.get("/emails?format=json&recipient=nobody").data) == []
    client.get("/emails?format=exe", status=400)


def test_the_same_filter_exports_on_a_session(client: Any, cassiopee: Any) -> None:
    session = make_session(cassiopee, "Sécurité")
    make_email(cassiopee, subject="Dedans", training_session_id=session.id)
    make_email(cassiopee, subject="Dehors")
    client.sign_in(cassiopee.staff)
    found = json.loads(client.get(f"/sessions/{session.public_id}/emails?format=json").data)
    assert [r["subject"] for r in found] == ["Dedans"]


def test_english(client: Any, cassiopee: Any) -> None:
    make_email(cassiopee, status=Status.FAILED, reason=Reason.USER_UNKNOWN)
    client.sign_in(cassiopee.staff)
    client.get("/emails?status=error", headers={"Accept-Language": "en"})


def posted(house: Any, address: str = "camille@nowhere.example") -> Any:
    """An e-mail as the house really freezes one, with an attachment."""
    stored = blobs.store(b"%PDF-1.4\nconvocation", "convocation.pdf")
    file = File("convocation.pdf", stored.sha256, stored.size, stored.media_type)
    draft = Draft(
        recipient=address, name="Camille Petit", contact_id=None, training_session_id=None, type="convocation",
        subject="Convocation", html="<p>Bonjour</p>", text="Bonjour", files=(file,),
    )  # fmt: skip
    (email,) = mail.post(
        [draft], organisation=house.organisation, sender=house.sender, by=house.staff, request_key="first"
    )
    db.session.commit()
    return email


def test_an_admin_corrects_and_resends(client: Any, cassiopee: Any) -> None:
    old = posted(cassiopee)
    db.session.execute(db.text("UPDATE email SET status = 'failed', reason = 'user_unknown'"))
    db.session.commit()
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{old.public_id}")
    key = client.html.xpath("//input[@name='request_key']/@value")[0]
    form = {"to": "camille@somewhere.example", "request_key": key}
    where = client.post(f"/emails/{old.public_id}/resends", form).headers["Location"]
    again = client.post(f"/emails/{old.public_id}/resends", form).headers["Location"]
    assert again == where  # the same press twice is one e-mail
    client.get(where)
    shown = client.text()
    assert "camille@somewhere.example" in shown and "Premier envoi à camille@nowhere.example" in shown
    client.get(f"/emails/{old.public_id}")
    shown = client.text()
    assert "Renvoyé à camille@somewhere.example" in shown and "par Admin Atelier Cassiopée" in shown
    client.get("/emails")
    shown = client.html.xpath("string(//tbody[@id='rows'])")
    assert shown.count("renvoi") == 1 == shown.count("renvoyé")


def test_the_source_is_what_was_sent(client: Any, cassiopee: Any) -> None:
    sent = posted(cassiopee)
    client.sign_in(cassiopee.staff)
    answer = client.get(f"/emails/{sent.public_id}/source")
    content = db.session.get_one(EmailContent, sent.id)
    assert hashlib.sha256(answer.data).hexdigest() == content.sha256 and len(answer.data) == content.size
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{sent.public_id}.eml"')
    assert "Bonjour" in client.get(f"/emails/{sent.public_id}/body").text
