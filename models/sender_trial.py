"""A test message to oneself, with every line that was said: what a person looks at when a sender does not work.

mail.trials makes and runs them; secrets are masked before a line gets here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.account import SmtpAccount
from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.email import Sender
from models.words import N_, Word


class TrialPhase(Word):
    """The steps of a session, in their order."""

    CONNECT = ("connect", N_("Connexion"))
    TLS = ("tls", N_("Chiffrement"))
    EHLO = ("ehlo", N_("Présentation"))
    STARTTLS = ("starttls", N_("Passage au chiffrement"))
    AUTH = ("auth", N_("Authentification"))
    MAIL = ("mail", N_("Expéditeur"))
    RCPT = ("rcpt", N_("Destinataire"))
    DATA = ("data", N_("Message"))


class TrialTrouble(Word):
    """What went wrong: the label is one plain sentence, `remedy` what to do."""

    def __init__(self, _value: str, _label: str, remedy: str) -> None:
        self.remedy = remedy

    NAME = (
        "name", N_("Le nom de ce serveur est introuvable."),
        N_("Vérifiez son orthographe avec ce qu'indique votre service d'envoi."),
    )
    FORBIDDEN = (
        "forbidden", N_("Ce nom mène à un réseau privé : rien n'y est envoyé."),
        N_("Indiquez un serveur de l'internet public, ou voyez avec qui exploite Sillage (ACCOUNT_NETWORKS)."),
    )
    REFUSED = (
        "refused", N_("Le serveur refuse la connexion sur ce port."),
        N_("Vérifiez le port : 587 avec STARTTLS, 465 avec TLS, 25 sans chiffrement."),
    )
    UNREACHABLE = (
        "unreachable", N_("Le serveur est injoignable."),
        N_("Vérifiez le nom et le port ; si tout est juste, réessayez plus tard : le serveur est peut-être arrêté."),
    )
    TIMEOUT = (
        "timeout", N_("Le serveur n'a pas répondu à temps."),
        N_("Vérifiez le port et le chiffrement : un serveur qui attend TLS (465) est muet si on lui parle en clair."),
    )
    CERTIFICATE = (
        "certificate", N_("Le certificat du serveur n'est pas valide : rien ne prouve que c'est bien lui."),
        N_("Vérifiez le nom du serveur ; s'il est juste, signalez-le à votre service d'envoi. Rien ne part d'ici là."),
    )
    TLS = (
        "tls", N_("La liaison chiffrée n'a pas pu être établie."),
        N_("Vérifiez que le port et le chiffrement vont ensemble : 587 avec STARTTLS, 465 avec TLS."),
    )
    NO_STARTTLS = (
        "no_starttls", N_("Ce serveur ne propose pas de passer au chiffrement (STARTTLS)."),
        N_("Essayez TLS dès la connexion, sur le port 465."),
    )
    NO_AUTH = (
        "no_auth", N_("Ce serveur ne propose pas cette authentification."),
        N_("Beaucoup ne la proposent qu'une fois la liaison chiffrée : choisissez STARTTLS ou TLS."),
    )
    SECRET = (
        "secret", N_("Le mot de passe gardé ne peut plus être lu."), N_("Retapez-le dans les réglages du compte."),
    )
    TOKEN = (
        "token", N_("Aucun jeton XOAUTH2 n'a pu être obtenu."), N_("Voyez avec qui exploite Sillage (XOAUTH2_TOKEN)."),
    )
    CREDENTIALS = (
        "credentials", N_("Le serveur refuse l'identifiant ou le mot de passe."),
        N_("Vérifiez-les. Chez Google et Microsoft, il faut un mot de passe d'application, ou XOAUTH2."),
    )
    BUSY = (
        "busy", N_("Le serveur demande de revenir plus tard."),
        N_("Réessayez dans quelques minutes ; si cela dure, demandez à votre service d'envoi s'il vous limite."),
    )
    SENDER = (
        "sender", N_("Le serveur n'accepte pas cette adresse d'expédition."),
        N_("Déclarez-la auprès de votre service d'envoi, ou choisissez une adresse qui appartient à ce compte."),
    )
    RECIPIENT = (
        "recipient", N_("Le serveur refuse votre adresse de destinataire."),
        N_("Vérifiez l'adresse de votre compte Sillage ; le serveur dit peut-être pourquoi ci-dessous."),
    )
    MESSAGE = (
        "message", N_("Le serveur a refusé le message lui-même."),
        N_("Lisez sa réponse ci-dessous : elle nomme souvent la cause (SPF, DKIM, taille, contenu)."),
    )
    BROKEN = (
        "broken", N_("Le serveur a coupé la liaison, ou ne parle pas SMTP."),
        N_("Vérifiez le port et le chiffrement ; 465 demande TLS dès la connexion."),
    )
    GREETING = (
        "greeting", N_("Le serveur ne veut pas nous parler."),
        N_("Lisez sa réponse ci-dessous ; il n'accepte peut-être que certaines adresses IP."),
    )
    LOST = ("lost", N_("L'essai a été interrompu de notre côté."), N_("Relancez-le."))  # fmt: skip


class SenderTrial(Model):
    """One trial of a sender by an account (None: the house's): asked for, run once by a worker, kept a while.

    `lines`: [[milliseconds since the start, "phase" | "client" | "server", words], …]; `tls`: version, cipher and the
    certificate as mail.trial read it; `phase` and `trouble`: where and why it ended, None when it arrived.
    """

    __tablename__ = "sender_trial"
    __table_args__ = (
        one_of("phase", TrialPhase),
        one_of("trouble", TrialTrouble),
        UniqueConstraint("public_id"),
        Index("ix_sender_trial_sender", "sender_id", "id"),
        Index("ix_sender_trial_account", "account_id", postgresql_where=sql("account_id IS NOT NULL")),
        Index("ix_sender_trial_waiting", "id", postgresql_where=sql("finished_at IS NULL")),
        Index("ix_sender_trial_organisation", "organisation_id", "id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("T", 12))
    sender_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("sender.id", ondelete="CASCADE"), nullable=False)
    account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("smtp_account.id", ondelete="CASCADE"))
    asked_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    recipient: Mapped[str] = mapped_column(Text, nullable=False)
    created_at: Mapped[created]
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    arrived: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=sql("false"))
    phase: Mapped[TrialPhase | None] = word(TrialPhase)
    trouble: Mapped[TrialTrouble | None] = word(TrialTrouble)
    lines: Mapped[list[list[Any]]] = mapped_column(JSONB, nullable=False, server_default=sql("'[]'"))
    tls: Mapped[dict[str, Any]] = mapped_column(JSONB, nullable=False, server_default=sql("'{}'"))

    sender: Mapped[Sender] = relationship(lazy="joined", innerjoin=True)
    account: Mapped[SmtpAccount | None] = relationship(lazy="joined")
