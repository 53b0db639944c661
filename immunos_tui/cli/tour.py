"""``tour``: the guided first run on the bundled sample."""

from __future__ import annotations

import os

import click

from immunos_tui.cli.options import HELP, pass_setup
from immunos_tui.cli.output import out, plural, say
from immunos_tui.cli.setup import Setup
from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.job import JobState
from immunos_tui.model.text import clean


@click.command("tour", context_settings=HELP)
@click.option("--wipe", is_flag=True, help="Remove what the tour has made.")
@pass_setup
def command(setup: Setup, /, wipe: bool) -> int:
    """Train an agent on the bundled sample, scan it, and open the screens on what was found."""
    from immunos_tui.services import tour

    if wipe:
        count = tour.wipe(setup.house)
        out(f"The tour's agent and {plural(count, 'issue')} are removed.")
        return 0
    last = tour.run_tour(setup.house, lambda sentence: say(clean(sentence)))
    if last.state is not JobState.DONE:
        raise ImmunosError(f"The tour's scan ended as {last.state}.", last.hint or last.error or "")
    if not on_terminal():
        say("See what was found: `immunos-tui issue list`, or open the program in a terminal.")
        return 0
    setup.close()
    from immunos_tui.opening import open_screens

    return int(open_screens({**setup.flags, "ui.start_tab": "spleen"}))


def on_terminal() -> bool:
    """Whether the screens can be opened here."""
    from immunos_tui.terminal.environment import detect, refusal

    return refusal(detect(os.environ)) is None
