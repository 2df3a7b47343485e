"""HTML that a person wrote for a template, made fit to be sent: its style sheet inlined, then only what mail programs
need is kept. No script, no form, nothing fetched but https images; links lead to the web, to an address or to a tag
that is one.
"""

from __future__ import annotations

import re

import css_inline
import nh3

from errors import UserMistake
from mail.held_tags import CLOSE, MARK, OPEN, hold, in_comments, tag_of
from models.words import N_

_STYLES = {
    "background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left", "border-radius",
    "border-right", "border-spacing", "border-style", "border-top", "border-width", "color", "direction", "display",
    "font", "font-family", "font-size", "font-style", "font-weight", "height", "letter-spacing", "line-height",
    "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width",
    "min-width", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "table-layout",
    "text-align", "text-decoration", "text-indent", "text-transform", "vertical-align", "white-space", "width",
    "word-break",
}  # fmt: skip
_TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "center", "code", "div", "em", "h1", "h2", "h3", "h4", "hr", "i",
    "img", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot",
    "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_COMMON = {"style", "title", "lang", "dir", "align", "valign", "width", "height", "bgcolor"}
_ATTRIBUTES = {
    "*": _COMMON, "a": {"href"}, "img": {"src", "alt"}, "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"}, "table": {"border", "cellpadding", "cellspacing", "role"},
    "ol": {"start"},
}  # fmt: skip
_GONE = {"script", "style", "title", "noscript", "template", "iframe", "object", "svg", "math", "textarea", "select"}
_FETCHES = re.compile(rf"url|image|expression|@|\\|/\*|{OPEN}", re.IGNORECASE)
_GOES = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>\"]+", re.IGNORECASE)
_IMAGE = re.compile(r"https://[^\s<>\"]+", re.IGNORECASE)
_LINK_TAG = re.compile(r"\{\{\s*[a-z]{1,40}\.lien\s*\}\}")
_COMMENT = re.compile(rf"<!--(?!{OPEN}\d+{CLOSE}-->).*?-->", re.DOTALL)
_NAMES = re.compile(r"<\s*([a-z][a-z0-9-]{0,30})|\s(on[a-z]{3,30})\s*=", re.IGNORECASE)
_STRUCTURE = {"html", "head", "body", "meta", "title", "style", "section", "article", "header", "footer", "main"}
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False, keep_at_rules=False)


def safe(source: str, held: list[str]) -> str:
    """The HTML's body, safe and inlined, its merge tags as marks whose tags are added to `held`.

    Raises UserMistake where it cannot be read as HTML at all.
    """
    marked = in_comments(hold(source, held), held)
    try:
        inlined = _INLINER.inline(marked)
    except (css_inline.InlineError, ValueError) as error:
        raise UserMistake(N_("Ce HTML ne peut pas être lu.")) from error

    def judge(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "style":
            kept = [part.strip() for part in value.split(";") if part.strip() and not _FETCHES.search(part)]
            return ";".join(kept) or None
        if attribute == "href":
            # a tag may be a whole address only where its values are known to be addresses
            return value if _GOES.fullmatch(value) or _LINK_TAG.fullmatch(tag_of(value, held)) else None
        if attribute == "src":
            return value if _IMAGE.fullmatch(value) and not MARK.search(value) else None
        return value

    cleaned = nh3.clean(
        inlined, tags=_TAGS, clean_content_tags=_GONE, attributes=_ATTRIBUTES, attribute_filter=judge,
        strip_comments=False, url_schemes={"http", "https", "mailto", "tel"}, filter_style_properties=_STYLES,
        link_rel=None,
    )  # fmt: skip
    return _COMMENT.sub("", cleaned).strip()


def left_out(source: str) -> list[str]:
    """What safe() will not keep of the HTML, by name (`script`, `onclick`), for the person who wrote it."""
    found = {(match[1] or match[2]).lower() for match in _NAMES.finditer(source)}
    return sorted(found - _TAGS - _STRUCTURE)
