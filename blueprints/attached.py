"""What pages show of the files of an e-mail; blueprints.attachments gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import url_for

from documents import blobs
from documents.file_names import readable
from history.rows import Row
from i18n import size_filter

_LARGEST_THUMBNAIL = 2_000_000  # bytes: as many as a page may load to draw it as large as a nail
_MOST_THUMBNAILS = 12


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
