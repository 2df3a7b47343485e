"""The audit log's writing: in the act's own transaction, by whom and from where, and never changed afterwards."""

from __future__ import annotations

import pytest
from flask import Flask, g
from flask_login import login_user
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from extensions import db
from models import ApiToken, AuditAction, AuditEntry, Channel
from models.words import Role
from people import accounts, audit
from tests.conftest import House


def lines() -> list[AuditEntry]:
    """The log, oldest first."""
    return list(db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


def test_a_line_says_who_what_about_what_and_from_where(app: Flask, cassiopee: House) -> None:
    with app.test_request_context("/", environ_base={"REMOTE_ADDR": "192.0.2.7"}):
        login_user(cassiopee.admin)
        audit.note(AuditAction.EMAIL_RESENT, "E-1", to="a@b.example", preface=None, note="")
        db.session.commit()
    (line,) = lines()
    assert (line.organisation_id, line.user_id, line.who) == (cassiopee.id, cassiopee.admin.id, cassiopee.admin.name)
    assert (line.action, line.subject, line.data) == (AuditAction.EMAIL_RESENT, "E-1", {"to": "a@b.example"})
    assert (line.channel, line.address, line.token_prefix) == (Channel.PAGE, "192.0.2.7", "")
    cassiopee.admin.name = "Madame Changée"
    db.session.commit()
    assert lines()[0].who == "Admin Atelier Cassiopée", "a name is kept as it was"


def test_a_program_is_known_by_its_key(app: Flask, cassiopee: House) -> None:
    token, secret = accounts.new_token(cassiopee.admin, "Facturation")
    with app.test_request_context("/api/v1/emails"):
        login_user(cassiopee.admin)
        g.token = token
        audit.note(AuditAction.EMAILS_SENT, "S-1", count=3)
        db.session.commit()
    (line,) = lines()
    assert (line.channel, line.token_prefix) == (Channel.API, db.session.get(ApiToken, token.id).prefix)
    assert secret not in str(line.__dict__)


def test_in_a_job_somebody_must_be_named(app: Flask, cassiopee: House) -> None:
    with pytest.raises(LookupError):
        audit.note(AuditAction.EXPORT_ASKED, "X-1")
    audit.note(AuditAction.EXPORT_ASKED, "X-1", by=cassiopee.staff)
    audit.note(AuditAction.DOMAIN_CHECKED, "cassiopee.example", organisation_id=cassiopee.id)
    db.session.commit()
    assert [(line.channel, line.who, line.address) for line in lines()] == [
        (Channel.JOB, cassiopee.staff.name, ""), (Channel.JOB, "", ""),
    ]  # fmt: skip


def test_what_was_rolled_back_was_not_done(app: Flask, cassiopee: House) -> None:
    audit.note(AuditAction.TREATED, "E-1", by=cassiopee.staff)
    db.session.rollback()
    assert lines() == []


def test_what_changed_is_named_and_only_what_is_asked_is_shown(app: Flask, cassiopee: House) -> None:
    person = cassiopee.staff
    assert person.role is Role.STAFF  # read, as a page has
    person.name, person.role = "Léa", Role.MANAGER
    audit.note(AuditAction.USER_CHANGED, person.email, by=cassiopee.admin, **audit.changed(person, "role", "email"))
    db.session.commit()
    assert lines()[0].data == {"changed": ["name", "role"], "role": ["staff", "manager"]}


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entry SET who = 'x'", "DELETE FROM audit_entry", "DELETE FROM organisation"],
)  # fmt: skip
def test_nobody_changes_the_log(app: Flask, cassiopee: House, statement: str) -> None:
    audit.note(AuditAction.SIGNED_IN, by=cassiopee.staff)
    db.session.commit()
    with pytest.raises(IntegrityError):
        db.session.execute(text(statement))
    db.session.rollback()
    assert len(lines()) == 1


def test_long_words_are_cut(app: Flask, cassiopee: House) -> None:
    audit.note(AuditAction.TREATED, "x" * 9000, by=cassiopee.staff, note="y" * 9000)
    db.session.commit()
    assert len(lines()[0].subject) == len(lines()[0].data["note"]) == 500
