"""What things of the house are and how far they have come: contacts, sessions, e-mails by type, exports, the queue."""

from __future__ import annotations

from models.words.word import N_, Word


class ContactKind(Word):
    """Whoever can be written to."""

    def __init__(self, _value: str, _label: str, plural: str, icon: str) -> None:
        self.plural, self.icon = plural, icon

    LEARNER = ("learner", N_("Apprenant"), N_("Apprenants"), "school")
    COMPANY = ("company", N_("Entreprise"), N_("Entreprises"), "building")
    TRAINER = ("trainer", N_("Intervenant"), N_("Intervenants"), "presentation")
    CUSTOMER = ("customer", N_("Client"), N_("Clients"), "user")
    FUNDER = ("funder", N_("Financeur"), N_("Financeurs"), "stack-2")


class SessionState(Word):
    """Where a training session stands."""

    DRAFT = ("draft", N_("Brouillon"))
    PLANNED = ("planned", N_("Planifiée"))
    FINISHED = ("finished", N_("Terminée"))
    CANCELLED = ("cancelled", N_("Annulée"))


class EmailType(Word):
    """What the history table shows in its type column; automatic e-mails of part 3 add to it."""

    FREE = ("free", N_("E-mail libre"))
    CONVOCATION = ("convocation", N_("Convocation"))
    CONVOCATION_REMINDER = ("convocation_reminder", N_("Rappel de convocation"))
    EVALUATION = ("evaluation", N_("Évaluation"))
    EVALUATION_PRE = ("evaluation_pre", N_("Évaluation préformation"))
    EVALUATION_HOT = ("evaluation_hot", N_("Évaluation à chaud"))
    EVALUATION_COLD = ("evaluation_cold", N_("Évaluation à froid"))
    EVALUATION_REMINDER = ("evaluation_reminder", N_("Relance d'évaluation"))
    CONVENTION = ("convention", N_("Convention"))
    PROGRAMME = ("programme", N_("Programme"))
    RULES = ("rules", N_("Règlement intérieur"))
    WELCOME_BOOKLET = ("welcome_booklet", N_("Livret d'accueil"))
    ATTENDANCE_SHEET = ("attendance_sheet", N_("Feuille d'émargement"))
    CERTIFICATE = ("certificate", N_("Certificat de réalisation"))
    ATTENDANCE_CERTIFICATE = ("attendance_certificate", N_("Attestation d'assiduité"))
    INVOICE = ("invoice", N_("Facture"))
    DOCUMENT = ("document", N_("Document"))
    QUOTE = ("quote", N_("Devis"))
    ALERT = ("alert", N_("Alerte interne"))
    SUPPORT = ("support", N_("Demande d'aide"))
    INVOICE_ISSUED_DEBIT = ("invoice.issued_debit", N_("Nouvelle facture (prélèvement)"))
    INVOICE_ISSUED_TO_PAY = ("invoice.issued_to_pay", N_("Nouvelle facture à payer"))
    INVOICE_PAID = ("invoice.paid", N_("Facture payée"))
    INVOICE_PAYMENT_FAILED = ("invoice.payment_failed", N_("Paiement refusé"))
    INVOICE_AUTHENTICATION_NEEDED = ("invoice.authentication_needed", N_("Paiement à authentifier"))
    INVOICE_OVERDUE = ("invoice.overdue", N_("Facture en retard"))
    INVOICE_DISPUTED = ("invoice.disputed", N_("Facture en litige"))
    CREDIT_NOTE_ISSUED = ("credit_note.issued", N_("Nouvel avoir"))
    SUBSCRIPTION_INTERRUPTED_NO_PAYMENT_METHOD = (
        "subscription.interrupted_no_payment_method", N_("Abonnement interrompu (moyen de paiement)"),
    )
    SUBSCRIPTION_INTERRUPTED_DEFAULT = (
        "subscription.interrupted_default", N_("Abonnement interrompu (impayé)"),
    )
    SUBSCRIPTION_TERMINATED_AT_TERM = ("subscription.terminated_at_term", N_("Abonnement résilié à l'échéance"))
    SUBSCRIPTION_TERMINATED = ("subscription.terminated", N_("Abonnement résilié"))
    SUBSCRIPTION_ENDED = ("subscription.ended", N_("Abonnement terminé"))
    CARD_EXPIRING = ("card.expiring", N_("Carte bientôt expirée"))
    CARD_EXPIRED = ("card.expired", N_("Carte expirée"))
    PAYMENT_METHOD_DEFECTIVE = ("payment_method.defective", N_("Moyen de paiement défectueux"))


class ReturnPath(Word):
    """What MAIL FROM carries for a sender: where reports come back to."""

    OWN = ("own", N_("L'adresse de l'expéditeur"))
    FIXED = ("fixed", N_("Une adresse de retour fixe"))
    VERP = ("verp", N_("Une adresse de retour par e-mail (VERP)"))


class QueueState(Word):
    """Where an outbox entry stands in the local protocol (RELIABILITY.md)."""

    WAITING = ("waiting", N_("En attente"))
    CLAIMED = ("claimed", N_("Pris en charge"))
    DATA_BEGUN = ("data_begun", N_("Transmission commencée"))


class ExportState(Word):
    """How far an export is."""

    WAITING = ("waiting", N_("En attente"))
    RUNNING = ("running", N_("En cours"))
    READY = ("ready", N_("Prêt"))
    CANCELLED = ("cancelled", N_("Annulé"))
    FAILED = ("failed", N_("Interrompu"))
    EXPIRED = ("expired", N_("Expiré"))
