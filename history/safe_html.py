"""A stranger's HTML made fit to be shown in a sandboxed frame: no script, no style sheet, nothing fetched.

The frame (sandbox="") and the route's own CSP are the fence; this is the second one, since a sanitiser alone has
been got round, and a CSP alone shows broken images. Links are kept to be read but open nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import nh3
from markupsafe import Markup, escape

from documents.html_limits import too_heavy

_STYLES = {
    "background-color", "border", "border-bottom", "border-collapse", "border-color", "border-left", "border-radius",
    "border-right", "border-spacing", "border-style", "border-top", "border-width", "color", "direction", "display",
    "font", "font-family", "font-size", "font-style", "font-variant", "font-weight", "height", "letter-spacing",
    "line-height", "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right", "margin-top",
    "max-width", "min-width", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top",
    "table-layout", "text-align", "text-decoration", "text-indent", "text-transform", "vertical-align", "white-space",
    "width", "word-break", "word-spacing",
}  # fmt: skip
_TAGS = (nh3.ALLOWED_TAGS | {"font", "center", "section", "article", "header", "footer", "main"}) - {
    "map", "area", "video", "audio", "object", "embed", "form", "input", "svg", "math",
}  # fmt: skip
_COMMON = {"style", "title", "lang", "dir", "align", "valign", "width", "height", "bgcolor"}
_ATTRIBUTES = {
    "*": _COMMON,
    "a": {"href", "target"},
    "img": {"src", "alt"},
    "td": {"colspan", "rowspan", "nowrap"},
    "th": {"colspan", "rowspan", "nowrap", "scope"},
    "table": {"border", "cellpadding", "cellspacing"},
    "font": {"color", "size", "face"},
    "ol": {"start", "type"},
}
_DATA_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+", re.IGNORECASE)
# In an allowed property a value may still fetch, or hide in an escape.
_FETCHES = re.compile(r"url|image|expression|src|@|\\|/\*", re.IGNORECASE)
_READABLE_LINK = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)
_FRAME = Markup(
    '<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>{title}</title><style>'
    "body{{margin:16px;font:14px/1.5 system-ui,sans-serif;color:#1c2430;background:#fff;overflow-wrap:anywhere}}"
    "img{{max-width:100%;height:auto}}pre{{margin:0;font:13px/1.5 ui-monospace,monospace;white-space:pre-wrap}}"
    "table{{max-width:100%}}</style></head><body>{body}</body></html>"
)


@dataclass(frozen=True)
class Safe:
    """A whole document for the frame, and how many remote images it does without."""

    document: str
    blocked_images: int


def from_html(
    html: str, title: str = "", images: Mapping[str, str] | None = None, remote: Mapping[str, str] | None = None,
    found: list[str] | None = None,
) -> Safe:  # fmt: skip
    """The e-mail's HTML, cleaned; its source where that takes too long. `images`: a data: address by Content-ID;
    `remote`: one by the address of an image that is elsewhere. `found` gets the addresses of those left out."""
    if too_heavy(html):
        return from_text(html, title)
    blocked = 0

    def judge(tag: str, attribute: str, value: str) -> str | None:
        nonlocal blocked
        if attribute == "style":
            return _plain_styles(value)
        if attribute == "href":
            return value if _READABLE_LINK.match(value) else None
        if attribute != "src" or tag != "img":
            return value
        if value[:4].lower() == "cid:":
            return (images or {}).get(value[4:].strip("<>"))
        if _DATA_IMAGE.fullmatch(value):
            return value
        if remote and value in remote:
            return remote[value]
        if found is not None:
            found.append(value)
        blocked += 1
        return None

    body = nh3.clean(
        html, tags=_TAGS, clean_content_tags={"script", "style", "title", "noscript", "template"},
        attributes=_ATTRIBUTES, attribute_filter=judge, strip_comments=True,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"}, filter_style_properties=_STYLES,
        link_rel="noopener noreferrer nofollow",
        # A sandbox opens no window: the link is there to be read.
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )  # fmt: skip
    return Safe(_FRAME.format(title=title, body=Markup(body)), blocked)


def from_text(text: str, title: str = "") -> Safe:
    """A plain text body as it stands."""
    return Safe(_FRAME.format(title=title, body=Markup("<pre>{}</pre>").format(text)), 0)


def _plain_styles(value: str) -> str:
    kept = [part.strip() for part in value.split(";") if part.strip() and not _FETCHES.search(part)]
    return ";".join(kept)


def with_note(safe: Safe, sentence: str) -> Safe:
    """The same with a sentence of ours above it."""
    note = Markup('<p style="margin:0 0 12px;padding:6px 10px;background:#eef2f6">{}</p>').format(sentence)
    # str: of a Markup it would escape what is put in
    return Safe(Markup(str(safe.document).replace("<body>", f"<body>{note}", 1)), safe.blocked_images)


def nothing(sentence: str) -> Safe:
    """A document that only says why there is nothing to show."""
    return Safe(_FRAME.format(title=sentence, body=escape(sentence)), 0)
