"""schemathesis against the served document, in process: every operation, right and wrong data, no finding.

Bounded and always the same examples; the whole takes well under a minute.
"""

from __future__ import annotations

import warnings
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

EXAMPLES = 12


@pytest.fixture
def document(app: Flask, cassiopee: House) -> Any:
    """The schema as served, asked with an admin's token."""
    _token, secret = accounts.new_token(cassiopee.admin, "schemathesis", "read send admin")
    db.session.commit()
    config = schemathesis.Config.from_dict({"headers": {"Authorization": f"Bearer {secret}"}})
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=config)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_finding(document: Any, mode: GenerationMode) -> None:
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:

        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            case.call_and_validate()

        try:
            ask()
        except hypothesis.errors.Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, operation.label  # nothing about it can be wrong
