"""What keeps a stranger's HTML from taking minutes: two things that the parser needs the square of their number for.

Measured on 400,000 letters of nested <div>: a quarter of a minute; on a million of "&": six seconds.
"""

from __future__ import annotations

import re
from collections import Counter

_DEEPEST = 1000
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
# Void, or with an end tag that may be left out: these do not pile up by themselves.
_FLAT = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "p", "li",
    "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "option", "optgroup", "rt", "rp",
}  # fmt: skip
_MOST_REFERENCES = 100_000


def too_heavy(html: str) -> bool:
    """Whether more elements stand open within each other, or more "&" in it, than in any letter.

    Elements are counted by name, as an end tag ends only what it names; what is never closed counts, and that is rare.
    """
    if html.count("&") > _MOST_REFERENCES:
        return True
    open_now: Counter[str] = Counter()
    depth = 0
    for tag in _TAG.finditer(html):
        name = tag[2].lower()
        if name in _FLAT:
            continue
        if not tag[1]:
            open_now[name] += 1
            depth += 1
        elif open_now[name]:
            open_now[name] -= 1
            depth -= 1
        if depth > _DEEPEST:
            return True
    return False
