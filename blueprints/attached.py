"""What pages show of the files of an e-mail, and the way to those of a list; blueprints.attachments gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import url_for

from blueprints.history_asked import Asked
from documents import blobs
from documents.file_names import readable
from history import Scope, export_jobs
from history.rows import Row
from i18n import _, size_filter

_LARGEST_THUMBNAIL = 2_000_000  # bytes: as many as a page may load to draw it as large as a nail
_MOST_THUMBNAILS = 12


def address(asked: Asked) -> str:
    """Where the files of a list are offered (blueprints.attachments.offer)."""
    key = export_jobs.scope_key(asked.scope)
    pairs = [*([("in", key)] if key else []), *asked.pairs(asked.filter.with_())]
    return f"{url_for('attachments.offer')}?{urlencode(pairs)}"


def about(scope: Scope) -> str:
    """Whose history a list is, in words; '' for the organisation's."""
    if scope.training_session is not None:
        return _("Session : %(title)s", title=scope.training_session.title)
    if scope.opportunity is not None:
        return _("Opportunité : %(title)s", title=scope.opportunity.title)
    return _("Contact : %(name)s", name=scope.contact.name) if scope.contact is not None else ""


def files_of(row: Row, erased: Mapping[int, str] | None = None) -> list[dict[str, Any]]:
    """The attachments of an e-mail as history/_files.html lists them. `erased`: only these fingerprints (position →
    sha256) are left of them."""
    listed, nails = [], 0
    for one in row.attachments:
        kind = one.media_type
        if erased is not None:
            listed.append({
                "name": readable(one.filename), "size": size_filter(one.size), "icon": _icon(kind), "erased": True,
                "sha256": erased.get(one.position, ""), "view": "", "position": one.position,
            })  # fmt: skip
            continue
        at = {"public_id": row.public_id, "position": one.position}
        nail = kind.startswith("image/") and kind in blobs.SHOWN_IN_PLACE and one.size <= _LARGEST_THUMBNAIL
        nails += nail
        address = url_for("attachments.file", **at)
        listed.append({
            "id": f"{row.public_id}-file-{one.position}", "position": one.position, "name": readable(one.filename),
            "size": size_filter(one.size), "icon": _icon(kind), "href": address,
            "download": f"{address}?download=1",
            "thumbnail": url_for("attachments.thumbnail", **at) if nail and nails <= _MOST_THUMBNAILS else "",
            "view": url_for("attachments.view", **at) if kind in blobs.SHOWN_IN_PLACE else "",
            "frame": url_for("attachments.frame", **at), "is_image": kind.startswith("image/"),
        })  # fmt: skip
    return listed


def _icon(kind: str) -> str:
    if kind == "application/pdf":
        return "file-type-pdf"
    if kind.startswith("image/"):
        return "photo"
    sheet = "spreadsheet" in kind or kind in ("text/csv", "application/vnd.ms-excel")
    return "file-spreadsheet" if sheet else "file-zip" if kind.endswith("zip") else "file-text"
