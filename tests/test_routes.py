"""Every route × every person: what each may do is in one table, and nobody sees another organisation's rows.

Made from the URL map, so a new route is tested the day it exists; one without a guard, or whose parameters or form
are not known here, fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from werkzeug.routing import Rule

import mail
from blueprints.support import ANYONE
from documents import blobs
from extensions import db
from mail import bulk_resend, paces, tokens
from mail.compose import Draft, File
from mail.providers import accounts as providers
from mail.providers import brevo, hearing
from mail.providers.event import Call
from models import (
    ApiToken,
    BillingSource,
    BusinessEvent,
    Contact,
    DeliveryEvent,
    DkimKey,
    Document,
    DocumentKind,
    Email,
    EventOutcome,
    Export,
    Grounds,
    InboundMessage,
    LeftBy,
    Opportunity,
    OptOut,
    Programme,
    ProviderAccount,
    ProviderEvent,
    ResendRun,
    SavedView,
    Segment,
    SenderTrial,
    SmtpAccount,
    Stage,
    Suppression,
    Template,
    TemplateVersion,
    TrainingSession,
    TrainingType,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from models.domain_check import SendingDomain
from models.provider import Via
from models.words import ALLOWED, ContactKind, EventKind, Permission
from people import accounts, contacts, training
from people.tokens import Access
from planning import billing
from tests.client import Browser
from tests.conftest import House
from webhooks import endpoints, signing

CANARY = "Zzcanari"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MOMENT = "2026-11-22T09:14:00+00:00"


def rules(app: Flask) -> list[tuple[Rule, str]]:
    """Each (rule, method) that a person can ask for; the API has tokens and tests of its own."""
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and not rule.rule.startswith("/api/")
        for method in sorted((rule.methods or set()) & set(METHODS))
    ]


@dataclass
class World:
    """Atelier Cassiopée with data that could leak."""

    house: House
    session: TrainingSession
    learner: Contact
    email: Email
    key: ApiToken
    export: Export
    segment: Segment
    view: SavedView
    webhook: WebhookEndpoint
    told: WebhookDelivery
    kind: TrainingType
    template: Template
    opportunity: Opportunity
    document: Document
    event: BusinessEvent
    source: BillingSource
    programme: Programme
    held: Suppression
    left: OptOut
    run: ResendRun
    account: SmtpAccount
    trial: SenderTrial
    orphan: InboundMessage
    provider: ProviderAccount
    news: ProviderEvent

    def parameters(self, rule: Rule) -> dict[str, Any]:
        """What fills the rule's address."""
        own = {
            "sessions": self.session, "compose": self.session, "imports": self.session,
            "completeness": self.session, "opportunities": self.opportunity, "spaces": self.session,
            "documents": self.session, "evaluations": self.session, "programmes": self.programme,
            "contacts": self.learner, "todo": self.email, "emails": self.email, "attachments": self.email,
            "proofs": self.email,
            "resending": self.email,
            "leaving": self.left,
            "quarantine": self.email if rule.rule.startswith("/emails/") else self.held, "assistance": self.email,
            "reports": self.email if rule.rule.startswith("/emails/") else self.orphan,
            "exports": self.export, "domains": self.email,
            "segments": self.segment, "views": self.view,
            "webhooks": self.webhook, "planned": self.session, "automations": self.session, "events": self.event,
            "billing_sources": self.source, "providers": self.provider,
            "templates": self.template, "template_versions": self.template, "accounts": self.account,
            "trials": self.trial if rule.endpoint == "trials.show" else self.account,
        }.get(rule.endpoint.partition(".")[0])  # fmt: skip
        known = {
            "public_id": own.public_id if own else None, "contact_id": self.learner.public_id, "position": 1,
            "number": {"reports": self.orphan.id, "told": self.news.id}.get(rule.endpoint.partition(".")[0], 1),
            "domain": "cassiopee.example",
            "selector": "zzcanari", "step": "sender",
            "kind": "learners", "sender_id": self.house.sender.id, "user_id": self.house.staff.id,
            "token": tokens.token("pixel", self.email.id), "token_id": self.key.id,
            "type_id": self.kind.id, "email_id": self.email.public_id,
            "slug": "convocation", "name": "brevo", "moment": "hot", "document_id": self.document.public_id,
            "message_id": f"msg_{self.told.message_id.hex}",
            "plan_id": self.email.public_id, "source_id": self.source.public_id,
            "run_id": self.run.public_id, "account_id": self.account.public_id, "packed": "aHR0cHM6Ly94",
        }  # fmt: skip
        return {name: known[name] for name in rule.arguments}

    def form(self, rule: Rule) -> dict[str, Any]:
        """A form that this route would carry out (or refuse with 422), not one it would not find."""
        return {
            "sessions.enrol": {"contact": self.learner.public_id},
            "documents.upload": {"contact": self.learner.public_id},
            "opportunities.move": {"stage": "won"},
            "resending.create": {"request_key": "0f8fad5b-d9cb-469f-a165-70867728950e"},
            "resending.resend_others": {"request_key": "k"},
            "quarantine.lift_for": {"resend": "1", "request_key": "k"},
            "reports.attach": {"email_id": self.email.public_id, "note": "x", "meaning": "delivered"},
            "told.attach": {"email_id": self.email.public_id, "note": "x"},
            "told.dismiss_all": {"newest": str(self.news.id)},
            "quarantine.judge": {"received": "no", "note": "x"},
            "bulk.choose": {"query": "status=error", "which": "all", "export": "csv"},
            "bulk.treat": {"query": "status=error", "seen": _MOMENT},
            "resend_runs.choices": {"do": "take", "row": self.email.public_id},
            "exports.create": {"format": "csv", "query": "status=error"},
            "segments.members": {"contact": self.learner.public_id},
            "views.keep": {"query": "status=error", "name": "x"}, "views.change": {"name": "x", "shared": "1"},
            "views.shorten": {"query": "status=error"}, "views.columns": {"list": "global"},
            "todo.treat": {"what": "cause", "cause": "spam", "domain": "x.example", "seen": _MOMENT},
            "corrections.correct": {"cause": "user_unknown", "request_key": "k", "to-E-1": "x@y.example"},
            "todo.undo": {"at": _MOMENT, "oldest": _MOMENT, "newest": _MOMENT},
            "auth.language": {"language": "fr"},
            "auth.theme": {"theme": "dark"},
        }.get(rule.endpoint, {})  # fmt: skip


def business_event(house: House) -> BusinessEvent:
    """An event that a program told."""
    return BusinessEvent(
        organisation_id=house.id, source="api", event_id=CANARY, type="card.expired", outcome=EventOutcome.SWITCHED_OFF,
        occurred_at=datetime(2026, 11, 20, tzinfo=UTC), payload={"id": CANARY, "customer": {"name": CANARY}},
    )  # fmt: skip


@pytest.fixture
def world(cassiopee: House, boreale: House) -> World:
    learner = Contact(organisation_id=cassiopee.id, kind=ContactKind.LEARNER)
    contacts.save(learner, first_name=CANARY, last_name=CANARY, email="zzcanari@mail.example", notes=CANARY)
    made = training.save(TrainingSession(), cassiopee.organisation, [], title=CANARY, reference=CANARY, place=CANARY)
    db.session.flush()
    training.enrol(made, [learner])
    file = File.of(f"{CANARY}.pdf", blobs.store(b"%PDF-1.4 zzcanari", f"{CANARY}.pdf"))
    draft = Draft(
        learner.email, learner.name, learner.id, made.id, "free", CANARY, f"<p>{CANARY}</p>", CANARY, (file,)
    )  # fmt: skip
    emails = mail.post(
        [draft], organisation=cassiopee.organisation, sender=cassiopee.sender, by=cassiopee.staff, request_key="1"
    )
    cassiopee.sender.name = cassiopee.organisation.name = cassiopee.staff.name = CANARY
    key, _secret = accounts.new_token(cassiopee.admin, CANARY)
    db.session.commit()
    mine = Export(organisation_id=cassiopee.id, user_id=cassiopee.admin.id, format="csv", query="", filename=CANARY)
    db.session.add(mine)
    db.session.commit()
    segment = Segment(organisation_id=cassiopee.id, name=CANARY)
    view = SavedView(
        organisation_id=cassiopee.id, user_id=cassiopee.admin.id, name=CANARY, query=f"subject={CANARY}", shared=True
    )
    template = Template(organisation_id=cassiopee.id, type="card.expired", name=CANARY)
    template.versions = [
        TemplateVersion(organisation_id=cassiopee.id, number=1, subject_fr=CANARY, message_fr=CANARY, note=CANARY)
    ]
    db.session.add(template)
    kind = TrainingType(organisation_id=cassiopee.id, name=CANARY, required=["convocation"])
    programme = Programme(organisation_id=cassiopee.id, title=CANARY)
    document = Document(
        organisation_id=cassiopee.id, training_session_id=made.id, contact_id=learner.id,
        kind=DocumentKind.CONVOCATION, filename=f"{CANARY}.pdf", sha256=file.sha256,
    )  # fmt: skip
    db.session.add_all([segment, view, kind, document, programme])
    db.session.commit()
    opportunity = Opportunity(organisation_id=cassiopee.id, title=CANARY, contact_id=learner.id, stage=Stage.LEAD)
    db.session.add(opportunity)
    db.session.flush()
    document.opportunity_id = opportunity.id
    db.session.commit()
    event = business_event(cassiopee)
    left = OptOut(organisation_id=cassiopee.id, address="zzcanari.parti@mail.example", type="newsletter",
                  left_by=LeftBy.PAGE)  # fmt: skip
    held = Suppression(organisation_id=cassiopee.id, address="zzcanari.perdu@mail.example",
                       reason=Grounds.USER_UNKNOWN, email_id=emails[0].id, shown_at=emails[0].created_at)  # fmt: skip
    db.session.add_all([held, left])
    account = SmtpAccount(organisation_id=cassiopee.id, name=CANARY, host="smtp.zzcanari.example", port=587)
    db.session.add(account)
    db.session.flush()
    paces.set_limit(account.id, "cassiopee.example", 60, None)
    raw = f"Subject: {CANARY}\r\n\r\n{CANARY}\r\n".encode()
    orphan = InboundMessage(
        organisation_id=cassiopee.id, sha256=CANARY, mailbox="m", outcome="orphan", size=len(raw), raw=raw,
        kind="bounce", summary={"subject": CANARY, "from": CANARY, "recipients": [["zz@x.example", "failed", ""]]},
    )  # fmt: skip
    db.session.add(orphan)
    db.session.flush()
    db.session.add(DeliveryEvent(
        organisation_id=cassiopee.id, email_id=emails[0].id, kind=EventKind.ACCEPTED, source="smtp",
        source_event_id="1", occurred_at=emails[0].created_at, inbound_message_id=orphan.id,
    ))  # fmt: skip
    provider = providers.make(cassiopee.id, "brevo", CANARY)
    db.session.flush()
    told_of_nothing = brevo.parse(Call({}, json.dumps({"event": "delivered", "email": f"{CANARY}@x.example"}).encode()))
    hearing.hear(cassiopee.id, provider.id, "brevo", map(hearing.Told, told_of_nothing), Via.WEBHOOK)
    news = db.session.scalars(select(ProviderEvent)).one()
    run = bulk_resend.prepare(cassiopee.admin, select(Email.id))
    source = billing.make(cassiopee.id, CANARY, signing.seal(signing.new_secret()))
    db.session.add(event)
    followed = SendingDomain(organisation_id=cassiopee.id, domain="cassiopee.example")
    db.session.add(followed)
    db.session.flush()
    db.session.add(DkimKey(organisation_id=cassiopee.id, domain_id=followed.id, selector="zzcanari",
                           public_key="AAAA", private_key=b""))  # fmt: skip
    trial = SenderTrial(organisation_id=cassiopee.id, sender_id=cassiopee.sender.id, account_id=account.id,
                        recipient=learner.email, finished_at=emails[0].created_at, arrived=True)  # fmt: skip
    db.session.add(trial)
    db.session.commit()
    # the e-mail above was asked for before anybody listened: this test is all that the webhook was told
    webhook, _shown = endpoints.create(cassiopee.admin, "https://zzcanari.example/", CANARY, ["email.sent"])
    told = endpoints.try_out(webhook)
    db.session.commit()
    return World(
        cassiopee, made, learner, emails[0], key, mine, segment=segment, view=view, kind=kind, webhook=webhook,
        template=template,
        opportunity=opportunity,
        told=told, event=event, source=source, document=document, programme=programme, held=held, left=left, run=run,
        account=account, trial=trial, orphan=orphan, provider=provider, news=news,
    )  # fmt: skip


def kept(house: House, log: bool = True) -> str:
    """All that a request might have changed of Atelier Cassiopée, as one text: every table that it owns rows of.
    Without the `log`: taking an export away is noted, though one takes it by a GET."""
    db.session.rollback()
    tables = {table.name: f'"{table.name}"' for table in db.metadata.sorted_tables if "organisation_id" in table.c}
    tables["saved_view"] = "(SELECT * FROM saved_view WHERE shared)"
    if not log:
        del tables["audit_entry"]
    each = "SELECT '{}', md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} t WHERE organisation_id = :o"
    query = " UNION ALL ".join(each.format(name, table) for name, table in tables.items())
    found = db.session.execute(text(query), {"o": house.id}).all()
    db.session.rollback()
    return json.dumps({row[0]: row[1] for row in found}, indent=1)


def ask(
    app: Flask, user: User | None, method: str, address: str, form: dict[str, Any], csrf: bool = True,
    htmx: bool = False,
) -> Any:  # fmt: skip
    browser = Browser(app)
    if user is not None:
        browser.sign_in(user)
    headers = {"X-CSRFToken": browser.token()} if csrf and method != "GET" else {}
    if htmx:
        headers["HX-Request"] = "true"
    with app.app_context():
        return browser.client.open(address, method=method, data=None if method == "GET" else form, headers=headers)


def shows_canary(response: Any) -> bool:
    return CANARY.lower() in (response.get_data().decode(errors="replace") + str(response.headers)).lower()


def test_every_route_has_a_guard(migrated_app: Flask) -> None:
    for rule in migrated_app.url_map.iter_rules():
        if rule.endpoint != "static":
            guard = getattr(migrated_app.view_functions[rule.endpoint], "guard", None)
            assert guard == ANYONE or isinstance(guard, Permission | Access), f"{rule.rule}: state who may with @allow"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "asked" in metafunc.fixturenames:
        from app import create_app
        from config import Config

        app = create_app(Config(env="test", secret_key="x", database_url="postgresql+psycopg:///none",
                                redis_url="redis://127.0.0.1:1/0"))  # fmt: skip
        found = [(rule.rule, method) for rule, method in rules(app)]
        metafunc.parametrize("asked", found, ids=[f"{method} {rule}" for rule, method in found])


# What may answer a person who is allowed, where it is not a page (200), a redirect (303) or a form sent back (422).
OTHERWISE = {
    ("auth.demo", "POST"): {404}, ("billing.told", "POST"): {401}, ("provider_calls.told", "POST"): {401, 415},
    ("emails.changed", "GET"): {200, 204, 286},
    # a person's own only, whatever the role
    ("exports.cancel", "POST"): {303, 404}, ("exports.fetch", "POST"): {303, 404}, ("exports.file", "GET"): {404},
    # the second to delete finds nothing; a view is its owner's, a shared one an admin's too
    ("segments.delete", "POST"): {303, 404}, ("views.delete", "POST"): {303, 403, 404},
    # a document's own person has to be named; the token of an open pixel opens no form
    ("documents.preview", "GET"): {404}, ("documents.preview_pdf", "GET"): {404},
    ("documents.changed", "GET"): {200, 286}, ("evaluations.changed", "GET"): {200, 286},
    ("answers.form", "GET"): {404}, ("answers.answer", "POST"): {404},
    ("track.link", "GET"): {404}, ("receipts.show", "GET"): {404}, ("leaving.show", "GET"): {404},
    ("leaving.leave", "POST"): {404}, ("leaving.back", "POST"): {404}, ("receipts.confirm", "POST"): {404},
    ("answers.done", "GET"): {404}, ("answers.confirm", "POST"): {404},
    ("opportunities.withdraw", "POST"): {303, 404},
    ("spaces.show", "GET"): {404}, ("spaces.body", "GET"): {404}, ("spaces.file", "GET"): {404},
    ("first_run.door", "GET"): {404}, ("first_run.door", "POST"): {404},  # there is somebody already
    ("completeness.changed", "GET"): {200, 286}, ("completeness.letter", "GET"): {404},
    ("training_types.delete", "POST"): {303, 404},
    ("domains.delete_key", "POST"): {303, 404}, ("pace.delete_domain", "POST"): {303, 404},
}  # fmt: skip


def test_who_may_what(app: Flask, world: World, boreale: House, asked: tuple[str, str]) -> None:
    address_of, method = asked
    rule = next(rule for rule, m in rules(app) if (rule.rule, m) == asked)
    guard = app.view_functions[rule.endpoint].guard  # type: ignore[attr-defined]
    with app.test_request_context():
        address = rule.build(world.parameters(rule), append_unknown=False)[1]  # type: ignore[index]
    form, before = world.form(rule), kept(world.house)
    owned = bool(rule.arguments - {"kind", "token", "step"})

    roles = {"staff": world.house.staff, "manager": world.house.manager, "admin": world.house.admin}
    people = [user for user in roles.values() if guard != ANYONE and guard not in ALLOWED[user.role]]
    for htmx in (False, True):  # the page, then the piece of it that htmx asks for
        stranger = ask(app, None, method, address, form, htmx=htmx)
        if guard != ANYONE:
            assert stranger.status_code == (401 if htmx else 303), f"anonymous: {stranger.status_code}"
            where = stranger.headers["HX-Redirect" if htmx else "Location"]
            assert where.startswith("/sign-in"), where
            if method != "GET":
                forged = ask(app, world.house.admin, method, address, form, csrf=False, htmx=htmx)
                assert forged.status_code == 403, "without a token"
        other = ask(app, boreale.admin, method, address, form, htmx=htmx)
        if guard != ANYONE:
            expected = {404} if owned or "contact" in form else {200, 303, 422, 204, 286}
            assert other.status_code in expected, f"another organisation's admin: {other.status_code}"
        for response in (stranger, other):
            assert not shows_canary(response), "a row of Atelier Cassiopée shows"
        for user in people:
            refused = ask(app, user, method, address, form, htmx=htmx)
            assert refused.status_code == 403, f"{user.role}: {refused.status_code}"
            assert not owned or not shows_canary_in_main(refused), f"{user.role} sees what is not for that role"
    if guard != ANYONE:
        assert kept(world.house) == before, "a refused request changed something"

    wanted, before = OTHERWISE.get((rule.endpoint, method), {200, 303, 422, 429}), kept(world.house, log=False)
    for htmx in (False, True) if method == "GET" else (False,):
        for name, user in roles.items():
            if user in people:
                continue
            response = ask(app, user, method, address, form, htmx=htmx)
            ready = rule.endpoint == "health.readyz" and response.status_code == 503
            assert ready or response.status_code in wanted, f"{name}: {response.status_code}"
            if method == "GET" and guard != ANYONE:
                assert kept(world.house, log=False) == before, "a GET wrote something"


def shows_canary_in_main(response: Any) -> bool:
    """Whether the page itself (its frame shows the organisation and the person) holds a row's words."""
    body = response.get_data(as_text=True)
    return f"{CANARY}.pdf" in body or f"{CANARY} {CANARY}" in body


@pytest.mark.parametrize(
    "address",
    [
        "/sessions?q=zzcanari&period=all", "/contacts/learners?q=zzcanari", "/emails?subject=zzcanari",
        "/emails?recipient=zzcanari", "/emails?format=csv", "/emails?format=json", "/emails?format=excel",
        "/emails?session={session}", "/emails?contact={contact}", "/emails/changed?list=global&rows={email}.0",
        "/contacts/learners/new?session={session}", "/contacts/import?session={session}",
    ],
)  # fmt: skip
def test_lists_searches_and_exports_do_not_leak(app: Flask, world: World, boreale: House, address: str) -> None:
    ids = {"session": world.session.public_id, "contact": world.learner.public_id, "email": world.email.public_id}
    for headers in ({}, {"HX-Request": "true"}):
        browser = Browser(app).sign_in(boreale.admin)
        with app.app_context():
            response = browser.client.get(address.format(**ids), headers=headers)
            body = response.get_data(as_text=True)
        assert response.status_code in (200, 204, 286, 303, 400, 404, 422), response.status_code
        # what was typed in the search may be shown again; the name itself is written with a capital
        assert CANARY not in body
