"""Scaleway Transactional Email: nothing is told by webhook here, its API is asked what became of the messages.

https://www.scaleway.com/en/developers/api/transactional-email/. The status of a message and its last tries become
events. Not tried against the real service.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from mail.providers.event import Call, EventType, ProviderEvent, Refused, RejectReason, Secret
from mail.providers.fields import Fields, loads
from models.words import N_, Reason

NAME, LABEL = "scaleway", "Scaleway TEM"
SMTP_HOSTS = ("smtp.tem.scaleway.com", "smtp.tem.scw.cloud")
KEY = None
WEBHOOK = False
ASKS_WHERE = True  # a domain or a project
POLL_KEY = N_("Clé d'API (secret key) ; l'identifiant du projet va dans le champ suivant.")
STEPS = (
    N_("Dans la console Scaleway, ouvrez IAM › Clés d'API et créez une clé qui peut lire Transactional Email."),
    N_("Copiez la clé secrète et l'identifiant du projet ci-dessous : l'état des messages est relevé sans cesse."),
)  # fmt: skip

_E, _R = EventType, RejectReason
_FLAGS = {
    "spam": (_R.SPAM, Reason.SPAM), "mailbox_full": (_R.BOUNCED, Reason.MAILBOX_FULL),
    "mailbox_not_found": (_R.BOUNCED, Reason.USER_UNKNOWN), "blocklisted": (_R.BLOCKED, Reason.BLOCKED),
    "send_before_expiration": (_R.TIMED_OUT, Reason.EXPIRED), "hard_bounce": (_R.BOUNCED, Reason.USER_UNKNOWN),
}  # fmt: skip
_PAGE, _MOST_PAGES = 100, 50


def verify(call: Call, secret: Secret, now: datetime) -> str | None:
    """Nothing is taken by webhook."""
    raise Refused("Scaleway tells nothing by webhook")


def parse(call: Call) -> list[ProviderEvent]:
    """Nothing is told by webhook."""
    return []


def poll(
    ask: Callable[..., bytes], key: str, where: str, since: datetime, until: datetime
) -> Iterator[list[ProviderEvent]]:
    """What became of the messages that changed since then; `where` is the project, with its region before a colon."""
    region, _, project = where.rpartition(":")
    if not re.fullmatch(r"[0-9a-fA-F-]{36}", project) or not re.fullmatch(r"(?:[a-z]{2}-[a-z]{3})?", region):
        return
    for page in range(1, _MOST_PAGES + 1):
        asked = urlencode(
            {"page": page, "page_size": _PAGE, "project_id": project, "order_by": "updated_at_desc"}
        )  # fmt: skip
        path = f"/transactional-email/v1alpha1/regions/{region or 'fr-par'}/emails?{asked}"
        said = Fields(loads(ask("api.scaleway.com", path, {"x-auth-token": key}).decode())).objects("emails")
        changed = [one for one in said if (one.iso("updated_at") or until) >= since]
        yield [event for one in changed for event in events(one)]
        if len(said) < _PAGE or len(changed) < len(said):
            return


def events(said: Fields) -> list[ProviderEvent]:
    """What a message's state says: each try that failed, and how it ended."""
    name, status = said.text("id") or "", said.text("status") or ""
    flags = said.texts("flags")
    reject, hint = next((_FLAGS[flag] for flag in flags if flag in _FLAGS), (None, None))
    common: dict[str, Any] = {
        "recipient": said.text("mail_rcpt", "rcpt_to"),
        "message_id": name,
        "header_id": said.text("message_id"),
    }
    tries = said.objects("last_tries")
    tries.sort(key=lambda one: one.number("rank") or 0)
    found = []
    for one in tries:
        code = one.number("code")
        ended = one is tries[-1] and status in ("sent", "failed")
        if ended or (code is not None and 200 <= code < 400):
            continue
        found.append(ProviderEvent(
            _E.DEFERRED, timestamp=one.iso("tried_at"), mta_response=one.text("message"), smtp_code=code or None,
            event_id=f"{name}:{one.text('rank')}", identity=f"{name} try {one.text('rank')}", **common,
        ))  # fmt: skip
    last = tries[-1] if tries else Fields(None)
    kind = {"new": _E.QUEUED, "sending": _E.SENT, "sent": _E.DELIVERED, "failed": _E.BOUNCED, "canceled": _E.FAILED}
    moment = {
        "new": said.iso("created_at"), "sending": said.iso("created_at"),
    }.get(status, last.iso("tried_at") or said.iso("updated_at"))  # fmt: skip
    found.append(ProviderEvent(
        kind.get(status, _E.UNKNOWN), timestamp=moment or datetime.now(UTC), event_id=f"{name}:{status}",
        reject_reason=(reject or _R.OTHER) if status == "failed" else None, description=said.text("status_details"),
        mta_response=last.text("message") if status in ("sent", "failed") else None,
        smtp_code=(last.number("code") or None) if status in ("sent", "failed") else None,
        hint=hint if status == "failed" else None, identity=f"{name} {status}", **common,
    ))  # fmt: skip
    return found


def marking(token: str) -> dict[str, str]:
    """Nothing: its API tells the Message-ID, which is ours."""
    return {}
