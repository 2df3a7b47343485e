"""schemathesis against the served document: every operation, right and wrong data, boundary values, no finding.

Bounded and always the same examples.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis import GenerationMode

from extensions import db
from people import accounts
from tests.conftest import House
from tests.test_api_example import served  # noqa: F401 (a fixture)

EXAMPLES = 12


@pytest.fixture
def document(app: Flask) -> Any:
    """The schema as served."""
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)


@pytest.fixture
def secret(cassiopee: House) -> str:
    """An admin's token."""
    _token, secret = accounts.new_token(cassiopee.admin, "schemathesis", "read send admin")
    db.session.commit()
    return secret


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_finding(document: Any, secret: str, mode: GenerationMode) -> None:
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:

        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {secret}"})

        try:
            ask()
        except hypothesis.errors.Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, operation.label  # nothing about it can be wrong


def test_no_finding_at_the_edges(secret: str, served: str) -> None:  # noqa: F811
    """The command as a stranger would run it, with the boundary values of every field.

    Not of POST /emails, whose longest bodies alone would take a minute: the fuzzing above tries that one.
    """
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{served}/api/v1/openapi.json", "--no-color",
        "--header", f"Authorization: Bearer {secret}", "--phases", "coverage", "--seed", "1", "--generation-database",
        "none", "--include-path-regex", "/(emails|contacts|sessions|exports|events)$",
        "--exclude-operation-id", "post_emails",
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
