"""Premiers pas, for admins: six steps from an empty house to an e-mail sent to oneself, each left and taken up freely.

The steps are facts (people.first_steps): what is done elsewhere in the house counts as done here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from flask import Blueprint, abort, request, url_for
from flask_login import current_user
from sqlalchemy import func, select
from werkzeug.wrappers import Response
from wtforms import StringField

import mail
from blueprints import template_trial
from blueprints.forms import Line, Needed
from blueprints.settings_forms import OrganisationForm, SenderForm, keep_sender
from blueprints.support import allow, done, page, posted
from errors import UserMistake
from extensions import db, settings
from history import detail
from i18n import N_, _
from mail import templates
from models import AuditAction, Contact, Sender, TrainingSession
from models.words import EmailType, Permission, Status
from people import audit, first_steps
from people.first_steps import Step

blueprint = Blueprint("start", __name__)
blueprint.add_app_template_global(first_steps.shown_to, "first_steps_shown")
blueprint.add_app_template_global(first_steps.onward, "first_steps_onward")
blueprint.add_app_template_global(len(Step), "first_steps_in_all")
_ENDED = frozenset({Status.DELIVERED, Status.OPENED, Status.FAILED, Status.UNDELIVERABLE})
# A test that was sent and of which nobody says more is left alone after this.
_WATCHED = timedelta(minutes=10)
_NOBODY = N_("Aucune adresse d'expédition n'est configurée : demandez à un administrateur.")


class FirstOrganisationForm(OrganisationForm):
    """What letters and documents say of the organisation; the rest is Configuration's."""

    address = StringField(
        N_("Adresse postale"), [Needed(N_("Indiquez l'adresse : chaque convocation la porte.")), Line(300)]
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        del self.track_opens, self.track_by_consent, self.untracked_types


@blueprint.get("/start")
@allow(Permission.CONFIGURE)
def index() -> Response:
    return page("start/index.html", standing=first_steps.standing(current_user))


@blueprint.route("/start/<step>", methods=["GET", "POST"], endpoint="step")
@allow(Permission.CONFIGURE)
def at_step(step: str) -> Response:
    asked = _step(step)
    pages: dict[Step, Callable[[Step], Response]] = {
        Step.ORGANISATION: _organisation, Step.SENDER: _sender, Step.TEMPLATE: _template, Step.CONTACTS: _contacts,
        Step.SESSION: _session, Step.TEST: _test,
    }  # fmt: skip
    return pages[asked](asked)


@blueprint.post("/start/<step>/later")
@allow(Permission.CONFIGURE)
def later(step: str) -> Response:
    first_steps.put_off(current_user, _step(step))
    return done(_("C'est remis à plus tard : cette étape vous attend dans les premiers pas."), _onward())


@blueprint.post("/start/template/kept")
@allow(Permission.CONFIGURE)
def kept() -> Response:
    first_steps.keep(current_user, Step.TEMPLATE)
    return done(_("La convocation partira avec ces mots. Vous pourrez les changer à tout moment."), _onward())


@blueprint.post("/start/close")
@allow(Permission.CONFIGURE)
def close() -> Response:
    first_steps.close(current_user)
    return done(_("Les premiers pas sont rangés. Vous les retrouverez dans Configuration."), url_for("dashboard.home"))


def _step(name: str) -> Step:
    return next((one for one in Step if one.value == name), None) or abort(404)


def _onward() -> str:
    """Where to go when a step is left: the next one that waits, else all of them."""
    waiting = next((one.step for one in first_steps.standing(current_user) if one.next), None)
    return url_for("start.step", step=waiting.value) if waiting else url_for("start.index")


def _page(step: Step, status: int = 200, **context: Any) -> Response:
    standing = first_steps.standing(current_user)
    here = next(one for one in standing if one.step is step)
    return page(f"start/{step.value}.html", status=status, standing=standing, here=here, **context)


def _organisation(step: Step) -> Response:
    mine = current_user.organisation
    form = FirstOrganisationForm(obj=mine)
    if form.validate_on_submit():
        form.populate_obj(mine)
        audit.note(AuditAction.ORGANISATION_CHANGED, **audit.changed(mine))
        db.session.flush()
        return done(_("Les réglages de l'organisme sont enregistrés."), _onward())
    return _page(step, _status(), form=form)


def _sender(step: Step) -> Response:
    form = SenderForm()
    if form.validate_on_submit():
        saved = keep_sender(form, None)
        return done(_("L'expéditeur %(address)s est enregistré.", address=saved.address), _onward())
    if not form.is_submitted():
        form.name.data = current_user.organisation.name
    return _page(step, _status(), form=form, senders=_senders())


def _template(step: Step) -> Response:
    found, trial = _convocation()
    return _page(step, letter=found, trial=trial, sender=next(iter(_senders()), None))


def _contacts(step: Step) -> Response:
    return _page(step, count=_count(Contact))


def _session(step: Step) -> Response:
    mine = TrainingSession.organisation_id == current_user.organisation_id
    last = db.session.scalar(select(TrainingSession).where(mine).order_by(TrainingSession.id.desc()).limit(1))
    return _page(step, training_session=last, count=_count(Contact))


def _test(step: Step) -> Response:
    mistake = ""
    if request.method == "POST":
        try:
            return _send(step)
        except UserMistake as problem:
            db.session.rollback()
            mistake = _(problem.message, **problem.values)
    number = first_steps.sent_to_oneself(current_user)
    row = next(iter(detail.rows_of(current_user.organisation_id, [number])), None) if number else None
    moving = row is not None and row.status not in _ENDED and datetime.now(UTC) - row.created_at < _WATCHED
    port = settings().practice_page_port
    told = {"row": row, "moving": moving, "practice": f"http://127.0.0.1:{port}" if port else ""}
    if request.headers.get("HX-Request") == "true" and request.method == "GET":
        return page("", "start/_sent.html", **told) if row else Response(status=204)
    return _page(
        step, _status(), sender=next(iter(_senders()), None), request_key=str(uuid4()), mistake=mistake, **told
    )


def _send(step: Step) -> Response:
    """The convocation to oneself, through the same outbox as every e-mail."""
    sender = next(iter(_senders()), None)
    if sender is None:
        raise UserMistake(_NOBODY)
    found, trial = _convocation()
    draft = template_trial.to_oneself(trial, found.files)
    key = f"first-steps:{posted('request_key')}"
    emails = mail.post([draft], organisation=current_user.organisation, sender=sender, by=current_user, request_key=key)
    audit.sent(AuditAction.EMAILS_SENT, emails, trial=True)
    first_steps.remember_test(current_user, emails[0].public_id)
    return done(_("L'essai est parti vers %(address)s.", address=current_user.email), url_for("start.step", step=step))


def _convocation() -> tuple[Any, template_trial.Trial]:
    """The template of the joining instructions, and what it makes for somebody (an example where there is nobody)."""
    found = templates.find(current_user.organisation_id, EmailType.CONVOCATION)
    assert found is not None  # the house has words for it
    return found, template_trial.of(found, templates.words_of(templates.newest(found)), {})


def _senders() -> list[Sender]:
    """The organisation's senders, the default one first."""
    query = select(Sender).where(Sender.organisation_id == current_user.organisation_id)
    return list(db.session.scalars(query.order_by(Sender.is_default.desc(), Sender.name, Sender.id)))


def _count(model: type[Contact]) -> int:
    """How many there are, at most a thousand."""
    some = select(model.id).where(model.organisation_id == current_user.organisation_id).limit(1000).subquery()
    return db.session.scalar(select(func.count()).select_from(some)) or 0


def _status() -> int:
    return 422 if request.method == "POST" else 200
