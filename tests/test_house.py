"""Names that meet only when the house runs: jobs by their ring, endpoints by their links, settings by their papers."""

from __future__ import annotations

import ast
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import nodes

import config
import jobs
from extensions import QUEUES

ROOT = Path(__file__).resolve().parents[1]
SETTING = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
FOLDERS = ("api", "blueprints", "documents", "history", "local", "mail", "models", "people", "planning", "seeds")
# Names in papers that are settings of something else: make, pytest, apt, PostgreSQL, Python.
FOREIGN = {"PYTEST_ARGS", "CHAOS_ARGS", "BENCH_ARGS", "PYTHON", "PG_UNICODE_FAST"}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    """The house's own Python, parsed."""
    paths = [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
    for path in sorted(paths):
        yield path, ast.parse(path.read_text(), str(path))


def calls(tree: ast.Module, name: str) -> Iterator[ast.Call]:
    """Every call of a function of that name, however it was imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called == name:
                yield node


def first(node: ast.Call) -> str | None:
    """The first argument of a call where it is a text."""
    value = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
    return value if isinstance(value, str) else None


def test_every_ring_and_every_line_of_the_schedule_is_a_job():
    rung = [
        (path.name, node.args[0].value, node.args[1].value)
        for path, tree in sources()
        for node in calls(tree, "ring")
        if first(node)
    ]
    assert rung
    scheduled = [("SCHEDULE", name, queue) for name, queue, _ in jobs.SCHEDULE]
    for where, name, queue in [*rung, *scheduled]:
        assert callable(getattr(jobs, name, None)), f"{where}: no jobs.{name}"
        assert getattr(jobs, name).__module__ == "jobs", f"{where}: {name} is only imported by jobs"
        assert queue in QUEUES, f"{where}: nobody serves the queue {queue}"
    assert all(seconds > 0 for _, _, seconds in jobs.SCHEDULE)


def test_every_endpoint_that_python_names_exists(migrated_app):
    for path, tree in sources():
        if "postoffice" in path.parts:  # a site of its own
            continue
        for node in calls(tree, "url_for"):
            endpoint = first(node)
            if endpoint and not endpoint.startswith("."):
                assert endpoint in migrated_app.view_functions, f"{path.name}:{node.lineno}: {endpoint}"


def test_every_template_compiles_and_every_endpoint_it_names_exists(migrated_app):
    names = migrated_app.jinja_env.list_templates(extensions=["html", "txt", "xml", "typ"])
    assert len(names) > 30
    unknown = []
    for name in names:
        source, _, _ = migrated_app.jinja_env.loader.get_source(migrated_app.jinja_env, name)
        if name.startswith("letters/") and name.endswith(".txt"):  # Liquid, not Jinja
            continue
        migrated_app.jinja_env.compile(source, name)
        for call in migrated_app.jinja_env.parse(source, name).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "url_for" and call.args:
                endpoint = call.args[0]
                if isinstance(endpoint, nodes.Const) and endpoint.value not in migrated_app.view_functions:
                    unknown.append(f"{name}:{call.lineno}: {endpoint.value}")
    assert unknown == []


def test_every_partial_that_a_template_includes_exists(migrated_app):
    environment = migrated_app.jinja_env
    known = set(environment.list_templates())
    for name in known:
        if not name.endswith(".html"):
            continue
        source, _, _ = environment.loader.get_source(environment, name)
        tree = environment.parse(source, name)
        for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
            if isinstance(node.template, nodes.Const):
                assert node.template.value in known, f"{name}:{node.lineno}: {node.template.value}"


def read_settings(path: Path) -> set[str]:
    """The variables that a module reads: names given to text(), number(), switch(), get() and the like."""
    tree = ast.parse(path.read_text())
    found = set()
    for name in ("text", "number", "switch", "get", "_number", "_wish", "setdefault"):
        for node in calls(tree, name):
            named = node.args[1:2] if name.startswith("_") else node.args[:1]
            texts = [arg.value for arg in named if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            found |= {text for text in texts if SETTING.fullmatch(text) and len(text) > 3}
    return found


def example() -> list[str]:
    """The names in .env.example, in order."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return [line.lstrip("# ").partition("=")[0] for line in lines if re.match(r"#?[A-Z0-9_]+=", line)]


def test_the_example_names_every_setting_and_nothing_else():
    known = read_settings(ROOT / "config.py")
    assert "MAIL_CA_FILE" in known and "DATABASE_URL" in known
    names = example()
    assert len(names) == len(set(names))
    assert known - set(names) == set()
    others = {name for path in [*(ROOT / "local").rglob("*.py"), ROOT / "worker.py"] for name in read_settings(path)}
    assert set(names) - known - others == set()


@pytest.mark.parametrize("paper", ["README.md", "CHANGELOG.md", "docs/operations.md"])
def test_papers_name_only_settings_that_exist(paper):
    known = set(example()) | FOREIGN | {"REQUIRE_ALL", "SILLAGE_SAMPLES", "SILLAGE_LOG"}
    told = (ROOT / paper).read_text()
    quoted = " ".join(re.findall(r"`([^`\n]+)`", told))
    names = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", quoted))
    assert names - known == set()


def test_nothing_leaves_this_machine():
    with pytest.raises(PermissionError), socket.socket() as sock:
        sock.connect(("192.0.2.1", 25))
    with pytest.raises(socket.gaierror):
        socket.create_connection(("smtp.example.org", 25))


def test_a_wrong_setting_is_named():
    with pytest.raises(config.WrongSetting, match="MAIL_CA_FILE"):
        config.read({"MAIL_CA_FILE": "/no/such/file.pem", "SECRET_KEY": "x" * 32})


def papers() -> list[Path]:
    """What people read: the README, the changes, everything under docs."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_links_and_pictures_of_the_papers_lead_somewhere() -> None:
    lost = []
    for paper in papers():
        said = re.sub(r"```.*?```|`[^`]*`", "", paper.read_text(), flags=re.DOTALL)
        for way in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", said):
            path = (way[0] or way[1]).partition("#")[0]
            if path and "://" not in path and not (paper.parent / path).exists():
                lost.append(f"{paper.relative_to(ROOT)}: {path}")
    assert not lost, lost


def test_every_package_stands_in_the_picture_of_the_architecture() -> None:
    picture = (ROOT / "docs" / "architecture.svg").read_text()
    layers = (ROOT / "docs" / "architecture.md").read_text()
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench", "local", "seeds", "tools"}
    assert {"blueprints", "history", "mail", "planning"} <= packages
    assert not [name for name in packages if not re.search(rf"\b{name}\b", picture)]
    assert not [name for name in packages if f"`{name}/`" not in layers]
