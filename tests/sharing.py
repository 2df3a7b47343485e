"""How the test processes share the files: a file to each, except that the browser's tests share two houses, and what
takes longest is begun first, so that all processes end together.

Two processes leave a third of two cores idle, for tests wait (for leases, servers, a browser): make takes three.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

TESTS = Path(__file__).resolve().parent
BROWSER = "tests/browser"
# Half of the browser's time: pages looked at one by one, and every reason repaired.
OTHER_HOUSE = ("test_axe.py", "test_remedies.py")
# Minutes and half-minutes, the longest first; the others follow in any order.
LONGEST = (
    BROWSER, "test_schemathesis.py", "reliability/test_lost_servers.py", "reliability/test_deaths.py", "test_bench.py",
    "test_chaos.py", "test_routes.py", "local/test_supervisor.py", "local/test_make_run.py", "history/test_pages.py",
    "planning/test_crash.py", "reliability/test_full_disk.py", "reliability/test_clocks.py",
    "reliability/test_uploads.py", "test_seeds.py", "mail/test_sending.py", "history/test_spreadsheet.py",
    "webhooks/test_delivering.py",
)  # fmt: skip


class TwoHouses(LoadFileScheduling):  # type: ignore[misc]
    """xdist's way of giving a file to each process, with the browser's files taken for two."""

    def _split_scope(self, nodeid: str) -> str:
        if not nodeid.startswith(BROWSER + "/"):
            return super()._split_scope(nodeid)
        return f"{BROWSER}, {'other' if nodeid.removeprefix(BROWSER + '/').startswith(OTHER_HOUSE) else 'one'} house"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoHouses | None:
    """For `--dist loadfile`, as `make test` asks for it."""
    return TwoHouses(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    rank = {name: n for n, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        inside = item.path.relative_to(TESTS) if item.path.is_relative_to(TESTS) else item.path
        return rank[BROWSER] if inside.parts[0] == "browser" else rank.get(str(inside), len(rank))

    items.sort(key=place)
