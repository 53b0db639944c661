"""Measures the screens from outside, beside a bare Textual program in the same run: ``python benchmarks/terminal.py``.

Both run in turns (A B A B), on Spleen with day-old issues and polling on; what counts is the ratio within a round.
The measuring is done by ttybench.py in the folder that IMMUNOS_SHARED_TOOLS names, else in ``../shared/tools`` beside
the project. Prints a table, and with ``--json`` writes every number. It asserts nothing: times belong to machines.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TITLE = "benchmark issue"
DAYS = 5 * 86_400_000
BARE = [sys.executable, str(ROOT / "benchmarks" / "bare.py")]
PROGRAM = [sys.executable, "-m", "immunos_tui", "--tab", "spleen"]
STARTS = 5
"""Starts of each program in a round, beside one that does not count."""
STARTED = ("first_frame", "stable", "cpu_ms")
BUILT = "wait:4"
"""After that many seconds every tab has been built ahead."""


@dataclass(frozen=True)
class Measure:
    """One number of a ttybench result: its path, its name, and the goal it is held against."""

    path: str
    name: str
    unit: str = "ms"
    goal: str = ""
    beside: str = ""
    """The path of the bare program's number that it is divided by, where that is another one."""


MEASURES = (
    Measure("startup.first_frame.p50", "first frame", goal="1.3x, aim 1.1x"),
    Measure("startup.stable.p50", "stable", goal="aim 1.15x"),
    Measure("startup.cpu_ms.p50", "start, CPU", goal="aim 1.15x"),
    Measure("keys.first_ms.p50", "arrow key p50"),
    Measure("keys.first_ms.p95", "arrow key p95", goal="1.5x, aim 1.3x"),
    Measure("keys.bytes_per_key", "bytes an arrow key", "B", "aim 300 B"),
    Measure("switch.first_ms.p50", "tab switch p50", goal="aim 8 ms", beside="keys.first_ms.p50"),
    Measure("switch.first_ms.p95", "tab switch p95", goal="60 ms, aim 18 ms", beside="keys.first_ms.p95"),
    Measure("switch.bytes_per_key", "bytes a tab switch", "B", beside="keys.bytes_per_key"),
    Measure("idle.cpu_pct", "idle CPU", "%", "2x, aim 1.1x"),
    Measure("idle.bytes", "idle, written", "B", "0 B"),
    Measure("idle.wakes_per_s", "idle, wake-ups a second", "", "12"),
    Measure("idle.pss_mb", "memory (PSS)", "MB", "aim 1.25x"),
    Measure("exit.quit.alt_left_ms", "quit, screen given back", goal="0.25x"),
    Measure("exit.quit.ms", "quit, process gone", goal="0.5x"),
    Measure("exit.sigterm.ms", "SIGTERM, process gone", goal="100 ms"),
)


def main() -> int:
    options = read_options()
    sys.path.insert(0, str(ROOT))
    tool = Path(os.environ.get("IMMUNOS_SHARED_TOOLS") or ROOT.parent / "shared" / "tools") / "ttybench.py"
    if not tool.is_file():
        print(f"There is no {tool}; IMMUNOS_SHARED_TOOLS names the folder that holds it.", file=sys.stderr)
        return 2
    for package in ("immunos_tui", "textual", "rich"):
        compileall.compile_dir(location(package), quiet=2)  # else the first start compiles, which is no start
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), options.issues)
        results: dict[str, list[dict[str, Any]]] = {"bare": [], "program": []}
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            starts = measure_starts(tool, options, folder)
            bare = measure(tool, BARE, options, folder, setup="wait:1")
            program = measure(tool, PROGRAM, options, folder, setup=BUILT)
            switch = measure_switch(tool, options, folder)
            results["bare"].append({**bare, "startup": starts["bare"]})
            results["program"].append({**program, "startup": starts["program"], "switch": switch})
    report = summarise(results)
    print(table(report))
    print(f"terminal left clean: {left_clean(results)}")
    if options.json:
        options.json.write_text(json.dumps({"summary": report, "rounds": results}, indent=1) + "\n")
    return 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns of both programs [3]")
    parser.add_argument("--issues", type=int, default=300, help="issues in the list [300]")
    parser.add_argument("--keys", type=int, default=60, help="arrow keys, and tab switches, a round [60]")
    parser.add_argument("--idle", type=float, default=10.0, help="seconds of rest observed a round [10]")
    parser.add_argument("--size", default="80x24", help="columns x rows [80x24]")
    parser.add_argument(
        "--nice", type=int, default=0, help="priority of the programs; -20 on a busy machine needs root [0]"
    )
    parser.add_argument("--json", type=Path, help="file for every number")
    return parser.parse_args()


def location(package: str) -> Path:
    """The folder of a package, which is not imported for it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed beside {sys.executable}; run this with the project's own Python.")
    return Path(found.origin).parent


def fill(folder: Path, issues: int) -> None:
    """Make a house under ``folder`` with that many issues, all some days old, so that no age changes meanwhile."""
    os.environ["IMMUNOS_BASE_PATH"] = str(folder)
    from immunos_tui.config import Settings
    from immunos_tui.paths import find_paths
    from immunos_tui.services.house import open_house

    house = open_house(find_paths(), Settings())
    house.store.clock = lambda: int(time.time() * 1000) - DAYS
    for number in range(issues):
        house.spleen.new(f"{TITLE} {number}", priority=("low", "medium", "high")[number % 3])
    house.close()


def measure(tool: Path, command: Sequence[str], options: argparse.Namespace, folder: str, setup: str) -> dict[str, Any]:
    """Arrow keys, rest and the ways out of one program, once."""
    ready = ["--ready", TITLE] if command is PROGRAM else []
    # The keys go down only: a step at a list's end changes nothing and would not be measured.
    found: dict[str, Any] = run(
        tool, command, options, folder,
        ["--scenario", "keys,idle,exit", "--keys", "down", "--exit-how", "quit,sigterm", "--setup", setup, *ready],
    )  # fmt: skip
    return found


def measure_starts(tool: Path, options: argparse.Namespace, folder: str) -> dict[str, dict[str, Any]]:
    """The starts of both programs in turns, one by one: a machine that grows slower meanwhile does so for both."""
    found: dict[str, list[dict[str, Any]]] = {"bare": [], "program": []}
    for turn in range(STARTS + 1):
        for name, command in (("bare", BARE), ("program", PROGRAM)):
            started = run(tool, command, options, folder, ["--scenario", "startup", "--runs", "1", "--warmup", "0"])
            if turn:  # the first start reads the disk
                found[name].append(started["startup"])
    return {
        name: {path: {"p50": median([value(start, f"{path}.p50") for start in starts])} for path in STARTED}
        for name, starts in found.items()
    }


def measure_switch(tool: Path, options: argparse.Namespace, folder: str) -> dict[str, Any]:
    """Going from tab to tab once each has been made."""
    ready = ["--scenario", "keys", "--keys", "1 2 3 4 5 6", "--setup", f"{BUILT} 1 2 3 4 5 6 3", "--ready", TITLE]
    found: dict[str, Any] = run(tool, PROGRAM, options, folder, ready)["keys"]
    return found


def run(
    tool: Path, command: Sequence[str], options: argparse.Namespace, folder: str, arguments: Sequence[str]
) -> dict[str, Any]:
    """One call of ttybench and its result."""
    argv = [
        sys.executable, str(tool), "--size", options.size, "--reps", str(options.keys), "--idle", str(options.idle), "--nice", str(options.nice),
        "--cwd", str(ROOT), "--env", f"IMMUNOS_BASE_PATH={folder}", "--env", "IMMUNOS_OLLAMA_URL=http://127.0.0.1:9",
        "--env", "LC_ALL=C.UTF-8", *arguments, "--", *command,
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def value(result: dict[str, Any], path: str) -> float | None:
    """The number at a dotted path, or None where the result has none."""
    found: Any = result
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else None


def median(values: Sequence[float | None]) -> float | None:
    known = [number for number in values if number is not None]
    return round(statistics.median(known), 2) if known else None


def summarise(results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """For each measure the medians of both programs and the median of the ratios within a round."""
    rows = []
    for item in MEASURES:
        bare = [value(result, item.beside or item.path) for result in results["bare"]]
        own = [value(result, item.path) for result in results["program"]]
        ratios = [b / a if a and b is not None else None for a, b in zip(bare, own, strict=True)]
        rows.append(
            {"name": item.name, "unit": item.unit, "bare": median(bare), "program": median(own),
             "ratio": median(ratios), "goal": item.goal}
        )  # fmt: skip
    return rows


def left_clean(results: dict[str, list[dict[str, Any]]]) -> str:
    """How often each program left the terminal as it was, by how it ended."""
    said = []
    for name, runs in results.items():
        for how in ("quit", "sigterm"):
            clean = sum(bool(result["exit"][how].get("clean")) for result in runs)
            said.append(f"{name} after {how} {clean} of {len(runs)}")
    return ", ".join(said)


def table(report: Sequence[dict[str, Any]]) -> str:
    """The summary as aligned columns."""
    lines = [f"{'':26}{'bare':>10}{'program':>10} {'':4}{'ratio':>7}  goal"]
    for row in report:
        bare, own, ratio = (("-" if row[key] is None else f"{row[key]:g}") for key in ("bare", "program", "ratio"))
        lines.append(f"{row['name']:26}{bare:>10}{own:>10} {row['unit']:4}{ratio:>7}  {row['goal']}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
