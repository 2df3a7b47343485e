"""The domains that mail leaves from: their diagnosis and what to publish, for admins; beside an e-mail, for everybody,
what was known of its sender's domain when it left. Looking and keeping are mail.domain_checks'.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import func
from werkzeug.wrappers import Response
from wtforms import StringField, TextAreaField, ValidationError

from blueprints.domain_sentences import said
from blueprints.forms import BaseForm, Line
from blueprints.support import allow, done, page, wants_partial
from errors import UserMistake
from extensions import db, limiter, on_commit, ring, settings
from history import detail
from i18n import N_, _
from mail import dns, domain_checks, domain_keys
from mail.domain_records import Proposal, key_record, proposal
from mail.domains import Finding, key_flaws
from models.audit import AuditAction
from models.domain_check import SendingDomain
from models.domain_words import DomainState
from models.words import Permission
from people import audit
from people.contacts import COMMON_DOMAINS

blueprint = Blueprint("domains", __name__)
BUDGET = 8.0  # seconds that a person waits, at most
_EMAIL_ID = re.compile(r"E-[0-9a-z]{1,20}")
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")


class KeyForm(BaseForm):
    """A domain's own DKIM key; both empty: the house's."""

    selector = StringField(
        N_("Sélecteur DKIM"), [Line(63)],
        description=N_("Le nom donné par votre service d'envoi, par exemple « s1 ». Vide : celui de Sillage."),
    )  # fmt: skip
    public_key = TextAreaField(
        N_("Clé publique attendue"),
        description=N_("La valeur donnée par votre service d'envoi. Vide : la clé publiée n'est comparée à rien."),
    )

    def validate_selector(self, field: Any) -> None:
        field.data = (field.data or "").strip().lower()
        if field.data and (not _SELECTOR.fullmatch(field.data) or ".." in field.data):
            raise ValidationError(_("Un sélecteur n'a que des lettres, des chiffres, des points et des tirets."))

    def validate_public_key(self, field: Any) -> None:
        field.data = _bare_key(field.data or "")
        if field.data and not self.selector.data:
            raise ValidationError(_("Indiquez aussi le sélecteur de cette clé."))
        if field.data and key_flaws(key_record(field.data))[1] is None:
            raise ValidationError(_("Ce n'est pas une clé publique lisible : copiez-la de nouveau, en entier."))


@blueprint.app_context_processor
def _for_templates() -> dict[str, Any]:
    return {"broken_domains": _broken}


def _broken() -> list[SendingDomain]:
    """What templates/settings/_troubles.html says to admins: the domains that were in order and no longer are."""
    may = current_user.is_authenticated and current_user.may(Permission.CONFIGURE)
    return domain_checks.broken(current_user.organisation_id) if may else []


@blueprint.get("/settings/domains/<domain>")
@allow(Permission.CONFIGURE)
def show(domain: str) -> Response:
    row = _row_or_404(domain)
    return page("domains/show.html", partial="domains/_checks.html", **_context(row), form=KeyForm(data=_own_key(row)))


@blueprint.post("/settings/domains/<domain>/checks")
@allow(Permission.CONFIGURE)
@limiter.limit("30 per minute")
def check(domain: str) -> Response:
    row = _followed_or_404(domain)
    kept = domain_checks.keep(row, *domain_checks.look(row, BUDGET))
    audit.note(AuditAction.DOMAIN_CHECKED, row.domain, state=kept.state.value)
    db.session.commit()
    if wants_partial():
        return page("domains/show.html", partial="domains/_checks.html", **_context(row))
    flash(_("%(domain)s vient d'être vérifié.", domain=row.domain), "success")
    return redirect(url_for("domains.show", domain=row.domain, email=_email()), 303)


@blueprint.post("/settings/domains/<domain>/key")
@allow(Permission.CONFIGURE)
def key(domain: str) -> Response:
    row = _followed_or_404(domain)
    form = KeyForm()
    if not form.validate_on_submit():
        return page("domains/show.html", status=422, **_context(row), form=form)
    row.dkim_selector, row.dkim_public_key = form.selector.data or "", form.public_key.data or ""
    audit.note(AuditAction.DOMAIN_CHANGED, row.domain, **audit.changed(row, "dkim_selector"))
    where = url_for("domains.show", domain=row.domain)
    return done(_("La clé est enregistrée : vérifiez maintenant le domaine."), where)


@blueprint.post("/settings/domains/<domain>/keys")
@allow(Permission.CONFIGURE)
@limiter.limit("10 per minute")
def make_key(domain: str) -> Response:
    """A key of ours for that domain; it signs once its record is seen."""
    row = _followed_or_404(domain)
    where = url_for("domains.show", domain=row.domain, _anchor="signing")
    if row.domain in COMMON_DOMAINS:
        abort(404)
    try:
        made = domain_keys.make(row)
    except UserMistake as mistake:
        db.session.rollback()
        flash(_(mistake.message), "warning")
        return redirect(where, 303)
    row.next_check_at = func.now()
    audit.note(AuditAction.DOMAIN_KEY_CREATED, row.domain, selector=made.selector)
    on_commit(lambda: ring("check_domains", "work"))
    words = _("La clé %(selector)s est créée : publiez-la, puis vérifiez le domaine.", selector=made.selector)
    return done(words, where)


@blueprint.post("/settings/domains/<domain>/keys/<selector>/deletion")
@allow(Permission.CONFIGURE)
def delete_key(domain: str, selector: str) -> Response:
    row = _followed_or_404(domain)
    key = next((key for key in domain_keys.keys_of(row) if key.selector == selector), None) or abort(404)
    db.session.delete(key)
    row.next_check_at = func.now()
    audit.note(AuditAction.DOMAIN_KEY_DELETED, row.domain, selector=selector)
    on_commit(lambda: ring("check_domains", "work"))
    words = _("La clé %(selector)s est supprimée. Laissez son enregistrement en place une semaine encore.",
              selector=selector)  # fmt: skip
    return done(words, url_for("domains.show", domain=row.domain, _anchor="signing"))


@blueprint.get("/emails/<public_id>/diagnosis")
@allow(Permission.READ)
def of_email(public_id: str) -> Response:
    """What was known of the sender's domain when that e-mail left; the whole page without htmx."""
    found = detail.about(current_user.organisation_id, public_id) or abort(404)
    domain = domain_checks.domain_of(found.row.sender_address)
    left_at = found.row.sent_at or found.row.created_at
    seen = domain_checks.about(current_user.organisation_id, domain, left_at)
    now = domain_checks.known(current_user.organisation_id).get(domain)
    return page(
        "domains/email.html", partial="history/_diagnosis.html", email=found.row, domain=domain, seen=seen,
        left_at=left_at, now=now, faulty=[one for one in seen.findings if one.flaws] if seen else [],
    )  # fmt: skip


def _name_or_404(domain: str) -> str:
    try:
        return dns.ascii_name(domain)
    except ValueError:
        abort(404)


def _row_or_404(domain: str) -> SendingDomain:
    """The organisation's domain of that name, followed or about to be; 404 for what no sender ever had."""
    name = _name_or_404(domain)
    row = domain_checks.known(current_user.organisation_id).get(name)
    if row is None and name not in domain_checks.senders_of(current_user.organisation_id):
        abort(404)
    return row or SendingDomain(
        organisation_id=current_user.organisation_id, domain=name, dkim_selector="", dkim_public_key="",
        state=DomainState.NONE,
    )  # fmt: skip


def _followed_or_404(domain: str) -> SendingDomain:
    """The same, entered where it was new."""
    return domain_checks.follow(current_user.organisation_id).get(_name_or_404(domain)) or abort(404)


def _context(row: SendingDomain) -> dict[str, Any]:
    service = domain_checks.service_of(row)
    history = domain_checks.history(row) if row.id else []
    findings = domain_checks.findings(history[0]) if history else []
    theirs = row.domain in COMMON_DOMAINS
    keys = domain_keys.keys_of(row)
    return {
        "row": row, "history": history, "newest": history[0] if history else None, "service": service,
        "senders": domain_checks.senders_of(row.organisation_id).get(row.domain, []), "theirs": theirs,
        "checks": [_shown(one, row.domain, None if theirs else proposal(one, row.domain, service), service)
                   for one in findings],
        "names_page": _names_page(row.domain), "keys": keys, "signing_key": domain_keys.signing(keys),
        "most_keys": domain_keys.MOST, "key_records": {key.id: key_record(key.public_key) for key in keys},
        "email_id": _email(), "seen": {one.id: _faults(domain_checks.findings(one)) for one in history},
    }  # fmt: skip


def _names_page(domain: str) -> str:
    """Where the demo's own name server is changed; empty elsewhere."""
    port = settings().practice_page_port
    return f"http://127.0.0.1:{port}/names#{'.'.join(domain.split('.')[-2:])}" if port else ""


def _shown(finding: Finding, domain: str, publish: Proposal | None, service: Any) -> dict[str, Any]:
    return {"finding": finding, "said": said(finding, service), "publish": publish,
            "relative": _relative(publish.name, domain) if publish else ""}  # fmt: skip


def _relative(name: str, domain: str) -> str:
    """A record's name as most hosts want it typed: without the domain; @ for the domain itself."""
    return "@" if name == domain else name.removesuffix(f".{domain}")


def _faults(findings: list[Finding]) -> list[str]:
    """What a line of the history says was wrong, by check."""
    return [
        _("%(label)s : %(value)s", label=one.check.name, value=_(one.flaws[0].label)) for one in findings if one.flaws
    ]


def _own_key(row: SendingDomain) -> dict[str, str]:
    return {"selector": row.dkim_selector, "public_key": row.dkim_public_key}


def _bare_key(typed: str) -> str:
    """The base64 of a key, whether pasted alone or as the whole record."""
    found = re.search(r"\bp\s*=\s*([^;]*)", typed)
    return re.sub(r'[\s"]', "", found[1] if found else typed)[:2000]


def _email() -> str | None:
    """The e-mail that led here, to go back to."""
    asked = request.values.get("email", "")
    return asked if _EMAIL_ID.fullmatch(asked) else None
