"""The demo and the seeds: what is seeded is what the house would have recorded."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from documents import blobs
from extensions import db
from history import untreated
from local.postoffice.behaviours import TABLE, behaviour_of
from mail import mime, quarantine
from mail.fold import Fact, fold
from models import (
    Address,
    Attachment,
    Contact,
    DeliveryEvent,
    Email,
    EmailContent,
    Enrolment,
    Grounds,
    Organisation,
    OutboxEntry,
    Sender,
    Suppression,
    TrainingSession,
    User,
)
from models.domain_check import SendingDomain
from models.words import ContactKind, EventKind, Reason, ReturnPath, Role, Status
from people import accounts, training
from planning import completeness
from seeds import bulk, demo, mistyped, news, reasons
from seeds.stories import STORIES
from tests.conftest import House


def facts(email: Email) -> list[Fact]:
    events = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.email_id == email.id))
    return [
        Fact(e.email_id, e.kind, e.source, e.source_event_id, e.occurred_at, e.reason, data=e.data) for e in events
    ]  # fmt: skip


def check(email: Email) -> None:
    """The stored columns are what the fold says of the stored facts, and the bytes are the bytes."""
    told = facts(email)
    folded = fold(told)
    assert (email.status, email.reason, email.marks, email.sent_at) == (
        folded.status, folded.reason, int(folded.marks), folded.sent_at,
    )  # fmt: skip
    if email.reason is not Reason.SUPPRESSED:  # that one the house recorded itself, just now
        assert email.updated_at == max(fact.occurred_at for fact in told)
    assert email.created_at == min(fact.occurred_at for fact in told)
    content = db.session.get_one(EmailContent, email.id)
    if content.erased_at:  # the one so old that retention has taken its words; the digest stays
        assert (content.skeleton, content.cuts, len(content.sha256)) == (b"", [], 64)
        return
    whole = mime.join(content.skeleton, content.cuts)
    assert (hashlib.sha256(whole).hexdigest(), len(whole)) == (content.sha256, content.size)
    assert ("Subject", email.subject) in list(mime.shown(content.skeleton).headers)
    files = db.session.scalars(select(Attachment).where(Attachment.email_id == email.id)).all()
    assert len(files) == email.attachment_count
    assert all(blobs.describe(file.sha256) for file in files)
    pixel = "/t/o/" in (mime.shown(content.skeleton).html or "")
    assert pixel == email.open_measured
    waiting = db.session.get(OutboxEntry, email.id) is not None
    assert waiting == (email.status is Status.REQUESTED)


@pytest.fixture
def seeded(cassiopee: House) -> House:
    cassiopee.organisation.track_opens = True
    db.session.commit()
    bulk.seed(cassiopee.organisation, cassiopee.sender, cassiopee.admin, 2500)
    return cassiopee


def test_seeded_rows_agree_with_the_fold(seeded: House) -> None:
    emails = db.session.scalars(select(Email).where(Email.organisation_id == seeded.id)).all()
    assert len(emails) == 2500
    for email in emails[::7]:
        check(email)
    assert {email.status for email in emails} == set(Status)
    now = db.session.execute(select(func.now())).scalar_one()
    assert max(e.updated_at for e in emails) <= now
    assert 1000 < (max(e.created_at for e in emails) - min(e.created_at for e in emails)).days < 1100
    assert len({e.type for e in emails}) == 8
    assert len({e.contact_id for e in emails}) > 40
    assert len({e.training_session_id for e in emails}) > 5
    folded = func.fold_text(Contact.last_name + " " + Contact.first_name)
    unfolded = select(func.count()).where(Contact.kind != ContactKind.COMPANY, Contact.sort_name != folded)
    assert db.session.scalar(unfolded) == 0


def test_nothing_is_opened_where_nothing_is_measured(cassiopee: House) -> None:
    bulk.seed(cassiopee.organisation, cassiopee.sender, None, 300)
    emails = db.session.scalars(select(Email)).all()
    assert not any(email.open_measured or email.status is Status.OPENED for email in emails)


def test_seeding_again_adds(seeded: House) -> None:
    bulk.seed(seeded.organisation, seeded.sender, None, 100)
    assert db.session.scalar(select(func.count()).select_from(Email)) == 2600


@pytest.mark.parametrize("name", STORIES)
def test_each_story_ends_where_its_name_says(name: str) -> None:
    story = STORIES[name]
    assert story.rows[story.winner][1].split("\t")[0] in {step.kind.value for step in story.steps} | {"requested"}
    assert (story.folded.status is Status.REQUESTED) == story.waits
    assert [step.after for step in story.steps] == sorted(step.after for step in story.steps)


def test_demo_is_made_once(app: Flask) -> None:
    assert demo.make()["demo"] == "made"
    counts = [db.session.scalar(select(func.count()).select_from(model)) for model in (User, Contact, Email)]
    assert demo.make()["demo"] == "kept"
    assert counts == [db.session.scalar(select(func.count()).select_from(model)) for model in (User, Contact, Email)]
    assert db.session.scalar(select(func.count()).where(Email.treated_note != "")) == 2
    cassiopee = db.session.scalars(select(Organisation).order_by(Organisation.id)).first()
    today = training.today(cassiopee)
    assert untreated.urgent(cassiopee.id, today, today + timedelta(days=4), None), "one to call before a session"
    assert counts[0] == 4
    assert counts[1] >= 60
    assert counts[2] > 100
    for email in db.session.scalars(select(Email)):
        check(email)


def test_demo_is_what_people_are_told(app: Flask) -> None:
    demo.make()
    roles = {email: accounts.authenticate(email, "demo") for email in accounts.DEMO_ACCOUNTS}
    assert [user.role for user in roles.values() if user] == [Role.STAFF, Role.MANAGER, Role.ADMIN, Role.ADMIN]
    organisations = db.session.scalars(select(Organisation).order_by(Organisation.id)).all()
    assert [o.name for o in organisations] == ["Atelier Cassiopée", "Formation Boréale"]
    assert all(o.track_opens for o in organisations)
    senders = db.session.scalars(select(Sender).order_by(Sender.id)).all()
    assert [(s.address, s.return_path, s.bounce_address, s.is_default) for s in senders] == [
        ("formation@cassiopee.example", ReturnPath.VERP, "retours@cassiopee.example", True),
        ("formation@boreale.example", ReturnPath.VERP, "retours@boreale.example", True),
        ("inscriptions@boreale.example", ReturnPath.OWN, "", False),
        ("bonjour@lettres-cassiopee.example", ReturnPath.OWN, "", False),
    ]
    assert [bool(s.paused_at and s.paused_why) for s in senders] == [False, False, True, False], "a pause to look at"
    states = db.session.execute(select(SendingDomain.domain, SendingDomain.state, SendingDomain.broken_at.is_not(None)))
    assert sorted((domain, state.value, broke) for domain, state, broke in states) == [
        ("boreale.example", "good", False), ("cassiopee.example", "bad", True),
        ("lettres-cassiopee.example", "weak", False),
    ]  # fmt: skip
    theirs = db.session.scalars(select(TrainingSession).where(TrainingSession.title == demo.DEMO_SESSION)).one()
    assert theirs.starts_on is not None
    assert theirs.starts_on > date.today()
    learners = db.session.scalars(
        select(Contact)
        .join(Enrolment, Enrolment.contact_id == Contact.id)
        .where(Enrolment.training_session_id == theirs.id, Contact.kind == ContactKind.LEARNER)
        .order_by(Contact.id)
    ).all()
    assert [behaviour_of(learner.email).about.rpartition(":")[2].strip() for learner in learners] == [
        "Envoyé", "Reçu", "Reçu et ouvert", "Réception impossible", "Erreur à l'envoi", "Demandé, puis Envoyé",
    ]  # fmt: skip


def test_tomorrow_has_a_session_at_risk_whatever_the_day(app: Flask) -> None:
    organisation = Organisation(name="Un jour quelconque")
    db.session.add(organisation)
    db.session.flush()
    for number in range(7):
        day = date(2026, 11, 16) + timedelta(days=number)
        made = demo._session(organisation, "Demain", f"DEM-{number}", 1, 1, "", day)
        assert (made.starts_on, made.ends_on) == (day + timedelta(days=1),) * 2
    demo.make()
    cassiopee = db.session.scalars(select(Organisation).where(Organisation.name == "Atelier Cassiopée")).one()
    tomorrow = training.today(cassiopee) + timedelta(days=1)
    risks = completeness.at_risk(cassiopee)
    assert [(one.starts_on, bool(one.missing)) for one in risks][:1] == [(tomorrow, True)]


def test_the_demo_has_an_example_of_every_reason(app: Flask) -> None:
    demo.make()
    run = db.session.scalars(select(TrainingSession).where(TrainingSession.title == reasons.SESSION)).one()
    emails = db.session.scalars(select(Email).where(Email.training_session_id == run.id)).all()
    for email in emails:
        check(email)
    waiting = {email.reason for email in emails if email.status is Status.REQUESTED}
    assert waiting == {Reason.GREYLISTED, Reason.THROTTLED}
    failed = {email.reason for email in emails if email.reason and email.status is email.reason.status}
    assert failed | waiting == set(Reason)
    assert [email.status for email in emails].count(Status.UNCERTAIN) == 1
    people = {address.id: address for address in db.session.scalars(select(Address))}
    for email in emails:
        behaviour = behaviour_of(people[email.address_id].address)
        silent = email.reason in (Reason.NOT_PREPARED, Reason.CANCELLED, Reason.TOO_LATE)
        assert (behaviour is TABLE["recu"]) == silent, "a resend to the same address fails for the same reason"
    held = quarantine.quarantined(run.organisation_id, [people[email.address_id].address for email in emails])
    dead = {email.address_id for email in emails if email.reason and email.reason.address_dead}
    assert held == {people[address_id].address for address_id in dead}


def test_the_demo_shows_every_kind_of_news(app: Flask) -> None:
    demo.make()
    run = db.session.scalars(select(TrainingSession).where(TrainingSession.title == news.SESSION)).one()
    emails = db.session.scalars(select(Email).where(Email.training_session_id == run.id).order_by(Email.id)).all()
    assert len(emails) == len(news.PEOPLE)
    for email in emails:
        check(email)
    theirs = select(DeliveryEvent.kind).where(DeliveryEvent.email_id.in_([email.id for email in emails]))
    kinds = set(db.session.scalars(theirs))
    elsewhere = {EventKind.DEFERRED, EventKind.REFUSED, EventKind.NOT_SENT, EventKind.BOUNCED, EventKind.RESENT}
    assert kinds | elsewhere | {EventKind.COPIED} >= set(EventKind)
    assert {email.status for email in emails} == {Status.SENT, Status.DELIVERED, Status.OPENED}


def test_the_demos_quarantine_is_what_its_history_says(app: Flask) -> None:
    """Nothing left for an address in quarantine; what lasts has a story, and one e-mail was stopped by it."""
    demo.make()
    cassiopee = db.session.scalars(select(Organisation).order_by(Organisation.id)).first()
    spells = db.session.scalars(select(Suppression).where(Suppression.organisation_id == cassiopee.id)).all()
    lasting = {one.address: one for one in spells if one.lifted_at is None}
    assert len(lasting) >= 5 and {one.reason for one in lasting.values()} == set(Grounds)
    lifted = [one for one in spells if one.lifted_at is not None]
    assert lifted and all(one.lifted_by_id and one.lifted_note and one.lifted_at > one.shown_at for one in lifted)
    emails = db.session.execute(
        select(Email, Address.address).join(Address, Address.id == Email.address_id)
        .where(Email.organisation_id == cassiopee.id)
    ).all()  # fmt: skip
    stopped = 0
    for email, address in emails:
        held = lasting.get(address)
        if email.reason is Reason.SUPPRESSED:
            stopped += 1
            assert held is not None and held.shown_at < email.created_at
        elif held is not None:
            assert email.created_at <= held.shown_at, "it would not have left"
        elif email.reason is not None and email.reason.address_dead:
            assert any(one.address == address for one in lifted)
    assert stopped >= 1


def test_every_seeded_address_is_reserved(app: Flask) -> None:
    demo.make()
    """None that anybody has, but for a slip of the fingers: what the demo sends leaves for the practice post office."""
    strangers = [c.email for c in db.session.scalars(select(Contact)) if not c.email.endswith(".example")]
    assert strangers == [mistyped.SLIP]


def test_commands_speak_json(app: Flask, cassiopee: House) -> None:
    runner = app.test_cli_runner()
    app.extensions["services"] = lambda: app.app_context()
    answer = runner.invoke(args=["token", "create", "--user", "ADMIN@cassiopee.example"])
    line = json.loads(answer.stdout)
    assert line["token"].startswith("sil_")
    digest = hashlib.sha256(line["token"].encode()).hexdigest()
    assert db.session.execute(text("SELECT secret_sha256 FROM api_token")).scalar_one() == digest
    assert runner.invoke(args=["token", "create", "--user", "nobody@x.example"]).exit_code == 1
    answer = runner.invoke(args=["seed", "--emails", "50", "--organisation", "Nouvel organisme"])
    line = json.loads(answer.stdout)
    assert (line["organisation"], line["emails"]) == ("Nouvel organisme", 50)
    made = select(func.count()).select_from(Email).join(Organisation, Organisation.id == Email.organisation_id)
    assert db.session.scalar(made.where(Organisation.name == "Nouvel organisme")) == 50
