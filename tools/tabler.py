"""Take from Tabler what the pages use: `python tools/tabler.py` writes static/css/tabler.css.

Promises that each rule of it stands in the pinned Tabler, for elements or for classes that templates name, with the
custom properties those rules ask for, in the layer below ours. Run it when Tabler's version changes. A class named
later brings none of Tabler's properties along, which is how new classes are meant to be: ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "static/vendor/tabler-1.6.1.min.css"
TARGET = ROOT / "static/css/tabler.css"
# Where Tabler's own parts, none of ours, would come in by a word of ours: we draw them whole ourselves.
_NOT = {"card", "table", "navbar", "dropdown", "offcanvas", "carousel"}


def named(root: Path = ROOT) -> set[str]:
    """Every word that stands in a class attribute of a template, in a class argument, or in the script's strings."""
    words = {"btn-primary", "btn-secondary", "btn-ghost", "btn-danger", "btn-sm", "btn-icon", "form-select"}
    for file in (root / "templates").rglob("*.html"):
        text = file.read_text()
        for value in re.findall(r"""class_?\s*=\s*("[^"]*(?:\{\{.*?\}\}[^"]*)*"|'[^']*'|\([^)]*\))""", text, re.S):
            words |= set(re.findall(r"[A-Za-z][\w-]*", value))
        for value in re.findall(r"set classes = (.*?)-%\}", text):
            words |= set(re.findall(r"[a-z][\w-]*", value))
    for file in (root / "static/js").glob("*.js"):
        words |= set(re.findall(r"[a-z][\w-]*", " ".join(re.findall(r"[\"'`]([^\"'`]*)[\"'`]", file.read_text()))))
    return words - _NOT


def blocks(css: str) -> Iterator[tuple[str, str]]:
    """(what stands before the brace, what stands within) of each block at the top; (statement, "") of a plain one."""
    at, start, depth, quote = 0, 0, 0, ""
    head = ""
    while at < len(css):
        sign = css[at]
        if quote:
            at += sign == "\\"
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "{":
            if not depth:
                head, start = css[start:at], at + 1
            depth += 1
        elif sign == "}":
            depth -= 1
            if not depth:
                yield head.strip(), css[start:at]
                start = at + 1
        elif sign == ";" and not depth:
            yield css[start:at].strip(), ""
            start = at + 1
        at += 1


def wanted(selector: str, words: set[str]) -> bool:
    """Whether every class of it is named somewhere (what it must not be, `:not(.x)`, does not count)."""
    return all(name in words for name in re.findall(r"\.(-?[A-Za-z_][\w-]*)", re.sub(r":not\([^)]*\)", "", selector)))


def kept(css: str, words: set[str]) -> list[tuple[str, str]]:
    """The blocks worth having, media queries with what remains in them."""
    found = []
    for head, body in blocks(css):
        if head.startswith(("@media", "@supports")):
            inner = "".join(f"{one}{{{two}}}" for one, two in kept(body, words))
            found += [(head, inner)] if inner else []
        elif not head.startswith("@"):
            chosen = [one for one in re.split(r",(?![^(]*\))", head) if wanted(one, words)]
            found += [(",".join(chosen), body)] if chosen else []
        elif head.startswith("@keyframes"):
            found.append((head, body))
    return found


def pruned(css: str, words: set[str]) -> str:
    """The style sheet of those words: rules, and of custom properties and animations those that some rule asks for."""
    rules = kept(re.sub(r"/\*.*?\*/", "", css, flags=re.S), words)
    while True:
        text = "".join(f"{head}{{{body}}}" for head, body in rules)
        asked = set(re.findall(r"var\((--[\w-]+)", text)) | set(re.findall(r"(--tblr-[\w-]+)", _ours()))
        moves = set(re.findall(r"[\w-]+", " ".join(re.findall(r"animation(?:-name)?:([^;}]+)", text))))
        thin = []
        for head, body in rules:
            if head.startswith("@keyframes"):
                thin += [(head, body)] if head.split()[1] in moves else []
                continue
            for name in set(re.findall(r"(?<![\w-])(--[\w-]+):", body)) - asked:
                body = re.sub(rf"(?<![\w-]){name}:[^;{{}}]*;?", "", body)
            body = re.sub(r"[^{}]+\{\}", "", body)
            thin += [(head, body)] if body.strip("; ") else []
        if thin == rules:
            return "\n".join(f"{head}{{{body}}}" for head, body in rules)
        rules = thin


def _ours() -> str:
    return "".join(file.read_text() for file in (ROOT / "static/css").glob("*.css") if file != TARGET)


def main() -> None:
    source = SOURCE.read_text()
    head = "/* What the pages use of Tabler 1.6.1 (https://tabler.io), MIT: static/vendor/tabler.LICENSE. */"
    TARGET.write_text(f"{head}\n@layer tabler, sillage;\n@layer tabler {{\n{pruned(source, named())}\n}}\n")
    print(f"{len(source):,} bytes → {TARGET.stat().st_size:,}")


if __name__ == "__main__":
    main()
