"""``scan``: score a file with an agent, record what does not belong, and fold it into issues."""

from __future__ import annotations

from pathlib import Path

import click

from immunos_tui.cli.options import HELP, json_option, pass_setup
from immunos_tui.cli.output import emit, say
from immunos_tui.cli.progress import StageLine
from immunos_tui.cli.results import print_scan
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
    if result["issues_made"] or result["issues_reopened"]:
        say("See them: `immunos-tui issue list --query is:open`.")


def _say_stopped(note: str, no_record: bool) -> None:
    where = f" at {clean(note)}" if note else ""
    kept = (
        "" if no_record else " What was recorded until then is kept; the same command goes on and counts nothing twice."
    )
    say(f"The scan was stopped{where}.{kept}")
