"""SMTP accounts of an organisation's own: where mail is handed over, as whom, and at what pace.

A sender without one leaves by the house's account (MAIL_*). mail.accounts alone reads `secret`, which is encrypted.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Integer, LargeBinary, SmallInteger, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.words import N_, Word


class Security(Word):
    """How the connection is encrypted. `port` is the usual one, `short` what a list says."""

    def __init__(self, _value: str, _label: str, port: int, short: str) -> None:
        self.port, self.short = port, short

    STARTTLS = ("starttls", N_("STARTTLS : en clair puis chiffrée (port 587)"), 587, "STARTTLS")
    TLS = ("tls", N_("TLS dès la connexion (port 465)"), 465, "TLS")
    NONE = ("none", N_("Aucun chiffrement"), 25, N_("en clair"))


class Auth(Word):
    """How we say who we are."""

    PASSWORD = ("password", N_("Identifiant et mot de passe"))
    XOAUTH2 = ("xoauth2", N_("XOAUTH2 : un jeton de Google ou de Microsoft"))
    NONE = ("none", N_("Aucune authentification"))


class SmtpAccount(Model):
    """One account with one server. `secret` (a password, or what the XOAUTH2 hook asks for) is empty or encrypted.

    `connections` and `per_minute` (e-mails; None: no limit) are shared by all workers; a connection is left after
    `messages_per_connection` e-mails or `minutes_per_connection`.
    """

    __tablename__ = "smtp_account"
    __table_args__ = (
        one_of("security", Security),
        one_of("auth", Auth),
        CheckConstraint("port BETWEEN 1 AND 65535", name="port"),
        CheckConstraint(
            "connections > 0 AND per_minute > 0 AND messages_per_connection > 0 AND minutes_per_connection > 0",
            name="limits",
        ),
        UniqueConstraint("public_id"),
        UniqueConstraint("organisation_id", "name"),
        # what a sender's (organisation_id, account_id) points at: never another organisation's account
        UniqueConstraint("organisation_id", "id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("A", 10))
    name: Mapped[str] = mapped_column(Text, nullable=False)
    host: Mapped[str] = mapped_column(Text, nullable=False)
    port: Mapped[int] = mapped_column(Integer, nullable=False, server_default=sql("587"))
    security: Mapped[Security] = word(Security, nullable=False, server_default="starttls")
    auth: Mapped[Auth] = word(Auth, nullable=False, server_default="password")
    username: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    # never loaded with the row, so that nothing shows or exports it by accident
    secret: Mapped[bytes] = mapped_column(LargeBinary, nullable=False, server_default=sql("''"), deferred=True)
    connections: Mapped[int] = mapped_column(SmallInteger, nullable=False, server_default=sql("4"))
    per_minute: Mapped[int | None] = mapped_column(Integer)
    messages_per_connection: Mapped[int] = mapped_column(Integer, nullable=False, server_default=sql("100"))
    minutes_per_connection: Mapped[int] = mapped_column(SmallInteger, nullable=False, server_default=sql("5"))
    created_at: Mapped[created]

    def __repr__(self) -> str:
        return f"<SmtpAccount {self.public_id} {self.host}:{self.port}>"
