"""How fast pages feel: `python -m bench.felt --at http://127.0.0.1:5000`, a running house with its demo.

Prints for each main page, opened by a browser that knows nothing and by one that was there before: first paint, largest
paint, layout shift, requests and bytes; then the ten slowest pages of all that links reach by the server's own time
(median of five, one reader; target: 100 ms). Says nothing of a network's delay: the house is on this machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import time
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from app import create_app
from bench.screens import CHROMIUM, reach, sign_in

MAIN = (
    "dashboard.home", "todo.index", "sessions.index", "sessions.overview", "sessions.emails", "contacts.index",
    "contacts.record", "emails.index", "emails.email", "completeness.index",
)  # fmt: skip
TARGETS = {"paint": 1000, "largest": 1500, "shift": 0.02, "server": 100}
_WATCH = """() => {
  window.felt = {shift: 0, largest: 0};
  const each = work => new PerformanceObserver(list => list.getEntries().forEach(work));
  each(one => { if (!one.hadRecentInput) felt.shift += one.value; })
    .observe({type: 'layout-shift', buffered: true});
  each(one => { felt.largest = one.startTime; })
    .observe({type: 'largest-contentful-paint', buffered: true});
}"""
_READ = """() => {
  const went = performance.getEntriesByType('navigation')[0], got = performance.getEntriesByType('resource');
  return {paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime || 0, ...window.felt,
    server: went.responseStart - went.requestStart, requests: 1 + got.filter(one => one.transferSize).length,
    bytes: went.transferSize + got.reduce((sum, one) => sum + one.transferSize, 0),
    blocking: got.filter(one => one.renderBlockingStatus === 'blocking').length}
}"""


def felt(context: BrowserContext, address: str) -> dict[str, Any]:
    """What one opening of a page comes to: milliseconds, the sum of shifts, what travelled."""
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.add_init_script(f"({_WATCH})()")
    page.goto(address, wait_until="load")
    page.wait_for_timeout(400)
    found: dict[str, Any] = page.evaluate(_READ)
    page.close()
    return found


def forgotten(browser: Browser, context: BrowserContext) -> BrowserContext:
    """A window with the same person and nothing kept."""
    return browser.new_context(storage_state=context.storage_state(), locale="fr-FR", reduced_motion="reduce")


def served(context: BrowserContext, address: str, times: int = 5) -> float:
    """Milliseconds until the answer is whole, by the clock of one who asks: the median of `times`, after one more."""
    took = []
    for _ in range(times + 1):
        before = time.perf_counter()
        context.request.get(address)
        took.append((time.perf_counter() - before) * 1000)
    return statistics.median(took[1:])


def main() -> None:
    """Open, read, print; exit 1 where a target is missed."""
    wish = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wish.add_argument("--at", default="http://127.0.0.1:5000")
    wish.add_argument("--who", default="admin@cassiopee.example")
    args = wish.parse_args()
    missed = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        context = sign_in(browser, args.at, args.who, "fr")
        found = reach(context, args.at, create_app().url_map.bind("localhost"))
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        print(f"{'page':24} {'':7} {'server':>7} {'FCP':>6} {'LCP':>6} {'CLS':>6} {'requests':>9} {'kB':>6} blocking")
        for name in [one for one in MAIN if one in found]:
            felt(context, args.at + found[name])
            for when, window in (("new", forgotten(browser, context)), ("again", context)):
                one = felt(window, args.at + found[name])
                print(f"{name:24} {when:7} {one['server']:7.0f} {one['paint']:6.0f} {one['largest']:6.0f} "
                      f"{one['shift']:6.3f} {one['requests']:9} {one['bytes'] / 1000:6.1f} {one['blocking']:8}")
                missed += [f"{name} {what}" for what in ("paint", "largest", "shift") if one[what] > TARGETS[what]]
                if window is not context:
                    window.close()
        slow = sorted(((served(context, args.at + path), name, path) for name, path in found.items()), reverse=True)
        print("\nthe ten slowest by the server's time")
        for took, name, path in slow[:10]:
            print(f"{took:7.0f} ms  {name:28} {path}")
        missed += [f"{name} server" for took, name, _ in slow if took > TARGETS["server"]]
        browser.close()
    print("\nmissed: " + (", ".join(missed) or "none"))
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
