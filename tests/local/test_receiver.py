"""The practice receiver believes a signature of the house and no other, and shows hostile words as words."""

import time
import urllib.request
from dataclasses import replace

from sqlalchemy import select

from extensions import db
from local.postoffice.receiver import practice_secret, verified
from local.postoffice.web import Page, create_page
from models import WebhookEndpoint
from models.words import Role
from seeds import practice_webhook
from webhooks import deliver, endpoints, signing

HOSTILE = "<script>alert(1)</script>"
KEY = "a secret key"


def headers(body, secret, moment=None, message_id="msg_1"):
    moment = int(time.time()) if moment is None else moment
    return {"webhook-id": message_id, "webhook-timestamp": str(moment),
            "webhook-signature": signing.signature([secret], message_id, moment, body)}  # fmt: skip


def client(tmp_path):
    return create_page(tmp_path, lambda content: 0, KEY).test_client()


def test_the_verdicts():
    secret, now = practice_secret(KEY), time.time()
    assert verified(secret, headers(b"{}", secret), b"{}", now) == "bonne"
    assert verified(secret, headers(b"{}", secret), b"{} ", now) == "mauvaise"
    assert verified(secret, headers(b"{}", practice_secret("other")), b"{}", now) == "mauvaise"
    assert verified(secret, headers(b"{}", secret, moment=int(now) - 3600), b"{}", now) == "trop ancienne"
    assert verified(secret, {}, b"{}", now) == "mauvaise"
    assert verified(secret, {"webhook-signature": "v1,é v2,x ,"}, b"{}", now) == "mauvaise"


def test_what_comes_is_shown_once_and_counted(tmp_path):
    page = client(tmp_path)
    body = b'{"type": "email.sent", "data": {"id": "E-1", "subject": "<script>alert(1)</script>"}}'
    for _n in range(2):
        signed = headers(body, practice_secret(KEY))
        answer = page.post("/webhooks", base_url="http://127.0.0.1:8025", data=body, headers=signed)
        assert answer.status_code == 204
    assert page.post("/webhooks/500", base_url="http://127.0.0.1:8025", data=b"\xff").status_code == 500
    shown = page.get("/webhooks", base_url="http://127.0.0.1:8025").text
    assert "email.sent" in shown and "E-1" in shown and "× 2" in shown and "bonne" in shown and "mauvaise" in shown
    assert HOSTILE not in shown
    one = page.get("/webhooks?message=msg_1", base_url="http://127.0.0.1:8025")
    assert "alert(1)" in one.text and HOSTILE not in one.text and "Refresh" not in one.headers
    english = page.get("/webhooks", base_url="http://127.0.0.1:8025", headers={"Accept-Language": "en"}).text
    assert "good" in english and "Webhooks received" in english


def test_another_name_or_site_is_refused(tmp_path):
    page = client(tmp_path)
    assert page.post("/webhooks", base_url="http://evil.example").status_code == 421
    from_elsewhere = {"Origin": "http://evil.example"}
    assert page.post("/webhooks", base_url="http://127.0.0.1:8025", headers=from_elsewhere).status_code == 403
    assert page.post("/webhooks/99", base_url="http://127.0.0.1:8025").status_code == 404


def test_the_demos_webhook_reaches_it_and_follows_its_port(app, cassiopee, tmp_path):
    before = app.extensions["sillage"]
    with Page(tmp_path, lambda content: 0, 0, before.secret_key) as page:
        app.extensions["sillage"] = replace(before, webhook_loopback=True, practice_page_port=1)
        try:
            practice_webhook.keep(cassiopee.organisation, made=False)
            assert db.session.scalar(select(WebhookEndpoint)) is None
            practice_webhook.keep(cassiopee.organisation, made=True)
            app.extensions["sillage"] = replace(app.extensions["sillage"], practice_page_port=page.port)
            practice_webhook.keep(cassiopee.organisation, made=True)
            endpoint = db.session.scalars(select(WebhookEndpoint)).one()
            assert endpoint.url == f"http://127.0.0.1:{page.port}/webhooks"
            assert cassiopee.admin.role is Role.ADMIN
            endpoints.try_out(endpoint)
            db.session.commit()
            assert deliver() == 1
        finally:
            app.extensions["sillage"] = before
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{page.port}/webhooks") as answer:
            shown = answer.read().decode()
    assert "webhook.test" in shown and "bonne" in shown
