#!/usr/bin/env python3
"""Micro-benchmarks beside the baseline that is kept with the code.

    benches/baseline.py             what `cargo bench -p brooklet-benches` has just measured, beside benches/baseline.tsv;
                                    exits with 1 where something takes more than a quarter longer
    benches/baseline.py --update    makes what was just measured the baseline

A baseline is of one machine: on another, make one of the commit before a change first.
"""

import json
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent
kept = root / "benches/baseline.tsv"
TOLERANCE = 1.25


def measured():
    """Nanoseconds by benchmark, and how many bytes or elements each passes, as criterion has left them."""
    found = {}
    for path in sorted((root / "target/criterion").rglob("new/estimates.json")):
        about = json.loads((path.parent / "benchmark.json").read_text())
        took = json.loads(path.read_text())["median"]["point_estimate"]
        throughput = about["throughput"] or {}
        found[about["full_id"]] = (took, next(iter(throughput.items()), None))
    return found


def rate(took, throughput):
    if not throughput:
        return ""
    kind, count = throughput
    a_second = count / took * 1e9
    return f"{a_second / 2**20:,.0f} MiB/s" if kind == "Bytes" else f"{a_second:,.0f}/s"


now = measured()
if not now:
    sys.exit("nothing was measured: cargo bench -p brooklet-benches")
if sys.argv[1:] == ["--update"]:
    kept.write_text("".join(f"{name}\t{took:.1f}\t{rate(took, per)}\n" for name, (took, per) in now.items()))
    sys.exit()
lines = kept.read_text().splitlines() if kept.exists() else []
before = {name: float(took) for name, took, _ in (line.split("\t") for line in lines)}
slower = False
for name, (took, throughput) in now.items():
    change = took / before[name] if name in before else None
    slower |= change is not None and change > TOLERANCE
    told = "new" if change is None else f"{change:.2f}× the baseline's time"
    print(f"{name}: {took:,.0f} ns, {rate(took, throughput) or 'no throughput'}, {told}")
for name in sorted(before.keys() - now.keys()):
    print(f"{name}: not measured")
sys.exit(slower)
