"""The audit log: who did what, when, from where. Appended, never changed: a trigger refuses UPDATE and DELETE.

people.audit.note is the only writer. Whoever builds an action adds its word to AuditAction; no constraint lists the
words, so that a new one needs no migration. A word that was written once is never taken away.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, DateTime, ForeignKey, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, one_of, word
from models.words import N_, Word


class AuditGroup(Word):
    """What an action is about: how the filter lists them; `icon` stands beside each line."""

    def __init__(self, _value: str, _label: str, icon: str) -> None:
        self.icon = icon

    ACCESS = ("access", N_("Accès"), "key")
    EMAILS = ("emails", N_("E-mails"), "mail")
    PEOPLE = ("people", N_("Données"), "users")
    SESSIONS = ("sessions", N_("Sessions et documents"), "calendar")
    SALES = ("sales", N_("Opportunités"), "briefcase")
    EXPORTS = ("exports", N_("Exports et téléchargements"), "download")
    SETTINGS = ("settings", N_("Configuration"), "settings")


class AuditAction(Word):
    """One thing a person or a program did. The labels are past participles: "Renvoyé", "Fiche modifiée"."""

    def __init__(self, _value: str, _label: str, group: AuditGroup) -> None:
        self.group = group

    # access
    SIGNED_IN = ("signed_in", N_("Connexion"), AuditGroup.ACCESS)
    SIGN_IN_REFUSED = ("sign_in_refused", N_("Connexion refusée"), AuditGroup.ACCESS)
    SIGNED_OUT = ("signed_out", N_("Déconnexion"), AuditGroup.ACCESS)
    ACCOUNT_CHANGED = ("account_changed", N_("Compte modifié par son titulaire"), AuditGroup.ACCESS)
    USER_CREATED = ("user_created", N_("Utilisateur créé"), AuditGroup.ACCESS)
    USER_CHANGED = ("user_changed", N_("Utilisateur modifié"), AuditGroup.ACCESS)
    PASSWORD_RESET = ("password_reset", N_("Mot de passe réinitialisé"), AuditGroup.ACCESS)
    TOKEN_CREATED = ("token_created", N_("Clé d'API créée"), AuditGroup.ACCESS)
    TOKEN_REVOKED = ("token_revoked", N_("Clé d'API révoquée"), AuditGroup.ACCESS)
    SPACE_RENEWED = ("space_renewed", N_("Lien de l'espace renouvelé"), AuditGroup.ACCESS)
    SPACE_REVOKED = ("space_revoked", N_("Lien de l'espace retiré"), AuditGroup.ACCESS)
    # e-mails
    EMAILS_SENT = ("emails_sent", N_("E-mails demandés"), AuditGroup.EMAILS)
    EMAIL_RESENT = ("email_resent", N_("E-mail renvoyé"), AuditGroup.EMAILS)
    TREATED = ("treated", N_("Marqué comme traité"), AuditGroup.EMAILS)
    UNTREATED = ("untreated", N_("Remis à traiter"), AuditGroup.EMAILS)
    PLAN_CANCELLED = ("plan_cancelled", N_("Envoi programmé annulé"), AuditGroup.EMAILS)
    PLAN_SENT = ("plan_sent", N_("Envoi programmé avancé"), AuditGroup.EMAILS)
    EVENT_TOLD = ("event_told", N_("Évènement transmis"), AuditGroup.EMAILS)
    EVENT_REPEATED = ("event_repeated", N_("Évènement traité de nouveau"), AuditGroup.EMAILS)
    ADDRESS_QUARANTINED = ("address_quarantined", N_("Adresse mise en quarantaine"), AuditGroup.EMAILS)
    OPT_OUT_RESTORED = ("opt_out_restored", N_("Désinscription levée"), AuditGroup.EMAILS)
    OPTIONAL_TYPES = ("optional_types", N_("Types à désinscription modifiés"), AuditGroup.SETTINGS)
    QUARANTINE_LIFTED = ("quarantine_lifted", N_("Quarantaine levée"), AuditGroup.EMAILS)
    QUARANTINE_IMPORTED = ("quarantine_imported", N_("Quarantaine importée"), AuditGroup.EMAILS)
    OUTCOME_JUDGED = ("outcome_judged", N_("Issue corrigée par une personne"), AuditGroup.EMAILS)
    REPORT_READ_AGAIN = ("report_read_again", N_("Message reçu relu"), AuditGroup.EMAILS)
    REPORT_ATTACHED = ("report_attached", N_("Message reçu rattaché à un e-mail"), AuditGroup.EMAILS)
    REPORT_DISMISSED = ("report_dismissed", N_("Message reçu mis de côté"), AuditGroup.EMAILS)
    NEWS_ATTACHED = ("news_attached", N_("Nouvelle d'un service d'envoi rattachée à un e-mail"), AuditGroup.EMAILS)
    NEWS_DISMISSED = ("news_dismissed", N_("Nouvelle d'un service d'envoi mise de côté"), AuditGroup.EMAILS)
    BULK_RESEND_STARTED = ("bulk_resend_started", N_("Renvoi en nombre lancé"), AuditGroup.EMAILS)
    BULK_RESEND_CANCELLED = ("bulk_resend_cancelled", N_("Renvoi en nombre arrêté"), AuditGroup.EMAILS)
    ASSISTANCE_ASKED = ("assistance_asked", N_("Assistance contactée"), AuditGroup.EMAILS)
    # contacts, segments
    CONTACT_CREATED = ("contact_created", N_("Fiche créée"), AuditGroup.PEOPLE)
    CONTACT_CHANGED = ("contact_changed", N_("Fiche modifiée"), AuditGroup.PEOPLE)
    CONTACTS_IMPORTED = ("contacts_imported", N_("Contacts importés"), AuditGroup.PEOPLE)
    SEGMENT_CREATED = ("segment_created", N_("Segment créé"), AuditGroup.PEOPLE)
    SEGMENT_CHANGED = ("segment_changed", N_("Segment modifié"), AuditGroup.PEOPLE)
    SEGMENT_DELETED = ("segment_deleted", N_("Segment supprimé"), AuditGroup.PEOPLE)
    SEGMENT_MEMBERS = ("segment_members", N_("Membres d'un segment modifiés"), AuditGroup.PEOPLE)
    # training sessions, documents
    SESSION_CREATED = ("session_created", N_("Session créée"), AuditGroup.SESSIONS)
    SESSION_CHANGED = ("session_changed", N_("Session modifiée"), AuditGroup.SESSIONS)
    ENROLLED = ("enrolled", N_("Participants inscrits"), AuditGroup.SESSIONS)
    WITHDRAWN = ("withdrawn", N_("Participant retiré"), AuditGroup.SESSIONS)
    MODULES_CHOSEN = ("modules_chosen", N_("Modules suivis modifiés"), AuditGroup.SESSIONS)
    PROGRAMME_CREATED = ("programme_created", N_("Programme créé"), AuditGroup.SESSIONS)
    PROGRAMME_CHANGED = ("programme_changed", N_("Programme modifié"), AuditGroup.SESSIONS)
    DOCUMENTS_MADE = ("documents_made", N_("Documents générés"), AuditGroup.SESSIONS)
    DOCUMENT_ADDED = ("document_added", N_("Document déposé"), AuditGroup.SESSIONS)
    DOCUMENT_WITHDRAWN = ("document_withdrawn", N_("Document retiré"), AuditGroup.SESSIONS)
    EVALUATION_ANSWERED = ("evaluation_answered", N_("Évaluation notée comme répondue"), AuditGroup.SESSIONS)
    SESSION_AUTOMATION = ("session_automation", N_("Automatisation d'une session modifiée"), AuditGroup.SESSIONS)
    # opportunities
    OPPORTUNITY_CREATED = ("opportunity_created", N_("Opportunité créée"), AuditGroup.SALES)
    OPPORTUNITY_CHANGED = ("opportunity_changed", N_("Opportunité modifiée"), AuditGroup.SALES)
    OPPORTUNITY_MOVED = ("opportunity_moved", N_("Opportunité changée d'étape"), AuditGroup.SALES)
    # exports, downloads
    EXPORT_ASKED = ("export_asked", N_("Export demandé"), AuditGroup.EXPORTS)
    EXPORT_CANCELLED = ("export_cancelled", N_("Export annulé"), AuditGroup.EXPORTS)
    EXPORT_FETCHED = ("export_fetched", N_("Export téléchargé"), AuditGroup.EXPORTS)
    LIST_EXPORTED = ("list_exported", N_("Liste exportée"), AuditGroup.EXPORTS)
    ATTACHMENTS_DOWNLOADED = ("attachments_downloaded", N_("Pièces jointes téléchargées"), AuditGroup.EXPORTS)
    PROOF_TAKEN = ("proof_taken", N_("Dossier de preuve téléchargé"), AuditGroup.EXPORTS)
    DOCUMENTS_TAKEN = ("documents_taken", N_("Documents téléchargés"), AuditGroup.EXPORTS)
    QUARANTINE_EXPORTED = ("quarantine_exported", N_("Quarantaine exportée"), AuditGroup.EXPORTS)
    AUDIT_EXPORTED = ("audit_exported", N_("Journal exporté"), AuditGroup.EXPORTS)
    # configuration
    RETENTION_CHANGED = ("retention_changed", N_("Durée de conservation modifiée"), AuditGroup.SETTINGS)
    CONTENT_ERASED = ("content_erased", N_("Contenus effacés par la règle de conservation"), AuditGroup.EMAILS)
    ORGANISATION_CHANGED = ("organisation_changed", N_("Organisme modifié"), AuditGroup.SETTINGS)
    LOOK_CHANGED = ("look_changed", N_("Logo ou couleur modifiés"), AuditGroup.SETTINGS)
    SENDER_CREATED = ("sender_created", N_("Expéditeur créé"), AuditGroup.SETTINGS)
    SENDER_CHANGED = ("sender_changed", N_("Expéditeur modifié"), AuditGroup.SETTINGS)
    SENDER_PAUSED = ("sender_paused", N_("Expéditeur mis en pause"), AuditGroup.SETTINGS)
    SENDER_RESUMED = ("sender_resumed", N_("Expéditeur remis en marche"), AuditGroup.SETTINGS)
    JOBS_RETRIED = ("jobs_retried", N_("Travaux relancés"), AuditGroup.SETTINGS)
    JOBS_DISMISSED = ("jobs_dismissed", N_("Travaux mis de côté"), AuditGroup.SETTINGS)
    PACE_CHANGED = ("pace_changed", N_("Cadence d'envoi modifiée"), AuditGroup.SETTINGS)
    SENDER_TRIED = ("sender_tried", N_("Expéditeur essayé"), AuditGroup.SETTINGS)
    SMTP_ACCOUNT_CREATED = ("smtp_account_created", N_("Compte d'envoi créé"), AuditGroup.SETTINGS)
    SMTP_ACCOUNT_CHANGED = ("smtp_account_changed", N_("Compte d'envoi modifié"), AuditGroup.SETTINGS)
    SMTP_ACCOUNT_DELETED = ("smtp_account_deleted", N_("Compte d'envoi supprimé"), AuditGroup.SETTINGS)
    DOMAIN_CHECKED = ("domain_checked", N_("Domaine vérifié"), AuditGroup.SETTINGS)
    DOMAIN_CHANGED = ("domain_changed", N_("Réglages d'un domaine modifiés"), AuditGroup.SETTINGS)
    DOMAIN_KEY_CREATED = ("domain_key_created", N_("Clé DKIM créée"), AuditGroup.SETTINGS)
    DOMAIN_KEY_DELETED = ("domain_key_deleted", N_("Clé DKIM supprimée"), AuditGroup.SETTINGS)
    TEMPLATE_CHANGED = ("template_changed", N_("Modèle modifié"), AuditGroup.SETTINGS)
    TEMPLATE_STATE = ("template_state", N_("Modèle allumé ou éteint"), AuditGroup.SETTINGS)
    TEMPLATE_DELETED = ("template_deleted", N_("Modèle supprimé"), AuditGroup.SETTINGS)
    TEMPLATE_RESTORED = ("template_restored", N_("Version d'un modèle rétablie"), AuditGroup.SETTINGS)
    TEMPLATES_ADDED = ("templates_added", N_("Modèles ajoutés"), AuditGroup.SETTINGS)
    AUTOMATIONS_CHANGED = ("automations_changed", N_("Envois automatiques réglés"), AuditGroup.SETTINGS)
    TRAINING_TYPE_CHANGED = ("training_type_changed", N_("Type de formation modifié"), AuditGroup.SETTINGS)
    TRAINING_TYPE_DELETED = ("training_type_deleted", N_("Type de formation supprimé"), AuditGroup.SETTINGS)
    BILLING_CREATED = ("billing_created", N_("Source de facturation créée"), AuditGroup.SETTINGS)
    BILLING_REVOKED = ("billing_revoked", N_("Source de facturation révoquée"), AuditGroup.SETTINGS)
    WEBHOOK_CREATED = ("webhook_created", N_("Webhook créé"), AuditGroup.SETTINGS)
    WEBHOOK_CHANGED = ("webhook_changed", N_("Webhook modifié"), AuditGroup.SETTINGS)
    WEBHOOK_SECRET = ("webhook_secret", N_("Secret d'un webhook changé"), AuditGroup.SETTINGS)
    WEBHOOK_PAUSED = ("webhook_paused", N_("Webhook mis en pause"), AuditGroup.SETTINGS)
    WEBHOOK_RESUMED = ("webhook_resumed", N_("Webhook remis en marche"), AuditGroup.SETTINGS)
    WEBHOOK_TRIED = ("webhook_tried", N_("Webhook essayé"), AuditGroup.SETTINGS)
    WEBHOOK_RESENT = ("webhook_resent", N_("Appels d'un webhook refaits"), AuditGroup.SETTINGS)
    PROVIDER_CREATED = ("provider_created", N_("Service d'envoi créé"), AuditGroup.SETTINGS)
    PROVIDER_CHANGED = ("provider_changed", N_("Clés d'un service d'envoi changées"), AuditGroup.SETTINGS)
    PROVIDER_TRIED = ("provider_tried", N_("Service d'envoi essayé"), AuditGroup.SETTINGS)
    PROVIDER_SWITCHED = ("provider_switched", N_("Service d'envoi écouté ou non"), AuditGroup.SETTINGS)
    PROVIDER_DELETED = ("provider_deleted", N_("Service d'envoi supprimé"), AuditGroup.SETTINGS)
    WEBHOOK_DELETED = ("webhook_deleted", N_("Webhook supprimé"), AuditGroup.SETTINGS)


class Channel(Word):
    """By which door it came."""

    PAGE = ("page", N_("Page"))
    API = ("api", N_("API"))
    JOB = ("job", N_("Tâche"))  # a person's act that ran later, or a command


class AuditEntry(Model):
    """One line of the log. `who` is the name as it was; `subject` a public id or the address the act was about, `also`
    the ids of what else it was about (the e-mails that were dealt with at one press).

    `data` holds what else is needed to understand it: ids, counts, addresses; never bodies, passwords or secrets.
    No foreign key but the organisation's: the log outlives what it speaks of, and keeps the organisation from being
    deleted under it.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        one_of("channel", Channel),
        Index("ix_audit_entry_newest", "organisation_id", "at", "id"),
        Index("ix_audit_entry_user", "organisation_id", "user_id", "at", "id"),
        Index("ix_audit_entry_action", "organisation_id", "action", "at", "id"),
        Index(
            "ix_audit_entry_subject", "organisation_id", "subject", "at", "id", postgresql_where=sql("subject <> ''")
        ),
        Index("ix_audit_entry_also", "also", postgresql_using="gin", postgresql_where=sql("also <> '{}'")),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("organisation.id"), nullable=False)
    at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), nullable=False, server_default=sql("clock_timestamp()")
    )
    action: Mapped[AuditAction] = word(AuditAction, nullable=False)
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    who: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    channel: Mapped[Channel] = word(Channel, nullable=False)
    token_prefix: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    address: Mapped[str] = mapped_column(Text, nullable=False, server_default="")  # of the request (IP)
    subject: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    also: Mapped[list[str]] = mapped_column(ARRAY(Text), nullable=False, server_default=sql("'{}'"))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, nullable=False, server_default=sql("'{}'"))
