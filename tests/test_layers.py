"""Who may import whom (the house plan), and what every ring names."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import blueprints
import jobs

ROOT = Path(__file__).resolve().parent.parent
LEAVES = {"words", "config", "places", "errors"}
BASE = LEAVES | {"extensions", "i18n"}
BELOW = BASE | {"models"}
DEEP = BELOW | {"metrics", "documents", "mail", "planning", "history", "people", "webhooks", "proofs"}
MAY_IMPORT = {
    "words": set(), "places": set(), "errors": set(), "config": {"places"},
    "i18n": LEAVES, "extensions": LEAVES, "models": BASE,
    "metrics": BELOW, "documents": BELOW, "mail": BELOW | {"documents"},
    "planning": BELOW | {"documents", "mail", "people", "history"},
    "history": BELOW | {"documents"}, "people": BELOW, "webhooks": BELOW | {"documents", "mail", "history"},
    "proofs": BELOW | {"documents", "mail", "history", "people"},
    "jobs": DEEP, "blueprints": DEEP, "cli": DEEP,
}  # fmt: skip
ANYTHING = {"app", "worker", "local", "seeds", "tests", "bench", "migrations", "tools", "docs"}
OURS = MAY_IMPORT.keys() | ANYTHING
STRANGERS = {"blueprints": {"rq", "smtplib", "imaplib", "imap_tools"}}
NO_NAMES = {"utils", "helpers", "common", "services", "core", "email", "queue", "html", "mailbox", "calendar"}


def files() -> list[Path]:
    """Every Python file under version control."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).exists()]


def part(path: Path) -> str:
    """The layer's name for a file."""
    inside = path.relative_to(ROOT)
    return "words" if inside.is_relative_to("models/words") else inside.parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of each import, those inside functions too; a name from a package counts as its module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((f"{node.module}.{name.name}", node.lineno) for name in node.names)


def layer(name: str) -> str:
    """The layer of a dotted name."""
    return "words" if name.startswith("models.words") else name.partition(".")[0]


def test_imports_go_down() -> None:
    wrong = []
    for path in files():
        own = part(path)
        if own in ANYTHING:
            continue
        assert own in MAY_IMPORT, f"{path}: which layer is it?"
        for name, line in imported(path):
            other = layer(name)
            if other in OURS and other != own and other not in MAY_IMPORT[own]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
            if name.partition(".")[0] in STRANGERS.get(own, set()):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_screens_do_not_know_each_other() -> None:
    """What screens share stands in modules without a blueprint."""
    wrong = []
    for path in files():
        if part(path) != "blueprints" or path.name == "__init__.py" and path.parent.name == "blueprints":
            continue
        own = path.relative_to(ROOT).parts[1].removesuffix(".py")
        for name, line in imported(path):
            names = name.split(".")
            if names[0] == "blueprints" and len(names) > 1 and names[1] != own and names[1] in blueprints.SITE_MAP:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_ring_names_a_job() -> None:
    for path in files():
        if part(path) in ("tests", "bench"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "ring":
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    assert callable(getattr(jobs, str(name.value), None)), f"{path}:{node.lineno}: no job {name.value}"


def test_names_and_sizes() -> None:
    for path in files():
        inside = path.relative_to(ROOT)
        assert not NO_NAMES & {inside.parts[0].removesuffix(".py")}, f"{inside}: a root name that hides another"
        assert path.stem not in {"utils", "helpers", "common", "services", "core"}, f"{inside}: name what it does"
        if inside.parts[0] not in ("tests", "migrations"):
            lines = len(path.read_text().splitlines())
            assert lines <= 400, f"{inside}: {lines} lines"
