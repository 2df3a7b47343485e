"""Accuracy and speed of the fenced readers of reports on the labelled samples.

    python -m bench.reports [--part dev|held|held1|held2|all] [--wrong] | --storm [COUNT]

Files are divided by a hash of their family (the name without number and newline suffix), so that a part holds
formats of which the other has seen nothing; held1 and held2 divide the held-out part again, by file. `--wrong`
names what was read wrongly. SILLAGE_SAMPLES says where the samples are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path

from mail.reports import read_many

SAMPLES = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples"))
KINDS = {
    "hard-bounce": "bounce",
    "soft-bounce": "bounce",
    "bounce-unspecified": "bounce",
    "bounce-no-recipient": "bounce",
    "not-bounce": "other",
}


def part_of(name: str) -> str:
    """ "dev", "held1" or "held2": by family, then (held) by file; newline copies stay together."""
    stem = re.sub(r"(\.(cr|crlf))?\.(eml|msg|txt|bnc)$", "", Path(name).name)
    family = re.sub(r"[-_.]?\d*(_(eml|txt))?$", "", stem)
    if hashlib.sha256(family.encode()).digest()[0] % 2 == 0:
        return "dev"
    return "held1" if hashlib.sha256(stem.encode()).digest()[0] % 2 == 0 else "held2"


def labelled(part: str) -> list[dict]:
    lines = (SAMPLES / "expected.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["file"].startswith("mail/")]
    return [row for row in rows if part == "all" or part_of(row["file"]).startswith(part)]


def matched(wanted: list[dict], found: list[dict]) -> list[tuple[dict, dict]] | None:
    """Pairs of label and answer when the recipients are exactly those wanted, else None."""
    left = list(found)
    pairs = []
    for want in wanted:
        names = {address.lower() for address in want["addresses"]}
        hit = next((got for got in left if got["address"].lower() in names), None)
        if hit is None:
            return None
        left.remove(hit)
        pairs.append((want, hit))
    return None if left else pairs


def bare(message_id: str | None) -> str:
    return (message_id or "").strip().strip("<>").strip()


def measure(rows: list[dict], wrong: bool) -> Counter:
    n: Counter = Counter()
    times = []
    answers = read_many(SAMPLES / row["file"] for row in rows)
    for row in rows:
        start = time.perf_counter()
        got = next(answers)
        times.append(time.perf_counter() - start)
        n["poison"] += "poison" in got
        faults = []
        want_kind = KINDS.get(row["class"], row["class"])
        n[f"kind {want_kind} of"] += 1
        n[f"class {row['class']} of"] += 1
        if got["kind"] == want_kind:
            n[f"kind {want_kind} ok"] += 1
        else:
            faults.append(f"kind {got['kind']} for {want_kind}")
        if want_kind in ("bounce", "delayed", "delivered"):
            pairs = matched(row["recipients"], got["recipients"])
            n["recipients of"] += 1
            n["recipients ok"] += pairs is not None
            if pairs is None:
                faults.append(
                    f"recipients {[r['address'] for r in got['recipients']]}"
                    f" for {[r['addresses'] for r in row['recipients']]}"
                )
            for want, hit in pairs or []:
                if want["action"] in ("failed", "delayed"):
                    n["action of"] += 1
                    n["action ok"] += hit["action"] == want["action"]
                    if want["action"] == "delayed" and hit["action"] == "failed":
                        n[f"delayed taken as failed ({want['action_truth']})"] += 1
                    if hit["action"] != want["action"]:
                        faults.append(f"action {hit['action']} for {want['action']}")
                if want["hard"] is not None:
                    dead = hit["address_dead"] is True
                    n["dead tp"] += dead and want["hard"]
                    n["dead fp"] += dead and not want["hard"]
                    n["dead fn"] += not dead and want["hard"]
                    if dead != want["hard"]:
                        faults.append(f"dead {dead} ({hit['reason']}) for {want['hard']} ({want['reason']})")
        elif want_kind != got["kind"] and got["kind"] in ("bounce", "delayed", "delivered"):
            n["false alarms"] += 1
        if row.get("original_message_id"):
            n["message id of"] += 1
            ok = bare(row["original_message_id"]) == bare(got["message_id"])
            n["message id ok"] += ok
            if not ok:
                faults.append(f"message id {got['message_id']} for {row['original_message_id']}")
        n[f"class {row['class']} ok"] += not faults
        if faults and wrong:
            print(row["file"], "|", " | ".join(faults))
    times.sort()
    if times:
        print(
            f"time: mean {sum(times) / len(times) * 1e3:.1f} ms, p99 {times[int(len(times) * 0.99)] * 1e3:.1f} ms,"
            f" worst {times[-1] * 1e3:.1f} ms, {len(times) / sum(times):.0f} a second"
        )
    return n


def report(n: Counter) -> None:
    for key in sorted({k[:-3] for k in n if k.endswith(" of")}):
        of = n[f"{key} of"]
        print(f"{key:28} {n[f'{key} ok']:4} / {of:4}  {n[f'{key} ok'] / of:7.1%}")
    tp, fp, fn = n["dead tp"], n["dead fp"], n["dead fn"]
    print(f"{'address dead':28} precision {tp / max(1, tp + fp):.1%}, recall {tp / max(1, tp + fn):.1%}")
    for key in ("delayed taken as failed (dsn-field)", "delayed taken as failed (sisimai-output)"):
        print(f"{key:42} {n[key]}")
    print(f"{'poison':28} {n['poison']}")
    print(f"{'false alarms':28} {n['false alarms']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="all", choices=("dev", "held", "held1", "held2", "all"))
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--storm", nargs="?", type=int, const=10_000, metavar="COUNT", help="measure a storm instead")
    options = parser.parse_args()
    if options.storm:
        from bench import storm

        storm.run(options.storm)
        return 0
    if not SAMPLES.is_dir():
        print(f"no samples at {SAMPLES}", file=sys.stderr)
        return 1
    report(measure(labelled(options.part), options.wrong))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
