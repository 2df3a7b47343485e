"""A second opinion: every event of every provider is read as django-anymail reads it, fields missing or not.

Where django-anymail knows no kind ("unknown") ours may know more; where it stumbles, ours has to stand.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import django
import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mail.providers import PROVIDERS
from mail.providers.event import Unreadable
from mail.providers.mailgun_forms import event as form_event
from tests.mail.providers import documented
from tests.mail.providers.samples import COMPARED, differences, said

if not django_settings.configured:
    django_settings.configure(ANYMAIL={}, USE_TZ=True)
    django.setup()

from anymail.exceptions import AnymailConfigurationError
from anymail.webhooks import (
    amazon_ses,
    brevo,
    mailersend,
    mailgun,
    mailjet,
    mandrill,
    postal,
    postmark,
    resend,
    sendgrid,
    sparkpost,
)

VIEWS: dict[str, Any] = {
    "amazon_ses": amazon_ses.AmazonSESTrackingWebhookView, "brevo": brevo.BrevoTrackingWebhookView,
    "mailersend": mailersend.MailerSendTrackingWebhookView, "mailgun": mailgun.MailgunTrackingWebhookView,
    "mailjet": mailjet.MailjetTrackingWebhookView, "mandrill": mandrill.MandrillCombinedWebhookView,
    "postal": postal.PostalTrackingWebhookView, "postmark": postmark.PostmarkTrackingWebhookView,
    "resend": resend.ResendTrackingWebhookView, "sendgrid": sendgrid.SendGridTrackingWebhookView,
    "sparkpost": sparkpost.SparkPostTrackingWebhookView,
}  # fmt: skip
STUMBLES = (
    AttributeError,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AssertionError,
    OverflowError,
    AnymailConfigurationError,
)


# a busy machine draws slowly; nothing here takes long
UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)


def theirs(provider: str, payload: Any) -> list[Any] | None:
    """django-anymail's events; None where it gives up. The view's own __init__ wants settings that parse nothing."""
    view = object.__new__(VIEWS[provider])
    if provider == "sparkpost":
        view.event_types = view.event_types | view.initial_open_event_types
    if provider == "mandrill":
        view.signal = mandrill.tracking
    try:
        if provider == "amazon_ses":
            if payload.get("Type") != "Notification":
                return None
            return list(view.esp_to_anymail_events(json.loads(payload["Message"]), payload))
        if provider == "postal":
            body = json.dumps(payload).encode()
            return list(view.parse_events(SimpleNamespace(body=body)))
        if provider == "resend":
            return [view.esp_to_anymail_event(payload, SimpleNamespace(headers={"svix-id": "msg_abc"}))]
        if provider == "sparkpost":
            unwrapped = [view.unwrap_event(one) for one in payload]
            return [view.esp_to_anymail_event(*one) for one in unwrapped if one[1] is not None]
        many = payload if isinstance(payload, list) else [payload]
        return [view.esp_to_anymail_event(one) for one in many]
    except STUMBLES:
        return None


def plain(event: Any) -> dict[str, Any]:
    found = {name: getattr(event, name, None) for name in COMPARED}
    return found | {"timestamp": event.timestamp}


def compared(provider: str, payload: Any) -> None:
    """Ours equals theirs, field by field."""
    wanted = theirs(provider, payload)
    try:
        ours = PROVIDERS[provider].parse(documented.call(provider, payload))
    except Unreadable:
        assert wanted is None, payload
        return
    if wanted is None:
        return
    told = [event for event in wanted if event.event_type != "unknown" or event.recipient]
    assert len(ours) >= len(told), (payload, ours)
    if len(ours) != len(wanted):
        return
    for mine, other in zip(ours, wanted, strict=True):
        wrong = differences(said(mine), plain(other))
        # ours may know more: another kind, the recipient by its second name, an id where theirs has none
        more = {"event_type", "description", "mta_response"} if other.event_type == "unknown" else set()
        more |= {name for name in ("recipient", "event_id", "timestamp", "message_id", "description", "mta_response",
                             "click_url")
                 if getattr(other, name) is None}  # fmt: skip
        wrong = [name for name in wrong if name not in more]
        assert not wrong, [(name, said(mine)[name], plain(other)[name]) for name in wrong]


@pytest.mark.parametrize("provider", VIEWS)
def test_every_documented_event_is_read_alike(provider: str) -> None:
    for payload in documented.PAYLOADS[provider]:
        assert theirs(provider, payload) is not None, payload
        compared(provider, payload)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a payload."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield (*path, key)
        yield from places(one, (*path, key))


@pytest.mark.parametrize("provider", VIEWS)
@UNHURRIED
@given(data=st.data())
def test_with_fields_left_out_it_is_read_alike_still(provider: str, data: st.DataObject) -> None:
    payload = copy.deepcopy(data.draw(st.sampled_from(documented.PAYLOADS[provider])))
    if provider == "amazon_ses":
        payload["Message"] = json.loads(payload["Message"])
    for _ in range(data.draw(st.integers(0, 4))):
        every = [path for path in places(payload) if isinstance(path[-1], str)]
        if not every:
            break
        path = data.draw(st.sampled_from(every))
        place = payload
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
    if provider == "amazon_ses":
        payload["Message"] = json.dumps(payload.get("Message"))
    compared(provider, payload)


FIELDS = st.sampled_from((
    ("event", "opened"), ("event", "clicked"), ("event", "delivered"), ("event", "bounced"), ("event", "dropped"),
    ("event", "complained"), ("event", "unsubscribed"), ("recipient", "a@example.net"), ("code", "550"),
    ("code", "5.2.2"),
    ("code", "499"), ("code", "605"), ("code", "250"), ("error", "550 no"), ("notification", "late"), ("url", "https://a.b"),
    ("description", "words"), ("Message-Id", "<a@b>"), ("message-id", "c@d"), ("tag", "one"), ("tag", "two"),
    ("X-Mailgun-Tag", "three"), ("user-agent", "x"), ("custom", "v"), ("ip", "192.0.2.1"), ("token", "u"),
    ("timestamp", "9"),
    ("message-headers", '[["X-Mailgun-Variables", "{\\"sillage\\": \\"aaaa\\"}"], ["To", "a"]]'),
))  # fmt: skip


@UNHURRIED
@given(st.lists(FIELDS, max_size=12))
def test_mailguns_old_forms_are_read_alike(fields: list[tuple[str, str]]) -> None:
    from django.http import QueryDict

    fields = [*fields, ("timestamp", str(documented.AT)), ("token", "t" * 50), ("signature", "0" * 64)]
    query = QueryDict(mutable=True)
    for name, value in fields:
        query.appendlist(name, value)
    view = object.__new__(mailgun.MailgunTrackingWebhookView)
    try:
        wanted = view.mailgun_legacy_to_anymail_event(query)
    except STUMBLES:
        form_event(fields)
        return
    assert not differences(said(form_event(fields)), plain(wanted)), fields
