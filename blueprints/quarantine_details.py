"""What the opened e-mail says of its address's quarantine, and of a person's word on what became of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_login import current_user

from history.chips import is_final
from history.detail import Detail
from history.spells import Spell
from models.words import EventKind, Mark, Permission, Reason, Status

__all__ = ["context"]


@dataclass
class Held:
    """The quarantine of the e-mail's address, lasting or (for an e-mail that it stopped) lifted since."""

    spell: Spell
    here: bool  # it is this e-mail that showed it
    stopped: bool  # this e-mail was not sent because of it
    may_lift: bool
    may_resend: bool
    request_key: str


@dataclass
class Judgment:
    """Asking a person what became of the e-mail, or what a person has said."""

    may: bool
    said: str = ""  # "", received, lost
    by: str = ""
    note: str = ""
    at: datetime | None = None
    error: str = ""
    typed: str = ""


def context(detail: Detail, error: str = "", typed: str = "") -> dict[str, Any]:
    """What history/_quarantine.html and history/_judgment.html need; `error` and `typed` after a refused judgment."""
    return {"held": _held(detail), "judgment": _judgment(detail, error, typed)}


def _held(detail: Detail) -> Held | None:
    row, spell = detail.row, detail.quarantine
    stopped = row.status is Status.FAILED and row.reason is Reason.SUPPRESSED
    if spell is None or not (spell.lasts or stopped):
        return None
    here = spell.shown_by == row.public_id
    failed = row.status in (Status.FAILED, Status.UNDELIVERABLE)
    if not (here or failed or row.marks & Mark.COMPLAINED):
        return None  # it arrived: what became of the address later is not its story
    may = current_user.may(Permission.RESEND)
    again = failed and is_final(row, row.now) and not detail.resends
    return Held(spell, here, stopped, may and spell.lasts, may and again, str(uuid.uuid4()))


def _judgment(detail: Detail, error: str, typed: str) -> Judgment | None:
    said = [event for event in detail.events if event.kind is EventKind.CORRECTED]
    may = current_user.may(Permission.RESEND)
    if said:
        last = said[-1]
        word = "received" if last.data.get("status") == Status.DELIVERED else "lost"
        told = str(last.data.get("by") or ""), str(last.data.get("note") or "")
        return Judgment(may, word, *told, last.occurred_at, error=error, typed=typed)
    return Judgment(may, error=error, typed=typed) if detail.row.status is Status.UNCERTAIN else None
