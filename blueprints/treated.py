"""What follows the press of "marquer comme traité", wherever it stands: the moment it was pressed for, the undo."""

from __future__ import annotations

from datetime import datetime

from flask import abort, flash, session

from i18n import _
from mail.treating import Batch

UNDO = "todo_undo"


def moment(text: str) -> datetime:
    """A moment as our own forms carry it; 400 for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        abort(400)
    return found if found.tzinfo else abort(400)


def keep(batch: Batch | None) -> None:
    """Offer to take it back in À traiter; say so where there was nothing left to mark."""
    if batch is None:
        said = _("Il n'y avait plus rien à marquer : quelqu'un d'autre s'en est chargé, ou du nouveau est arrivé.")
        flash(said, "info")
        return
    session[UNDO] = {
        "at": batch.at.isoformat(), "oldest": batch.oldest.isoformat(), "newest": batch.newest.isoformat(),
        "count": batch.count,
    }  # fmt: skip
