"""What the dashboard's figures cost, kept and read: `python -m bench.figures --data DIR --sizes 10000,10000000`.

Of the organisation that has 60 % of the e-mails: counting everything from the beginning, taking in a thousand changes
of the newest, and reading each period beside a page of the history, server and Python together.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select, text

from bench import tables
from extensions import db
from history import HistoryFilter, Scope, figures, pages, tallies
from models import FigureState, Organisation, Segment

_PERIODS = ("day", "rolling_30", "year", "custom")
_CHANGE = """UPDATE email SET updated_at = clock_timestamp() WHERE id IN (
  SELECT id FROM email WHERE organisation_id = :o ORDER BY created_at DESC, id DESC LIMIT 1000)"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="where the databases are kept (default: a folder that is removed)")
    parser.add_argument("--sizes", default="10000,1000000", help="numbers of e-mails, the smallest first")
    parser.add_argument("--requests", type=int, default=100, help="for each question and size")
    options = parser.parse_args()
    folder = options.data or Path(tempfile.mkdtemp(prefix="figures-"))
    try:
        run(folder, [int(size) for size in options.sizes.split(",")], options.requests)
    finally:
        if options.data is None:
            shutil.rmtree(folder, ignore_errors=True)


def run(folder: Path, sizes: list[int], requests: int) -> None:
    """Print it all for tables of these sizes."""
    with tables.opened(folder, sizes, print) as made:
        for table in made:
            with table.app.app_context():
                measure(table.name, requests)
                db.session.remove()


def measure(name: str, requests: int) -> None:
    """Print the figures of the app's own database."""
    house = db.session.get_one(Organisation, 1)
    tallies.forget(house.id)
    db.session.commit()
    runs, began = 0, time.perf_counter()
    while runs == 0 or db.session.get_one(FigureState, house.id).kept_from != tallies.WHOLE:
        tallies.keep(house, rested=False)
        db.session.expire_all()
        runs += 1
    kept = "FROM email_figure WHERE organisation_id = :o"
    emails = db.session.scalar(text(f"SELECT sum(number) {kept} AND grain = 'day' AND facet = ''"), {"o": house.id})
    rows = db.session.scalar(text(f"SELECT count(*) {kept}"), {"o": house.id})
    print(f"{name}: counted {emails} e-mails in {time.perf_counter() - began:.1f} s, {runs} runs, {rows} rows kept")
    taken = []
    for _ in range(3):
        db.session.execute(text(_CHANGE), {"o": house.id})
        db.session.commit()
        began = time.perf_counter()
        tallies.keep(house, rested=False)
        taken.append(time.perf_counter() - began)
    print(f"{name}: a thousand changes of the newest taken in in {statistics.median(taken) * 1000:.0f} ms")
    scope, now = Scope(house.id, zone=house.timezone), datetime.now(UTC)
    newest = db.session.scalar(text("SELECT max(created_at) FROM email WHERE organisation_id = :o"), {"o": house.id})
    now = max(now, newest or now) if newest else now
    asked = {period: figures.period_of(_asked(period), now, scope.zone) for period in _PERIODS}
    if segment := db.session.scalar(select(Segment).where(Segment.organisation_id == house.id).limit(1)):
        asked["segment, year"] = figures.period_of(
            HistoryFilter.from_query([("period", "year"), ("segment", segment.public_id)]), now, scope.zone
        )
    plain = _times(requests, lambda: pages.browse(scope, HistoryFilter(), now))
    print(f"{name}: a page of the history {_said(plain)}")
    for what, one in asked.items():
        taken = _times(requests if "segment" not in what else 5, lambda one=one: figures.read(scope, one, now))  # type: ignore[misc]
        print(f"{name}: {what} {_said(taken)}, {statistics.median(taken) / statistics.median(plain):.1f} × the page")


def _asked(period: str) -> HistoryFilter:
    pairs = [("period", period), ("from", "2024-01-05"), ("to", "2026-11-20")]
    return HistoryFilter.from_query(pairs)


def _times(requests: int, work: Callable[[], object]) -> list[float]:
    taken = []
    for _ in range(requests):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return sorted(taken)


def _said(taken: list[float]) -> str:
    return f"p50 {1000 * statistics.median(taken):.1f} ms, p95 {1000 * taken[int(0.95 * len(taken))]:.1f} ms"


if __name__ == "__main__":
    main()
