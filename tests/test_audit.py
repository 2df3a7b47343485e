"""The audit log's screen, its exports, and the rule that every writing route leaves a line in it."""

from __future__ import annotations

import csv
import inspect
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, text

import mail
import people.audit
from app import create_app
from config import Config
from extensions import db
from mail.compose import Draft
from models import AuditAction, AuditEntry, Contact, ResendRow, ResendRun
from models.words import ContactKind
from people import accounts, audit, audit_log, contacts
from people.audit_log import Filter
from tests.audited import QUIET, WRITING
from tests.client import Browser
from tests.conftest import PASSWORD, House
from tests.days import today
from tests.program import Program

OURS = ("blueprints.", "mail.", "people.", "planning.", "documents.", "history.")
NOTES = {people.audit.note, people.audit.sent, people.audit.taken, people.audit.refused}


def calls(function: Any) -> Iterator[Any]:
    """What a function of ours may call, by the names it reads: functions of its module and of modules it knows."""
    names, known = set(_names(function.__code__)), function.__globals__
    for name in names & known.keys():
        found = known[name]
        if isinstance(found, ModuleType) and found.__name__.startswith(OURS):
            yield from (inspect.unwrap(f) for n in names if callable(f := getattr(found, n, None)))
        elif isinstance(found, FunctionType):
            yield inspect.unwrap(found)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def notes(function: Any, depth: int = 4) -> bool:
    """Whether a view can come to a call that keeps a line."""
    if function in NOTES:
        return True
    if depth == 0 or not isinstance(function, FunctionType) or not function.__module__.startswith("blueprints."):
        return False
    return any(notes(called, depth - 1) for called in calls(function))


def test_every_writing_route_leaves_a_line_or_says_why_not(migrated_app: Flask) -> None:
    writing = {rule.endpoint for rule in migrated_app.url_map.iter_rules() if (rule.methods or set()) & WRITING}
    silent = {name for name in writing if not notes(inspect.unwrap(migrated_app.view_functions[name]))}
    assert sorted(silent - QUIET.keys()) == [], "no line in the log, and no reason in QUIET"
    assert sorted(QUIET.keys() - silent) == [], "in QUIET, but it leaves a line (or is gone)"


def test_a_request_that_wrote_and_left_no_line_fails_its_test(app: Flask, cassiopee: House, client: Browser) -> None:
    """The rule's own test: the view of a route is put in place of another's that forgets its line."""

    def forgets(public_id: str) -> str:
        db.session.execute(text("UPDATE organisation SET phone = phone || '1'"))
        db.session.commit()
        return ""

    kept = app.view_functions["sessions.enrol"]
    app.view_functions["sessions.enrol"] = forgets
    client.sign_in(cassiopee.staff)
    try:
        with pytest.raises(AssertionError, match="left no line"):
            client.post("/sessions/S-1/people", {})
    finally:
        app.view_functions["sessions.enrol"] = kept


PLACE = "/settings/audit"


def lines() -> list[AuditEntry]:
    """The log, oldest first."""
    db.session.rollback()
    return list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


def shown(client: Browser, address: str = PLACE) -> list[str]:
    """The actions that the page shows, newest first."""
    client.get(address)
    return [cell.text_content().strip() for cell in client.html.xpath("//tbody//th")]


@pytest.fixture
def logged(cassiopee: House, boreale: House) -> Contact:
    """Five lines of Atelier Cassiopée, one a day, the last one now; and one of Formation Boréale."""
    lea = Contact(organisation_id=cassiopee.id, kind=ContactKind.LEARNER)
    contacts.save(lea, first_name="Léa", last_name="Petit", email="lea@mail.example")
    db.session.flush()
    made: list[tuple[AuditAction, str, Any, dict[str, Any]]] = [
        (AuditAction.TOKEN_CREATED, "sil_abc123", cassiopee.admin, {"name": "Facturation", "scopes": "read send"}),
        (AuditAction.USER_CHANGED, "léo@cassiopee.example", cassiopee.admin, {"role": ["staff", "manager"]}),
        (
            AuditAction.CONTACT_CHANGED,
            lea.public_id,
            cassiopee.staff,
            {"changed": ["email"], "email": ["a@mail.example", "lea@mail.example"]},
        ),
        (
            AuditAction.TREATED,
            "",
            cassiopee.staff,
            {"also": ["E-1abcd", "E-2abcd", "E-3abcd", "E-4abcd"], "count": 4, "note": "=appelée"},
        ),
        (AuditAction.EMAIL_RESENT, "E-2abcd", cassiopee.admin, {"to": "lea@mail.example"}),
    ]
    for action, subject, by, data in made:
        audit.note(action, subject, by=by, **data)
    audit.note(AuditAction.CONTACT_CHANGED, "C-boreale", by=boreale.admin, note="Zzcanari")
    db.session.flush()
    db.session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_kept"))
    db.session.execute(text("UPDATE audit_entry SET at = now() - make_interval(days => 5 - id::int) WHERE id < 6"))
    db.session.execute(text("ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_kept"))
    db.session.commit()
    return lea


def test_the_screen_says_who_did_what_about_whom(client: Browser, cassiopee: House, logged: Contact) -> None:
    client.sign_in(cassiopee.manager)
    assert shown(client) == ["E-mail renvoyé", "Marqué comme traité", "Fiche modifiée", "Utilisateur modifié",
                             "Clé d’API créée"]  # fmt: skip
    said = client.text()
    assert "Champs modifiés : Adresse e-mail" in said.replace("\u00a0", " ").replace("\u202f", " ")
    assert "a@mail.example → lea@mail.example" in said
    assert "Membre de l’équipe → Responsable" in said
    assert "et 1 autre" in said
    assert client.html.xpath(f"//a[@href='/contacts/{logged.public_id}'][contains(., 'Léa Petit')]")
    assert "Zzcanari" not in said


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("who=STAFF", ["Marqué comme traité", "Fiche modifiée"]),
        ("who=api", []),
        ("who=x", 5),
        ("action=treated", ["Marqué comme traité"]),
        ("action=emails", ["E-mail renvoyé", "Marqué comme traité"]),
        ("action=nonsense", 5),
        ("subject=E-2abcd", ["E-mail renvoyé", "Marqué comme traité"]),
        ("subject=E-3abcd", ["Marqué comme traité"]),
        ("subject=petit+lea", ["Fiche modifiée"]),
        ("subject=l%C3%A9o%40cassiopee.example", ["Utilisateur modifié"]),
        ("subject=sil_abc123", ["Clé d’API créée"]),
        ("subject=%00%25_", []),
        ("from=YESTERDAY", ["E-mail renvoyé", "Marqué comme traité"]),
        ("to=YESTERDAY", ["Marqué comme traité", "Fiche modifiée", "Utilisateur modifié", "Clé d’API créée"]),
        ("from=2026-13-45", 5),
        ("who=ADMIN&action=emails", ["E-mail renvoyé"]),
    ],
)  # fmt: skip
def test_filters(client: Browser, cassiopee: House, logged: Contact, asked: str, found: list[str] | int) -> None:
    client.sign_in(cassiopee.admin)
    yesterday = (today() - timedelta(days=1)).isoformat()
    for name, value in (("STAFF", cassiopee.staff.id), ("ADMIN", cassiopee.admin.id), ("YESTERDAY", yesterday)):
        asked = asked.replace(name, str(value))
    actions = shown(client, f"{PLACE}?{asked}")
    assert len(actions) == found if isinstance(found, int) else actions == found


def test_the_piece_is_what_the_page_holds_and_the_address_is_pushed(
    client: Browser, cassiopee: House, logged: Contact
) -> None:
    client.sign_in(cassiopee.admin)
    address = f"{PLACE}?action=emails&who="
    piece = client.get(address, htmx=True)
    assert piece.headers["HX-Push-Url"] == f"{PLACE}?action=emails"
    page = client.get(f"{PLACE}?action=emails")
    assert piece.get_data(as_text=True).strip() in page.get_data(as_text=True)


def test_pages_by_cursor_and_as_few_statements_for_many(app: Flask, client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.admin)
    counted: list[int] = []

    def read(address: str) -> list[str]:
        statements: list[str] = []

        def heard(*args: Any) -> None:
            statements.append(args[2])

        event.listen(db.engine, "before_cursor_execute", heard)
        found = shown(client, address)
        event.remove(db.engine, "before_cursor_execute", heard)
        counted.append(len(statements))
        return found

    audit.note(AuditAction.SIGNED_IN, by=cassiopee.staff)
    db.session.commit()
    read(PLACE)
    for _n in range(60):
        audit.note(AuditAction.SIGNED_OUT, by=cassiopee.staff)
    db.session.commit()
    assert len(read(PLACE)) == 50
    (further,) = client.html.xpath("//nav[contains(@class, 'pager')]//a[@rel='next']/@href")
    assert read(further)[-1] == "Connexion" and len(shown(client, further)) == 11
    assert counted[1] == counted[0], counted


def test_exports_hold_what_is_filtered_and_are_noted(client: Browser, cassiopee: House, logged: Contact) -> None:
    client.sign_in(cassiopee.manager)
    every = json.loads(client.get(f"{PLACE}?format=json").data)
    assert every.pop(0)["action"] == "audit_exported", "the export itself"
    assert [line["action"] for line in every] == [
        "email_resent", "treated", "contact_changed", "user_changed", "token_created",
    ]  # fmt: skip
    assert every[1]["also"] == ["E-1abcd", "E-2abcd", "E-3abcd", "E-4abcd"] and every[1]["data"]["note"] == "=appelée"
    assert every[0]["at"].endswith("Z") and every[2]["subject"] == logged.public_id

    response = client.get(f"{PLACE}?format=csv&action=treated")
    assert "attachment" in response.headers["Content-Disposition"]
    head, row = csv.reader(io.StringIO(response.get_data(as_text=True)))
    assert head[:4] == ["at", "who", "action", "subject"] and row[2:5] == [
        "treated",
        "",
        "E-1abcd E-2abcd E-3abcd E-4abcd",
    ]

    whole = client.get(f"{PLACE}?format=csv-excel&action=contact_changed").get_data(as_text=True)
    assert whole.startswith("\ufeffQuand;Qui;Action;")
    assert "Fiche modifiée" in whole and "Léa" not in whole
    client.get(f"{PLACE}?format=xlsx", status=400)
    taken = [line for line in lines() if line.action is AuditAction.AUDIT_EXPORTED]
    assert [(line.user_id, line.data["format"]) for line in taken] == [
        (cassiopee.manager.id, "json"), (cassiopee.manager.id, "csv"), (cassiopee.manager.id, "csv-excel"),
    ]  # fmt: skip
    assert taken[1].data["query"] == "format=csv&action=treated"


def test_an_email_leads_to_the_resends_in_number_it_went_with(client: Browser, cassiopee: House) -> None:
    by = cassiopee.admin
    draft = Draft("lea@mail.example", "Léa", None, None, "free", "Bonjour", "<p>Bonjour</p>", "Bonjour")
    emails = mail.post([draft, draft], organisation=cassiopee.organisation, sender=cassiopee.sender, by=by,
                       request_key="1")  # fmt: skip
    run = ResendRun(organisation_id=cassiopee.id, user_id=by.id, row_count=2)
    db.session.add(run)
    db.session.flush()
    for place, email in enumerate(emails):
        db.session.add(ResendRow(run_id=run.id, position=place, email_id=email.id, number=email.public_id,
                                 chosen=place == 0))  # fmt: skip
    audit.note(AuditAction.BULK_RESEND_STARTED, run, by=by, count=1, left=1)
    db.session.commit()
    went, stayed, number = emails[0].public_id, emails[1].public_id, run.public_id
    client.sign_in(by)
    assert shown(client, f"{PLACE}?subject={went}") == ["Renvoi en nombre lancé"]
    assert client.html.xpath(f"//a[@href='/resends/{number}']")
    assert shown(client, f"{PLACE}?subject={stayed}") == []
    client.sign_in(cassiopee.manager).get(f"{PLACE}?subject={number}")
    assert not client.html.xpath(f"//a[@href='/resends/{number}']"), "a page that this person may not see"


def test_behind_a_proxy_the_visitor_s_address_is_kept(cassiopee: House, test_config: Config) -> None:
    behind = create_app(replace(test_config, proxies=1))
    typed = {"email": cassiopee.staff.email, "password": PASSWORD}
    told = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}  # the first is what the visitor made up
    Browser(behind).post("/sign-in", typed, headers=told)
    with behind.app_context():
        db.engine.dispose()
    behind.extensions["redis"].close()
    assert lines()[0].address == "203.0.113.9"


def test_no_cell_is_a_formula(client: Browser, cassiopee: House) -> None:
    cassiopee.staff.name = "=cmd|' /C calc'!A0"
    audit.note(AuditAction.TREATED, "@SUM(1)", by=cassiopee.staff)
    db.session.commit()
    client.sign_in(cassiopee.manager)
    for format_ in ("csv", "csv-excel"):
        told = client.get(f"{PLACE}?format={format_}&action=treated").get_data(as_text=True)
        _head, row = csv.reader(io.StringIO(told), delimiter=";" if "excel" in format_ else ",")
        assert row[1] == "'=cmd|' /C calc'!A0" and row[3] == "'@SUM(1)"


def test_a_long_log_is_exported_whole_batch_by_batch(
    app: Flask, cassiopee: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "_BATCH", 7)
    for n in range(30):
        audit.note(AuditAction.TREATED, f"E-{n}", by=cassiopee.staff)
    db.session.commit()
    found = [line.subject for line in audit_log.rows(cassiopee.organisation, Filter())]
    assert found == [f"E-{n}" for n in reversed(range(30))]


def test_who_may_read_it_and_where_it_is_found(
    client: Browser, cassiopee: House, boreale: House, logged: Contact
) -> None:
    client.sign_in(cassiopee.staff).get(PLACE, status=403)
    client.get(f"{PLACE}?format=csv", status=403)
    client.get("/settings/templates")
    assert not client.html.xpath("//a[@href='/settings/audit']")
    client.sign_in(cassiopee.manager).get("/sessions")
    assert client.html.xpath("//nav//a[@href='/settings/audit']")
    client.get(PLACE)
    assert client.html.xpath("string(//h1)") == "Journal"
    client.sign_in(cassiopee.admin).get("/settings")
    assert client.html.xpath("//a[@href='/settings/audit']")
    client.sign_in(boreale.admin)
    assert shown(client) == ["Fiche modifiée"]
    assert shown(client, f"{PLACE}?subject={logged.public_id}") == []
    assert shown(client, f"{PLACE}?who={cassiopee.staff.id}") == []


def test_signing_in_and_out_and_being_refused(client: Browser, cassiopee: House) -> None:
    typed = {"email": "Staff@Cassiopee.example", "password": "wrong"}
    client.post("/sign-in", typed, status=422)
    client.post("/sign-in", {"email": "nobody@cassiopee.example", "password": "wrong"}, status=422)
    client.post("/sign-in", typed | {"password": PASSWORD})
    client.post("/sign-out")
    client.post("/sign-out")
    assert [(line.action, line.user_id, line.subject, line.address) for line in lines()] == [
        (AuditAction.SIGN_IN_REFUSED, None, "staff@cassiopee.example", "127.0.0.1"),
        (AuditAction.SIGNED_IN, cassiopee.staff.id, "staff@cassiopee.example", "127.0.0.1"),
        (AuditAction.SIGNED_OUT, cassiopee.staff.id, "staff@cassiopee.example", "127.0.0.1"),
    ]
    assert "wrong" not in str([line.data for line in lines()])


def test_an_address_a_stranger_claims_is_not_believed(client: Browser, cassiopee: House) -> None:
    client.post(
        "/sign-in", {"email": cassiopee.staff.email, "password": PASSWORD}, headers={"X-Forwarded-For": "203.0.113.9"}
    )
    assert lines()[0].address == "127.0.0.1"


def test_a_program_s_act_bears_its_key(app: Flask, cassiopee: House) -> None:
    program = Program(app, cassiopee.admin)
    made = program.post("/contacts", {"kind": "learner", "last_name": "Petit"}, 201)
    program.patch(f"/contacts/{made['id']}", {"email": "lea@mail.example"})
    program.patch(f"/contacts/{made['id']}", {"email": "x"}, 422)
    prefix = program.secret[:10]
    assert [(line.action.value, line.subject, line.channel.value, line.token_prefix) for line in lines()] == [
        ("contact_created", made["id"], "api", prefix), ("contact_changed", made["id"], "api", prefix),
    ]  # fmt: skip
    assert lines()[1].data == {"changed": ["email"], "email": ["", "lea@mail.example"]}
    assert program.secret not in str([line.__dict__ for line in lines()])


def test_the_same_request_again_is_no_new_act(app: Flask, cassiopee: House) -> None:
    program = Program(app, cassiopee.admin)
    asked = {"recipients": [{"email": "lea@mail.example"}], "subject": "Bonjour", "text": "Bonjour"}
    for _again in range(2):
        said = program.post("/emails", asked, headers={"Idempotency-Key": "one"})
    (line,) = lines()
    assert (line.action, line.also, line.data["count"]) == (AuditAction.EMAILS_SENT, [said["items"][0]["id"]], 1)


def test_a_secret_or_password_is_never_written(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.admin)
    client.post("/settings/tokens/new", {"name": "Facturation", "scopes": ["read"]}, status=200)
    secret = client.html.xpath("string(//*[contains(text(), 'sil_')])").strip()
    client.post("/settings/users/new", {"name": "Zoé", "email": "zoe@cassiopee.example", "role": "staff",
                                        "language": "fr"}, status=200)  # fmt: skip
    user = accounts.find_user("zoe@cassiopee.example")
    client.post(f"/settings/users/{user.id}/password", status=200)
    told = [(line.action.value, line.subject) for line in lines()]
    assert [action for action, _subject in told] == ["token_created", "user_created", "password_reset"]
    assert secret and secret not in str([line.__dict__ for line in lines()])
    assert user.password_hash not in str([line.data for line in lines()])


def test_the_question_of_an_export_is_said_in_words(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.manager).get("/emails?status=error&format=csv")
    client.get("/settings/audit?action=list_exported")
    (line,) = client.html.xpath("//*[@id='audit-list']//tbody/tr")
    said = " ".join(line.text_content().split())
    assert "En erreur" in said and "status=" not in said
    exported = client.get("/settings/audit?action=list_exported&format=csv-excel").get_data().decode("utf-8-sig")
    assert "En erreur" in exported and "status=" not in exported
    program = client.get("/settings/audit?action=list_exported&format=json").get_json()
    assert program[0]["data"]["query"] == "status=error"
