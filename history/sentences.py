"""A filter in words: removable chips, and one sentence that says the whole question aloud."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from history.filters import HistoryFilter, is_short
from history.periods import DateField, Days, Period
from history.rows import Count
from history.scope import Scope
from i18n import _, long_date, ngettext
from models.standing import Standing
from models.words import N_, EmailType, Reason, Status, StatusGroup

_DATED = {
    DateField.CREATED: N_("demandés %(days)s"),
    DateField.SENT: N_("envoyés %(days)s"),
    DateField.UPDATED: N_("changés %(days)s"),
}
_ORDERED = {
    DateField.CREATED: (N_("les plus récents d'abord"), N_("les plus anciens d'abord")),
    DateField.SENT: (N_("les derniers envoyés d'abord"), N_("les premiers envoyés d'abord")),
    DateField.UPDATED: (N_("les derniers changés d'abord"), N_("les premiers changés d'abord")),
}


@dataclass(frozen=True)
class FilterChip:
    """One condition, and the filter without it."""

    label: str
    without: HistoryFilter


@dataclass(frozen=True)
class Names:
    """What the ids in a filter are called (None: not known, the id is shown)."""

    session: str | None = None
    contact: str | None = None
    segment: str | None = None


def chips(filter_: HistoryFilter, names: Names | None = None) -> list[FilterChip]:
    """A chip per condition, in the order of the columns."""
    names = names or Names()
    found: list[tuple[str, str, str, str | None]] = []
    if filter_.period:
        found.append(("period", _(filter_.date_field.label), period_label(filter_), None))
    found += [("type", _("Type"), type_label(code), code) for code in filter_.type]
    if filter_.session:
        found.append(("session", _("Session"), names.session or filter_.session, None))
    if filter_.contact:
        found.append(("contact", _("Client"), names.contact or filter_.contact, None))
    if filter_.learners:
        found.append(("learners", _("Avec"), _("ses apprenants"), None))
    if filter_.recipient:
        found.append(("recipient", _("Destinataire"), filter_.recipient, None))
    if filter_.subject:
        found.append(("subject", _("Objet"), filter_.subject, None))
    if filter_.attachment:
        found.append(("attachment", _("Pièces jointes"), _("avec") if filter_.attachment == "yes" else _("sans"), None))
    found += [("status", _("Statut"), status_label(code), code) for code in filter_.status]
    found += _more(filter_, names)
    return [
        FilterChip(_("%(what)s : %(value)s", what=what, value=value), filter_.without(field, code))
        for field, what, value, code in found
    ]


def _more(filter_: HistoryFilter, names: Names) -> list[tuple[str, str, str, str | None]]:
    """The chips of what stands under no column (history.more)."""
    found: list[tuple[str, str, str, str | None]] = [
        (field, _(what), value, None)
        for field, what, value in (
            ("segment", N_("Segment"), names.segment or filter_.segment),
            ("sender", N_("Expéditeur"), filter_.sender),
            ("by", N_("Demandé par"), filter_.by),
        )
        if value
    ]
    found += [("reason", _("Motif"), reason_label(code), code) for code in filter_.reason]
    if filter_.operator:
        found.append(("operator", _("Opérateur"), filter_.operator, None))
    for field, what, value in (
        ("resent", N_("Renvoyé"), filter_.resent), ("treated", N_("Traité"), filter_.treated),
    ):  # fmt: skip
        if value:
            found.append((field, _(what), _("oui") if value == "yes" else _("non"), None))
    if filter_.queue:
        found.append(("queue", _("Départ"), _(Standing(filter_.queue).label), None))
    if filter_.number:
        found.append(("number", _("Numéro"), numbers_label(filter_.number), None))
    return found


def _more_said(filter_: HistoryFilter, names: Names) -> list[str]:
    parts = []
    if filter_.segment:
        parts.append(_("aux contacts du segment « %(words)s »", words=names.segment or filter_.segment))
    if filter_.sender:
        parts.append(_("partis de « %(words)s »", words=filter_.sender))
    if filter_.by:
        parts.append(_("demandés par « %(words)s »", words=filter_.by))
    if filter_.reason:
        parts.append(_("pour le motif %(reasons)s", reasons=_either([reason_label(code) for code in filter_.reason])))
    if filter_.operator:
        parts.append(_("chez l'opérateur « %(words)s »", words=filter_.operator))
    if filter_.resent:
        parts.append(_("déjà renvoyés") if filter_.resent == "yes" else _("jamais renvoyés"))
    if filter_.treated:
        parts.append(_("marqués comme traités") if filter_.treated == "yes" else _("en erreur et pas encore traités"))
    if filter_.queue:
        parts.append(_("« %(standing)s » dans la file d'envoi", standing=_(Standing(filter_.queue).label)))
    if len(filter_.number) == 1:
        parts.append(_("portant le numéro %(number)s", number=filter_.number[0]))
    elif filter_.number:
        parts.append(ngettext("parmi %(num)s e-mail choisi", "parmi %(num)s e-mails choisis", len(filter_.number)))
    return parts


def sentence(filter_: HistoryFilter, now: datetime, zone: str, names: Names | None = None) -> str:
    """The question in one sentence, as a person would say it."""
    names = names or Names()
    parts = [_("Tous les e-mails")]
    if filter_.type:
        parts = [_("Les e-mails de type %(types)s", types=_either([type_label(t) for t in filter_.type]))]
    if filter_.status:
        parts.append(_("au statut %(statuses)s", statuses=_either([status_label(s) for s in filter_.status])))
    if filter_.recipient:
        parts.append(_("envoyés à « %(words)s »", words=filter_.recipient))
    if filter_.contact:
        parts.append(_("du client « %(words)s »", words=names.contact or filter_.contact))
    if filter_.learners:
        parts.append(_("y compris ceux de ses apprenants"))
    if filter_.session:
        parts.append(_("de la session « %(words)s »", words=names.session or filter_.session))
    if filter_.subject:
        parts.append(_("dont l'objet contient « %(words)s »", words=filter_.subject))
    if filter_.attachment:
        parts.append(_("avec pièce jointe") if filter_.attachment == "yes" else _("sans pièce jointe"))
    parts += _more_said(filter_, names)
    if filter_.period:
        parts.append(_(_DATED[filter_.date_field], days=_days(filter_.days(now, zone))))
    newest, oldest = _ORDERED[filter_.date_field]
    parts.append(_(newest if filter_.newest_first else oldest))
    return ", ".join(parts) + "."


def hint(filter_: HistoryFilter) -> str:
    """What to know about the words looked for, empty when there is nothing to say."""
    if any(is_short(part) for part in filter_.recipient.split()):
        return _("Moins de trois lettres : seuls les débuts de mots sont cherchés.")
    return ""


def about(scope: Scope) -> str:
    """Whose history a list is, in words; '' for the organisation's."""
    if scope.training_session is not None:
        return _("Session : %(title)s", title=scope.training_session.title)
    if scope.opportunity is not None:
        return _("Opportunité : %(title)s", title=scope.opportunity.title)
    return _("Contact : %(name)s", name=scope.contact.name) if scope.contact is not None else ""


def count_sentence(count: Count) -> str:
    """`128 e-mails` · `Plus de 10 000 e-mails`, never more than is known."""
    if count.exact:
        return ngettext("%(num)s e-mail", "%(num)s e-mails", count.value)
    known = count.value
    if count.value % 1000:  # what a walk saw of them: two figures say enough, and what was seen is surely passed
        unit = 10 ** max(len(str(count.value)) - 2, 0)
        known = (count.value - 1) // unit * unit
    return ngettext("Plus de %(num)s e-mail", "Plus de %(num)s e-mails", known)


def type_label(code: str) -> str:
    """A type in the page's language; a program's own word as it is."""
    return _(EmailType(code).label) if code in EmailType._value2member_map_ else code


def status_label(code: str) -> str:
    """A status or group of statuses in the page's language."""
    words = StatusGroup if code in StatusGroup._value2member_map_ else Status
    return _(words(code).label)


def numbers_label(numbers: tuple[str, ...]) -> str:
    """The number of the e-mail that is chosen; of several how many."""
    return numbers[0] if len(numbers) == 1 else ngettext("%(num)s choisi", "%(num)s choisis", len(numbers))


def reason_label(code: str) -> str:
    """A reason in the page's language."""
    return _(Reason(code).label)


def _either(labels: list[str]) -> str:
    quoted = [_("« %(words)s »", words=label) for label in labels]
    return quoted[0] if len(quoted) == 1 else _("%(some)s ou %(last)s", some=", ".join(quoted[:-1]), last=quoted[-1])


def period_label(filter_: HistoryFilter) -> str:
    """The period in few words, empty for none."""
    if filter_.period is not Period.CUSTOM:
        return _(filter_.period.label) if filter_.period else ""
    first, last = filter_.first, filter_.last
    if first and last:
        return _day(first) if first == last else _("%(first)s au %(last)s", first=_day(first), last=_day(last))
    return _("depuis le %(first)s", first=_day(first)) if first else _("jusqu'au %(last)s", last=_day(last))


def _days(days: Days) -> str:
    if days.first and days.last:
        if days.first == days.last:
            return _("le %(day)s", day=long_date(days.first))
        return _("du %(first)s au %(last)s", first=long_date(days.first), last=long_date(days.last))
    if days.first:
        return _("depuis le %(first)s", first=long_date(days.first))
    return _("jusqu'au %(last)s", last=long_date(days.last)) if days.last else ""


def _day(day: object) -> str:
    return f"{day:%d/%m/%Y}"
