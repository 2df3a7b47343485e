"""Contacts of the five kinds: lists with search, the record, create and edit, the history of their e-mails."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import EmailField, RadioField, SelectField, StringField, TelField, TextAreaField, ValidationError

import i18n
from blueprints.forms import BaseForm, Line, MailAddress, Needed, Text
from blueprints.history_views import render_history
from blueprints.support import allow, get_or_404, page, wants_partial
from extensions import db
from history import Scope, segments
from i18n import N_, _
from models import AuditAction, Contact, TrainingSession
from models.words import ContactKind, Permission
from people import audit, contacts, opportunities, training
from planning import plans

blueprint = Blueprint("contacts", __name__)
# How addresses spell the kinds.
KINDS = {
    "learners": ContactKind.LEARNER,
    "companies": ContactKind.COMPANY,
    "trainers": ContactKind.TRAINER,
    "customers": ContactKind.CUSTOMER,
    "funders": ContactKind.FUNDER,
}
PLURALS = {kind: plural for plural, kind in KINDS.items()}
# What a person said of measuring: as the form spells it, its words, the column.
_MEASURED = (
    ("", N_("La personne n'a rien dit"), None), ("yes", N_("Elle est d'accord"), True),
    ("no", N_("Elle refuse"), False),
)  # fmt: skip


class ContactForm(BaseForm):
    """The form of a person; of a company or a funder where `kind` says so (then without first and last name)."""

    first_name = StringField(N_("Prénom"), [Line(100)])
    last_name = StringField(N_("Nom de famille"), [Needed(N_("Indiquez le nom.")), Line(100)])
    name = StringField(N_("Raison sociale"), [Needed(N_("Indiquez la raison sociale.")), Line(200)])
    email = EmailField(N_("Adresse e-mail"), [Line(254), MailAddress()])
    phone = TelField(N_("Téléphone"), [Line(40)])
    reference = StringField(
        N_("Référence"), [Line(60)], description=N_("Le numéro qu'utilisent vos autres logiciels.")
    )  # fmt: skip
    language = SelectField(N_("Langue des e-mails"))
    company = StringField(
        N_("Entreprise"), [Line(240)], description=N_("Écrivez le début de son nom, puis choisissez-la.")
    )  # fmt: skip
    tags = StringField(
        N_("Étiquettes"), [Line(1000)], description=N_("Séparées par des virgules ; les segments s'en servent.")
    )  # fmt: skip
    country = SelectField(N_("Pays"))
    offer = StringField(N_("Offre"), [Line(100)], description=N_("L'offre ou l'abonnement souscrit."))
    notes = TextAreaField(N_("Notes internes"), [Text(5000)], description=N_("Jamais envoyées."))
    measured = RadioField(
        N_("Mesure de l'ouverture de ses e-mails"),
        description=N_("Un refus vaut aussi pour les e-mails déjà partis. Sans réponse, l'organisme décide."),
    )

    def __init__(self, kind: ContactKind, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.found: Contact | None = None  # the company that the form names
        self.offered: list[Contact] = []  # those it may mean
        self.language.choices = list(i18n.LANGUAGES.items())
        self.measured.choices = [(word, _(label)) for word, label, _said in _MEASURED]
        self.country.choices = [("", "—"), *contacts.countries(i18n.language())]
        if "measured" not in request.form:
            self.measured.data = next(word for word, _label, said in _MEASURED if said is self.measured.object_data)
        if not self.is_submitted():
            self.country.data = self.country.object_data or ("" if getattr(kwargs.get("obj"), "id", None) else "FR")
            self.tags.data = ", ".join(self.tags.object_data or ())
        elif "country" not in request.form:  # a form that does not ask keeps what is there
            self.country.data = self.country.object_data or "FR"
        if kind in contacts.NAMED:
            del self.first_name, self.last_name, self.company
        else:
            del self.name
            now = self.company.object_data
            if not self.company.raw_data:  # nobody has typed there
                self.company.data = contacts.company_text(now) if now else ""

    def validate_company(self, field: Any) -> None:
        """The company that was chosen or named; several or none are offered to choose from."""
        chosen = request.form.get("company_choice", "")
        text = "" if chosen == "none" else chosen or field.data or ""
        named, meant = contacts.companies_named(current_user.organisation_id, text) if text else ([], [])
        if len(named) == 1 or not text:
            self.found = named[0] if named else None
            return
        self.offered = named or meant
        if named:
            raise ValidationError(_("Plusieurs entreprises portent ce nom : choisissez la bonne."))
        if meant:
            raise ValidationError(_("Aucune entreprise ne porte exactement ce nom : choisissez parmi celles-ci."))
        raise ValidationError(_("Aucune entreprise ne porte ce nom. Créez sa fiche d'abord, ou laissez ce champ vide."))

    def values(self) -> dict[str, Any]:
        """The columns of the contact."""
        found = {field.name: field.data for field in self if field.name != "csrf_token"}
        found["tags"] = contacts.read_tags(self.tags.data or "")
        word = found.pop("measured")
        measured = next(said for known, _label, said in _MEASURED if known == word)
        texts = {name: "" if value is None else value for name, value in found.items() if name != "company"}
        if "company" in found:
            texts["company_id"] = self.found.id if self.found else None
        return texts | {"measured": measured}


def kind_or_404(plural: str) -> ContactKind:
    """The kind that an address names."""
    return KINDS.get(plural) or abort(404)


@blueprint.get("/<any(learners, companies, trainers, customers, funders):kind>")
@allow(Permission.READ)
def index(kind: str) -> Response:
    of, words = kind_or_404(kind), request.args.get("q", "").strip()[:200]
    found = contacts.listed(current_user.organisation_id, of, words, request.args.get("cursor"))
    response = page(
        "contacts/index.html", partial="contacts/_list.html", kind=of, plural=kind, words=words, found=found,
        total=contacts.count(current_user.organisation_id, of, words),
    )  # fmt: skip
    response.headers["HX-Replace-Url"] = url_for("contacts.index", kind=kind, q=words or None)
    return response


@blueprint.get("/companies/suggested")
@allow(Permission.READ)
def suggested_companies() -> Response:
    """Companies whose names hold ?company=, as the options that a field proposes while one types."""
    text = request.args.get("company", "").strip()[:200]
    if not wants_partial():
        return redirect(url_for("contacts.index", kind="companies", q=text or None), 303)  # type: ignore[return-value]
    named, meant = contacts.companies_named(current_user.organisation_id, text)
    return page("", "contacts/_companies.html", suggested=contacts.company_texts(named or meant))


@blueprint.route("/<any(learners, companies, trainers, customers, funders):kind>/new", methods=["GET", "POST"])
@allow(Permission.WRITE)
def new(kind: str) -> Response:
    training_session = None
    if request.args.get("session"):
        training_session = get_or_404(TrainingSession, request.args["session"])
    return _form(Contact(organisation_id=current_user.organisation_id, kind=kind_or_404(kind)), training_session)


@blueprint.route("/<public_id>/edit", methods=["GET", "POST"])
@allow(Permission.WRITE)
def edit(public_id: str) -> Response:
    """?missing=S-… comes from what is missing of that session, and leads back there."""
    back = None
    if request.args.get("missing") and current_user.may(Permission.SEND):
        missing = get_or_404(TrainingSession, request.args["missing"])
        back = url_for("completeness.missing", public_id=missing.public_id)
    return _form(get_or_404(Contact, public_id), back=back)


def _form(contact: Contact, training_session: TrainingSession | None = None, back: str | None = None) -> Response:
    """Create or edit; `back`: where saving leads, if not to what was saved."""
    form = ContactForm(contact.kind, obj=contact)
    if request.method == "GET" and request.args.get("email"):
        form.email.data = request.args["email"][:254]
    if form.validate_on_submit():
        with db.session.no_autoflush:
            fresh = contact.id is None
            contacts.save(contact, **form.values())
            said = {"kind": contact.kind.value} if fresh else audit.changed(contact, "email")
        audit.note(AuditAction.CONTACT_CREATED if fresh else AuditAction.CONTACT_CHANGED, contact, **said)
        if training_session is not None:
            db.session.flush()
            training.enrol(training_session, [contact])
            audit.note(AuditAction.ENROLLED, training_session, also=[contact.public_id], count=1)
            plans.replan(training_session.id)
        db.session.commit()
        flash(_("La fiche de %(name)s est enregistrée.", name=contact.name), "success")
        return redirect(back or _after(contact, training_session), 303)  # type: ignore[return-value]
    status = 422 if request.method == "POST" else 200
    return page(
        "contacts/form.html", status=status, form=form, contact=contact, kind=contact.kind,
        plural=PLURALS[contact.kind], training_session=training_session, back=back,
        likely=contacts.likely_address(form.email.data or ""),
    )  # fmt: skip


def _after(contact: Contact, training_session: TrainingSession | None) -> str:
    if training_session is not None:
        return url_for("sessions.people", public_id=training_session.public_id)
    return url_for("contacts.record", public_id=contact.public_id)


@blueprint.get("/<public_id>")
@allow(Permission.READ)
def record(public_id: str) -> Response:
    contact = get_or_404(Contact, public_id)
    return page(
        "contacts/record.html",
        contact=contact,
        plural=PLURALS[contact.kind],
        sessions=contacts.sessions_of(contact),
        sales=opportunities.of_contact(contact),
        staff=contacts.people_of(contact) if contact.kind is ContactKind.COMPANY else [],
        likely=contacts.likely_address(contact.email),
        memberships=segments.memberships(contact),
        country=contacts.country_name(contact.country, i18n.language()),
    )


@blueprint.get("/<public_id>/emails")
@allow(Permission.READ)
def emails(public_id: str) -> Response:
    contact = get_or_404(Contact, public_id)
    scope = Scope(current_user.organisation_id, contact=contact)
    return render_history(scope, "contacts/history.html", contact=contact, plural=PLURALS[contact.kind])
