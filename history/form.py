"""The filter as a form: WTForms fields holding the filter's values, to be put under the headers. It reads nothing.

What a browser sends back is a query string, and HistoryFilter.from_query reads it; so the form needs neither
validation nor a token.
"""

from __future__ import annotations

from wtforms import DateField as DayField
from wtforms import Form, SelectField, SelectMultipleField, StringField

from history.filters import LIMITS, LONGEST_TEXT, HistoryFilter
from history.periods import DateField, Period
from history.sentences import type_label
from i18n import _
from models.standing import QUEUED
from models.words import EmailType, Reason, Status, StatusGroup

_TEXT = {"maxlength": LONGEST_TEXT, "autocomplete": "off", "spellcheck": "false"}


class FilterForm(Form):
    """One field per query parameter that people fill in, named as the parameter is (`from` and `to` are set below)."""

    date_field = SelectField()
    period = SelectField()
    type = SelectMultipleField()
    session = StringField(render_kw=_TEXT)
    contact = StringField(render_kw=_TEXT)
    recipient = StringField(render_kw=_TEXT)
    subject = StringField(render_kw=_TEXT)
    attachment = SelectField()
    status = SelectMultipleField()
    limit = SelectField()
    segment = SelectField()
    sender = SelectField()
    by = SelectField()
    reason = SelectMultipleField()
    operator = StringField(render_kw=_TEXT)
    resent = SelectField()
    treated = SelectField()
    queue = SelectField()


for _name in ("from", "to"):  # a keyword cannot be written in a class body
    setattr(FilterForm, _name, DayField())


Choices = list[tuple[str, str]]


def form_of(filter_: HistoryFilter, offered: dict[str, Choices] | None = None) -> FilterForm:
    """The form that shows `filter_`, in the page's language. `offered`: the (value, label)s that an organisation has
    for segment, sender and by; a value that is none of them (deleted since, typed by hand) is offered too."""
    form = FilterForm(
        data={
            "date_field": filter_.date_field.value,
            "period": filter_.period.value if filter_.period else "",
            "from": filter_.first,
            "to": filter_.last,
            "type": list(filter_.type),
            "session": filter_.session,
            "contact": filter_.contact,
            "recipient": filter_.recipient,
            "subject": filter_.subject,
            "attachment": filter_.attachment,
            "status": list(filter_.status),
            "limit": str(filter_.limit),
            "segment": filter_.segment,
            "sender": filter_.sender,
            "by": filter_.by,
            "reason": list(filter_.reason),
            "operator": filter_.operator,
            "resent": filter_.resent,
            "treated": filter_.treated,
            "queue": filter_.queue,
        }
    )
    form.date_field.choices = [(d.value, _(d.label)) for d in DateField]
    form.period.choices = [("", _("Toutes les dates")), *((p.value, _(p.label)) for p in Period)]
    known = sorted(((t.value, _(t.label)) for t in EmailType), key=lambda choice: choice[1].casefold())
    form.type.choices = [*known, *((t, type_label(t)) for t in filter_.type if t not in EmailType._value2member_map_)]
    form.attachment.choices = [("", _("Toutes")), ("yes", _("Avec")), ("no", _("Sans"))]
    form.status.choices = [(s.value, _(s.label)) for s in (*StatusGroup, *Status)]
    form.limit.choices = [(str(n), str(n)) for n in sorted({*LIMITS, filter_.limit})]
    form.reason.choices = [(r.value, _(r.label)) for r in Reason]
    for name in ("resent", "treated"):
        form[name].choices = [("", _("Indifférent")), ("yes", _("Oui")), ("no", _("Non"))]
    form.queue.choices = [("", _("Indifférent")), *((one.value, _(one.label)) for one in QUEUED)]
    for name in ("segment", "sender", "by"):
        known = list((offered or {}).get(name, ()))
        value = getattr(filter_, name)
        if value and value not in dict(known):
            known.append((value, value))
        form[name].choices = [("", _("Tous")), *known]
    return form
