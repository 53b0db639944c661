"""The engine against standard one-class methods, on real data, in one process.

Run from the repository root: ``python -m benchmarks.engine [FOLDER] [--quick] [--json FILE]``. FOLDER holds npz files with ``X`` and ``y`` (1 is an
anomaly); by default ``tabular/`` of the shared data. Protocol: half of the normal rows, at most 5 000, are learned; the other normals and
all anomalies are judged; 3 seeds. Times are processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks import engine_parts as parts
from benchmarks.engine_report import TARGETS, table

PARTS = ("accuracy", "dirty", "threats", "speed", "network", "explain")


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that were asked for; the exit code is 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=None, help="npz files with X and y")
    parser.add_argument("--quick", action="store_true", help="small sets and one seed only, which no target is for")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    options = parser.parse_args(arguments)
    shared = Path(os.environ.get("IMMUNOS_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    folder = options.folder or shared / "tabular"
    sets = parts.load_sets(folder, quick=options.quick)
    if not sets:
        print(f"{folder} holds no npz files with X and y.", file=sys.stderr)
        return 1
    seeds = range(1 if options.quick else options.seeds)
    results: dict[str, Any] = {"folder": str(folder), "sets": [s.name for s in sets], "seeds": len(seeds)}
    with threadpool_limits(1):
        for name in options.part or PARTS:
            print(f"-- {name}", flush=True)
            found = _run(name, sets, seeds, shared)
            if found is not None:
                results[name] = found
    missed = table(results, judged=not options.quick)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    if options.quick:
        print("Quick: held against no target.")
    else:
        print(f"{len(missed)} of {len(TARGETS)} targets missed: {', '.join(missed)}" if missed else "No target missed.")
    return 1 if missed else 0


def _run(name: str, sets: list[parts.Set], seeds: range, shared: Path) -> dict[str, Any] | None:
    if name == "speed":
        return parts.speed()
    if name == "network":
        folder = shared / "network"
        return parts.network(folder, seeds) if folder.is_dir() else None
    by_name = {
        "accuracy": parts.accuracy,
        "dirty": parts.dirty,
        "threats": parts.threats,
        "explain": parts.explanations,
    }
    return by_name[name](sets, seeds)


if __name__ == "__main__":
    sys.exit(main())
