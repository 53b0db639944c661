"""The top of the command line. A group's module is imported when one of its commands is called."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import click

from immunos_tui import __version__
from immunos_tui.cli.failure import INTERRUPTED, report
from immunos_tui.cli.options import HELP, Commands
from immunos_tui.cli.output import say
from immunos_tui.cli.setup import Setup
from immunos_tui.config import TABS
from immunos_tui.model.text import clean

COMMANDS = {
    "issue": ("issue", "Triage: list, show and work through issues."),
    "agent": ("agent", "Make, measure and promote detector agents."),
    "thymus": ("thymus", "Training: the queue of long work."),
    "scan": ("scan", "Scan a file with an agent."),
    "tour": ("tour", "The guided first run on a bundled sample."),
    "status": ("status", "One line of posture; exit code 0 ok, 1 warning, 2 critical, 3 unknown."),
    "kb": ("kb", "Read the knowledge base."),
    "audit": ("audit", "Check the record of every change."),
    "db": ("db", "Check, copy and bring back the database."),
    "config": ("settings", "Show and check the settings, and where files live."),
}
"""Each command with its module in this package and its line in the help."""


class Top(Commands):
    """The top group: lists every command without importing it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"immunos_tui.cli.{COMMANDS[cmd_name][0]}")
        found: click.Command = module.command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=Top,
    invoke_without_command=True,
    context_settings=HELP,
)
@click.option("--tab", metavar="NAME", help=f"Open the screens on this tab: {', '.join(TABS)}.")
@click.option("--read-only", is_flag=True, help="Refuse every change.")
@click.option("--ascii", is_flag=True, help="Draw with ASCII only.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--slow", is_flag=True, help="Spare a slow line.")
@click.version_option(__version__, prog_name="immunos-tui", message="%(prog)s %(version)s")
@click.pass_context
def top(ctx: click.Context, tab: str | None, read_only: bool, ascii: bool, no_mouse: bool, slow: bool) -> int | None:
    """Train anomaly detectors, watch, triage and ask, in one terminal, with no network.

    Without a command the screens open. Data goes to standard output, messages to standard error.
    Exit codes: 0 done, 1 failed, 2 usage or settings, 3 unreachable, 4 conflict or locked, 5 not found.
    """
    given = {
        "ui.start_tab": tab,
        "ui.read_only": read_only,
        "ui.ascii": ascii,
        "ui.mouse": not no_mouse,
        "ui.slow": slow,
    }
    defaults = {"ui.start_tab": None, "ui.read_only": False, "ui.ascii": False, "ui.mouse": True, "ui.slow": False}
    setup: Setup = ctx.obj
    setup.flags = {key: value for key, value in given.items() if value != defaults[key]}
    if ctx.invoked_subcommand is None:
        from immunos_tui.opening import open_screens

        return int(open_screens(setup.flags))
    return None


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors that a person can act on are raised as they are."""
    setup = Setup()
    try:
        with top.make_context("immunos-tui", list(arguments), obj=setup) as ctx:
            code = top.invoke(ctx)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return error.exit_code
    except click.UsageError as error:
        report(_usage_sentence(error))
        return error.exit_code
    except click.ClickException as error:
        report(clean(error.format_message()))
        return error.exit_code
    finally:
        setup.close()


def _usage_sentence(error: click.UsageError) -> str:
    """What is wrong and how it is written."""
    message = clean(error.format_message())
    if error.ctx is None:
        return message
    usage = " ".join(error.ctx.get_usage().split()).removeprefix("Usage: ")
    return f"{message} Usage: {clean(usage)}"
