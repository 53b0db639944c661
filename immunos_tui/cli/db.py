"""``db``: the database file as a whole."""

from __future__ import annotations

import time
from pathlib import Path

import click

from immunos_tui.cli.failure import report
from immunos_tui.cli.options import group, json_option, pass_setup
from immunos_tui.cli.output import emit, out, say
from immunos_tui.cli.setup import Setup
from immunos_tui.model.errors import ConflictError, NotFoundError
from immunos_tui.model.text import clean
from immunos_tui.paths import private_dir


@group("db", "Check, copy and bring back the database.")
def command() -> None:
    pass


@command.command()
@click.option("--repair", is_flag=True, help="Rebuild the text search where it disagrees with the issues.")
@json_option
@pass_setup
def check(setup: Setup, /, repair: bool, as_json: bool) -> int:
    """Check the database file; exit code 1 where it is damaged."""
    from immunos_tui.store import maintenance

    path = _existing(setup)
    faults = maintenance.check(path)
    repaired = False
    if repair and not faults:
        _require_writable(setup)
        repaired = maintenance.repair_search(path)
    if as_json:
        emit({"path": str(path), "sound": not faults, "faults": faults, "search_rebuilt": repaired})
    elif not faults:
        out(f"The database {clean(path)} is sound.")
    if repaired:
        say("The text search was rebuilt.")
    for fault in faults:
        report(f"{clean(path)}: {clean(fault)}.")
    if faults:
        say("Bring back the newest good copy with `immunos-tui db restore FILE`.")
    return 1 if faults else 0


@command.command()
@click.argument("target", required=False, metavar="[FILE]")
@json_option
@pass_setup
def backup(setup: Setup, /, target: str | None, as_json: bool) -> None:
    """Copy the database, also while it is in use, and print where the copy is."""
    from immunos_tui.store import maintenance

    path = _existing(setup)
    if target:
        chosen = Path(target).expanduser().absolute()
    else:
        chosen = private_dir(setup.paths.backups) / f"{path.stem}-{time.strftime('%Y%m%dT%H%M%S')}.db"
    made = maintenance.backup(path, chosen)
    if as_json:
        emit({"path": str(made), "bytes": made.stat().st_size})
    else:
        out(clean(made))


@command.command()
@click.argument("copy", metavar="FILE")
@json_option
@pass_setup
def restore(setup: Setup, /, copy: str, as_json: bool) -> None:
    """Put a copy in place of the database; what is replaced is kept beside it."""
    from immunos_tui.store import maintenance

    _require_writable(setup)
    source = Path(copy).expanduser().absolute()
    private_dir(setup.paths.data)
    kept = maintenance.restore(setup.paths.database, source)
    setup.house.audit.accept_restored(str(source))
    if as_json:
        emit({"path": str(setup.paths.database), "from": str(source), "kept": str(kept) if kept else None})
    else:
        out(f"The database is now what {clean(source)} holds.")
        if kept:
            out(f"What it replaced is kept in {clean(kept)}.")


def _existing(setup: Setup) -> Path:
    path = setup.paths.database
    if not path.exists():
        raise NotFoundError(f"There is no database {clean(path)} yet.", "It is made when something is first stored.")
    return path


def _require_writable(setup: Setup) -> None:
    if setup.loaded.settings.ui.read_only:
        raise ConflictError("The program runs read-only; nothing was changed.", "Start it without --read-only.")
