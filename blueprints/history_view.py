"""One answer of the history as its page shows it: texts, addresses and pieces, of the question and what was read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import render_template, url_for
from flask_login import current_user
from markupsafe import Markup

from blueprints import history_frame, history_panels, search_help, whole_lists
from blueprints.history_asked import Asked
from blueprints.history_cells import Cells
from blueprints.history_frame import Frame, export_formats
from blueprints.history_live import Live, live
from blueprints.keeping import hole, kept
from blueprints.search_help import known
from history import (
    HistoryFilter,
    Page,
    Row,
    Scope,
    around,
    columns,
    export_jobs,
    search,
    sentences,
    short_links,
    views,
)
from history.around import Around
from history.filters import LIMITS
from history.rows import Count
from i18n import _, language, ngettext, number_filter
from models.words import Permission, StatusGroup

# What is typed under the headers: the same markup whatever it is.
_HOLES: dict[str, Any] = {name: hole(name) for name in ("session", "contact", "recipient", "subject")}


class ViewLink(NamedTuple):
    """A saved view in the menu."""

    address: str
    public_id: str
    shared: bool
    name: str


@dataclass
class View:
    """Everything templates/history shows of one answer."""

    asked: Asked
    page: Page
    now: datetime
    around: Around = field(default_factory=Around)
    typed: str = ""  # in the search box, where it was not wholly understood
    mistakes: list[str] = field(default_factory=list)

    @property
    def scope(self) -> Scope:
        return self.asked.scope

    @property
    def filter(self) -> HistoryFilter:
        return self.asked.filter

    @property
    def path(self) -> str:
        return self.asked.path

    def address(self, asked: HistoryFilter, **extra: str) -> str:
        """The address of another question in this list."""
        return self.asked.address(asked, **extra)

    @property
    def here(self) -> str:
        """The address of what is shown, at its first page."""
        return self.address(self.filter.with_())

    def opening(self, view: around.View) -> str:
        """The address of a saved view."""
        return f"{url_for('emails.index')}?{short_links.opening(current_user, view.public_id, view.query)}"

    @property
    def scope_key(self) -> str:
        return export_jobs.scope_key(self.scope)

    @cached_property
    def search(self) -> str:
        """What the search box holds: the question as text, or what was typed and not wholly understood."""
        return self.typed or search.write(self.filter, language(), known(self.around))

    @property
    def search_example(self) -> str:
        return search_help.EXAMPLE[language()]

    @cached_property
    def query(self) -> str:
        """What is asked, for the forms that keep it."""
        return urlencode(self.filter.with_().to_query())

    @cached_property
    def tabs(self) -> list[tuple[str, str, bool, str | None]]:
        """(label, address, whether it is this one, how many)."""
        labels = {around.ALL: _("Tous"), **{group.value: _(group.label) for group in StatusGroup}}
        shown = []
        for name, count in self.around.tabs.items():
            status = around.status_of_tab(name)
            active = self.filter.status == status
            known = self.page.count if active and self.page.count.exact else count
            shown.append((labels[name], self.address(self.filter.with_(status=status)), active, _capped(known)))
        return shown

    @property
    def more_count(self) -> int:
        return history_panels.more_count(self.filter, self.scope.kind)

    @property
    def list(self) -> str:
        return self.scope.kind

    @property
    def rows(self) -> list[Row]:
        return self.page.rows

    @cached_property
    def cells(self) -> Cells:
        return Cells(self.scope.kind)

    @cached_property
    def columns(self) -> list[columns.Column]:
        return columns.shown(self.scope.kind, views.columns_of(current_user, self.scope.kind))

    @property
    def limits(self) -> list[int]:
        return sorted({*LIMITS, self.filter.limit})

    @property
    def inputs(self) -> Markup:
        """The filters under the headers."""
        asked = self.filter
        picked = HistoryFilter(
            date_field=asked.date_field, period=asked.period, first=asked.first, last=asked.last, type=asked.type,
            status=asked.status, attachment=asked.attachment, **_HOLES,
        )  # fmt: skip
        holes = {name: getattr(asked, name) for name in _HOLES}
        holes |= {f"said_{name}": said for name, said in self.said.items()}
        return kept("history/_filters.html", holes, picked=picked, columns=tuple(self.columns), zone=self.scope.zone)

    @property
    def panel(self) -> Markup:
        """The filters that stand under no column."""
        return history_panels.more_filters(
            self.filter, self.scope.kind, self.around.offered, history_panels.is_unfolded(self.asked)
        )

    @property
    def pick(self) -> Markup:
        """The bar of the selection."""
        return self._pick(oob=False)

    @property
    def pick_again(self) -> Markup:
        """The same for an htmx answer."""
        return self._pick(oob=True)

    def _pick(self, oob: bool) -> Markup:
        link = self.asked.link if self.asked.discreet else None
        may = current_user.may
        holes = {
            "query": self.selected_from, "page": ",".join([row.public_id for row in self.rows]),
            "count": self.count_sentence, "link": link.public_id if link else "",
        }  # fmt: skip
        return kept(
            "history/_select.html", holes, rows=len(self.rows), all=bool(self.page.previous or self.page.next), oob=oob,
            formats=tuple(export_formats(may(Permission.DOWNLOAD_ALL), may(Permission.AUDIT))),
            allowed=tuple([p for p in Permission if may(p)]), discreet=self.asked.discreet, linked=link is not None,
        )  # fmt: skip

    @property
    def views_menu(self) -> Markup:
        """The saved views that may be opened, and the one that is."""
        links = tuple(ViewLink(self.opening(v), v.public_id, v.shared, v.name) for v in self.around.views)
        query = self.query
        here = next((view for view in self.around.views if view.query == query and query), None)
        name, place = (here.name, here.public_id) if here else ("", "")
        return kept("history/_views_menu.html", views=links, here=place, name=name)

    @cached_property
    def _names(self) -> sentences.Names:
        """What asked ids are called, where a row of the page tells."""
        row = self.rows[0] if self.rows else None
        return sentences.Names(
            session=row.session_title if row and self.filter.session_id else None,
            contact=row.contact_name if row and self.filter.contact_id else None,
            segment=dict(self.around.offered.get("segment", ())).get(self.filter.segment),
        )

    @cached_property
    def chips(self) -> list[sentences.FilterChip]:
        return sentences.chips(self.filter, self._names)

    @cached_property
    def sentence(self) -> str:
        return sentences.sentence(self.filter, self.now, self.scope.zone, self._names)

    @property
    def hint(self) -> str:
        return sentences.hint(self.filter)

    @cached_property
    def count_sentence(self) -> str:
        return sentences.count_sentence(self.page.count)

    @property
    def caption(self) -> str:
        if self.scope.training_session is not None:
            return _("Historique des e-mails de la session %(title)s", title=self.scope.training_session.title)
        if self.scope.contact is not None:
            return _("E-mails envoyés à %(name)s", name=self.scope.contact.name)
        if self.scope.opportunity is not None:
            return _("E-mails de l'opportunité %(title)s", title=self.scope.opportunity.title)
        return _("E-mails envoyés par l'organisme")

    @property
    def cleared(self) -> str:
        """The address without filters, order and page size kept."""
        kept = {"date_field": self.filter.date_field, "sort": self.filter.sort, "limit": self.filter.limit}
        return self.address(HistoryFilter().with_(**kept))

    @property
    def reversed(self) -> str:
        return self.address(self.filter.with_(sort="date" if self.filter.newest_first else "-date"))

    @property
    def previous(self) -> str | None:
        return self.address(self.filter.with_(cursor=self.page.previous)) if self.page.previous else None

    @property
    def next(self) -> str | None:
        return self.address(self.filter.with_(cursor=self.page.next)) if self.page.next else None

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What the address holds and no input shows."""
        inputs = {name for column in self.columns for name in column.fields} | set(history_panels.more_names(self.list))
        return [(k, v) for k, v in self.filter.with_().to_query() if k not in inputs and k != "limit"]

    @property
    def said(self) -> dict[str, str]:
        """What folded menus say of their choices."""
        asked = self.filter
        return {
            "date": sentences.period_label(asked) or _("Toutes"),
            "type": _few([sentences.type_label(code) for code in asked.type]),
            "status": _few([sentences.status_label(code) for code in asked.status]),
        }  # fmt: skip

    @property
    def exported(self) -> str:
        """The address of its exports, but for the format's name."""
        return self.address(self.filter.with_(), format="")

    @property
    def attachments(self) -> str:
        """The address of its attachments."""
        return whole_lists.address("attachments.offer", self.asked)

    @property
    def proofs(self) -> str:
        """The address of its e-mails' proofs."""
        return whole_lists.address("proofs.offer", self.asked)

    @property
    def selected_from(self) -> str:
        """The list and its question, for the form of a selection."""
        return export_jobs.query_of(self.scope, self.filter)

    @cached_property
    def live(self) -> Live | None:
        return live(self.rows, self.scope.kind)

    @property
    def live_address(self) -> str:
        return self.live.address if self.live else ""

    @property
    def link_id(self) -> str:
        return self.asked.link.public_id if self.asked.link else ""

    @property
    def kept_inputs(self) -> Markup:
        return history_frame.hidden(self.kept)

    @property
    def mistake_lines(self) -> Markup:
        return Markup("").join([kept("history/_mistake.html", {"said": said}) for said in self.mistakes])

    @property
    def body(self) -> Markup:
        """The rows, or why there are none."""
        if self.rows:
            return self.cells.rows(self.rows, self.columns)
        return Markup(render_template("history/_nothing.html", history=self))

    @cached_property
    def frame(self) -> Frame:
        """What the markup around the rows depends on."""
        asked, tabs = self.filter, self.tabs
        return Frame(
            list=self.list, columns=tuple(self.columns), limits=tuple(self.limits), limit=asked.limit,
            order=tuple([pair for pair in asked.to_query() if pair[0] in ("sort", "limit")]),
            newest_first=asked.newest_first, date_field=asked.date_field, discreet=self.asked.discreet,
            linked=self.asked.link is not None, may_export=current_user.may(Permission.EXPORT),
            may_download=current_user.may(Permission.DOWNLOAD_ALL), may_prove=current_user.may(Permission.AUDIT),
            narrowed=asked.narrowed or not asked.newest_first, hinted=bool(self.hint), chip_count=len(self.chips),
            more_count=self.more_count,
            tabs=tuple([(label, active, count is not None) for label, _address, active, count in tabs]),
            live_seconds=self.live.seconds if self.live else 0, has_previous=bool(self.page.previous),
            has_next=bool(self.page.next), mistaken=bool(self.mistakes),
        )  # fmt: skip

    @property
    def whole(self) -> Markup:
        """All of it, for a page."""
        return history_frame.whole(self)

    @property
    def answer(self) -> Markup:
        """The rows, and out of band what changes with them."""
        return history_frame.answer(self)


def _few(labels: list[str]) -> str:
    if len(labels) < 2:
        return labels[0] if labels else _("Tous")
    return ngettext("%(num)s choix", "%(num)s choix", len(labels))


def _capped(count: Count | None) -> str | None:
    if count is None:
        return None
    number = number_filter(count.value)
    return number if count.exact else f"{number}+"
