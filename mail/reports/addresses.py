"""Finds addresses in prose and in fields. Bounded patterns only: linear in the text."""

from __future__ import annotations

import re

_ATOM = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\uffff\-"
ADDRESS = re.compile(
    rf"(?:\"[^\"@<>\s]{{1,64}}\"|(?<![{_ATOM}.])[{_ATOM}.]{{1,130}})@"
    r"(?:\[[0-9A-Fa-f:.]{3,45}\]|[A-Za-z0-9\u00a1-\uffff_](?:[A-Za-z0-9\u00a1-\uffff._\-]{0,200}[A-Za-z0-9\u00a1-\uffff])?)"
)
_TYPED = re.compile(r"^\s*[A-Za-z0-9\-_]{1,24}\s*;\s*")
_ENCLOSED = re.compile(r"<([^<>]{1,320})>")
_EDGES = "\"'`<>()[]{},;:=*! \t"


def clean(text: str) -> str | None:
    """The address in a field value ("rfc822; <a@b.example>" → a@b.example), None when there is none."""
    text = _TYPED.sub("", text.strip()[:1000])
    for candidate in (*_ENCLOSED.findall(text), text):
        found = find(candidate)
        if found:
            return found[0]
    return None


def find(text: str) -> list[str]:
    """Every address in `text`, in order, each once (compared without case)."""
    if "@" not in text:
        return []
    seen: dict[str, str] = {}
    for match in ADDRESS.finditer(text):
        address = tidy(match[0])
        if address and not _in_link(text, match.start()):
            seen.setdefault(address.lower(), address)
    return list(seen.values())


def tidy(address: str) -> str | None:
    """`address` without what prose hangs around it, None when it isn't one."""
    local, _, domain = address.strip(_EDGES).rpartition("@")
    local = local.strip("'`") if not local.startswith('"') else local
    for prefix in ("mailto:", "smtp:", "rfc822;"):
        if local.lower().startswith(prefix):
            local = local[len(prefix) :]
    local, domain = local.lstrip("=?*'.,-") if local[:1] in "=?*'.," else local, domain.strip(".-")
    if not local or not domain or len(local) > 128:
        return None
    return f"{local}@{domain}"


def _in_link(text: str, at: int) -> bool:
    """Part of a web address: http://x/?u=a@b.example is no mention of a recipient."""
    start = max(text.rfind(" ", 0, at), text.rfind("<", 0, at), text.rfind("\n", 0, at), at - 200)
    word = text[start + 1 : at].lower()
    return "://" in word or word.startswith("www.")
