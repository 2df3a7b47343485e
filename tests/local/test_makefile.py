"""The tasks say what they are, and their recipes are shell."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TASKS = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def make(*arguments: str) -> str:
    env = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE")
    }  # not a part of `make test`
    done = subprocess.run(["make", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return done.stdout


def test_help_names_every_task():
    assert [line.split()[1] for line in make("help").splitlines()] == TASKS
    assert {"run", "test", "lint", "messages", "chaos", "bench"} <= set(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_recipes_are_shell(task):
    recipe = make("--dry-run", "--always-make", task)
    subprocess.run(["bash", "-n"], input=recipe, text=True, check=True, capture_output=True)


def test_the_ci_script_is_shell():
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True, capture_output=True)
