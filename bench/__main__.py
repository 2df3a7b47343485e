"""`make bench`: every benchmark that needs nothing but this machine, in its quick form, one after another.

    python -m bench [NAME [OPTIONS]]      NAME is a module of bench: history, making …

With a name, that one with its options. Figures are ratios to a limit measured in the same run (docs/performance.md).
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

QUICK: dict[str, list[str]] = {
    "making": [],
    "history": ["--sizes", "10000,200000", "--requests", "40"],
    "reports": [],
    "sending": ["--rounds", "3", "--emails", "500"],
}


def main() -> int:
    """The worst exit code of those that ran."""
    name, *options = sys.argv[1:] or [""]
    if name and importlib.util.find_spec(f"bench.{name}") is None:
        print(__doc__, file=sys.stderr)
        return 2
    wanted = {name: options} if name else QUICK
    worst = 0
    for module, given in wanted.items():
        print(f"\n== {module} ==", flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", f"bench.{module}", *given], check=False).returncode)
    return worst


if __name__ == "__main__":
    raise SystemExit(main())
