"""Flask-Mail's façade with a connection of our own.

mail.opening opens it (greeting, EHLO, STARTTLS, AUTH); from then on a mail.line.Line moves it without ever
blocking, so that one worker can keep several servers busy.
"""

from __future__ import annotations

import smtplib
from typing import Any

import flask_mail
from flask import Flask

from config import Config
from mail import accounts
from mail.accounts import Account
from mail.line import Line, LineLost
from mail.opening import CannotOpen, Reply, open_session, tls_context

__all__ = ["CannotOpen", "Line", "LineLost", "Reply", "TrackedConnection", "TrackedMail", "tls_context"]


class TrackedConnection(flask_mail.Connection):
    """Flask-Mail's connection, opened with timeouts and verified TLS; `line` is its non-blocking side."""

    mail: TrackedMail

    def __init__(self, mail: TrackedMail, account: Account | None = None) -> None:
        super().__init__(mail)
        self.account = account

    def configure_host(self) -> smtplib.SMTP:
        """A session that has said EHLO, is encrypted and signed in as the account asks. Raises CannotOpen."""
        return open_session(self.account or accounts.house_of(self.mail, self.mail.config), self.mail.config)

    def line(self) -> Line:
        """The open session as a Line."""
        assert isinstance(self.host, smtplib.SMTP)
        return Line(self.host)


class TrackedMail(flask_mail.Mail):
    """Flask-Mail whose connections are tracked."""

    config: Config

    def init_app(self, app: Flask) -> Any:
        self.config = app.extensions["sillage"]
        app.config.update(
            MAIL_SERVER=self.config.mail_server,
            MAIL_PORT=self.config.mail_port,
            MAIL_USERNAME=self.config.mail_username,
            MAIL_PASSWORD=self.config.mail_password,
            MAIL_USE_TLS=self.config.mail_use_tls,
            MAIL_USE_SSL=self.config.mail_use_ssl,
            MAIL_SUPPRESS_SEND=False,  # Flask-Mail's default would follow app.testing
        )
        state = super().init_app(app)
        self.server, self.port = self.config.mail_server, self.config.mail_port
        self.username, self.password = self.config.mail_username, self.config.mail_password
        self.use_tls, self.use_ssl = self.config.mail_use_tls, self.config.mail_use_ssl
        self.suppress, self.debug, self.max_emails = False, 0, None
        return state

    def connect(self, account: Account | None = None) -> TrackedConnection:
        """A tracked connection with an account (None: the house's), not yet open."""
        return TrackedConnection(self, account)
