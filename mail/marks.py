"""What an e-mail's own marks say: the open pixel, a rewritten link, the confirmation that was asked for.

A look is kept for some seconds and judged with those about it (mail.lookers); a machine's is shown as "ouverture
automatique", never as read. The looker's address and browser are judged, then dropped.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from sqlalchemy import delete, select, text, update

from extensions import db, settings
from mail import lookers
from mail.fold import Fact
from mail.lookers import Look
from mail.tracking import record
from models import SeenMark, Sighting
from models.words import EventKind

# 43 bytes: one transparent point.
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# A burst shows in BURST_WITHIN; a look is judged once those after it can have come, and stays for those judged later.
_JUDGED_AFTER, _DROPPED_AFTER = 3, 10
_BATCH = 2000
_KINDS = {SeenMark.PIXEL: EventKind.OPENED, SeenMark.LINK: EventKind.CLICKED}

_DUE = text(
    """
SELECT sighting.id, sighting.email_id, sighting.mark, sighting.seen_at, sighting.network, sighting.machine,
  ARRAY(SELECT occurred_at FROM delivery_event WHERE delivery_event.email_id = sighting.email_id
        AND kind IN ('accepted', 'relayed', 'delivered')) AS arrivals,
  coalesce(contact.measured, true) AS measured
FROM sighting JOIN email ON email.id = sighting.email_id LEFT JOIN contact ON contact.id = email.contact_id
WHERE NOT judged AND seen_at < clock_timestamp() - make_interval(secs => :age)
ORDER BY seen_at LIMIT :batch FOR UPDATE OF sighting SKIP LOCKED
"""
)


# An unknown token takes the same way, and finds no e-mail at its end; nobody waits for a disk.
_SEEN = text(
    "INSERT INTO sighting (email_id, mark, network, machine) "
    "SELECT id, :mark, :network, :machine FROM email WHERE id = :email_id"
)


def seen(mark: SeenMark, email_id: int, method: str, browser: str, address: str, purpose: str = "") -> None:
    """Keep a look at a mark of that e-mail until it is judged, in a transaction of its own; of no e-mail (0: the token
    was a stranger's) nothing is kept, in the same time."""
    values = {
        "email_id": email_id,
        "mark": mark.value,
        "network": _hashed(lookers.network_of(address)),
        "machine": lookers.given_away(method, browser, purpose),
    }
    db.session.execute(text("SET LOCAL synchronous_commit TO off"))
    db.session.execute(_SEEN, values)
    db.session.commit()


def _hashed(network: str) -> bytes:
    """A network as it is kept: it can be compared with another, not read."""
    if not network:
        return b""
    return hmac.digest(settings().secret_key.encode(), b"sillage network " + network.encode(), hashlib.sha256)[:8]


def judge(age: float = _JUDGED_AFTER) -> int:
    """Say of every look older than `age` seconds whether it was a person's, record that, and drop those long judged.

    Of a person who wants no measure nothing is recorded. Returns how many were judged; commits.
    """
    due = db.session.execute(_DUE, {"age": age, "batch": _BATCH}).all()
    if due:
        about = _about({row.network for row in due if row.network}, min(row.seen_at for row in due))
        mine = {row.id: Look(row.id, row.email_id, row.seen_at, bytes(row.network), row.machine) for row in due}
        said = lookers.machines([*mine.values(), *(look for look in about if look.id not in mine)],
                                {row.email_id: row.arrivals for row in due})  # fmt: skip
        record(
            Fact(
                row.email_id,
                EventKind.MACHINE_OPENED if row.id in said else _KINDS[SeenMark(row.mark)],
                row.mark,
                # One fact a day: how often someone looks at a letter is nobody's business.
                f"{row.seen_at:%Y-%m-%d}",
                row.seen_at,
                data={"why": said[row.id]} if row.id in said else None,
            )
            for row in due
            if row.measured
        )
        db.session.execute(update(Sighting).where(Sighting.id.in_(list(mine))).values(judged=True))
    old = text("clock_timestamp() - make_interval(secs => :age)").bindparams(age=max(age, _DROPPED_AFTER))
    db.session.execute(delete(Sighting).where(Sighting.judged, Sighting.seen_at < old))
    db.session.commit()
    return len(due)


def _about(networks: set[bytes], since: object) -> list[Look]:
    """The looks from the same networks, judged or not yet due."""
    query = select(Sighting.id, Sighting.email_id, Sighting.seen_at, Sighting.network, Sighting.machine).where(
        Sighting.network.in_(networks), Sighting.seen_at >= since - lookers.BURST_WITHIN  # type: ignore[operator]
    )
    rows = db.session.execute(query)
    return [Look(row.id, row.email_id, row.seen_at, bytes(row.network), row.machine) for row in rows]

