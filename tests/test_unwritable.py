"""What nobody foresaw that somebody would send is a mistake of theirs: never 500."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import NotFound

from blueprints import segments, settings_forms, training_types
from extensions import db
from models import Sender, TrainingType, User
from models.words import ContactKind
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_contact
from tests.test_settings import sender_form


@pytest.fixture
def admin(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.admin)


@pytest.mark.parametrize("field", ["email", "password"])
def test_a_stranger_gives_a_file_for_a_word(client: Browser, cassiopee: House, field: str) -> None:
    given: dict[str, Any] = {"email": "a@b.example", "password": "x"} | {field: (BytesIO(b"b"), "a")}
    client.post("/sign-in", given, status=422)


@pytest.mark.parametrize("path, field", [
    ("/contacts/learners/new", "last_name"), ("/contacts/learners/new", "language"), ("/programmes/new", "title"),
    ("/programmes/new", "price"), ("/sessions/new", "title"), ("/sessions/new", "modules-0-day"),
    ("/sessions/new", "modules-0-title"), ("/settings/senders/new", "address"),
    ("/settings/pace/domains/new", "domain"), ("/settings/users/new", "email"), ("/contacts/import", "text"),
    ("/settings/quarantine/import", "text"), ("/segments/new", "name"),
])  # fmt: skip
def test_a_file_for_a_word_is_no_word(admin: Browser, path: str, field: str) -> None:
    admin.post(path, {field: (BytesIO(b"b"), "a")}, status=422)
    admin.post(path, {field: (BytesIO(b"b"), "a")}, status=422, headers={"Accept-Language": "en"})


@pytest.mark.parametrize("path", ["/contacts/import", "/settings/quarantine/import"])
def test_a_word_for_a_file_is_no_file(admin: Browser, path: str) -> None:
    admin.post(path, {"file": "x", "kind": "learners"}, status=422)


def test_json_is_no_form(admin: Browser) -> None:
    for said in ([1], {"title": ["x", {}]}, "x"):
        answer = admin.client.post("/sessions/new", json=said, headers={"X-CSRFToken": admin.token()})
        assert answer.status_code == 422, said


def test_a_learners_form_without_its_company_keeps_it(admin: Browser, cassiopee: House) -> None:
    company = make_contact(cassiopee, "Menuiserie Lambert", ContactKind.COMPANY)
    petit = make_contact(cassiopee, "Élodie Petit", company_id=company.id)
    admin.post(f"/contacts/{petit.public_id}/edit", {"last_name": "Petit", "language": "fr"})
    db.session.expire_all()
    assert petit.company_id == company.id


def test_a_look_at_a_test_that_nobody_sent_changes_nothing(admin: Browser) -> None:
    assert admin.get("/start/test", htmx=True, status=204).data == b""


def test_behind_a_number_beyond_bigint_there_is_no_page(app: Flask, admin: Browser) -> None:
    numbered = [rule for rule in app.url_map.iter_rules() if "<int:" in rule.rule]
    assert len(numbered) > 10
    adapter = app.url_map.bind("localhost")
    for rule in numbered:
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<int:{name}>", str(2**63)).replace(f"<{name}>", "x")
        with pytest.raises(NotFound):
            adapter.match(path, method=next(iter(rule.methods or {"GET"})))
    for path in ("/settings/users/9223372036854775807", "/settings/users/9223372036854775808"):
        admin.get(path, status=404)


def blind(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, sees_nothing: Any) -> None:
    """The first look finds nothing, as when another's row is not yet committed."""
    sees: Callable[..., Any] = getattr(where, name)
    looks: list[None] = []

    def look(*args: Any, **kwargs: Any) -> Any:
        looks.append(None)
        return sees_nothing if len(looks) == 1 else sees(*args, **kwargs)

    monkeypatch.setattr(where, name, look)


def test_the_same_twice_at_once_is_told_as_taken(
    admin: Browser, cassiopee: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = {"name": "A", "email": cassiopee.staff.email, "role": "staff", "language": "fr"}
    blind(monkeypatch, settings_forms.accounts, "address_taken", False)
    admin.post("/settings/users/new", somebody, status=422)
    assert "a déjà un compte" in admin.text()
    admin.post("/settings/training-types/new", {"name": "Obligatoire"})
    blind(monkeypatch, training_types, "_taken", False)
    admin.post("/settings/training-types/new", {"name": "Obligatoire"}, status=422)
    assert "Ce nom est déjà pris" in admin.text()
    admin.post("/segments/new", {"mode": "members", "name": "Fidèles"})
    blind(monkeypatch, segments.segments, "name_taken", False)
    admin.post("/segments/new", {"mode": "members", "name": "Fidèles"}, status=422)
    assert "porte déjà ce nom" in admin.text()
    blind(monkeypatch, settings_forms.SenderForm, "validate_address", None)
    admin.post("/settings/senders/new", sender_form(address=cassiopee.sender.address), status=422)
    assert "déjà un expéditeur" in admin.text()
    tables = (User, TrainingType, Sender)
    assert [db.session.query(one).filter_by(organisation_id=cassiopee.id).count() for one in tables] == [3, 1, 1]
