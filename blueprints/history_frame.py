"""The history around its rows as one kept piece: what decides its markup is the piece's key, the rest are its holes.

Templates see a Frame where they would see a View: its texts and addresses are holes, its lists are as long as they are
to be. So nothing of a question or of an organisation stands in what is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from blueprints.keeping import hole, kept
from blueprints.support import PAGE
from history.columns import Column
from history.export_cells import Format
from history.periods import DateField
from history.scope import Kind
from i18n import _

if TYPE_CHECKING:
    from blueprints.history_view import View

FILES = "files"  # among the formats: no export, but the e-mails' attachments as an archive
_SAID = ("date", "type", "status")
_HIDDEN = Markup('<input type="hidden" name="{}" value="{}">')


@dataclass(frozen=True)
class Frame:
    """What the markup around the rows depends on. Its other attributes are holes of their name (Values fills them)."""

    list: Kind
    columns: tuple[Column, ...]
    limits: tuple[int, ...]
    limit: int
    order: tuple[tuple[str, str], ...]  # sort and limit, where they are not the usual ones
    newest_first: bool
    date_field: DateField
    discreet: bool
    linked: bool
    may_export: bool
    may_download: bool
    may_prove: bool
    narrowed: bool  # there is a sentence to read
    hinted: bool
    chip_count: int
    more_count: int
    tabs: tuple[tuple[str, bool, bool], ...]  # (label, whether it is this one, whether its number is known)
    live_seconds: int  # 0: nothing is asked
    has_previous: bool
    has_next: bool
    mistaken: bool

    def __getattr__(self, name: str) -> Markup:
        if name.startswith("_"):  # asked for by those who look what this is
            raise AttributeError(name)
        return hole(name)

    @property
    def date_label(self) -> str:
        return _("Date") if self.date_field is DateField.CREATED else _(self.date_field.label)

    @property
    def chips(self) -> list[tuple[Markup, Markup]]:
        """(label, the address without it)."""
        return [(hole(f"chip_{place}"), hole(f"chip_{place}_off")) for place in range(self.chip_count)]

    @property
    def tab_items(self) -> list[tuple[str, Markup, bool, Markup | None]]:
        """(label, address, whether it is this one, how many)."""
        return [
            (label, hole(f"tab_{place}"), active, hole(f"tab_{place}_count") if counted else None)
            for place, (label, active, counted) in enumerate(self.tabs)
        ]

    @property
    def export_items(self) -> list[tuple[str, Markup, str]]:
        """(label, address, icon)."""
        elsewhere = {FILES: "attachments", Format.PROOF.value: "proofs"}
        return [
            (label, hole(elsewhere[name]) if name in elsewhere else hole("exported") + name, icon)
            for label, name, icon in export_formats(files=self.may_download, proofs=self.may_prove)
        ]

    @property
    def said(self) -> dict[str, Markup]:
        return {name: hole(f"said_{name}") for name in _SAID}


def export_formats(files: bool, proofs: bool) -> list[tuple[str, str, str]]:
    """(label, format, icon); with `files` and `proofs`, of those too."""
    icons = {
        "csv-excel": "file-spreadsheet", "xlsx": "table", "csv": "file-type-csv", "json": "code", "ndjson": "code",
    }  # fmt: skip
    offered = [(_(Format(name).label), name, icon) for name, icon in icons.items()]
    if files:
        offered.append((_("Pièces jointes (ZIP)"), FILES, "file-zip"))
    if proofs:
        offered.append((_(Format.PROOF.label), Format.PROOF.value, "shield-check"))
    return offered


class Values(dict[str, Any]):
    """What fills the holes of a Frame: the view's attribute of that name, looked up when it is wanted."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view
        for place, chip in enumerate(view.chips):
            self[f"chip_{place}"], self[f"chip_{place}_off"] = chip.label, view.address(chip.without)
        for place, (_label, address, _active, count) in enumerate(view.tabs):
            self[f"tab_{place}"], self[f"tab_{place}_count"] = address, count
        for name, said in view.said.items():
            self[f"said_{name}"] = said

    def __missing__(self, name: str) -> Any:
        return PAGE[name]() if name in PAGE else getattr(self.view, name)


def whole(view: View) -> Markup:
    """All of it, for a page."""
    return kept("history/_frame.html", Values(view), history=view.frame)


def answer(view: View) -> Markup:
    """The rows, and out of band what changes with them."""
    return kept("history/_answer.html", Values(view), history=view.frame)


def hidden(pairs: list[tuple[str, str]]) -> Markup:
    """Inputs nobody sees."""
    return Markup("").join([_HIDDEN.format(name, value) for name, value in pairs])
