"""Configuration › Webhooks, for admins: the endpoints, one endpoint with what it was told, one delivery with its tries.

A secret is shown once, when it is made. What each thing means and does is webhooks.endpoints'.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import SelectMultipleField, StringField, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from blueprints.forms import BaseForm, Line, Needed
from blueprints.support import allow, done, get_or_404, page
from errors import UserMistake
from extensions import db
from i18n import N_, _, ngettext
from models import AuditAction, WebhookDelivery, WebhookEndpoint
from models.webhook import TYPES, DeliveryState
from models.words import Permission
from people import audit
from webhooks import addresses, endpoints
from webhooks.endpoints import Listed

blueprint = Blueprint("webhooks", __name__)
# What a new endpoint is offered: all that happens after the request, which its own program mostly made.
_OFFERED = [type_ for type_ in TYPES if type_ != "email.requested"]
_MOST_ID = 2**63 - 1
# A page looks again while something is about to happen: how soon, how often, how many times without news.
_SOON, _EVERY, _TIMES = timedelta(seconds=20), 2, 60


class EndpointForm(BaseForm):
    """An endpoint: where, what for, which news."""

    url = StringField(
        N_("Adresse"), [Needed(N_("Indiquez l'adresse à prévenir.")), Line(addresses.LONGEST)],
        description=N_("L'adresse web de votre programme, en https://."),
    )  # fmt: skip
    description = StringField(
        N_("Description"), [Line(120)], description=N_("Ce programme, en quelques mots : « Tableau de bord »."),
    )  # fmt: skip
    types = SelectMultipleField(
        N_("Prévenir quand un e-mail devient"), widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.types.choices = [(type_, type_) for type_ in TYPES]

    def validate_types(self, field: Any) -> None:
        if not field.data:
            raise ValidationError(_("Choisissez au moins un état."))


@blueprint.app_context_processor
def _for_templates() -> dict[str, Any]:
    return {"switched_off_webhooks": _switched_off}


def _switched_off() -> list[WebhookEndpoint]:
    """What templates/settings/_troubles.html says to admins: the webhooks that the house switched off."""
    may = current_user.is_authenticated and current_user.may(Permission.CONFIGURE)
    return endpoints.switched_off(current_user.organisation_id) if may else []


@blueprint.get("")
@allow(Permission.CONFIGURE)
def index() -> Response:
    return page("webhooks/index.html", endpoints=endpoints.listed(current_user.organisation_id), webhook_types=TYPES)


@blueprint.route("/new", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def new() -> Response:
    form = EndpointForm(data={"types": _OFFERED})
    if form.validate_on_submit():
        try:
            made, secret = endpoints.create(current_user, *_typed(form))
        except UserMistake as mistake:
            _blame(form, mistake)
        else:
            audit.note(AuditAction.WEBHOOK_CREATED, made, host=_host(made), types=made.types)
            db.session.commit()
            return _secret(made, secret, new=True)
    return page("webhooks/form.html", status=_status(), form=form, endpoint=None, types=TYPES)


@blueprint.get("/<public_id>")
@allow(Permission.CONFIGURE)
def endpoint(public_id: str) -> Response:
    found = get_or_404(WebhookEndpoint, public_id)
    state = request.args.get("state", "")
    wanted = DeliveryState(state) if state in DeliveryState._value2member_map_ else None
    before, after = (_cursor(name) for name in ("before", "after"))
    shown = endpoints.history(found, wanted, before, after)
    opened = request.args.getlist("open")[:5]
    return page(
        "webhooks/endpoint.html", "webhooks/_deliveries.html", endpoint=found, history=shown, state=wanted,
        state_tabs=_tabs(found, wanted), failed=endpoints.failed_count(found), webhook_types=TYPES,
        details={one.delivery.id: _detail(one) for one in shown.items if _name(one.delivery) in opened},
        live=_live(found, shown.items), calm=min(request.args.get("calm", 0, type=int) + 1, _TIMES), name_of=_name,
        before=before, after=after, now=datetime.now(UTC),
    )  # fmt: skip


@blueprint.route("/<public_id>/edit", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def edit(public_id: str) -> Response:
    found = get_or_404(WebhookEndpoint, public_id)
    form = EndpointForm(obj=found)
    if form.validate_on_submit():
        try:
            endpoints.change(found, *_typed(form))
        except UserMistake as mistake:
            db.session.rollback()
            _blame(form, mistake)
        else:
            audit.note(AuditAction.WEBHOOK_CHANGED, found, host=_host(found))
            return _done(found, _("Le webhook est enregistré."))
    return page("webhooks/form.html", status=_status(), form=form, endpoint=found, types=TYPES)


@blueprint.post("/<public_id>/secret")
@allow(Permission.CONFIGURE)
def secret(public_id: str) -> Response:
    found = get_or_404(WebhookEndpoint, public_id)
    made = endpoints.renew_secret(found)
    audit.note(AuditAction.WEBHOOK_SECRET, found, host=_host(found))
    db.session.commit()
    return _secret(found, made, new=False)


@blueprint.post("/<public_id>/tests")
@allow(Permission.CONFIGURE)
def tests(public_id: str) -> Response:
    found = get_or_404(WebhookEndpoint, public_id)
    endpoints.try_out(found)
    audit.note(AuditAction.WEBHOOK_TRIED, found, host=_host(found))
    return _done(found, _("L'essai part : sa réponse s'affiche ci-dessous dans quelques secondes."))


@blueprint.post("/<public_id>/pause")
@allow(Permission.CONFIGURE)
def pause(public_id: str) -> Response:
    found = get_or_404(WebhookEndpoint, public_id)
    endpoints.pause(found)
    audit.note(AuditAction.WEBHOOK_PAUSED, found, host=_host(found))
    return _done(found, _("Le webhook est en pause : les nouvelles attendent, trente jours au plus."))


@blueprint.post("/<public_id>/resume")
@allow(Permission.CONFIGURE)
def resume(public_id: str) -> Response:
    found = get_or_404(WebhookEndpoint, public_id)
    endpoints.resume(found)
    audit.note(AuditAction.WEBHOOK_RESUMED, found, host=_host(found))
    return _done(found, _("Le webhook est actif."))


@blueprint.post("/<public_id>/resends")
@allow(Permission.CONFIGURE)
def resend_failed(public_id: str) -> Response:
    found = get_or_404(WebhookEndpoint, public_id)
    count = endpoints.send_failed_again(found)
    if count:
        audit.note(AuditAction.WEBHOOK_RESENT, found, host=_host(found), count=count)
    return _done(found, ngettext("%(num)s message repart.", "%(num)s messages repartent.", count))


@blueprint.post("/<public_id>/delete")
@allow(Permission.CONFIGURE)
def delete(public_id: str) -> Response:
    found = get_or_404(WebhookEndpoint, public_id)
    audit.note(AuditAction.WEBHOOK_DELETED, found, host=_host(found))
    db.session.delete(found)
    db.session.commit()
    flash(_("Le webhook est supprimé, avec son historique."), "success")
    return redirect(url_for("webhooks.index"), 303)  # type: ignore[return-value]


@blueprint.get("/<public_id>/deliveries/<message_id>")
@allow(Permission.CONFIGURE)
def delivery(public_id: str, message_id: str) -> Response:
    found = get_or_404(WebhookEndpoint, public_id)
    one = endpoints.one(_delivery_or_404(found, message_id))
    return page(
        "webhooks/delivery.html", "webhooks/_opened.html", endpoint=found, one=one, detail=_detail(one),
        webhook_types=TYPES, fold=request.args.get("fold") == "1", name_of=_name, now=datetime.now(UTC),
    )  # fmt: skip


@blueprint.post("/<public_id>/deliveries/<message_id>/resends")
@allow(Permission.CONFIGURE)
def resend(public_id: str, message_id: str) -> Response:
    found = get_or_404(WebhookEndpoint, public_id)
    if endpoints.send_again(found, _delivery_or_404(found, message_id)):
        words = _("Le message repart, sous le même identifiant.")
        audit.note(AuditAction.WEBHOOK_RESENT, found, host=_host(found), count=1, message=message_id)
    else:
        words = _("Ce message est en train de partir.")
    return _done(found, words)


def _delivery_or_404(endpoint: WebhookEndpoint, message_id: str) -> WebhookDelivery:
    return endpoints.delivery_of(endpoint, message_id) or abort(404)


def _host(endpoint: WebhookEndpoint) -> str:
    """Whom it tells, for the log: its address may hold a secret, its host does not."""
    return urlsplit(endpoint.url).hostname or ""


def _name(delivery: WebhookDelivery) -> str:
    """A delivery's webhook-id, which is also its place in the address."""
    return f"msg_{delivery.message_id.hex}"


def _detail(one: Listed) -> dict[str, Any]:
    """What an opened delivery shows: the payload as a person reads it, and every try."""
    payload = one.delivery.payload
    pretty = json.dumps(json.loads(payload), ensure_ascii=False, indent=2) if payload else ""
    return {"payload": pretty, "tries": endpoints.tries_of(one.delivery)}


def _live(endpoint: WebhookEndpoint, items: list[Listed]) -> int:
    """Seconds until the page should look again, 0 when nothing is about to move."""
    if request.args.get("calm", 0, type=int) >= _TIMES:
        return 0
    soon = datetime.now(UTC) + _SOON
    moving = any(
        one.delivery.state is DeliveryState.WAITING and (endpoint.active or one.delivery.by_hand)
        and (one.under_way or one.delivery.next_attempt_at <= soon)
        for one in items
    )  # fmt: skip
    return _EVERY if moving else 0


def _tabs(endpoint: WebhookEndpoint, state: DeliveryState | None) -> list[tuple[str, str, bool, None]]:
    here = url_for("webhooks.endpoint", public_id=endpoint.public_id)
    return [(_(one.label).capitalize(), f"{here}?state={one.value}", one is state, None) for one in DeliveryState]


def _cursor(name: str) -> int | None:
    given = request.args.get(name, "")
    return min(int(given), _MOST_ID) if given.isascii() and given.isdigit() and len(given) < 20 else None


def _typed(form: EndpointForm) -> tuple[str, str, list[str]]:
    return form.url.data or "", form.description.data or "", list(form.types.data or ())


def _blame(form: EndpointForm, mistake: UserMistake) -> None:
    form.url.errors = [*form.url.errors, _(mistake.message, **mistake.values)]


def _secret(endpoint: WebhookEndpoint, shown: str, new: bool) -> Response:
    """The page that shows a secret, this once."""
    response = page("webhooks/secret.html", endpoint=endpoint, secret=shown, new=new)
    response.headers["Cache-Control"] = "no-store"
    return response


def _done(endpoint: WebhookEndpoint, words: str) -> Response:
    return done(words, url_for("webhooks.endpoint", public_id=endpoint.public_id))


def _status() -> int:
    return 422 if request.method == "POST" else 200
