"""The history table as a page or as htmx's piece of it: what its templates need, made from a scope and the address."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Response, abort, g, make_response, redirect, request, stream_with_context, url_for
from flask_login import current_user
from markupsafe import Markup

from blueprints import attached, history_asked, history_panels, search_help
from blueprints.history_asked import Asked
from blueprints.history_cells import Cells
from blueprints.history_live import Live, live
from blueprints.keeping import hole, kept
from blueprints.search_help import known
from blueprints.support import page, wants_partial
from history import (
    HistoryFilter,
    Page,
    Row,
    Scope,
    around,
    columns,
    export,
    export_jobs,
    pages,
    prepared,
    search,
    sentences,
    short_links,
    views,
)
from history.around import Around
from history.filters import LIMITS
from history.periods import DateField
from history.rows import Count
from i18n import _, language, ngettext, number_filter
from models import AuditAction, SavedView
from models.words import Permission, StatusGroup
from people import audit

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
    def view(self) -> around.View | None:
        """The saved view that is shown, if it is one."""
        return next((view for view in self.around.views if view.query == self.query and view.query), None)

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

    def panel(self, count: Markup) -> Markup:
        """The filters that stand under no column."""
        return history_panels.more_filters(
            self.filter, self.scope.kind, self.around.offered, count, history_panels.is_unfolded(self.asked)
        )

    def pick(self, oob: bool = False) -> Markup:
        """The bar of the selection."""
        link = self.asked.link if self.asked.discreet else None
        holes = {
            "query": self.selected_from, "page": ",".join([row.public_id for row in self.rows]),
            "count": self.count_sentence, "link": link.public_id if link else "",
        }  # fmt: skip
        return kept(
            "history/_select.html", holes, rows=len(self.rows), all=bool(self.page.previous or self.page.next), oob=oob,
            formats=tuple(self.export_formats), allowed=tuple(p for p in Permission if current_user.may(p)),
            discreet=self.asked.discreet, linked=link is not None,
        )  # fmt: skip

    @property
    def view_links(self) -> tuple[ViewLink, ...]:
        """The saved views that may be opened."""
        return tuple(ViewLink(self.opening(v), v.public_id, v.shared, v.name) for v in self.around.views)

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
    def date_label(self) -> str:
        return _("Date") if self.filter.date_field is DateField.CREATED else _(self.filter.date_field.label)

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
    def export_formats(self) -> list[tuple[str, str, str]]:
        """(label, format, icon)."""
        icons = {
            "csv-excel": "file-spreadsheet", "xlsx": "table", "csv": "file-type-csv", "json": "code", "ndjson": "code",
        }  # fmt: skip
        return [(_(export.Format(name).label), name, icon) for name, icon in icons.items()]

    @property
    def exports(self) -> list[tuple[str, str, str]]:
        whole = self.filter.with_()
        start = self.address(whole, format="")
        formats = [(label, start + name, icon) for label, name, icon in self.export_formats]
        return [*formats, *attached.offered(self.asked)]

    @property
    def selected_from(self) -> str:
        """The list and its question, for the form of a selection."""
        return export_jobs.query_of(self.scope, self.filter)

    @cached_property
    def live(self) -> Live | None:
        return live(self.rows, self.scope.kind)


def _few(labels: list[str]) -> str:
    if len(labels) < 2:
        return labels[0] if labels else _("Tous")
    return ngettext("%(num)s choix", "%(num)s choix", len(labels))


def _capped(count: Count | None) -> str | None:
    if count is None:
        return None
    number = number_filter(count.value)
    return number if count.exact else f"{number}+"


def render_history(scope: Scope, template: str, opened: SavedView | None = None, **context: Any) -> Response:
    """The history of `scope`: the page `template` (which includes history/_history.html), the rows for htmx, or with
    ?format= the export of exactly what is filtered. `context` is the page's own. `opened` is what a short address
    stands for."""
    asked = history_asked.of_request(scope, opened)
    if "format" in request.args:
        return _export(asked, datetime.now(UTC))
    if asked.exposed:
        return _covered(asked)
    return show(asked, template, **context)


def show(asked: Asked, template: str, **context: Any) -> Response:
    """The page `template` of what is asked, or htmx's piece of it."""
    scope, filter_, now = asked.scope, asked.filter, datetime.now(UTC)
    question, everything = prepared.question(scope, filter_, now), scope.kind == "global"
    found = pages.answer(question, filter_, counted=not everything)
    late = found.count is pages.UNCOUNTED
    whole = not wants_partial()
    # What the panel offers, which names a segment too.
    offered = history_panels.is_unfolded(asked) if whole else bool(filter_.segment or filter_.sender or filter_.by)
    near = around.read(question, current_user, tabs=everything, count=late, beside=whole, offered=offered)
    if whole:
        g.ready_exports, g.untreated = near.exports, near.failures
    g.pinned_views = [(view.name, view.public_id, view.query) for view in near.views if view.pinned]
    if late:
        found = replace(found, count=pages.at_least(near.count or Count(0, exact=False), len(found.rows)))
    typed, mistakes = history_asked.recall_mistakes() if whole else ("", [])
    response = page(template, "history/_rows.html", history=View(asked, found, now, near, typed, mistakes), **context)
    if not whole:
        response.headers.update(history_asked.moved(asked))
    return response


def _covered(asked: Asked) -> Response:
    """For a person who wants no words in addresses, come by one that says them: the way to a short one."""
    if wants_partial():  # a page from before that wish: it comes anew
        return Response(status=204, headers={"HX-Refresh": "true"})
    response = page("history/covered.html", asked=asked, scope_key=export_jobs.scope_key(asked.scope))
    response.headers["Referrer-Policy"] = "origin"  # what the page loads is logged with where it was asked from
    return response


def _export(asked: Asked, now: datetime) -> Response:
    scope, filter_ = asked.scope, asked.filter
    if not current_user.may(Permission.EXPORT):
        abort(403)
    try:
        format_ = export.Format(request.args["format"])
    except ValueError:
        abort(400)
    most = export_jobs.at_once(scope, filter_.with_(), now, format_)
    if most is None:  # too long to wait for: a job's
        key = export_jobs.scope_key(scope)
        pairs = [("format", format_.value), *([("in", key)] if key else []), *asked.pairs(filter_.with_())]
        return redirect(f"{url_for('exports.new')}?{urlencode(pairs)}", 303)  # type: ignore[return-value]
    audit.taken(AuditAction.LIST_EXPORTED, format=format_.value, query=export_jobs.query_of(scope, filter_))
    body = stream_with_context(export.stream(scope, filter_.with_(), now, format_, most))
    response = make_response(Response(body, content_type=format_.media_type))
    name = export.filename(filter_, now, scope.zone, format_)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response
