"""The digest of what is to be dealt with: to whom, when, what it says, and never twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from extensions import db
from mail import mime
from models import Address, Email, EmailContent, User
from models.words import Reason
from planning import digest
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_contact, make_email, make_session

# Monday 23 November 2026, 07:31 in Paris
MONDAY = datetime(2026, 11, 23, 6, 31, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def sent() -> list[tuple[str, str]]:
    """(address, subject) of every digest, oldest first."""
    query = db.session.query(Address.address, Email.subject).join(Email, Email.address_id == Address.id)
    rows = query.filter(Email.type == "alert").order_by(Email.id)
    return [(address, subject.replace("\xa0", " ")) for address, subject in rows]


def said() -> str:
    """The text of the newest one, spaces plain."""
    query = db.session.query(EmailContent).join(Email, Email.id == EmailContent.email_id)
    content = query.filter(Email.type == "alert").order_by(Email.id.desc()).first()
    assert content
    return mime.shown(content.skeleton).text.replace("\xa0", " ").replace("\u202f", " ")


def failed(house: House, who: str, at: datetime, reason: Reason = Reason.USER_UNKNOWN, **values: Any) -> Email:
    return make_email(house, who, status=reason.status, reason=reason, at=at, updated_at=at, status_occurred_at=at,
                      **values)  # fmt: skip


def test_each_working_morning_once_to_who_wants_it(client: Browser, cassiopee: House, boreale: House) -> None:
    soon = make_session(cassiopee, "Feu & {{ x }}", starts_on=(MONDAY + DAY).date(), ends_on=(MONDAY + DAY).date())
    ada = make_contact(cassiopee, "Ada Adam", phone="06 11 22 33 44")
    failed(cassiopee, "ada@orange.example", MONDAY - DAY, contact_id=ada.id, training_session_id=soon.id)
    for n in range(3):
        failed(cassiopee, f"p{n}@free.example", MONDAY - DAY, Reason.BLOCKED)
    assert digest.send_due(MONDAY - timedelta(minutes=2)) == 0  # 07:29
    assert digest.send_due(MONDAY) == 1
    assert digest.send_due(MONDAY) == digest.send_due(MONDAY + timedelta(minutes=5)) == 0
    assert sent() == [("admin@cassiopee.example", "E-mails à traiter : 4")]
    text = said()
    assert "1 × Adresse inconnue, orange.example" in text and "3 × Envoi bloqué, free.example" in text
    assert "Ada Adam, 06 11 22 33 44 : Convocation (adresse inconnue), Feu & (( x )), 24/11/2026" in text
    assert "http://localhost/todo" in text
    cassiopee.staff.language = "en"
    db.session.commit()
    client.sign_in(cassiopee.staff).post("/account/digest", {"digest": "1"})
    client.get("/account")
    assert client.html.xpath("//input[@name='digest'][@checked]")
    Browser(client.app).sign_in(cassiopee.admin).post("/account/digest")
    db.session.expire_all()
    assert digest.send_due(MONDAY + DAY) == 1
    assert sent()[1:] == [("staff@cassiopee.example", "E-mails to deal with: 4")]
    assert "1 × Unknown address, orange.example" in said() and "To be called first" in said()
    assert digest.send_due(datetime(2026, 11, 28, 7, tzinfo=UTC)) == 0  # Saturday
    db.session.query(Email).update({"treated_at": MONDAY})
    db.session.commit()
    assert digest.send_due(MONDAY + 7 * DAY) == 0  # nothing left


def test_at_once_for_sessions_that_start_soon(cassiopee: House) -> None:
    noon = MONDAY + 6 * HOUR
    days = {n: make_session(cassiopee, f"J{n}", starts_on=(noon + n * DAY).date()) for n in (2, 3)}
    failed(cassiopee, "far@free.example", noon - HOUR, training_session_id=days[3].id)
    assert digest.send_due(noon) == 0
    first = failed(cassiopee, "near@free.example", noon - HOUR, training_session_id=days[2].id)
    assert digest.send_due(noon) == 1
    assert sent() == [("admin@cassiopee.example", "À appeler avant leur session : 1")]
    assert "near" not in sent()[0][1] and "J2, 25/11/2026" in said() and "J3" not in said()
    failed(cassiopee, "next@free.example", noon + timedelta(minutes=20), training_session_id=days[2].id)
    assert digest.send_due(noon + timedelta(minutes=30)) == 0  # one an hour
    assert digest.send_due(noon + timedelta(minutes=61)) == 1
    assert [subject for _to, subject in sent()][1:] == ["À appeler avant leur session : 1"]  # only what is new
    assert digest.send_due(noon + 3 * HOUR) == 0
    first.updated_at = noon + 8 * HOUR
    db.session.commit()
    assert digest.send_due(noon + 9 * HOUR) == 0  # quiet hours have begun: the morning's tells it
    assert digest.send_due(MONDAY + DAY) == 1
    assert sent()[-1][1] == "E-mails à traiter : 3"


def test_what_a_person_prefers_is_kept(cassiopee: House) -> None:
    cassiopee.admin.preferences = {"limit": 50}
    failed(cassiopee, "x@free.example", MONDAY - DAY)
    assert digest.send_due(MONDAY) == 1
    db.session.expire_all()
    kept = db.session.get_one(User, cassiopee.admin.id).preferences
    assert kept == {"limit": 50, "digest_at": MONDAY.isoformat()}
    cassiopee.admin.active = False
    cassiopee.manager.email = "nobody"
    cassiopee.manager.preferences = {"digest": True}
    db.session.commit()
    assert digest.send_due(MONDAY + DAY) == 0
