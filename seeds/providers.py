"""The demo's provider: an account "Brevo (essai)" of Atelier Cassiopée, and what it told of a few of its e-mails.

The events are read and applied as a webhook's are; they only do not come by HTTP.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import func, select

from extensions import db
from mail import outbox
from mail.accounts import can_keep_secrets
from mail.providers import accounts, brevo, hearing
from mail.providers.event import Call
from models import Address, Email, Organisation, ProviderAccount, Sender
from models.provider import Via
from models.words import Status
from seeds import stories

NAME = "Brevo (essai)"
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_FULL = "552 5.2.2 The email account that you tried to reach is over quota"
_LATER = "451 4.7.1 Greylisted, please try again in 300 seconds"
# Of an e-mail that another program sent by the same account: it matches none, and waits for somebody.
_ELSEWHERE, _GONE = "<commande-4012@boutique.example>", "550 5.1.1 No such user here"
# What Brevo tells of one e-mail after the other: (event, minutes after it left, more).
_TOLD: tuple[tuple[tuple[str, int, dict[str, Any]], ...], ...] = (
    (("request", 0, {}), ("delivered", 1, {})),
    (("request", 0, {}), ("delivered", 1, {}), ("unique_proxy_open", 2, {})),
    (("request", 0, {}), ("delivered", 1, {}), ("click", 95, {"link": "https://cassiopee.example/programme"})),
    (("request", 0, {}), ("deferred", 3, {"reason": _LATER}), ("delivered", 12, {})),
    (("request", 0, {}), ("deferred", 2, {"reason": _FULL}), ("soft_bounce", 300, {"reason": _FULL})),
)


def keep(organisation: Organisation | None) -> None:
    """Make it where it is not yet; nothing without a key to encrypt its secret with."""
    if organisation is None or not can_keep_secrets():
        return
    mine = select(ProviderAccount.id).where(ProviderAccount.organisation_id == organisation.id)
    if db.session.scalar(mine) is not None:
        return
    made = accounts.make(organisation.id, brevo.NAME, NAME)
    db.session.flush()
    sent = (
        select(Email, Address.address, Sender)
        .join(Address, Address.id == Email.address_id)
        .join(Sender, Sender.id == Email.sender_id)
        .where(
            Email.organisation_id == organisation.id, Email.status == Status.SENT,
            Email.sent_at < func.now() - timedelta(hours=12),
        )
        .order_by(Email.id.desc())
        .limit(len(_TOLD))
    )  # fmt: skip
    elsewhere = _call(_ELSEWHERE, "commande@boutique.example", datetime.now(UTC), "hard_bounce", -90, {"reason": _GONE})
    hearing.hear(organisation.id, made.id, brevo.NAME, map(hearing.Told, brevo.parse(elsewhere)), Via.WEBHOOK)
    for (email, address, sender), told in zip(db.session.execute(sent).all(), _TOLD, strict=False):
        calls = [_call(outbox.message_id(email.id, sender), address, email.sent_at, *one) for one in told]
        events = [event for call in calls for event in brevo.parse(call)]
        hearing.hear(organisation.id, made.id, brevo.NAME, map(hearing.Told, events), Via.WEBHOOK)
        stories.date(email.id)


def _call(message_id: str, address: str, sent_at: datetime, name: str, minutes: int, more: dict[str, Any]) -> Call:
    moment = sent_at + timedelta(minutes=minutes)
    said = {
        "event": name, "email": address, "id": 1, "ts_epoch": int(moment.timestamp() * 1000), "message-id": message_id,
        "user_agent": _BROWSER, **more,
    }  # fmt: skip
    return Call({"content-type": "application/json"}, orjson.dumps(said))
