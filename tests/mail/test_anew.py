"""mail.anew: an e-mail made again from what there is today, shown beforehand; or the sentence that says why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from documents import evaluations, store
from errors import UserMistake
from extensions import db
from mail import anew, templates
from mail.template_versions import save
from models import BusinessEvent, DocumentKind, Email, EvaluationMoment, EventOutcome, Sender, Template
from models.words import EmailType, Reason, Status
from people import training
from tests.conftest import House
from tests.history.making import make_contact, make_email, make_session


@pytest.fixture
def matter(cassiopee: House) -> dict[str, Any]:
    """A learner of a session to come."""
    templates.ensure_defaults(cassiopee.organisation)
    session = make_session(cassiopee, "Python", starts_on=datetime.now(UTC).date() + timedelta(days=9))
    luc = make_contact(cassiopee, "Luc Petit", email="luc.petit@wanado.fr")
    training.enrol(session, [luc])
    db.session.commit()
    return {"training_session_id": session.id, "contact_id": luc.id, "session": session, "contact": luc}


def email(house: House, matter: dict[str, Any], type: str = "convocation", **values: Any) -> Email:
    ids = {name: matter[name] for name in ("training_session_id", "contact_id")}
    return make_email(
        house, "luc.petit@wanado.fr", status=Status.FAILED, reason=Reason.USER_UNKNOWN, type=type, **(ids | values)
    )  # fmt: skip


def documents() -> int:
    return db.session.scalar(select(func.count()).select_from(db.metadata.tables["document"])) or 0


def test_what_is_foreseen_is_made_and_looking_makes_nothing(cassiopee: House, matter: dict[str, Any]) -> None:
    old = email(cassiopee, matter)
    seen = anew.foresee(old, "luc@autre.example", cassiopee.admin)
    db.session.commit()
    assert documents() == 0 and seen.files[0].sha256 is None
    made = anew.make(old, "luc@autre.example", cassiopee.admin)
    db.session.commit()
    assert documents() == 1
    assert made.draft.recipient == seen.draft.recipient == "luc@autre.example"
    assert made.draft.subject == seen.draft.subject and "Python" in made.draft.text
    assert [one.filename for one in made.files] == [one.filename for one in seen.files]
    assert [one.filename for one in made.draft.files] == [made.files[0].filename]
    again = anew.foresee(old, "luc@autre.example", cassiopee.admin)
    assert again.files == made.files, "what is up to date is not made again"


def test_todays_words_and_todays_sender(cassiopee: House, matter: dict[str, Any]) -> None:
    other = Sender(organisation_id=cassiopee.id, name="Secrétariat", address="secretariat@cassiopee.example")
    db.session.add(other)
    template = db.session.scalars(select(Template).where(Template.type == "convocation")).one()
    db.session.flush()
    template.sender_id = other.id
    version = templates.newest(template)
    columns = {name: getattr(version, name) for name in ("format", "text_fr", "subject_en", "message_en", "text_en")}
    said = {"subject_fr": "Nouveau : {{ session.titre }}", "message_fr": "Venez, {{ personne.prenom }}"}
    save(template, columns | said, base=version.number, by=cassiopee.admin)
    matter["contact"].first_name = "Lucas"
    db.session.commit()
    made = anew.foresee(email(cassiopee, matter), "luc@autre.example", cassiopee.admin)
    assert made.draft.subject == "Nouveau : Python" and "Venez, Lucas" in made.draft.text
    assert made.sender.id == other.id


def test_an_evaluation_leads_where_its_first_did(cassiopee: House, matter: dict[str, Any]) -> None:
    asked = evaluations.ensure(matter["session"], matter["contact"], EvaluationMoment.HOT)
    db.session.commit()
    old = email(cassiopee, matter, EmailType.EVALUATION_HOT.value)
    assert evaluations.form_url(asked) in anew.make(old, "luc@autre.example", cassiopee.admin).draft.text
    reminder = email(cassiopee, matter, EmailType.EVALUATION_REMINDER.value)
    assert evaluations.form_url(asked) in anew.foresee(reminder, "luc@autre.example", cassiopee.admin).draft.text
    evaluations.answer(asked, 5)
    db.session.commit()
    assert refused(reminder, cassiopee) == anew.ANSWERED


def test_an_events_email_is_told_again_what_the_event_told(cassiopee: House, matter: dict[str, Any]) -> None:
    type = EmailType.CARD_EXPIRED.value
    customer = make_contact(cassiopee, "Anne Roche", email="anne@x.example")
    values = {"contact_id": customer.id, "training_session_id": None}
    first = email(cassiopee, matter, type, **values)
    second = email(cassiopee, matter, type, resend_of_id=first.id, **values)
    lost = email(cassiopee, matter, type, **values)
    db.session.add(BusinessEvent(
        organisation_id=cassiopee.id, source="api", event_id="e", type=type, outcome=EventOutcome.SENT,
        occurred_at=datetime.now(UTC), email_id=first.id, contact_id=customer.id,
        payload={"id": "e", "data": {"card": {"brand": "Visa", "last4": "4242", "expires": "2026-11"}}},
    ))  # fmt: skip
    db.session.commit()
    for one in (first, second):
        assert "4242" in anew.foresee(one, "anne@y.example", cassiopee.admin).draft.text
    assert refused(lost, cassiopee) == anew.NO_EVENT


def refused(old: Email, house: House) -> str:
    for verb in (anew.foresee, anew.make):
        with pytest.raises(UserMistake) as caught:
            verb(old, "luc@autre.example", house.admin)
        db.session.rollback()
    return caught.value.message


def test_what_is_gone_is_said(cassiopee: House, matter: dict[str, Any]) -> None:
    assert refused(email(cassiopee, matter, "free"), cassiopee) == anew.BY_HAND
    assert refused(email(cassiopee, matter, "order.shipped"), cassiopee) == anew.NO_TEMPLATE
    assert refused(email(cassiopee, matter, contact_id=None), cassiopee) == anew.NO_CONTACT
    assert refused(email(cassiopee, matter, training_session_id=None), cassiopee) == anew.NO_SESSION
    kept = (("plan.pdf", "application/pdf", "d" * 64),)
    assert refused(email(cassiopee, matter, "document", files=kept), cassiopee) == anew.NO_FILE
    uploads = store.uploaded(matter["session"], DocumentKind.UPLOADED)
    assert uploads == []
