"""Who may do what: roles, permissions, and which role has which."""

from __future__ import annotations

from models.words.word import N_, Word


class Role(Word):
    """What a user is in the organisation."""

    STAFF = ("staff", N_("Membre de l'équipe"))
    MANAGER = ("manager", N_("Responsable"))
    ADMIN = ("admin", N_("Administrateur"))


class Permission(Word):
    """One thing a person may do; ALLOWED below says which roles may."""

    READ = ("read", N_("Voir"))
    WRITE = ("write", N_("Créer et modifier"))
    SEND = ("send", N_("Envoyer"))
    EXPORT = ("export", N_("Exporter une liste"))
    TREAT = ("treat", N_("Marquer comme traité"))
    DOWNLOAD_ALL = ("download_all", N_("Télécharger toutes les pièces jointes"))
    EXPORT_LARGE = ("export_large", N_("Exporter de grandes listes"))
    AUDIT = ("audit", N_("Lire le journal d'audit"))
    RESEND = ("resend", N_("Renvoyer"))
    CONFIGURE = ("configure", N_("Configurer"))


_STAFF = {Permission.READ, Permission.WRITE, Permission.SEND, Permission.EXPORT, Permission.TREAT}
_MANAGER = _STAFF | {Permission.DOWNLOAD_ALL, Permission.EXPORT_LARGE, Permission.AUDIT}
ALLOWED: dict[Role, frozenset[Permission]] = {
    Role.STAFF: frozenset(_STAFF),
    Role.MANAGER: frozenset(_MANAGER),
    Role.ADMIN: frozenset(Permission),
}
