"""The demo's paces: a domain that is limited by hand, and one whose server asked to slow down a while ago."""

from __future__ import annotations

from sqlalchemy import select, text

from extensions import db
from mail import paces
from mail.claims import HOUSE
from models import Organisation, PaceState, SmtpAccount

LIMITED = "menuiserielambert.example"
SLOWED = "residencelesglycines.example"
_WORDS = "421 4.7.28 Too many messages from your address, please slow down"
# Halved six times: back half an hour after the start of the demo.
_HALVINGS, _WHOLE = 6, 480.0


def keep(organisation: Organisation) -> None:
    """Enter them where the organisation's account (its own, else the house's) has none."""
    query = select(SmtpAccount.id).where(SmtpAccount.organisation_id == organisation.id).order_by(SmtpAccount.id)
    account_id = db.session.scalar(query.limit(1))
    known = select(PaceState.domain).where(PaceState.account_id == (account_id or HOUSE), PaceState.domain != "")
    if db.session.scalar(known.limit(1)):
        return
    paces.set_limit(account_id, LIMITED, 30, 2)
    db.session.execute(
        text(
            "INSERT INTO pace (account_id, domain, slowed_at, slowed_since, slowed_rate, whole_rate, slowed_lines, "
            "whole_lines, words) VALUES (:key, :domain, now(), now() - interval '20 minutes', :level, :whole, 1, 4, "
            ":words)"
        ),
        {
            "key": account_id or HOUSE, "domain": SLOWED, "whole": _WHOLE, "level": _WHOLE / 2**_HALVINGS,
            "words": _WORDS,
        },
    )  # fmt: skip
