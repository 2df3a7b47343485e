"""What is answered in place of words and files that the rule of retention has erased: since when, and what stays."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from flask import abort, url_for

from blueprints.support import page


def gone(public_id: str, erased_at: datetime) -> NoReturn:
    """Answer 410 with a page that says so, and leads back to the e-mail."""
    abort(page(  # type: ignore[arg-type]
        "emails/erased.html", status=410, erased_at=erased_at, back=url_for("emails.email", public_id=public_id),
    ))  # fmt: skip
