"""À traiter: what is listed, how it is grouped, who to call; marking, undoing, reopening; what leaves by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from extensions import db
from history import untreated
from mail import record, treating
from mail.fold import Fact
from models import Email
from models.words import EventKind, Mark, Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.days import today
from tests.history.making import make_contact, make_email, make_session

NOW = datetime.now(UTC)
TODAY = today()
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may cross midnight after this file was read: what is "today" to the page is it to each test too."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC))
    monkeypatch.setitem(globals(), "TODAY", today())


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def failed(house: House, who: str, reason: Reason = Reason.USER_UNKNOWN, **values: Any) -> Email:
    """A failure of an hour ago at `who`."""
    values = {"status": reason.status, "at": NOW - timedelta(hours=1), "status_occurred_at": NOW - timedelta(hours=1),
              "updated_at": NOW - timedelta(hours=1)} | values  # fmt: skip
    return make_email(house, who, who.partition("@")[0], reason=reason, **values)


def causes(browser: Browser) -> list[tuple[str, str]]:
    """(title, how many) of each cause on the page, in order."""
    heads = browser.html.xpath("//section[contains(@class, 'cause')]/div[@class='cause-head']")
    return [
        (" ".join(head.xpath("string(h2)").split()), " ".join(head.xpath("string(span[@class='count'])").split()))
        for head in heads
    ]


def counter(browser: Browser) -> str:
    return browser.html.xpath("string(//nav[@class='nav']//a[@href='/todo']//*[@class='count'])")


def listed(house: House) -> set[str]:
    found = untreated.read(house.id, TODAY)
    return {row.public_id for cause in found.causes for row in cause.rows}


def test_grouped_by_cause_soonest_session_first(staff: Browser, cassiopee: House, boreale: House) -> None:
    soon = make_session(cassiopee, "Incendie", starts_on=TODAY + DAY, ends_on=TODAY + DAY)
    past = make_session(cassiopee, "Passée", starts_on=TODAY - DAY, ends_on=TODAY - DAY)
    ada = make_contact(cassiopee, "Ada Adam", phone="06 11 22 33 44")
    for n in range(3):
        failed(cassiopee, f"p{n}@orange.example", Reason.BLOCKED, training_session_id=past.id)
    failed(cassiopee, "ada@gmail.example", contact_id=ada.id, training_session_id=soon.id, subject="Convoc Ada")
    failed(cassiopee, "x@yahoo.example", Reason.CANCELLED)
    failed(cassiopee, "y@yahoo.example", Reason.TOO_LATE)
    failed(cassiopee, "z@yahoo.example", treated_at=NOW)
    failed(cassiopee, "a@a.example", Reason.NOT_PREPARED)
    failed(cassiopee, "b@b.example", Reason.NOT_PREPARED)
    make_email(cassiopee, "u@uncertain.example", status=Status.UNCERTAIN, at=NOW)
    make_email(cassiopee, "fine@orange.example", status=Status.DELIVERED, at=NOW)
    make_email(cassiopee, "waits@orange.example", status=Status.REQUESTED, at=NOW)
    make_email(cassiopee, "old@orange.example", status=Status.DELIVERED, at=NOW - 8 * DAY)
    failed(boreale, "z@boreale.example")
    staff.get("/todo")
    assert causes(staff) == [
        ("Adresse inconnue gmail.example", "1 e-mail"),  # its session starts tomorrow
        ("Envoi bloqué orange.example", "3 e-mails"),
        ("E-mail non préparé", "2 e-mails"),  # on our side: no operator
        ("Envoi incertain uncertain.example", "1 e-mail"),
    ]
    assert "orange.example : 3 en échec sur 4 envoyés, soit 75" in staff.text()
    assert "gmail.example : 1 en échec sur 1 envoyé." in staff.text()
    assert staff.html.xpath("//section[1]//a[@href='tel:0611223344']") and "Convoc Ada" in staff.text()
    assert f"/sessions/{soon.public_id}/emails" in staff.html.xpath("//section[1]//a/@href")
    assert "session demain" in staff.text() and "boreale" not in staff.html.xpath("string(//main)")
    assert "7 e-mails à traiter, 4 causes" in staff.text()
    assert counter(staff) == "7"
    staff.get("/sessions")
    assert counter(staff) == "7"
    links = staff.html.xpath("//nav[@class='nav']//a/@href")
    assert links[:3] == ["/", "/todo", "/sessions"]


def test_mine_and_one_cause_alone(staff: Browser, cassiopee: House) -> None:
    for n in range(8):
        failed(cassiopee, f"p{n}@orange.example", Reason.BLOCKED)
    theirs = failed(cassiopee, "other@free.example")
    theirs.requested_by_id = cassiopee.admin.id
    db.session.commit()
    staff.get("/todo?who=mine")
    assert causes(staff) == [("Envoi bloqué orange.example", "8 e-mails")]
    assert len(staff.html.xpath("//section//tbody/tr")) == untreated.FEW
    more = staff.html.xpath("//p[@class='cause-more']/a/@href")[0]
    staff.get(more)
    assert len(staff.html.xpath("//section//tbody/tr")) == 8 and len(causes(staff)) == 1
    staff.get("/todo?cause=spam&domain=orange.example")
    assert "Plus rien à traiter ici" in staff.text()
    staff.get("/todo?cause=nonsense&domain=%00")
    assert len(causes(staff)) == 2


def test_row_selection_and_cause_are_marked_and_undone(staff: Browser, cassiopee: House, boreale: House) -> None:
    some = [failed(cassiopee, f"p{n}@orange.example", Reason.BLOCKED) for n in range(6)]
    theirs = failed(boreale, "p0@orange.example", Reason.BLOCKED)
    ids = [email.public_id for email in some]
    staff.get("/todo")
    seen = staff.html.xpath("//input[@name='seen']/@value")[0]
    staff.post("/todo/treated", {"only": ids[0], "email1": ids[1:3], "note": "  appelé le 12/03,\n viendra "})
    assert listed(cassiopee) == set(ids[1:])
    db.session.expire_all()
    one = db.session.get(Email, some[0].id)
    assert one and (one.treated_note, one.treated_by_id) == ("appelé le 12/03, viendra", cassiopee.staff.id)
    staff.post("/todo/treated", {"what": "chosen", "email1": [*ids[1:3], theirs.public_id]})
    assert listed(cassiopee) == set(ids[3:]) and listed(boreale) == {theirs.public_id}
    late = failed(cassiopee, "late@orange.example", Reason.BLOCKED, updated_at=datetime.now(UTC) + timedelta(minutes=5))
    cause = {"what": "cause", "cause": "blocked", "domain": "orange.example", "seen": seen}
    staff.post("/todo/treated", cause)
    assert listed(cassiopee) == {late.public_id}, "what came after the page was made stays"
    staff.get("/todo")
    assert "3 e-mails sont marqués comme traités" in staff.text()
    back = {field.get("name"): field.get("value") for field in staff.html.xpath("//*[@id='undo']//input[@name]")}
    del back["csrf_token"]
    Browser(staff.app).sign_in(cassiopee.admin).post("/todo/undone", back)
    assert listed(cassiopee) == {late.public_id}, "another's marking is not one's own to undo"
    staff.post("/todo/undone", back)
    assert listed(cassiopee) == {late.public_id, *ids[3:]}
    staff.get("/todo")
    assert "3 e-mails sont de nouveau à traiter" in staff.text() and not staff.html.xpath("//*[@id='undo']")
    staff.post("/todo/treated", {"what": "chosen"})
    staff.get("/todo")
    assert "Cochez au moins un e-mail" in staff.text()
    staff.post("/todo/treated", {"only": theirs.public_id}, status=404)
    staff.post("/todo/treated", cause | {"seen": "hier"}, status=400)
    staff.post("/todo/treated", cause | {"cause": "nonsense"}, status=400)


def test_the_note_is_shown_and_taken_back_from_the_detail(staff: Browser, cassiopee: House) -> None:
    email = failed(cassiopee, "ada@gmail.example", events=(EventKind.REQUESTED, EventKind.REFUSED))
    page = f"/emails/{email.public_id}"
    staff.post(f"{page}/treated", {"note": "<b>appelée</b>"})
    staff.get(page)
    name = cassiopee.staff.name
    lines = staff.html.xpath("//ol[@class='timeline']/li")
    titles = [line.xpath("string(.//*[@class='timeline-title'])") for line in lines]
    said = lines[-1].xpath("string(.//*[@class='timeline-sub'])").replace("\xa0", " ")
    assert titles == ["Demandé", "Refusé par le serveur", "Marqué comme traité"]
    assert said == f"par {name} · note : <b>appelée</b>"
    assert "Remettre à traiter" in staff.text() and counter(staff) == ""
    Browser(staff.app).sign_in(cassiopee.admin).post(f"{page}/untreated")
    staff.get(page)
    assert "Remettre à traiter" not in staff.text() and "appelée" not in staff.text() and counter(staff) == "1"
    fine = make_email(cassiopee, status=Status.DELIVERED)
    staff.post(f"/emails/{fine.public_id}/treated", {"note": "x"})
    db.session.expire_all()
    assert fine.treated_at is None, "what arrived is nothing to deal with"


def again(email: Email, kind: EventKind, reason: Reason | None, at: datetime, name: str = "1") -> Email:
    record([Fact(email.id, kind, "dsn", name, at, reason)])
    db.session.commit()
    db.session.expire_all()
    return email


def test_it_is_reopened_when_it_fails_again(staff: Browser, cassiopee: House) -> None:
    treat = treating.treat
    email = make_email(cassiopee, status=Status.UNCERTAIN, status_rank=1, at=NOW - DAY)
    assert treat([email.id], cassiopee.staff, "appelé")
    db.session.commit()
    again(email, EventKind.REFUSED, Reason.USER_UNKNOWN, NOW - timedelta(hours=2))  # they could not know of it
    assert email.treated_at is None and email.treated_note == "appelé" and listed(cassiopee) == {email.public_id}
    staff.get(f"/emails/{email.public_id}")
    assert "Avait été marqué comme traité, puis a échoué de nouveau" in staff.text() and "appelé" in staff.text()
    assert treat([email.id], cassiopee.staff, "")
    db.session.commit()
    again(email, EventKind.REFUSED, Reason.USER_UNKNOWN, NOW - timedelta(hours=1), "2")  # of before: nothing new
    assert email.treated_at is not None
    again(email, EventKind.DELAYED, None, datetime.now(UTC), "3")
    assert email.treated_at is not None and email.status is Status.SENT
    again(email, EventKind.BOUNCED, Reason.MAILBOX_FULL, datetime.now(UTC), "4")
    assert email.treated_at is None
    treat([email.id], cassiopee.staff, "")
    db.session.commit()
    again(email, EventKind.OPENED, None, datetime.now(UTC), "5")
    assert email.treated_at is not None and email.status is Status.OPENED


def test_what_a_resend_carries_on_leaves_by_itself(staff: Browser, cassiopee: House) -> None:
    first = failed(cassiopee, "ada@gmail.example", marks=Mark.RESENT)
    second = failed(cassiopee, "ada@gmail.example", resend_of_id=first.id, marks=Mark.RESENT)
    assert listed(cassiopee) == {second.public_id}, "the resend that failed stands for it"
    third = make_email(
        cassiopee, "ada@free.example", status=Status.FAILED, reason=Reason.CANCELLED, resend_of_id=second.id, at=NOW
    )
    assert listed(cassiopee) == {second.public_id}, "a resend that was called off stands for nothing"
    staff.get("/todo")
    assert "renvoyé, pas encore reçu" in staff.text()
    staff.get("/emails?treated=no")
    assert len(staff.html.xpath("//tbody//tr[contains(@id, 'E-')]")) == 1
    for status in (Status.REQUESTED, Status.SENT):
        third.status, third.reason = status, None
        db.session.commit()
        assert listed(cassiopee) == set(), "sending it again is dealing with it"
        staff.get(f"/emails/{second.public_id}")
        assert "Un renvoi est en route" in staff.text() and counter(staff) == ""
    third.status = Status.OPENED
    db.session.commit()
    assert listed(cassiopee) == set()
    staff.get(f"/emails/{second.public_id}")
    assert "Un renvoi est arrivé" in staff.text() and counter(staff) == ""
    assert untreated.count(cassiopee.id, 10) == 0


def test_counts_are_capped_and_statements_pinned(
    staff: Browser, cassiopee: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    for many in (1, 60):
        for n in range(many):
            failed(cassiopee, f"p{n}@op{n}.example")
            failed(cassiopee, f"q{n}@op.example", Reason.SPAM)
        seen: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        staff.get("/todo")
        event.remove(db.engine, "before_cursor_execute", note)
        taken.append(len(seen))
    assert taken == [5, 5], taken  # who it is, the navigation, the causes with their rows, the operators' rates, the
    # resends that wait for their moment
    assert counter(staff) == "99+" and len(causes(staff)) == untreated.GROUPS
    assert len(staff.get("/todo").get_data()) < 250_000
    assert "122 e-mails à traiter, 61 causes. Voici les 30 causes les plus pressantes." in staff.text()
    monkeypatch.setattr(untreated, "MOST", 20)
    staff.get("/todo")
    assert "20 e-mails à traiter" in staff.text()
