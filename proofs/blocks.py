"""The pages of a proof in pieces: headings, facts and tables as documents/typst/sheet.typ draws them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from documents import dates, printing
from i18n import _, language
from models import Organisation
from proofs.taker import Taker

_LONG = re.compile(r"(\S{28})(?=\S)")


def document(taker: Taker, about: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """What typst gets: `about` is what the proof is of, in few words."""
    organisation, title = taker.organisation, _("Dossier de preuve")
    lines = [line.strip() for line in organisation.address.splitlines() if line.strip()]
    data: dict[str, Any] = printing.printable({
        "language": language(), "title": f"{title} – {about}", "heading": title, "wide": False,
        "organisation": {"name": organisation.name, "lines": lines}, "to": None,
        "dated": _("Établi par %(name)s le %(moment)s", name=taker.name, moment=moment(taker.at, organisation)),
        "footer": f"{organisation.name} – {about}", "blocks": blocks,
    })  # fmt: skip
    return data


def printed(taker: Taker, data: dict[str, Any]) -> bytes:
    """The PDF of document()'s data, of the day it was asked for."""
    return printing.pdf(
        "sheet.typ", _breakable(data), taker.look, dates.local_day(taker.at, taker.organisation.timezone)
    )


def moment(at: datetime | None, organisation: Organisation) -> str:
    """The second and the zone: what a proof goes by."""
    return f"{at.astimezone(ZoneInfo(organisation.timezone)):%d/%m/%Y %H:%M:%S %z}" if at else ""


def para(text: str) -> dict[str, Any]:
    return {"type": "para", "text": text}


def heading(text: str) -> dict[str, Any]:
    return {"type": "heading", "text": text}


def facts(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Names and values; those without a value are left out."""
    return {"type": "facts", "facts": [[name, value] for name, value in pairs if value]}


def listed(items: list[str]) -> dict[str, Any]:
    return {"type": "list", "items": items}


def table(head: list[str], rows: list[list[str]], widths: list[str], right: tuple[int, ...] = ()) -> dict[str, Any]:
    """`widths` of the columns, "1fr" or "auto"; `right` are those of numbers."""
    return {"type": "table", "head": head, "rows": rows, "widths": widths, "right": list(right), "foot": 0}


def _breakable(value: Any) -> Any:
    """The same, words longer than a line free to break."""
    if isinstance(value, str):
        return _LONG.sub("\\1\u200b", value)
    if isinstance(value, dict):
        return {key: _breakable(item) for key, item in value.items()}
    return [_breakable(item) for item in value] if isinstance(value, list) else value
