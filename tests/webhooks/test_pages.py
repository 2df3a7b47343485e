"""Configuration › Webhooks: made, its secret shown once, tried, paused, renewed, its history; for admins alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from extensions import db
from models import WebhookDelivery, WebhookEndpoint
from models.webhook import TYPES, DeliveryState, OffReason
from tests.client import Browser
from tests.conftest import House
from tests.webhooks.conftest import make
from tests.webhooks.receiver import Receiver
from tests.webhooks.test_announcing import ask
from tests.webhooks.test_signing import verify
from webhooks import deliver, signing, switching

FORM = {
    "url": "https://hooks.example.org/in",
    "description": "Tableau de bord",
    "types": ["email.sent", "email.failed"],
}


@pytest.fixture
def admin(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.admin)


def only() -> WebhookEndpoint:
    db.session.expire_all()
    return db.session.scalars(select(WebhookEndpoint)).one()


def test_an_admin_makes_one_and_sees_its_secret_once(admin: Browser, cassiopee: House) -> None:
    admin.get("/settings/webhooks")
    assert "Aucun webhook" in admin.text()
    admin.get("/settings/webhooks/new")
    chosen = admin.html.xpath("//input[@name='types'][@checked]/@value")
    assert chosen == [type_ for type_ in TYPES if type_ != "email.requested"]
    answer = admin.post("/settings/webhooks/new", FORM, status=200)
    assert answer.headers["Cache-Control"] == "no-store"
    secret = admin.html.get_element_by_id("secret").text_content()
    made = only()
    assert (made.url, made.types, made.organisation_id, made.created_by_id) == (
        "https://hooks.example.org/in", ["email.sent", "email.failed"], cassiopee.id, cassiopee.admin.id
    )  # fmt: skip
    assert signing.unseal(made.secret) == secret and secret not in made.secret
    for address in ("/settings/webhooks", f"/settings/webhooks/{made.public_id}"):
        page = admin.get(address)
        assert secret not in page.get_data(as_text=True) and "Tableau de bord" in admin.text()
    assert "Envoyé, Erreur à l’envoi" in admin.text() and "Aucun message pour l’instant" in admin.text()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": ""}, "Indiquez l’adresse à prévenir."),
        ({"url": "http://hooks.example.org/"}, "rien n’est envoyé en clair"),
        ({"url": "https://192.168.0.1/"}, "réseau privé"),
        ({"url": "https://169.254.169.254/latest"}, "réseau privé"),
        ({"url": "https://user:x@hooks.example.org/"}, "ni mot de passe"),
        ({"url": "nonsense"}, "n’est pas une adresse web valide"),
        ({"types": []}, "Choisissez au moins un état."),
        ({"types": ["email.nonsense"]}, "Choisissez dans la liste."),
        ({"description": "a\r\nb"}, "caractère invisible"),
    ],
)
def test_mistakes_are_named(admin: Browser, wrong: dict[str, object], words: str) -> None:
    admin.post("/settings/webhooks/new", FORM | wrong, status=422)
    assert words in admin.text().replace("\u00a0", " ")
    assert db.session.query(WebhookEndpoint).count() == 0


def test_it_is_changed_paused_resumed_renewed_and_deleted(admin: Browser, cassiopee: House) -> None:
    admin.post("/settings/webhooks/new", FORM, status=200)
    made = only()
    here = f"/settings/webhooks/{made.public_id}"
    admin.get(f"{here}/edit")
    admin.post(f"{here}/edit", FORM | {"url": "https://10.0.0.1/"}, status=422)
    admin.post(f"{here}/edit", FORM | {"url": "https://other.example/x", "types": ["email.opened"]})
    assert (only().url, only().types) == ("https://other.example/x", ["email.opened"])
    first = only().secret
    admin.post(f"{here}/pause")
    admin.get(here)
    assert "En pause" in admin.text() and "Reprendre" in admin.text()
    admin.post(f"{here}/resume")
    assert only().active
    answer = admin.post(f"{here}/secret", status=200)
    assert answer.headers["Cache-Control"] == "no-store" and "deux signatures" in admin.text()
    until = only().old_secret_until
    assert only().old_secret == first and only().secret != first and until is not None
    assert timedelta(hours=23, minutes=59) < until - datetime.now(UTC) < timedelta(hours=24, minutes=1)
    admin.get(here)
    assert "Ancien secret accepté" in admin.text()
    admin.post(f"{here}/delete")
    assert db.session.query(WebhookEndpoint).count() == 0


def test_a_test_is_sent_and_its_answer_shown(
    admin: Browser, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:  # fmt: skip
    here = f"/settings/webhooks/{endpoint.public_id}"
    admin.post(f"{here}/tests")
    admin.get(here)
    live = admin.html.get_element_by_id("live")
    assert "à livrer" in admin.text() and "load delay" in live.get("hx-trigger")
    deliver()
    admin.get(live.get("hx-get"), htmx=True)
    assert "livré" in admin.text() and not admin.html.xpath("//*[@id='live']")
    link = admin.html.xpath("//a[@class='expand']")[0]
    admin.get(link.get("hx-get"), htmx=True)
    assert "answer 200 é" in admin.text() and "webhook.test" in admin.text()
    opened = admin.html.xpath("//a[@class='expand']")[0]
    assert opened.get("aria-expanded") == "true"
    admin.get(opened.get("hx-get"), htmx=True)
    assert "answer 200" not in admin.text() and "hx-swap-oob" in admin.get(opened.get("hx-get"), htmx=True).text
    admin.get(link.get("href"))  # without script
    assert "answer 200 é" in admin.text() and "Renvoyer" in admin.text()
    (received,) = receiver.received
    assert verify(endpoint.shown_secret, received.headers, received.body)  # type: ignore[attr-defined]


def test_the_history_shows_filters_and_sends_again(
    admin: Browser, endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:  # fmt: skip
    endpoint.url = receiver.url("500")
    db.session.commit()
    (email,) = ask(cassiopee, "zoe@client.example")
    deliver()
    here = f"/settings/webhooks/{endpoint.public_id}"
    admin.get(here)
    assert "Demandé" in admin.text() and "500" in admin.text() and "Prochain essai" in admin.text()
    assert admin.html.xpath(f"//a[@href='/emails/{email.public_id}']") and "1 essai" in admin.text()
    assert "Rien n’arrive depuis peu" in admin.text()
    admin.get(f"{here}?state=delivered")
    assert "Aucun message dans cet état" in admin.text()
    admin.get(f"{here}?state=nonsense&before=x&after=99999999999999999999999")
    assert "Demandé" in admin.text()
    delivery = db.session.scalars(select(WebhookDelivery)).one()
    endpoint.url = receiver.url("ok")
    db.session.commit()
    admin.post(f"{here}/deliveries/msg_{delivery.message_id.hex}/resends")
    deliver()
    db.session.refresh(delivery)
    assert (delivery.state, delivery.try_count) == (DeliveryState.DELIVERED, 2)
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
    for nonsense in ("msg_x", "x" * 40, "msg_" + "0" * 32, "msg_" + "é" * 32):
        admin.get(f"{here}/deliveries/{nonsense}", status=404)


def test_pages_walk_both_ways_and_cost_the_same_for_one_and_for_fifty(
    admin: Browser, endpoint: WebhookEndpoint, cassiopee: House, statements: list[str]
) -> None:  # fmt: skip
    here = f"/settings/webhooks/{endpoint.public_id}"
    ask(cassiopee, "p@client.example")
    del statements[:]
    admin.get(here)
    alone = len(statements)
    ask(cassiopee, *(f"p{n}@client.example" for n in range(129)))
    del statements[:]
    admin.get(here)
    assert len(statements) == alone <= 8
    seen: list[list[str]] = []

    def rows() -> list[str]:
        return [str(row) for row in admin.html.xpath("//tbody/tr/@id")]

    seen.append(rows())
    while following := admin.html.xpath("//a[@rel='next']/@href"):
        admin.get(following[0])
        seen.append(rows())
    assert [len(page) for page in seen] == [50, 50, 30] and len({row for page in seen for row in page}) == 130
    for page in reversed(seen[:-1]):
        admin.get(admin.html.xpath("//a[@rel='prev']/@href")[0])
        assert rows() == page
    assert not admin.html.xpath("//a[@rel='prev']")


def test_an_open_row_stays_open_when_the_page_looks_again(
    admin: Browser, endpoint: WebhookEndpoint, cassiopee: House
) -> None:  # fmt: skip
    ask(cassiopee, "zoe@client.example")
    name = f"msg_{db.session.scalars(select(WebhookDelivery.message_id)).one().hex}"
    admin.get(f"/settings/webhooks/{endpoint.public_id}?open={name}", htmx=True)
    assert admin.html.get_element_by_id(f"{name}-detail") is not None
    assert "préparé au premier essai" in admin.text()
    assert admin.html.xpath("//tbody/tr/td[contains(@class, 'col-session')]/@data-label") == ["Réponse"]  # on a card


def test_what_was_switched_off_is_said_on_every_page_of_configuration(
    admin: Browser, endpoint: WebhookEndpoint, cassiopee: House, boreale: House, receiver: Receiver
) -> None:  # fmt: skip
    ask(cassiopee, "zoe@client.example", "yves@client.example")
    switching.switch_off(endpoint.id, OffReason.FAILING)
    for address in ("/settings", "/settings/senders", "/settings/tokens", "/settings/webhooks"):
        admin.get(address)
        assert "est désactivé" in admin.text() and "pendant cinq jours" in admin.text()
    here = f"/settings/webhooks/{endpoint.public_id}"
    admin.get(here)
    assert "Ce webhook a été désactivé" in admin.text() and "est désactivé" not in admin.text()
    stranger = Browser(admin.app).sign_in(boreale.admin)
    stranger.get("/settings")
    assert "désactivé" not in stranger.text()
    admin.post(f"{here}/resume")
    admin.get(here)
    assert "Renvoyer les 2 messages abandonnés" in admin.text()
    admin.post(f"{here}/resends")
    assert deliver() == 2 and len(receiver.received) == 2
    admin.get("/settings")
    assert "désactivé" not in admin.text()


def test_a_strangers_words_are_only_words(
    admin: Browser, endpoint: WebhookEndpoint, cassiopee: House
) -> None:  # fmt: skip
    ask(cassiopee, "zoe@client.example")
    deliver()
    hostile = "<script>alert(1)</script>"
    endpoint.description = hostile
    db.session.execute(text("UPDATE webhook_try SET answer = :a"), {"a": hostile})
    db.session.execute(text("UPDATE email SET subject = :a"), {"a": hostile})
    db.session.commit()
    name = f"msg_{db.session.scalars(select(WebhookDelivery.message_id)).one().hex}"
    for address in ("", f"/{endpoint.public_id}", f"/{endpoint.public_id}?open={name}",
                    f"/{endpoint.public_id}/deliveries/{name}"):  # fmt: skip
        body = admin.get(f"/settings/webhooks{address}").get_data(as_text=True)
        assert hostile not in body and hostile in admin.text()


def test_only_admins_of_the_house_touch_it(
    admin: Browser, endpoint: WebhookEndpoint, cassiopee: House, boreale: House
) -> None:  # fmt: skip
    ask(cassiopee, "zoe@client.example")
    delivery = db.session.scalars(select(WebhookDelivery)).one()
    other = make(boreale, "https://hooks.example.org/boreale")
    here = f"/settings/webhooks/{endpoint.public_id}"
    posts = ("edit", "secret", "tests", "pause", "resume", "resends", "delete",
             f"deliveries/msg_{delivery.message_id.hex}/resends")  # fmt: skip
    for person, status in ((boreale.admin, 404), (cassiopee.manager, 403), (cassiopee.staff, 403)):
        admin.sign_in(person)
        admin.get(here, status=status)
        admin.get(f"{here}/deliveries/msg_{delivery.message_id.hex}", status=status)
        for what in posts:
            admin.post(f"{here}/{what}", FORM, status=status)
    admin.sign_in(boreale.admin)
    # one's own endpoint is no way to another's delivery
    admin.get(f"/settings/webhooks/{other.public_id}/deliveries/msg_{delivery.message_id.hex}", status=404)
    admin.get("/settings/webhooks")
    assert endpoint.url not in admin.text()
    admin.sign_in(cassiopee.admin)
    for what in posts:
        admin.post(f"{here}/{what}", FORM, status=403, csrf=False)
    db.session.expire_all()
    assert endpoint.active and db.session.scalar(select(func.count(WebhookDelivery.id))) == 1


def test_english(admin: Browser, endpoint: WebhookEndpoint, cassiopee: House) -> None:
    cassiopee.admin.language = "en"
    ask(cassiopee, "zoe@client.example")
    db.session.commit()
    deliver()
    admin.get(f"/settings/webhooks/{endpoint.public_id}")
    for words in ("Send a test", "delivered", "Requested", "Messages"):
        assert words in admin.text()
