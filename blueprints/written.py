"""How numbers and addresses are written on a page: telephones grouped as France groups them, addresses that may break.

What is kept and what is searched stays as it was typed; only the screen says it so. Hung on the app by `setup`.
"""

from __future__ import annotations

import re

from flask import Flask
from markupsafe import Markup, escape

_SIGNS = re.compile(r"[\s.\-()/\u2010-\u2015]+")
_FRENCH = re.compile(r"0[1-9][0-9]{8}")
# The number at the beginning of what was typed: "02 40 00 12 34 (poste 12)" is called without its words.
_NUMBER = re.compile(r"\+?[0-9\s.\-()/\u2010-\u2015]+")
# A dot or a low line before the @, and a dot of the domain that is not its last.
_BREAKS = re.compile(r"[._](?=\w[^@]*@)|\.(?=\w[^@.]*\.)")


def phone(typed: str | None) -> str:
    """`0612345678`, `06.12.34.56.78` → `06 12 34 56 78`, with spaces that do not break; anything else as typed."""
    bare = _SIGNS.sub("", typed or "")
    if not _FRENCH.fullmatch(bare):
        return typed or ""
    return "\u00a0".join(bare[place : place + 2] for place in range(0, 10, 2))


def tel(typed: str | None) -> str:
    """The same for a `tel:` link (RFC 3966): digits, and the plus where one was typed; empty without a number."""
    found = _NUMBER.match((typed or "").strip())
    return _SIGNS.sub("", found[0]).replace("+330", "+33") if found else ""


def breaking(address: str | None) -> Markup:
    """An address that a narrow column breaks before `@`, after `.` and `_`, and nowhere else. Copied, it is whole."""
    return Markup(broken(str(escape(address or ""))))


def broken(escaped: str) -> str:
    """The same of what is markup already. The domain's last two names stay together: "@courrier.fr" is read at once."""
    return _BREAKS.sub(r"\g<0><wbr>", escaped).replace("@", "<wbr>@")


def setup(app: Flask) -> None:
    """Give templates the filters phone, tel and breaking."""
    app.jinja_env.filters.update(phone=phone, tel=tel, breaking=breaking)
