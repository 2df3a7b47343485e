"""The two pages that write to a session's people: choose, see exactly what each will get, send once."""

from __future__ import annotations

import io
import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import lxml.html
import pytest
from sqlalchemy import func, select, text
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from documents import convocation
from extensions import db
from mail import mime
from models import Attachment, Contact, Email, EmailContent, Enrolment, Module, OutboxEntry, TrainingSession
from models.words import ContactKind, EmailType, Status
from tests.client import Browser
from tests.conftest import House

PEOPLE = [("Léa", "Martin", "lea@exemple.example", "fr"), ("Noé", "Petit", "noe@exemple.example", "fr"),
          ("Emma", "Smith", "emma@exemple.example", "en"), ("Inès", "Durand", "", "fr"),
          ("Hugo", "Le Goff", "hugo.le.goff", "fr")]  # fmt: skip


def make_session(house: House, title: str = "Accueil & écoute") -> TrainingSession:
    """A session of three days with five learners (two without a usable address), a trainer and a company."""
    run = TrainingSession(organisation_id=house.id, reference="FOR-14", title=title, place="Rennes")
    starts = datetime(2026, 12, 1, 8, tzinfo=UTC)
    run.modules = [
        Module(organisation_id=house.id, title=f"Jour {n}", starts_at=starts + timedelta(days=n),
               ends_at=starts + timedelta(days=n, hours=7))
        for n in range(3)
    ]  # fmt: skip
    contacts = [
        Contact(organisation_id=house.id, kind=ContactKind.LEARNER, first_name=first, last_name=last,
                name=f"{first} {last}", sort_name=last.lower(), email=email, language=language)
        for first, last, email, language in PEOPLE
    ]  # fmt: skip
    trainer = Contact(organisation_id=house.id, kind=ContactKind.TRAINER, first_name="Ann", last_name="Roux",
                      name="Ann Roux", email="ann@exemple.example")  # fmt: skip
    company = Contact(organisation_id=house.id, kind=ContactKind.COMPANY, name="Mairie", email="mairie@exemple.example")
    run.enrolments = [Enrolment(organisation_id=house.id, contact=contact) for contact in [*contacts, trainer, company]]
    db.session.add(run)
    db.session.commit()
    return run


def fields(browser: Browser) -> dict[str, Any]:
    """What the page's form would post, the button apart."""
    form = browser.html.xpath("//form[contains(@class, 'write')]")[0]
    found: dict[str, Any] = {}
    for node in form.xpath(".//input[@name] | .//textarea[@name]"):
        kind = node.get("type")
        if kind == "file" or node.get("disabled") is not None or (kind == "checkbox" and node.get("checked") is None):
            continue
        value = (node.text or "").removeprefix("\n") if node.tag == "textarea" else node.get("value", "")
        found.setdefault(node.get("name"), []).append(value)
    return found


def multipart(form: dict[str, Any]) -> tuple[bytes, str]:
    """The form as a body in memory (the test client would leave its own temporary file open) and its type."""
    parts = MultiDict(form)
    for stream, name in parts.poplist("files"):
        parts.add("files", FileStorage(stream, name, "files"))
    boundary, body = encode_multipart(parts)
    return body, f"multipart/form-data; boundary={boundary}"


def upload(browser: Browser, address: str, form: dict[str, Any], status: int = 200) -> None:
    body, kind = multipart(form)
    browser.post(address, body, content_type=kind, status=status)


def errors(browser: Browser) -> str:
    return " ".join(browser.html.xpath("string(//*[@id='error-summary'])").split())


def shown(browser: Browser) -> str:
    return str(browser.html.xpath("//iframe/@srcdoc")[0])


def posted() -> list[Email]:
    return list(db.session.scalars(select(Email).order_by(Email.id)))


@pytest.fixture
def run(cassiopee: House) -> TrainingSession:
    return make_session(cassiopee)


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def test_who_wants_to_attach_a_file_keeps_what_is_written(staff: Browser, run: TrainingSession) -> None:
    staff.get(f"/sessions/{run.public_id}/emails/new")
    (button,) = staff.html.xpath("//button[@value='enclose']")
    where, form = button.get("formaction"), fields(staff)
    kept = {"subject_fr": ["Le plan"], "message_fr": ["Voici le plan."], "people": form["people"][:2]}
    staff.post(where, form | kept | {"step": "enclose"}, status=200)
    carried = fields(staff)
    assert {name: carried[name] for name in kept} == kept
    assert not errors(staff) and posted() == []
    staff.post(where, carried | {"step": "send"}, status=422)
    assert "rien à joindre" in errors(staff), "it was to carry something"
    plan = {"step": "preview", "files": [(io.BytesIO(b"par ici"), "plan.txt")]}
    upload(staff, where, carried | plan)
    staff.post(where, fields(staff) | {"step": "send"})
    assert [(email.subject, email.attachment_count) for email in posted()] == [("Le plan", 1)] * 2


def test_a_free_email_walks_from_page_to_outbox(staff: Browser, run: TrainingSession) -> None:
    address = f"/sessions/{run.public_id}/emails/new"
    staff.get(address)
    form = fields(staff)
    assert len(form["people"]) == 3 and not staff.html.xpath("//input[@type='file']")
    form |= {
        "subject_fr": "Pour {{ personne.prenom }}",
        "message_fr": "Bonjour **{{ personne.prenom }}**,\n\nà <bientôt>",
    }
    staff.post(address, form | {"step": "preview"}, status=200)
    assert "Envoyer 3 e-mails" in staff.text() and "1 / 3" in staff.text()
    assert "<strong>Léa</strong>" in shown(staff) and "&lt;bientôt&gt;" in shown(staff)
    assert posted() == []
    carried = fields(staff)
    emma = next(c for c in db.session.scalars(select(Contact)) if c.first_name == "Emma")
    staff.post(address, carried | {"show": emma.public_id}, status=200)
    assert "<strong>Emma</strong>" in shown(staff) and "Pour Emma" in staff.text()
    seen = {}
    for contact in run.enrolments:
        staff.post(address, carried | {"show": contact.contact.public_id}, status=200)
        seen[str(staff.html.xpath("string(//article//h3)"))] = shown(staff)
    response = staff.post(address, carried | {"step": "send"})
    assert response.location.endswith(f"/sessions/{run.public_id}/emails")
    emails = posted()
    assert [e.subject for e in emails] == ["Pour Léa", "Pour Noé", "Pour Emma"]
    assert {e.type for e in emails} == {"free"} and {e.training_session_id for e in emails} == {run.id}
    for email in emails:
        frozen = mime.shown(db.session.get_one(EmailContent, email.id).skeleton)
        assert frozen.html is not None
        # a person's own address is made when the e-mail leaves; all else is what was shown
        sent = re.sub(r"/r/[^\s\"<]+", "/r/…", frozen.html)
        assert sent.rstrip("\n") == seen[email.subject].rstrip("\n")
    assert db.session.scalar(select(func.count()).select_from(OutboxEntry)) == 3


def test_pressing_send_twice_sends_once_and_a_changed_letter_is_another_mailing(
    staff: Browser, run: TrainingSession
) -> None:
    address = f"/sessions/{run.public_id}/emails/new"
    staff.get(address)
    form = fields(staff) | {"step": "send", "subject_fr": "Un"}
    staff.post(address, form)
    staff.post(address, form)
    assert len(posted()) == 3
    staff.post(address, form | {"subject_fr": "Deux"})
    assert len(posted()) == 6
    staff.post(address, form | {"subject_fr": "Deux", "people": form["people"][:1]})
    assert len(posted()) == 7


def test_convocations_carry_each_learners_pdf_and_the_added_files(staff: Browser, run: TrainingSession) -> None:
    address = f"/sessions/{run.public_id}/convocation"
    staff.get(address)
    assert (
        "Jamais" in staff.text()
        and "Pas d’adresse e-mail" in staff.text()
        and "Adresse e-mail non valide" in staff.text()
    )
    form = fields(staff)
    files = [(io.BytesIO(b"%PDF-1.7 programme"), "Programme été.pdf"), (io.BytesIO(b"notes"), "notes.txt")]
    upload(staff, address, form | {"step": "preview", "files": files})
    assert "Convocation FOR-14.pdf" in staff.text() and "Programme été.pdf" in staff.text()
    carried = fields(staff)
    assert len(carried["kept"]) == 2
    staff.post(address, carried | {"step": "write"}, status=200)
    again = fields(staff)
    assert again["kept"] == carried["kept"] and again["people"] == carried["people"]
    staff.post(address, again | {"drop": again["kept"][1]}, status=200)
    assert fields(staff)["kept"] == again["kept"][:1]
    staff.post(address, fields(staff) | {"step": "send"})
    emails = posted()
    assert [(e.type, e.attachment_count) for e in emails] == [("convocation", 2)] * 3
    assert [e.subject.split(" :")[0] for e in emails[:2]] == ["Convocation\u00a0: Accueil & écoute"] * 2
    assert emails[2].subject == "Joining instructions: Accueil & écoute"
    names = [
        list(db.session.scalars(select(Attachment.filename).filter_by(email_id=e.id).order_by(Attachment.position)))
        for e in emails
    ]
    assert names == [["Convocation FOR-14.pdf", "Programme été.pdf"]] * 2 + [
        ["Joining instructions FOR-14.pdf", "Programme été.pdf"]
    ]
    content = db.session.get_one(EmailContent, emails[0].id)
    assert len({sha for _, sha in content.cuts}) == 2 and b"%PDF" not in content.skeleton
    assert mime.join(content.skeleton, content.cuts).count(b"Content-Disposition: attachment") == 2
    db.session.execute(
        text("UPDATE email SET status = 'failed', reason = 'user_unknown' WHERE id = :id"), {"id": emails[0].id}
    )
    db.session.commit()
    staff.get(address)
    assert len(fields(staff)["people"]) == 1  # only the one whose convocation failed is ticked
    assert len(staff.html.xpath("//*[@data-status='requested']")) == 2
    assert len(staff.html.xpath("//*[@data-status='failed']")) == 1


def test_the_pdf_can_be_seen_before_and_only_of_the_sessions_learners(
    staff: Browser, run: TrainingSession, cassiopee: House
) -> None:
    learner = run.enrolments[0].contact
    response = staff.get(f"/sessions/{run.public_id}/convocation/{learner.public_id}.pdf")
    assert response.data == convocation.pdf(run, learner, cassiopee.organisation)
    assert response.content_type == "application/pdf"
    assert (
        response.headers["Content-Disposition"].startswith("inline") and "no-store" in response.headers["Cache-Control"]
    )
    trainer = next(e.contact for e in run.enrolments if e.contact.kind is ContactKind.TRAINER)
    stranger = Contact(organisation_id=cassiopee.id, kind=ContactKind.LEARNER, name="Ailleurs")
    db.session.add(stranger)
    db.session.commit()
    for contact in (trainer, stranger):
        staff.get(f"/sessions/{run.public_id}/convocation/{contact.public_id}.pdf", status=404)


def test_another_organisation_finds_nothing_and_can_name_nothing(
    client: Browser, boreale: House, cassiopee: House, run: TrainingSession
) -> None:
    client.sign_in(cassiopee.staff)
    page = f"/sessions/{run.public_id}/convocation"
    client.get(page)
    upload = [(io.BytesIO(b"secret"), "secret.txt")]
    client.post(
        page, fields(client) | {"step": "preview", "files": upload}, status=200, content_type="multipart/form-data"
    )
    kept = fields(client)["kept"]
    theirs = make_session(boreale, "Voisins")
    client.sign_in(boreale.admin)
    for path in ("emails/new", "convocation", f"convocation/{run.enrolments[0].contact.public_id}.pdf"):
        client.get(f"/sessions/{run.public_id}/{path}", status=404)
    client.post(page, {"step": "send"}, status=404)
    own = f"/sessions/{theirs.public_id}/convocation"
    client.get(own)
    form = fields(client)
    foreign = [run.enrolments[0].contact.public_id]
    client.post(own, form | {"people": foreign, "step": "preview"}, status=422)
    assert "Choisissez au moins un destinataire" in errors(client)
    client.post(own, form | {"kept": kept, "step": "preview"}, status=200)
    assert "secret.txt" not in client.text() and "kept" not in fields(client)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"subject_fr": ""}, "L’objet est vide"),
        ({"message_fr": " "}, "Le message est vide"),
        ({"message_fr": "{{ personne.prenon }}"}, "La balise {{ personne.prenon }} n’existe pas"),
        ({"message_fr": "{{ 7*7 }}"}, "Une balise est mal écrite"),
        ({"subject_fr": "a\r\nBcc: x@evil.example"}, "Un caractère invisible"),
        ({"subject_fr": "a\u2028b"}, "Un caractère invisible"),
        ({"subject_fr": "a" * 301}, "300 caractères au plus"),
        ({"message_fr": "a\0b"}, "Un caractère invisible"),
        ({"message_fr": "a" * 20_001}, "caractères au plus"),
        ({"people": []}, "Choisissez au moins un destinataire"),
        ({"people": ["C-nobody"]}, "Choisissez au moins un destinataire"),
        ({"subject_en": "Only a subject"}, "Le message est vide"),
        ({"request_key": "a\nb"}, "Un caractère invisible"),
    ],
)
def test_mistakes_are_said_at_their_place(
    staff: Browser, run: TrainingSession, changes: dict[str, Any], says: str
) -> None:
    address = f"/sessions/{run.public_id}/emails/new"
    staff.get(address)
    form = fields(staff) | {"message_fr": "Bonjour"} | changes
    for step in ("preview", "send"):
        staff.post(address, form | {"step": step}, status=422)
        assert says in errors(staff).replace("\u202f", " ")
    if "message_fr" in changes and "\0" not in changes["message_fr"]:
        assert fields(staff)["message_fr"][0].strip() == changes["message_fr"].strip()  # what was typed is kept
    assert posted() == []


def test_a_company_has_no_first_name_and_the_page_says_so(staff: Browser, run: TrainingSession) -> None:
    address = f"/sessions/{run.public_id}/emails/new"
    staff.post(address, fields_of(staff, address) | {"choose": "company"}, status=200)
    form = fields(staff)
    assert len(form["people"]) == 1
    staff.post(address, form | {"message_fr": "Bonjour {{ personne.prenom }}", "step": "preview"}, status=422)
    assert "n’existe pas pour ce type de destinataire : Entreprise" in errors(staff).replace("\u00a0", " ")
    for group, number in (("all", 5), ("learner", 3), ("trainer", 1), ("nobody", 0)):
        staff.post(address, form | {"choose": group, "subject_fr": "Gardé"}, status=200)
        assert len(fields(staff).get("people", [])) == number and fields(staff)["subject_fr"] == ["Gardé"]


def fields_of(browser: Browser, address: str) -> dict[str, Any]:
    browser.get(address)
    return fields(browser)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([(io.BytesIO(b""), "vide.txt")], "Ce fichier est vide"),
        ([(io.BytesIO(b"x"), "a\u202efdp.exe")], "n’est pas permis"),
        ([(io.BytesIO(b"x"), "=?utf-8?q?a?=.pdf")], "n’est pas permis"),
        ([(io.BytesIO(b"x"), f"{n}.txt") for n in range(11)], "10 fichiers au plus"),
        ([(io.BytesIO(b"x" * 20_000_000), "gros.bin")], "Ce fichier est trop gros"),
        ([(io.BytesIO(b"x" * 9_000_000), "a.bin"), (io.BytesIO(b"y" * 11_000_000), "b.bin")], "Ensemble"),
    ],
    ids=["empty", "bidi", "encoded word", "too many", "too big", "too big together"],
)
def test_files_that_cannot_be_attached_are_refused(
    staff: Browser, run: TrainingSession, files: list[Any], says: str
) -> None:
    address = f"/sessions/{run.public_id}/convocation"
    upload(staff, address, fields_of(staff, address) | {"step": "send", "files": files}, status=422)
    assert says in errors(staff)
    assert posted() == []


def test_a_request_past_all_bounds_is_413_before_it_is_read(staff: Browser, run: TrainingSession) -> None:
    address = f"/sessions/{run.public_id}/convocation"
    body, kind = multipart({"files": [(io.BytesIO(b"x"), "enorme.bin")]})
    staff.post(address, body, content_type=kind, status=413, environ_overrides={"CONTENT_LENGTH": "105000000"})


def test_a_free_email_takes_no_files_and_forged_file_names_are_ignored(staff: Browser, run: TrainingSession) -> None:
    page = f"/sessions/{run.public_id}/convocation"
    form = fields_of(staff, page)
    upload(staff, page, form | {"step": "preview", "files": [(io.BytesIO(b"a"), "a.txt")]})
    kept = fields(staff)["kept"]
    address = f"/sessions/{run.public_id}/emails/new"
    staff.post(address, fields_of(staff, address) | {"kept": kept, "step": "send"})
    assert {e.attachment_count for e in posted()} == {0}
    for forged in (["x"], [kept[0] + "x"], ["", "a.b", "../../etc/passwd", "é"]):
        staff.post(page, form | {"kept": forged, "step": "preview"}, status=200)
        assert "kept" not in fields(staff)


def test_without_a_sender_or_people_the_pages_say_so(staff: Browser, run: TrainingSession, cassiopee: House) -> None:
    address = f"/sessions/{run.public_id}/emails/new"
    form = fields_of(staff, address)
    db.session.delete(cassiopee.sender)
    db.session.commit()
    staff.post(address, form | {"step": "preview"}, status=200)
    assert "Aucune adresse d’expédition" in staff.text()
    staff.post(address, form | {"step": "send"}, status=422)
    assert "Aucune adresse d’expédition" in errors(staff)
    empty = TrainingSession(organisation_id=cassiopee.id, title="Vide")
    db.session.add(empty)
    db.session.commit()
    staff.get(f"/sessions/{empty.public_id}/emails/new")
    assert "Personne à qui écrire" in staff.text()
    staff.get(f"/sessions/{empty.public_id}/convocation")
    assert "Personne à qui écrire" in staff.text()
    staff.post(f"/sessions/{empty.public_id}/convocation", {"step": "send"}, status=422)


def test_pages_need_a_sign_in_and_a_token(client: Browser, run: TrainingSession, cassiopee: House) -> None:
    for path in ("emails/new", "convocation", f"convocation/{run.enrolments[0].contact.public_id}.pdf"):
        client.get(f"/sessions/{run.public_id}/{path}", status=303)
    client.sign_in(cassiopee.staff)
    client.post(f"/sessions/{run.public_id}/emails/new", {"step": "send"}, csrf=False, status=403)


def test_the_frame_may_do_nothing(staff: Browser, run: TrainingSession) -> None:
    address = f"/sessions/{run.public_id}/emails/new"
    response = staff.post(address, fields_of(staff, address) | {"step": "preview"}, status=200)
    (frame,) = staff.html.xpath("//iframe")
    assert frame.get("sandbox") == "" and frame.get("src") is None
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "img-src 'self' data:" in policy and "default-src 'none'" in policy


@pytest.mark.parametrize("file", ["string", "crlf", "ssti", "path", "html"])
def test_hostile_words_never_break_the_pages(staff: Browser, run: TrainingSession, file: str) -> None:
    path = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples")) / "hostile" / f"{file}.jsonl"
    lines = path.read_text().splitlines()[:12] if path.exists() else []
    address = f"/sessions/{run.public_id}/convocation"
    form = fields_of(staff, address) | {"step": "preview"}
    token = {"X-CSRFToken": staff.token()}
    for payload in (str(json.loads(line)["payload"]) for line in lines):
        name = re.sub(r"[\r\n\0\"]", "", payload) or "x"
        hidden = dict.fromkeys(("show", "request_key", "drop", "step"), payload) | {"kept": [payload]}
        people = {"people": [*form["people"], payload]}
        for changes in (
            {"subject_fr": payload, "files": [(io.BytesIO(b"x"), name)]}, {"message_fr": payload} | people,
            hidden, {"choose": payload},
        ):  # fmt: skip
            body, kind = multipart(form | changes)
            response = staff.client.post(address, data=body, headers=token, content_type=kind)
            assert response.status_code in (200, 422), (changes, response.status_code)
            tree = lxml.html.fromstring(response.get_data(as_text=True))
            assert not tree.xpath("//script[not(@src)] | //*[@onerror] | //main//img")


def test_hostile_names_go_through_as_text(staff: Browser, run: TrainingSession) -> None:
    learner = run.enrolments[0].contact
    learner.name = learner.first_name = '"><script>alert(1)</script>{{ personne.nom }}'
    run.title = "<img src=x onerror=alert(1)> {{ 7*7 }} %(x)s"
    run.enrolments[1].contact.name = "Ligne\r\nBcc: spy@evil.example"
    db.session.commit()
    address = f"/sessions/{run.public_id}/convocation"
    form = fields_of(staff, address)
    staff.post(address, form | {"step": "preview"}, status=422)
    assert "retour à la ligne" in errors(staff)
    form["people"].remove(run.enrolments[1].contact.public_id)
    staff.post(address, form | {"step": "preview"}, status=200)
    assert "<script>alert" not in shown(staff) and "<img" not in shown(staff)
    staff.post(address, fields(staff) | {"step": "send"})
    assert [e.status for e in posted()] == [Status.REQUESTED] * 2 and posted()[0].type == EmailType.CONVOCATION


def test_an_email_planned_for_a_moment_waits_for_it(staff: Browser, run: TrainingSession) -> None:
    address = f"/sessions/{run.public_id}/emails/new"
    staff.get(address)
    form = fields(staff) | {"subject_fr": "Demain", "message_fr": "Bonjour", "step": "preview"}
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    form |= {"later_day": tomorrow.isoformat(), "later_at": "18:30"}
    staff.post(address, form, status=200)
    assert f"{tomorrow:%d/%m/%Y} 18:30" in staff.text() and "Programmer 3 e-mails" in staff.text()
    staff.post(address, fields(staff) | {"step": "send"})
    moments = {entry.next_attempt_at for entry in db.session.scalars(select(OutboxEntry))}
    assert [f"{at.astimezone(ZoneInfo('Europe/Paris')):%d/%m/%Y %H:%M}" for at in moments] == [
        f"{tomorrow:%d/%m/%Y} 18:30"
    ]
    staff.get(f"/sessions/{run.public_id}/planned")
    assert "Demain" in staff.text() and "Envoyer maintenant" in staff.text()


@pytest.mark.parametrize(
    ("day", "hour", "said"),
    [("2020-01-01", "09:00", "Choisissez un moment à venir"), ("9999-12-31", "09:00", "Choisissez un moment à venir"),
     ("2036-01-01", "09:00", "Choisissez un moment à venir"), ("", "09:00", "Indiquez aussi le jour"),
     ("2027-02-01", "", "Indiquez aussi l’heure"), ("x", "09:00", "Cette date n’existe pas"),
     ("2027-02-01", "25:00", "Cette heure n’existe pas")],
)  # fmt: skip
def test_half_a_moment_and_one_gone_by_are_said(
    staff: Browser, run: TrainingSession, day: str, hour: str, said: str
) -> None:
    address = f"/sessions/{run.public_id}/emails/new"
    staff.get(address)
    form = fields(staff) | {"subject_fr": "Demain", "message_fr": "Bonjour", "step": "preview"}
    staff.post(address, form | {"later_day": day, "later_at": hour}, status=422)
    assert said in errors(staff) and posted() == []
