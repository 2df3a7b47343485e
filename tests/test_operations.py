"""Configuration › Envois en cours: figures that lead to the rows they count, pauses by one press, failed jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Flask
from rq.registry import FailedJobRegistry
from sqlalchemy import event, select

import jobs
from extensions import QUEUES, db, queue, ring
from mail import workers
from models import AuditAction, AuditEntry, DeliveryEvent, PaceState, Sender, SmtpAccount
from models.words import EventKind, QueueState, Status
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_email
from tests.mail.test_situation import waiting
from tests.test_health import register

SCREEN = "/settings/operations"


def figures(browser: Browser, heading: str) -> dict[str, list[str]]:
    """Row by row, the figures of the table under that heading."""
    (table,) = browser.html.xpath(f"//section[.//h2[text()='{heading}']]//table")
    return {
        row.xpath("string(./th//*[@class='main-line'])"): [
            cell.text_content().strip() for cell in row.xpath("./td[contains(@class, 'col-figure')]")
        ]
        for row in table.xpath(".//tbody/tr")
    }


def test_all_is_quiet(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.admin).get(SCREEN)
    assert "Tout est calme" in client.text() and "Aucun e-mail n’est parti depuis une heure" in client.text()
    assert not client.html.xpath("//*[@id='now']/@hx-get"), "nothing moves: nothing is asked"


def test_each_figure_leads_to_the_rows_it_counts(client: Browser, cassiopee: House, boreale: House) -> None:
    waiting(cassiopee, "ada@one.example")
    waiting(cassiopee, "bea@one.example", state=QueueState.CLAIMED)
    waiting(cassiopee, "cyd@two.example", tries=1, next_try=timedelta(minutes=9))
    waiting(cassiopee, "dan@two.example", first=timedelta(days=1))
    make_email(cassiopee, "eva@two.example", status=Status.UNCERTAIN)
    waiting(boreale, "zoe@foreign.example")
    admin = client.sign_in(cassiopee.admin)
    admin.get(SCREEN)
    assert "foreign" not in admin.text()
    assert figures(admin, "Par expéditeur") == {"formation@cassiopee.example": ["1"] * 5}
    assert figures(admin, "Par domaine des destinataires") == {
        "two.example": ["—", "—", "1", "1", "1"], "one.example": ["1", "1", "—", "—", "—"],
    }  # fmt: skip
    links = set(admin.html.xpath("//a[@class='stat']/@href | //table[contains(@class, 'figures')]//td/a/@href"))
    assert len(links) == 15
    for link in links:
        admin.get(link)
        assert len(admin.html.xpath("//tbody/tr[contains(@class, 'row') or @id]")) == 1, link


def test_it_follows_what_moves_and_is_silent_otherwise(client: Browser, cassiopee: House) -> None:
    waiting(cassiopee, "ada@one.example")
    admin = client.sign_in(cassiopee.admin)
    admin.get(SCREEN)
    (asked,), (rhythm,) = admin.html.xpath("//*[@id='now']/@hx-get"), admin.html.xpath("//*[@id='now']/@hx-trigger")
    assert rhythm == "every 4s"
    assert admin.get(asked, htmx=True, status=204).data == b""
    waiting(cassiopee, "bea@one.example")
    admin.get(asked, htmx=True)
    assert figures(admin, "Par domaine des destinataires") == {"one.example": ["2", "—", "—", "—", "—"]}
    piece = admin.html.xpath("//*[@id='now']/@hx-get")
    admin.get(SCREEN)
    assert admin.html.xpath("//*[@id='now']/@hx-get") == piece, "the swap equals the reload"


def test_a_press_pauses_and_another_resumes(app: Flask, client: Browser, cassiopee: House, boreale: House) -> None:
    admin, mine = client.sign_in(cassiopee.admin), cassiopee.sender.id
    admin.post(f"{SCREEN}/senders/{mine}/pauses")
    admin.get(SCREEN)
    assert "mis en pause par une personne" in admin.text() and "Reprendre" in admin.text()
    db.session.expire_all()
    assert cassiopee.sender.paused_at is not None
    # a server's refusal keeps its words; a second press changes nothing
    admin.post(f"{SCREEN}/senders/{mine}/resumes")
    cassiopee.sender.paused_at, cassiopee.sender.paused_why = datetime.now(UTC), "535 5.7.8 <b>refused</b>"
    db.session.commit()
    admin.post(f"{SCREEN}/senders/{mine}/pauses")
    admin.get(SCREEN)
    assert admin.html.xpath("string(//q[@lang='en'])") == "535 5.7.8 <b>refused</b>"
    # in full where one looks and sends for the others, in one calm line elsewhere
    resume = f"//form[@action='{SCREEN}/senders/{mine}/resumes']"
    admin.get("/todo")
    assert admin.html.xpath(resume) and "535 5.7.8" in admin.text() and "Voir et reprendre" not in admin.text()
    admin.get("/contacts/learners")
    assert not admin.html.xpath(resume) and "535" not in admin.text() and "est en pause depuis le" in admin.text()
    assert admin.html.xpath("//*[@id='trouble']//a/@href") == ["/settings/senders"]
    admin.post(f"{SCREEN}/senders/{mine}/resumes")
    db.session.expire_all()
    assert (cassiopee.sender.paused_at, cassiopee.sender.paused_why) == (None, "")
    assert len(queue("send")) == 2, "workers are rung at each resume"
    noted = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert noted == [AuditAction.SENDER_PAUSED, AuditAction.SENDER_RESUMED, AuditAction.SENDER_RESUMED]
    admin.post(f"{SCREEN}/senders/{boreale.sender.id}/pauses", status=404)


def test_all_senders_of_an_account_at_once(client: Browser, cassiopee: House, boreale: House) -> None:
    account = SmtpAccount(organisation_id=cassiopee.id, name="Brevo", host="smtp.example", port=587)
    db.session.add(account)
    db.session.flush()
    others = [
        Sender(organisation_id=cassiopee.id, name=name, address=f"{name}@cassiopee.example", account_id=account.id)
        for name in ("un", "deux")
    ]
    db.session.add_all(others)
    db.session.commit()
    admin = client.sign_in(cassiopee.admin)
    admin.post(f"{SCREEN}/accounts/{account.public_id}/pauses")
    db.session.expire_all()
    assert [one.paused_at is not None for one in (*others, cassiopee.sender)] == [True, True, False]
    admin.get(SCREEN)
    assert "Reprendre tout « Brevo »" in admin.text().replace("\u00a0", " ")
    admin.post(f"{SCREEN}/accounts/{account.public_id}/resumes")
    admin.post(f"{SCREEN}/accounts/house/pauses")
    db.session.expire_all()
    assert [one.paused_at is not None for one in (*others, cassiopee.sender)] == [False, False, True]
    client.sign_in(boreale.admin).post(f"{SCREEN}/accounts/{account.public_id}/pauses", status=404)


def fail(app: Flask, name: str, error: str, *args: int) -> str:
    """A job that RQ gave up with those words; its id."""
    ring(name, "send", *args)
    job = queue("send").jobs[-1]
    queue("send").remove(job)
    job.ended_at = datetime.now(UTC)
    with app.extensions["redis"].pipeline() as pipeline:
        job._handle_failure(error, pipeline)
        pipeline.execute()
    return job.id


def test_failed_jobs_with_what_they_held_of_ours_alone(
    app: Flask, client: Browser, cassiopee: House, boreale: House
) -> None:
    told = 'Traceback\n  File "x"\npsycopg.OperationalError: the secret words\n'
    drain = fail(app, "drain", told)
    killed = fail(app, "drain", "Work-horse terminated unexpectedly; waitpid returned 9 (signal 9); ")
    fail(app, "replan_organisation", told, boreale.id)
    for house, address in ((cassiopee, "ada@one.example"), (boreale, "zoe@foreign.example")):
        email = make_email(house, address, name=address, status=Status.UNCERTAIN)
        db.session.add(DeliveryEvent(
            organisation_id=house.id, email_id=email.id, kind=EventKind.OUTCOME_UNKNOWN, source="reaper",
            source_event_id="1", occurred_at=datetime.now(UTC), data={"owner": f"h:1:{drain}", "job": drain},
        ))  # fmt: skip
    db.session.commit()
    admin = client.sign_in(cassiopee.admin)
    admin.get(SCREEN)
    text = admin.text()
    assert "OperationalError" in text and "secret words" not in text and "arrêté d’un coup" in text
    assert "ada@one.example" in text and "foreign" not in text
    assert "Calcul des envois automatiques" not in text, "rung for another organisation"
    admin.post(f"{SCREEN}/failed", {"do": "retry", "job": [drain]})
    assert [job.id for job in queue("send").jobs] == [drain]
    admin.post(f"{SCREEN}/failed", {"do": "dismiss", "job": [killed, "no-such-job"]})
    admin.get(SCREEN)
    assert "Travaux interrompus" not in admin.text()
    noted = db.session.execute(select(AuditEntry.action, AuditEntry.subject).order_by(AuditEntry.id)).all()
    assert [tuple(one) for one in noted] == [
        (AuditAction.JOBS_RETRIED, "drain"), (AuditAction.JOBS_DISMISSED, "drain"),
    ]  # fmt: skip
    assert len(FailedJobRegistry(queue=queue("send")).get_job_ids()) == 1, "the other organisation's stays"


def test_who_works_at_what(app: Flask, client: Browser, cassiopee: House) -> None:
    for name in QUEUES[:2]:
        register(app, f"w-{name}", name)
    admin = client.sign_in(cassiopee.admin)
    admin.get(SCREEN)
    crew = [item.xpath("string(.//strong)") for item in admin.html.xpath("//ul[@class='crew']/li")]
    assert crew == ["Envoi", "Retours"]
    assert "Personne ne sert la file « Travaux »" in admin.text().replace("\u00a0", " ")


def test_what_is_slowed_by_which_words(client: Browser, cassiopee: House, boreale: House) -> None:
    make_email(cassiopee, "ada@orange.example")
    db.session.add(PaceState(
        account_id=0, domain="orange.example", slowed_at=datetime.now(UTC), slowed_since=datetime.now(UTC),
        slowed_rate=10.0, whole_rate=60.0, slowed_lines=1.0, whole_lines=4.0, words="421 4.7.28 Too many connections",
    ))  # fmt: skip
    db.session.commit()
    admin = client.sign_in(cassiopee.admin)
    admin.get(SCREEN)
    text = admin.text()
    assert "Envois ralentis" in text and "orange.example" in text and "421 4.7.28 Too many" in text
    client.sign_in(boreale.admin).get(SCREEN)
    assert "orange.example" not in client.text(), "this house has not written there"


def test_every_job_has_a_name_on_the_screen() -> None:
    own = {name for name, value in vars(jobs).items() if callable(value) and value.__module__ == "jobs"}
    own -= {"ask_to_stop", "work_for", "_stop", "_sweeping"}  # what jobs are made with
    assert own <= workers.JOB_LABELS.keys()
    assert all(callable(getattr(jobs, name)) for name in workers.JOB_LABELS)


def test_it_costs_the_same_for_one_and_for_many(app: Flask, client: Browser, cassiopee: House) -> None:
    admin, counts = client.sign_in(cassiopee.admin), []
    for number in (1, 12):
        for n in range(number):
            waiting(cassiopee, f"p{n}@d{n}.example")
            db.session.add(Sender(organisation_id=cassiopee.id, name="x", address=f"{number}.{n}@cassiopee.example"))
            fail(app, "drain", "ValueError: x")
        db.session.commit()
        seen: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        admin.get(SCREEN)
        event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 9, counts
