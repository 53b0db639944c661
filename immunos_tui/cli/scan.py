"""``scan``: score a file with an agent, record what does not belong, and fold it into issues."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from immunos_tui.cli.options import HELP, json_option, pass_setup
from immunos_tui.cli.output import emit, facts, out, say
from immunos_tui.cli.progress import StageLine
from immunos_tui.cli.setup import Setup
from immunos_tui.model.text import clean


@click.command("scan", context_settings=HELP)
@click.argument("path")
@click.option("--agent", required=True, metavar="NAME", help="The agent whose version in service looks at the file.")
@click.option("--scores", metavar="FILE", help="Also write row, score, p_value and result of every row to a CSV file.")
@click.option("--no-record", is_flag=True, help="Only look: record no detections and make no issues.")
@json_option
@pass_setup
def command(setup: Setup, /, path: str, agent: str, scores: str | None, no_record: bool, as_json: bool) -> None:
    """Scan a file. What does not belong becomes detections, and detections of one cause one issue."""
    progress = StageLine()
    try:
        with progress:
            done = setup.house.malt.scan(
                agent, path, record=not no_record, scores_path=Path(scores) if scores else None, progress=progress
            )
    except KeyboardInterrupt:
        _say_stopped(progress.note, no_record)
        raise
    result = done.as_dict()
    if as_json:
        emit(result)
        return
    print_scan(result)
    if result.get("issues_made") or result.get("issues_reopened"):
        say("See them: `immunos-tui issue list --query is:open`.")


def _say_stopped(note: str, no_record: bool) -> None:
    where = f" at {clean(note)}" if note else ""
    kept = (
        ""
        if no_record
        else " What was recorded is kept; the same command goes on where it matters and counts nothing twice."
    )
    say(f"The scan was stopped{where}.{kept}")


def print_scan(result: Mapping[str, Any]) -> None:
    """What a scan saw and did, and what drift may have to do with it."""
    rate = result.get("rows_per_second")
    facts(
        [
            ("rows", _rows(result.get("rows"), rate)),
            *((str(name), count) for name, count in dict(result.get("counts") or {}).items()),
            *((name.replace("_", " "), _count(value)) for name, value in result.items() if name not in SHOWN),
        ]
    )
    drift = result.get("drift")
    sentence = drift.get("sentence", "") if isinstance(drift, Mapping) else drift
    if sentence:
        out(clean(sentence))


SHOWN = ("rows", "rows_per_second", "counts", "drift")


def _rows(rows: Any, rate: Any) -> str | None:
    if rows is None:
        return None
    return f"{rows:,}" + (f", {rate:,.0f} a second" if rate else "")


def _count(value: Any) -> Any:
    """A list of issues as its length; what is neither a number nor a text is for --json."""
    if isinstance(value, (list, tuple, set)):
        return len(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, (int, str)) and value != "" else None
