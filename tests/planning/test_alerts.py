"""The alert before a session: whom, what it says, once a day of the two, never without need."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from extensions import db
from mail import mime
from models import Address, Email, EmailContent
from models.words import Reason, Role, Status
from planning import alerts
from tests.conftest import House
from tests.history.making import make_email
from tests.planning.test_completeness import enrolled, session_with

# Sunday 22 November 2026, 09:14 in Paris
NOW = datetime(2026, 11, 22, 8, 14, tzinfo=UTC)
DAY = timedelta(days=1)


def sent() -> list[tuple[str, str]]:
    """(address, subject) of every alert."""
    query = db.session.query(Address.address, Email.subject).join(Email, Email.address_id == Address.id)
    rows = query.filter(Email.type == "alert").order_by(Email.id)
    return [(address, subject.replace("\xa0", " ")) for address, subject in rows]


def said(address: str) -> str:
    """The text of the alert to that address, spaces plain."""
    query = db.session.query(EmailContent).join(Email, Email.id == EmailContent.email_id)
    query = query.join(Address, Address.id == Email.address_id).filter(Email.type == "alert")
    query = query.filter(Address.address == address)
    return mime.shown(query.one().skeleton).text.replace("\xa0", " ")


def test_two_days_before_and_the_day_before_once_each(cassiopee: House, boreale: House) -> None:
    cassiopee.manager.language = "en"
    made = session_with(cassiopee, ["convocation", "certificate"], date(2026, 11, 24), title="Feu {{ x }} & **gaz**")
    ada, bob, cyd = enrolled(cassiopee, made, "Ada Adam", "Bob {{ Bril }}", "Cyd Cros", phone="06 11 22 33 44")
    cyd.phone = ""
    about = {"training_session_id": made.id}
    make_email(cassiopee, status=Status.DELIVERED, contact_id=ada.id, **about)
    make_email(cassiopee, status=Status.FAILED, reason=Reason.USER_UNKNOWN, contact_id=bob.id, **about)
    db.session.commit()
    assert alerts.send_due(NOW - DAY) == 0  # three days before
    assert alerts.send_due(NOW - timedelta(hours=3)) == 0  # before eight in the morning
    assert alerts.send_due(NOW) == 2
    assert alerts.send_due(NOW) == alerts.send_due(NOW + timedelta(hours=5)) == 0
    people = {cassiopee.admin.email: cassiopee.admin, cassiopee.manager.email: cassiopee.manager}
    assert dict(sent()) == {
        cassiopee.manager.email: "To be called before the session: Feu (( x )) & gaz",
        cassiopee.admin.email: "À appeler avant la session : Feu (( x )) & gaz",
    }
    assert {user.role for user in people.values()} == {Role.ADMIN, Role.MANAGER}
    french = said(cassiopee.admin.email)
    assert "Bob (( Bril )), 06 11 22 33 44 : Convocation (adresse inconnue)" in french
    assert "Cyd Cros, sans téléphone : Convocation (jamais envoyé)" in french
    assert "Ada" not in french and "Certificat" not in french and "dans deux jours" in french
    assert f"/sessions/{made.public_id}/completeness" in french
    english = said(cassiopee.manager.email)
    assert "in two days" in english and "Joining instructions (unknown address)" in english
    assert alerts.send_due(NOW + DAY) == 2 and alerts.send_due(NOW + DAY) == 0
    assert alerts.send_due(NOW + 2 * DAY) == 0  # it has begun
    made.starts_on = date(2026, 12, 1)  # moved: two days before its new day counts anew
    db.session.commit()
    assert alerts.send_due(datetime(2026, 11, 29, 9, tzinfo=UTC)) == 2


def test_nothing_missing_or_nobody_to_tell(cassiopee: House, boreale: House) -> None:
    made = session_with(cassiopee, ["convocation"], date(2026, 11, 24))
    (ada,) = enrolled(cassiopee, made, "Ada Adam")
    email = make_email(cassiopee, status=Status.SENT, training_session_id=made.id, contact_id=ada.id)
    assert alerts.send_due(NOW) == 0  # on its way
    email.status = Status.UNDELIVERABLE
    cassiopee.admin.active = cassiopee.manager.active = False
    db.session.commit()
    assert alerts.send_due(NOW) == 0
    cassiopee.admin.active = True
    db.session.commit()
    assert alerts.send_due(NOW) == 1
    assert [address for address, _subject in sent()] == [cassiopee.admin.email]
