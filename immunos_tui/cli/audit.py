"""``audit``: whether the record of every change is whole."""

from __future__ import annotations

from immunos_tui.cli.failure import report
from immunos_tui.cli.options import group, json_option, pass_setup
from immunos_tui.cli.output import emit, out, plural, say
from immunos_tui.cli.setup import Setup
from immunos_tui.model.text import clean


@group("audit", "Check the record of every change.")
def command() -> None:
    pass


@command.command()
@json_option
@pass_setup
def verify(setup: Setup, /, as_json: bool) -> int:
    """Walk the hash chain of the activity record.

    The exit code is 1 where it does not hold, and the first such row is named.
    """
    found = setup.house.audit.verify()
    if as_json:
        emit({**found.__dict__, "notes": list(found.notes), "whole": found.broken is None})
    elif found.broken is None:
        out(f"The record is whole: {plural(found.rows, 'row')}, head {found.head[:16]}.")
    for note in found.notes:
        say(clean(f"Note: {note}."))
    if found.broken is None:
        return 0
    report(
        f"The activity record does not hold from row {found.broken} on: {clean(found.reason)}."
        f" The {plural(found.rows, 'row')} before it are as they were written."
        if found.rows
        else f"The activity record does not hold from row {found.broken} on: {clean(found.reason)}."
    )
    return 1
