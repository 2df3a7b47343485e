"""The first page: sessions at risk worst first, failures nobody has dealt with, what leaves today."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from blueprints.figure_charts import round_up
from extensions import db
from history import tallies, views
from models import PlannedEmail, Rule
from models.words import QueueState, Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.days import today
from tests.history.making import make_contact, make_email
from tests.history.test_figures import segment_of
from tests.planning.test_completeness import enrolled, session_with

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may cross midnight after this file was read: what is "today" to the page is it to each test too."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC))


def test_sessions_at_risk_failures_and_the_day(client: Browser, cassiopee: House, boreale: House) -> None:
    soon = session_with(cassiopee, ["convocation"], today() + timedelta(days=1), title="Demain")
    ada, bob = enrolled(cassiopee, soon, "Ada Adam", "Bob Bril", phone="06 11 22 33 44")
    later = session_with(cassiopee, ["convocation", "rules"], today() + timedelta(days=5), title="Plus tard")
    enrolled(cassiopee, later, "Cyd Cros", "Dan Dupe")
    theirs = session_with(boreale, ["convocation"], today() + timedelta(days=1), title="Boréal")
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
    assert [h.text_content() for h in staff.html.xpath("//article//h3")] == ["Demain", "Plus tard"]
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
    tallies.keep(cassiopee.organisation)
    counts = []
    for number in (1, 12):
        for n in range(number):
            made = session_with(cassiopee, None, today() + timedelta(days=n % 7), title=f"S{n}")
            enrolled(cassiopee, made, *(f"{n} N{m}" for m in range(3)))
        seen: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        staff.get("/")
        event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts == [12, 12]


def test_nothing_to_tell(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff).get("/")
    assert "Aucune session à risque" in client.text() and "Aucun départ prévu" in client.text()


def counted(browser: Browser) -> dict[str, str]:
    """What the tiles say."""
    return {
        stat.xpath("string(.//*[@class='stat-label'])"): stat.xpath("string(.//*[@class='stat-value'])")
        for stat in browser.html.xpath("//*[@class='stat']")
    }


def at_link(browser: Browser, address: str) -> int:
    """How many rows an address of the history shows."""
    browser.get(f"{address}&limit=200")
    return len(browser.html.xpath("//tbody/tr[@id]"))


def test_each_number_leads_to_the_rows_it_counts(client: Browser, cassiopee: House, boreale: House) -> None:
    kinds = (
        (Status.OPENED, None), (Status.DELIVERED, None), (Status.SENT, None), (Status.REQUESTED, None),
        (Status.UNCERTAIN, None), (Status.FAILED, Reason.USER_UNKNOWN), (Status.UNDELIVERABLE, Reason.MAILBOX_FULL),
        (Status.FAILED, Reason.CANCELLED),
    )  # fmt: skip
    for day in range(3):
        for place, (status, reason) in enumerate(kinds):
            for n in range(1 + (place + day) % 3):
                make_email(
                    cassiopee, f"{n}@d{place % 2}.example", status=status, reason=reason, at=NOW - timedelta(days=day),
                    type=("convocation", "free")[n % 2],
                )  # fmt: skip
    make_email(boreale, status=Status.OPENED, at=NOW)
    tallies.keep(cassiopee.organisation)
    staff = client.sign_in(cassiopee.staff)
    staff.get("/")
    tiles, page = counted(staff), staff.html
    assert int(tiles["Demandés"]) == sum(1 + (p + d) % 3 for d in range(3) for p in range(7))
    # the drawing: each piece, the table beside it: each cell, the facets: each line and its failures
    seen = 0
    for cell in page.xpath("//table[contains(@class, 'grid-auto')]//td/a | //td[@class='num']/a"):
        assert at_link(staff, cell.get("href")) == int(cell.text_content()), cell.get("href")
        seen += 1
    assert seen > 20
    in_cells = {cell.get("href") for cell in page.xpath("//td/a")}
    drawn = page.xpath("//svg[contains(@class, 'chart-bars')]/a")
    assert drawn and {piece.get("href") for piece in drawn} <= in_cells  # nothing is drawn that the table does not say
    assert all(piece.get("tabindex") == "-1" for piece in drawn)
    assert all(piece.xpath("ancestor::*[@aria-hidden='true']") for piece in drawn)
    for tile in page.xpath("//section[@id='figures']//a[@class='stat']"):
        label, number = (tile.xpath(f"string(.//*[@class='stat-{part}'])") for part in ("label", "value"))
        # all that was asked for holds what was called off, too
        called_off = 6 if label == "Demandés" else 0
        assert at_link(staff, tile.get("href")) == int(number) + called_off, label


def test_period_and_segment_are_the_histories(client: Browser, cassiopee: House) -> None:
    ada, bob = make_contact(cassiopee, "Ada Adam"), make_contact(cassiopee, "Bob Bril")
    make_email(cassiopee, contact_id=ada.id, at=NOW)
    make_email(cassiopee, contact_id=bob.id, at=NOW - timedelta(days=40))
    chosen = segment_of(cassiopee, [ada])
    staff = client.sign_in(cassiopee.staff)
    for query, number in (
        ("", "1"), ("?period=day", "1"), (f"?segment={chosen.public_id}", "1"),
        (f"?period=custom&from={NOW.date() - timedelta(days=50)}", "2"), ("?status=error&recipient=zzz", "1"),
        (f"?period=custom&from={NOW.date() - timedelta(days=50)}&segment={chosen.public_id}", "1"),
    ):  # fmt: skip
        staff.get(f"/{query}")
        assert counted(staff)["Demandés"] == number, query
    # the days are asked for once the period is to be chosen; htmx gets the piece, its address is canonical
    staff.get("/?period=custom")
    assert staff.html.xpath("//input[@name='from']") and staff.html.xpath("//input[@name='to']")
    answer = staff.get("/?period=rolling_30&segment=", htmx=True)
    assert answer.headers["HX-Push-Url"] == "/" and staff.html.get("id") == "figures"
    answer = staff.get(f"/?period=year&segment={chosen.public_id}", htmx=True)
    assert answer.headers["HX-Push-Url"] == f"/?period=year&segment={chosen.public_id}"
    staff.get("/?segment=G-nobody00")
    assert "Aucun e-mail dans cette période" in staff.text()


def test_words_stay_out_of_addresses_for_whoever_wants_that(client: Browser, cassiopee: House) -> None:
    make_email(cassiopee, at=NOW, status=Status.FAILED, reason=Reason.USER_UNKNOWN)
    views.prefer_short(cassiopee.staff, True)
    db.session.commit()
    staff = client.sign_in(cassiopee.staff)
    staff.get("/")
    assert not [href for href in staff.html.xpath("//@href") if "operator=" in href or "sender=" in href]
    forms = staff.html.xpath("//form[@action='/views/steps']")
    assert len(forms) == 4  # the operator, the sender, and the failures of each
    for form in forms:
        step = staff.post("/views/steps", dict(form.form_values()))
        assert "v=V-" in step.headers["Location"]


def test_what_waits_is_told_by_why(client: Browser, cassiopee: House, boreale: House) -> None:
    for _ in range(2):
        make_email(cassiopee, status=Status.REQUESTED, queue=QueueState.WAITING, attempts=1)
    make_email(cassiopee, status=Status.REQUESTED, queue=QueueState.DATA_BEGUN)
    make_email(cassiopee, status=Status.UNCERTAIN)
    make_email(boreale, status=Status.REQUESTED, queue=QueueState.WAITING)
    staff = client.sign_in(cassiopee.staff)
    staff.get("/")
    assert counted(staff)["En attente d’envoi"] == "4"
    assert "en cours d’envoi\u00a0: 1, nouvel essai prévu\u00a0: 2, envois incertains\u00a0: 1" in (
        staff.html.xpath("string(//a[@href='/emails?status=waiting'])")
    )


def test_the_scale_is_a_round_number_whose_half_is_whole() -> None:
    assert [round_up(n) for n in (0, 1, 5, 9, 11, 31, 44, 101, 2_501)] == [4, 4, 6, 10, 12, 40, 60, 120, 3_000]
    assert all(n <= round_up(n) <= max(4, 2 * n) and round_up(n) % 2 == 0 for n in range(3_000))
