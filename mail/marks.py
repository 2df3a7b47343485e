"""What an e-mail's own marks say: the open pixel. A person or a machine?

Image proxies, scanners and opens within seconds of sending are machines: shown as "ouverture automatique", never as
read. The reader's address and browser are judged, then dropped.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from extensions import db
from mail import tokens
from mail.fold import Fact
from mail.tracking import record
from models.words import EventKind

# 43 bytes: one transparent point.
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
TOO_SOON = timedelta(seconds=10)
_MACHINES = re.compile(
    r"googleimageproxy|ggpht|yahoomailproxy|yahoocachesystem|bot\b|crawl|spider|scan|proofpoint|barracuda|mimecast"
    r"|python-|curl|wget|go-http|java/|okhttp|libwww|headless|preview|prefetch|^mozilla/5\.0$|^$",
    re.IGNORECASE,
)


def seen(token: str, method: str, browser: str) -> None:
    """Record that the pixel of `token` was asked for, in a transaction of its own; an unknown token changes nothing."""
    email_id = tokens.read("pixel", token)
    if email_id is None:
        return
    now = datetime.now(UTC)
    accepted = db.session.execute(
        text("SELECT max(occurred_at) FROM delivery_event WHERE email_id = :id AND kind = 'accepted'"),
        {"id": email_id},
    ).scalar()
    soon = accepted is not None and now - accepted < TOO_SOON
    machine = method != "GET" or soon or _MACHINES.search(browser) is not None
    kind = EventKind.MACHINE_OPENED if machine else EventKind.OPENED
    # One fact a day: how often someone looks at a letter is nobody's business.
    record([Fact(email_id, kind, "pixel", f"{now:%Y-%m-%d}", now)])
    db.session.commit()
