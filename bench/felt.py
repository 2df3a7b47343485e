"""How fast pages feel: `python -m bench.felt --at http://127.0.0.1:5000`, a running house with its demo.

Prints for each main page, opened by a browser that knows nothing, by one that was there before and by a slow phone
(Lighthouse's: processor a quarter as fast, 1.6 Mbit/s, 150 ms away): first paint, largest paint, layout shift, how long
script blocked, requests and bytes; then which files are not kept for good, and the ten slowest pages of all that links
reach by the server's own time (median of five, one reader; target: 100 ms).
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import time
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from app import create_app
from bench.screens import CHROMIUM, chromium, reach, sign_in

MAIN = (
    "dashboard.home", "todo.index", "sessions.index", "sessions.overview", "sessions.emails", "contacts.index",
    "contacts.record", "emails.index", "emails.email", "completeness.index",
)  # fmt: skip
# Lighthouse calls good: on its phone 1.8 s, 2.5 s, 0.1 and 200 ms; at a desk 0.9 s, 1.2 s, 0.1 and 150 ms.
DESK = {"paint": 900, "largest": 1200, "shift": 0.02, "blocked": 150}
PHONE = {"paint": 1800, "largest": 2500, "shift": 0.02, "blocked": 200}
SERVER = 100
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}
_HASHED = re.compile(r"[.?/=-][0-9a-f]{6,}|-\d+\.\d+\.\d+")  # ours bear a digest, vendors' files their version
_WATCH = """() => {
  window.felt = {shift: 0, largest: 0, blocked: 0};
  const each = work => new PerformanceObserver(list => list.getEntries().forEach(work));
  each(one => { if (!one.hadRecentInput) felt.shift += one.value; })
    .observe({type: 'layout-shift', buffered: true});
  each(one => { felt.largest = one.startTime; })
    .observe({type: 'largest-contentful-paint', buffered: true});
  each(one => { felt.blocked += one.duration - 50; }).observe({type: 'longtask', buffered: true});
}"""
_READ = """() => {
  const went = performance.getEntriesByType('navigation')[0], got = performance.getEntriesByType('resource');
  return {paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime || 0, ...window.felt,
    server: went.responseStart - went.requestStart, requests: 1 + got.filter(one => one.transferSize).length,
    bytes: went.transferSize + got.reduce((sum, one) => sum + one.transferSize, 0),
    blocking: got.filter(one => one.renderBlockingStatus === 'blocking').length}
}"""


def felt(context: BrowserContext, address: str, phone: bool = False) -> dict[str, Any]:
    """What one opening of a page comes to: milliseconds, the sum of shifts, what travelled."""
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844} if phone else {"width": 1440, "height": 900})
    if phone:
        told = context.new_cdp_session(page)
        told.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        told.send("Network.enable")
        told.send("Network.emulateNetworkConditions", SLOW)
    page.add_init_script(f"({_WATCH})()")
    page.goto(address, wait_until="load")
    page.wait_for_timeout(400)
    found: dict[str, Any] = page.evaluate(_READ)
    page.close()
    return found


def not_kept(context: BrowserContext, address: str) -> set[str]:
    """The files a page is drawn with whose name does not change with what is in them, or that are asked for again."""
    page, found = context.new_page(), set()
    page.on("response", lambda answer: found.add(answer) if answer.request.resource_type != "document" else None)
    page.goto(address, wait_until="load")
    bad = {
        urlsplit(answer.url).path
        for answer in found
        if answer.request.resource_type in ("stylesheet", "script", "font")
        and ("immutable" not in answer.headers.get("cache-control", "") or not _HASHED.search(answer.url))
    }
    page.close()
    return bad


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
    missed: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        context = sign_in(browser, args.at, args.who, "fr")
        found = reach(context, args.at, create_app().url_map.bind("localhost"))
        slow = sorted(((served(context, args.at + path), name) for name, path in found.items()), reverse=True)
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        print(f"{'page':20} {'':6} {'server':>7} {'FCP':>6} {'LCP':>6} {'CLS':>6} {'TBT':>5} {'requests':>9} "
              f"{'kB':>6} blocking")
        loose: set[str] = set()
        for name in [one for one in MAIN if one in found]:
            address = args.at + found[name]
            loose |= not_kept(context, address)
            for when, window in (("new", forgotten(browser, context)), ("again", context),
                                 ("phone", forgotten(browser, context))):
                one = felt(window, address, when == "phone")
                print(f"{name:20} {when:6} {one['server']:7.0f} {one['paint']:6.0f} {one['largest']:6.0f} "
                      f"{one['shift']:6.3f} {one['blocked']:5.0f} {one['requests']:9} {one['bytes'] / 1000:6.1f} "
                      f"{one['blocking']:8}")
                limits = PHONE if when == "phone" else DESK
                missed += [f"{name} {when} {what}" for what, most in limits.items() if one[what] > most]
                if window is not context:
                    window.close()
        print(f"\nsheets, scripts and fonts that are not kept for good: {', '.join(sorted(loose)) or 'none'}")
        missed += sorted(loose)
        print(f"\nthe ten slowest of {len(slow)} by the server's time")
        for took, name in slow[:10]:
            print(f"{took:7.0f} ms  {name:28} {found[name]}")
        missed += [f"{name} server" for took, name in slow if took > SERVER]
        browser.close()
    print("\nmissed: " + (", ".join(missed) or "none"))
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
