"""The demo's second SMTP account: the practice post office again, by an account of the organisation's own, which the
newsletter leaves by. The port is the run's, so it follows.
"""

from __future__ import annotations

from sqlalchemy import select

from extensions import db, settings
from local.postoffice import demo_zones
from models import Auth, Organisation, Security, Sender, SmtpAccount

NAME = "Serveur de la lettre"


def keep(organisation: Organisation | None) -> None:
    """Make it where it is not there, for the newsletter's sender; nothing where no practice post office runs."""
    config = settings()
    if organisation is None or config.practice_page_port is None:
        return
    mine = select(SmtpAccount).where(SmtpAccount.organisation_id == organisation.id, SmtpAccount.name == NAME)
    account = db.session.scalar(mine)
    if account is not None:
        if account.host == "127.0.0.1":
            account.port = config.mail_port
        return
    account = SmtpAccount(
        organisation_id=organisation.id, name=NAME, host="127.0.0.1", port=config.mail_port, security=Security.NONE,
        auth=Auth.NONE, connections=2, per_minute=120,
    )  # fmt: skip
    db.session.add(account)
    db.session.flush()
    letters = select(Sender).where(
        Sender.organisation_id == organisation.id, Sender.address.endswith(f"@{demo_zones.LETTERS}")
    )
    for sender in db.session.scalars(letters):
        sender.account_id = account.id
