"""The first page: sessions at risk worst first, failures nobody has dealt with, what leaves today."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import event

from extensions import db
from models import PlannedEmail, Rule
from models.words import QueueState, Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_email
from tests.planning.test_completeness import enrolled, session_with

NOW = datetime.now(UTC)


def test_sessions_at_risk_failures_and_the_day(client: Browser, cassiopee: House, boreale: House) -> None:
    soon = session_with(cassiopee, ["convocation"], date.today() + timedelta(days=1), title="Demain")
    ada, bob = enrolled(cassiopee, soon, "Ada Adam", "Bob Bril", phone="06 11 22 33 44")
    later = session_with(cassiopee, ["convocation", "rules"], date.today() + timedelta(days=5), title="Plus tard")
    enrolled(cassiopee, later, "Cyd Cros", "Dan Dupe")
    theirs = session_with(boreale, ["convocation"], date.today() + timedelta(days=1), title="Boréal")
    enrolled(boreale, theirs, "Zoé Boréale")
    about = {"training_session_id": soon.id, "at": NOW - timedelta(hours=1)}
    make_email(cassiopee, status=Status.FAILED, reason=Reason.USER_UNKNOWN, contact_id=ada.id, **about)
    make_email(cassiopee, status=Status.FAILED, reason=Reason.CANCELLED, contact_id=ada.id, **about)
    make_email(cassiopee, status=Status.UNDELIVERABLE, reason=Reason.SPAM, treated_at=NOW)
    make_email(boreale, status=Status.FAILED, reason=Reason.USER_UNKNOWN)
    make_email(cassiopee, status=Status.REQUESTED, queue=QueueState.WAITING, at=NOW,
               next_attempt_at=NOW + timedelta(seconds=1))  # fmt: skip
    for contact in (ada, bob):
        db.session.add(PlannedEmail(
            organisation_id=cassiopee.id, training_session_id=soon.id, contact_id=contact.id,
            rule=Rule.CONVOCATION_REMINDER, due_at=NOW,
        ))  # fmt: skip
    db.session.commit()
    staff = client.sign_in(cassiopee.staff)
    staff.get("/")
    assert [h.text_content() for h in staff.html.xpath("//article//h3")] == ["Plus tard", "Demain"]  # 4 missing, then 2
    assert "Boréal" not in staff.text()
    failures = staff.html.xpath("//a[@class='stat'][@href='/todo']")[0]
    assert failures.xpath("string(.//*[@class='stat-value'])") == "1"
    assert staff.html.xpath("//ul[@class='callers']//a/@href").count("tel:0611223344") == 2
    assert f"/sessions/{soon.public_id}/completeness" in staff.html.xpath("//article//h3/a/@href")
    assert "2 × Rappel avant la session" in staff.text()
    assert staff.html.xpath("//nav//a[@aria-current='page']/@href") == ["/"]
    # the session's own page says it too, and only until it starts
    staff.get(f"/sessions/{soon.public_id}")
    assert "La session commence bientôt et 2 personnes n’ont pas tout reçu" in staff.text()
    staff.get(f"/sessions/{later.public_id}")
    assert "commence bientôt" not in staff.text()


def test_it_costs_the_same_for_many_sessions(client: Browser, cassiopee: House) -> None:
    staff = client.sign_in(cassiopee.staff)
    counts = []
    for number in (1, 12):
        for n in range(number):
            made = session_with(cassiopee, None, date.today() + timedelta(days=n % 7), title=f"S{n}")
            enrolled(cassiopee, made, *(f"{n} N{m}" for m in range(3)))
        seen: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        staff.get("/")
        event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 10, counts


def test_nothing_to_tell(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff).get("/")
    assert "Aucune session à risque" in client.text() and "Rien ne part de soi-même" in client.text()
