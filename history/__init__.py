"""Reading what became of e-mails: browse() a page, export it, one e-mail in detail.

Reads only, and always within a Scope: one organisation's own. The query string is HistoryFilter's.
"""

from history.filters import HistoryFilter
from history.pages import browse
from history.rows import Count, Page, Row
from history.scope import Scope

__all__ = ["Count", "HistoryFilter", "Page", "Row", "Scope", "browse"]
