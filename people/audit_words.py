"""What a line of the audit log says besides who and what: its data in words, for the page and for exports.

Data of a kind not known here are shown by their own names, so that nothing a line holds is ever hidden.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from markupsafe import Markup

from i18n import _, datetime_filter, gettext
from models import DocumentKind, EventOutcome, Rule, Stage
from models.domain_words import DomainState
from models.suppression import Grounds
from models.words import N_, ContactKind, EmailType, Reason, Role, Status

# the data's name → what it is called, in the order in which they are said
LABELS: dict[str, str] = {
    "name": N_("Nom"),
    "to": N_("À"),
    "whom": N_("À qui"),
    "type": N_("Type"),
    "kind": N_("Type"),
    "role": N_("Rôle"),
    "stage": N_("Étape"),
    "outcome": N_("Résultat"),
    "reason": N_("Motif"),
    "status": N_("Statut"),
    "count": N_("Nombre"),
    "created": N_("Créées"),
    "updated": N_("Mises à jour"),
    "rows": N_("Lignes"),
    "changed": N_("Champs modifiés"),
    "email": N_("Adresse e-mail"),
    "address": N_("Adresse"),
    "active": N_("Peut se connecter"),
    "enabled": N_("Allumé"),
    "accent": N_("Couleur"),
    "version": N_("Version"),
    "filename": N_("Fichier"),
    "format": N_("Format"),
    "query": N_("Filtre"),
    "scopes": N_("Droits"),
    "host": N_("Serveur"),
    "types": N_("Types"),
    "required": N_("E-mails requis"),
    "on": N_("Allumés"),
    "added": N_("Ajoutés"),
    "removed": N_("Retirés"),
    "segments": N_("Segments"),
    "mode": N_("Façon"),
    "own_copy": N_("Copie à soi-même"),
    "received": N_("Reçu"),
    "left": N_("Laissés de côté"),
    "not_before": N_("Pas avant"),
    "emails": N_("E-mails"),
    "state": N_("État"),
    "note": N_("Remarque"),
    "trial": N_("Essai"),
    "missing": N_("Aux manquants"),
    "template": N_("Modèle"),
    "copy_of": N_("Copie de"),
    "per_minute": N_("E-mails par minute"),
    "connections": N_("Connexions"),
    "message": N_("Message"),
    "reports": N_("Rapports reçus"),
    "years": N_("Conservation (années)"),
}
# columns, as `changed` names them (those of a session's modules are its dates)
_COLUMNS: dict[str, str] = {
    "accent": N_("Couleur"), "active": N_("Peut se connecter"), "address": N_("Adresse"),
    "bounce_address": N_("Adresse de retour"), "company_id": N_("Entreprise"), "country": N_("Pays"),
    "email": N_("Adresse e-mail"), "first_name": N_("Prénom"), "is_default": N_("Expéditeur par défaut"),
    "language": N_("Langue"),
    "last_name": N_("Nom de famille"), "logo_sha256": N_("Logo"), "name": N_("Nom"), "notes": N_("Notes internes"),
    "offer": N_("Offre"), "password": N_("Mot de passe"), "phone": N_("Téléphone"), "place": N_("Lieu"),
    "reference": N_("Référence"), "registration": N_("Numéro de déclaration d'activité"),
    "reply_to": N_("Adresse de réponse"), "return_path": N_("Adresse de retour"), "role": N_("Rôle"),
    "starts_on": N_("Début"), "ends_on": N_("Fin"), "state": N_("État"), "tags": N_("Étiquettes"),
    "dkim_selector": N_("Sélecteur DKIM"), "timezone": N_("Fuseau horaire"), "title": N_("Titre"),
    "measured": N_("Mesure des ouvertures"), "track_by_consent": N_("Mesure sur accord seulement"),
    "track_opens": N_("Mesure des ouvertures"), "untracked_types": N_("E-mails jamais mesurés"),
}  # fmt: skip
_MODES = {
    "copy": N_("Copie exacte"), "anew": N_("Refait aujourd'hui"), "link": N_("Avec un lien de téléchargement"),
}  # fmt: skip
_FLAGS = {"trial", "missing", "own_copy"}  # said by their names alone
_WORDS: dict[str, tuple[Any, ...]] = {
    "type": (EmailType,), "types": (EmailType,), "required": (EmailType,), "kind": (ContactKind, DocumentKind),
    "role": (Role,), "stage": (Stage,), "outcome": (EventOutcome,), "status": (Status,),
    "reason": (Reason, Grounds), "state": (DomainState,),
}  # fmt: skip
_MOST = 8


def said(entry: Any) -> list[tuple[str, str]]:
    """(what, value) of each thing a line holds, in the page's language; an empty value where its name says all."""
    order = {name: n for n, name in enumerate(LABELS)}
    names = sorted(entry.data, key=lambda name: (order.get(name, len(order)), name))
    return [
        (gettext(LABELS[name]) if name in LABELS else name, _value(name, entry.data[name]))
        for name in names
        if not (name in _FLAGS and entry.data[name] is False)
    ]


def _value(name: str, value: Any) -> str:
    if name in _FLAGS and value is True:
        return ""
    if name == "changed":
        shown = [gettext(_COLUMNS[one]) if one in _COLUMNS else str(one) for one in value]
        return ", ".join(dict.fromkeys(shown)) or "—"
    if name == "on":
        return ", ".join(_rule(one) for one in value)
    if isinstance(value, list) and len(value) == 2 and name in _COLUMNS:  # before and after
        return f"{_one(name, value[0]) or '—'} → {_one(name, value[1]) or '—'}"
    if isinstance(value, list):
        more = f" (+ {len(value) - _MOST})" if len(value) > _MOST else ""
        return ", ".join(_one(name, one) for one in value[:_MOST]) + more
    if isinstance(value, dict):
        return ", ".join(f"{key}{_(' : ')}{one}" for key, one in value.items())
    return _one(name, value)


def _one(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("oui") if value else _("non")
    if name == "not_before":
        return str(Markup(datetime_filter(datetime.fromisoformat(value))).striptags())
    if name == "mode" and value in _MODES:
        return gettext(_MODES[value])
    for words in _WORDS.get(name, ()):
        if value in {one.value for one in words}:
            return gettext(words(value).label)
    return str(value)


def _rule(value: str) -> str:
    return gettext(Rule(value).label) if value in {rule.value for rule in Rule} else value
