"""The history at ten thousand, a million and ten million e-mails: what a page costs, per filter, and against others.

    python -m bench.history [--data FOLDER] [--sizes 10000,1000000] [--requests 200] [--only NAME]
                            [--whole] [--inserts] [--django PYTHON]

Builds its own databases (bench.filling) in FOLDER (ten million take about 10 GB) and prints, in one run, interleaved:
per question the bare SQL of its page (p50 and p95 of the server's processor time, blocks touched) and of its counts at
each size; the whole request through Flask as a ratio to that SQL, to a bare page of Core and Jinja2 and to the smallest
table; with --whole how the whole request of every question grows; with --inserts what each index costs an insert; with
--django the list of django-post_office's admin on the same rows.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import parse_qsl

from bench import against, asking, inserting, whole
from bench.asking import Asked
from bench.tables import Statement, Table, opened
from extensions import db
from history import HistoryFilter, Scope, around, pages, prepared
from history.cursors import Cursor
from models import User

# One request's share of a round; a question that takes longer than SLOW is asked less often.
_AT_ONCE, SLOW = 10, 0.05


@dataclass
class Cost:
    """What one question costs in one table: the statements of each variant's page and counts, their times."""

    pages: list[list[Statement]] = field(default_factory=list)
    counts: list[list[Statement]] = field(default_factory=list)
    first_counts: list[list[Statement]] = field(default_factory=list)
    page_times: list[float] = field(default_factory=list)
    count_times: list[float] = field(default_factory=list)
    first_times: list[float] = field(default_factory=list)
    rows: int = 0
    page_blocks: float = 0
    count_blocks: float = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="where the databases are kept (default: a folder that is removed)")
    parser.add_argument("--sizes", default="10000,1000000", help="numbers of e-mails, the smallest first")
    parser.add_argument("--requests", type=int, default=200, help="for each question and size")
    parser.add_argument("--only", default="", help="questions whose name begins so")
    parser.add_argument("--whole", action="store_true", help="also the whole request of every question at each size")
    parser.add_argument("--inserts", action="store_true", help="also what each index costs an insert")
    parser.add_argument("--django", default="", metavar="PYTHON", help="an interpreter that has django-post_office")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    if options.data:
        run(options.data, sizes, options)
    else:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            Path(folder).chmod(0o755)
            run(Path(folder), sizes, options)


def run(folder: Path, sizes: list[int], options: argparse.Namespace) -> None:
    """Everything that is asked for, printed."""
    with opened(folder, sizes, lambda said: print(said, flush=True)) as tables:
        server = tables[0].bare.info.server_version
        print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} processors, PostgreSQL {server}")
        compare_pages(tables, options.requests, options.only)
        if not options.only:
            compare_places(tables, options.requests)
            whole.compare(tables, options.requests)
        if options.whole:
            whole.compare_growth(tables, options.requests, options.only)
        if options.inserts:
            inserting.compare(tables[-1])
        if options.django:
            against.compare(tables[-1], options.django)
        print(f"load {os.getloadavg()[0]:.2f}")


# --- pages and counts, per question ---


def compare_pages(tables: list[Table], requests: int, only: str) -> None:
    """The table of every question, then the worst of the thirty."""
    asked = [[a for a in asking.questions(table.held) if a.name.startswith(only)] for table in tables]
    found: list[tuple[Asked, list[Cost]]] = []
    head = " ".join(f"{table.name:>21}" for table in tables)
    print(f"\npages: p50 / p95 in ms, blocks{'':9} {head}   × p50  × p95  target   counts ÷ page")
    for same in zip(*asked, strict=True):
        costs = [cost_of(table, one, requests) for table, one in zip(tables, same, strict=True)]
        measure(tables, costs, requests)
        found.append((same[0], costs))
        print(line(same[0], costs, found[0][1][0]), flush=True)
    fixed = [(a, c) for a, c in found if a.fixed]
    if fixed:
        worst, costs = max(fixed, key=lambda pair: _p95(pair[1][-1].page_times))
        print(f"worst of {len(fixed)}: {worst.name}, {_p95(costs[-1].page_times) * 1e3:.1f} ms (target: 50)")


def cost_of(table: Table, asked: Asked, requests: int) -> Cost:
    """The statements of a question's variants, and the blocks they touch."""
    cost = Cost()
    for query in asked.variants:
        page, counts, rows = statements(table, query)
        cost.pages.append(page)
        cost.counts.append(counts)
        table.app.extensions.pop("floors", None)
        cost.first_counts.append(statements(table, query, cold=True)[1])
        cost.rows += rows
    cost.page_blocks = sum(map(table.blocks, cost.pages)) / len(cost.pages)
    cost.count_blocks = sum(map(table.blocks, cost.counts)) / len(cost.counts)
    return cost


def statements(
    table: Table, query: str, cursor: str = "", cold: bool = False
) -> tuple[list[Statement], list[Statement], int]:
    """(of the page, of the counts and of what stands around, rows) as the list of the organisation sends them, to a
    web process that was asked before; `cold`: that never was."""
    filter_ = HistoryFilter.from_query(parse_qsl(query)).with_(cursor=cursor)
    with table.recorded() as sent:
        user = db.session.get_one(User, 1)
        scope = Scope(user.organisation_id, zone="Europe/Paris")
        for _again in range(1 if cold else 2):  # what is known of the counts after the first
            sent.clear()
            question = prepared.question(scope, filter_, datetime.now(UTC))
            found = pages.answer(question, filter_, counted=False)
            around.read(question, user, tabs=True, count=found.count is pages.UNCOUNTED)
    page = [one for one in sent if "sender_paused" in one[0]]
    return page, [one for one in sent if one not in page], len(found.rows)


def measure(tables: list[Table], costs: list[Cost], requests: int) -> None:
    """Times of pages and counts, the tables in turn; each variant is asked a few times before."""
    for table, cost in zip(tables, costs, strict=True):
        for page, counts in zip(cost.pages, cost.counts, strict=True):
            for _again in range(-(-8 // len(cost.pages))):
                slow = table.seconds(page) + table.seconds(counts)
                if slow > SLOW:
                    break
    for start in range(0, requests, _AT_ONCE):
        for table, cost in zip(tables, costs, strict=True):
            for place in range(start, min(start + _AT_ONCE, requests)):
                variant = place % len(cost.pages)
                if sum(cost.page_times) < requests * SLOW / 2:
                    cost.page_times.append(table.seconds(cost.pages[variant]))
                if sum(cost.count_times) < requests * SLOW / 2:
                    cost.count_times.append(table.seconds(cost.counts[variant]))
                    cost.first_times.append(table.seconds(cost.first_counts[variant]))


def line(asked: Asked, costs: list[Cost], plain: Cost) -> str:
    """One question's line: each size, the growth from the first to the last, counts ÷ page at the last. Where the small
    table has fewer rows to show (°), the growth is that from its unfiltered page, `plain`."""
    cells = " ".join(
        f"{median(c.page_times) * 1e3:6.2f}/{_p95(c.page_times) * 1e3:6.2f} {c.page_blocks:7.0f}" for c in costs
    )
    first, last = costs[0], costs[-1]
    less = first.rows < last.rows and asked.target == asking.FLAT
    first = plain if less else first
    p50 = median(last.page_times) / median(first.page_times)
    p95 = _p95(last.page_times) / _p95(first.page_times)
    mark = ("°" if less else " ") + (" " if p50 <= asked.target else "!")
    counts = median(last.count_times) / median(last.page_times)
    first_counts = median(last.first_times) / median(last.page_times)
    return (
        f"{'*' if asked.fixed else ' '}{asked.name:29} {cells}  {p50:5.2f} {p95:6.2f} {mark} ≤ {asked.target:<4}  "
        f"{median(last.count_times) * 1e3:6.2f} ms {counts:5.2f} ×{' ' if counts <= 2 else '!'} "
        f"(asked first {first_counts:5.2f} ×) "
        f"{len(last.pages[0])}+{len(last.counts[0])} st. {last.rows // len(last.pages)} rows"
    )


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


# --- where a page stands makes no difference ---


def compare_places(tables: list[Table], requests: int) -> None:
    """The first page, one half-way down, and the one before it, in each table."""
    print("\npage half-way down ÷ the first (target: 1.2)")
    for query in ("", "status=error", "type=convocation", "date_field=sent", "recipient=petit", "subject=convocation"):
        shown = []
        for table in tables:
            order = HistoryFilter.from_query(parse_qsl(query))
            half = datetime.now(UTC) - timedelta(days=3 * 365.25 / 2)
            key = f"{order.sort}/{order.date_field}"
            with table.app.app_context():
                cursors = ["", *(Cursor(key, back, half, table.count // 2).write() for back in (False, True))]
            cost = Cost([statements(table, query, cursor)[0] for cursor in cursors])
            times: list[list[float]] = [[], [], []]
            for _again in range(6 + requests):
                for place, page in enumerate(cost.pages):
                    times[place].append(table.seconds(page))
            first, down, back = (median(some[6:]) for some in times)
            shown.append(f"{table.name}: {down / first:.2f}, backwards {back / first:.2f}")
        print(f" {query or 'no filter':22} {' · '.join(shown)}", flush=True)


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s in all")
