"""``status``: one line of posture for a shell prompt, a tmux status line or a monitoring check."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from immunos_tui.cli.options import HELP, json_option, pass_setup
from immunos_tui.cli.output import age, emit, one_line, out, plural
from immunos_tui.cli.setup import Setup
from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.job import Job, JobState
from immunos_tui.model.posture import Posture
from immunos_tui.model.text import clean

if TYPE_CHECKING:
    from immunos_tui.services.house import House


class Level(IntEnum):
    """The exit codes that monitoring programs know."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Report:
    """The posture at one moment. ``troubled`` are jobs that failed or were interrupted and not repeated since."""

    level: Level
    sentence: str
    short: str
    posture: Posture = field(default_factory=Posture)
    running: int = 0
    queued: int = 0
    troubled: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        jobs = {"running": self.running, "queued": self.queued, "troubled": list(self.troubled)}
        return {
            "state": self.level.name.lower(),
            "exit_code": int(self.level),
            "message": self.sentence,
            **self.posture.as_dict(),
            "jobs": jobs,
        }


@click.command("status", context_settings=HELP)
@json_option
@click.option("--tmux", is_flag=True, help="The short form for a status line.")
@pass_setup
def command(setup: Setup, /, as_json: bool, tmux: bool) -> int:
    """One line of posture. Exit code 0 ok, 1 warning, 2 critical, 3 unknown."""
    found = look(setup)
    if as_json:
        emit(found.as_dict())
    else:
        out(one_line(found.short if tmux else found.sentence))
    return int(found.level)


def print_status() -> None:
    """Print the line, for where the screens cannot open."""
    out(one_line(look(Setup()).sentence))


def look(setup: Setup) -> Report:
    """The posture, read without changing or making anything."""
    try:
        if not setup.paths.database.exists():
            return Report(Level.OK, "OK nothing yet: no agent is trained and no issue is open", "-")
        house = _reading_house(setup)
        try:
            return _report(house.spleen.posture(), house.thymus.list(), house, house.store.clock())
        finally:
            house.close()
    except ImmunosError as error:
        return Report(Level.UNKNOWN, f"UNKNOWN {clean(error)}", "?")
    except OSError as error:
        return Report(Level.UNKNOWN, f"UNKNOWN cannot look at {clean(setup.paths.database)}: {error.strerror}", "?")


def _reading_house(setup: Setup) -> House:
    """The services over a store that cannot write, and so needs no key."""
    from immunos_tui.services.house import House
    from immunos_tui.store import AuditHead, AuditKey, Store

    paths = setup.paths
    store = Store(paths.database, AuditKey(b""), AuditHead(paths.audit_head), actor="", read_only=True)
    return House(paths, setup.loaded.settings, store, "")


def _report(posture: Posture, jobs: Any, house: House, now: int) -> Report:
    alive = [job for job in jobs if job.state is JobState.RUNNING and house.thymus.is_alive(job.id)]
    queued = sum(job.state is JobState.QUEUED for job in jobs)
    troubled = troubled_jobs(jobs, {job.id for job in alive})
    level = Level.OK
    if posture.high or troubled:
        level = Level.WARNING
    if posture.critical:
        level = Level.CRITICAL
    parts = [f"{posture.open:,} open: {posture.critical} critical, {posture.high} high; {posture.new} new"]
    parts += [f"{plural(len(alive), 'job')} running"] if alive else []
    parts += [f"{queued} queued"] if queued else []
    parts += (
        [f"job {troubled[0]} {_end(jobs, troubled[0])}" if len(troubled) == 1 else f"{len(troubled)} jobs failed"]
        if troubled
        else []
    )
    parts += [_last_scan(posture.last_scan, now)] if posture.last_scan else []
    short = f"C{posture.critical} H{posture.high} N{posture.new}"
    short += f" J{len(alive)}" if alive else ""
    short += " J!" if troubled else ""
    return Report(level, f"{level.name} {'; '.join(parts)}", short, posture, len(alive), queued, troubled)


def troubled_jobs(jobs: Any, alive: set[int]) -> tuple[int, ...]:
    """Jobs that failed or were interrupted, unless a later one of the same kind and agent was done."""
    done: dict[tuple[str, str], int] = {}
    for job in jobs:
        if job.state is JobState.DONE:
            key = (job.kind, job.agent)
            done[key] = max(done.get(key, 0), job.id)
    return tuple(sorted(job.id for job in jobs if _is_bad(job, alive) and done.get((job.kind, job.agent), 0) < job.id))


def _is_bad(job: Job, alive: set[int]) -> bool:
    if job.state is JobState.RUNNING:
        return job.id not in alive
    return job.state in (JobState.FAILED, JobState.INTERRUPTED)


def _end(jobs: Any, number: int) -> str:
    state = next(job.state for job in jobs if job.id == number)
    return "interrupted" if state is JobState.RUNNING else str(state)


def _last_scan(scan: Any, now: int) -> str:
    flagged = sum(int(scan["counts"].get(name, 0)) for name in ("non_self", "danger"))
    name = clean(Path(str(scan["path"])).name, 40)
    return f"last scan {age(scan['at'], now)} ago, {name}: {flagged:,} of {scan['rows']:,} flagged"
