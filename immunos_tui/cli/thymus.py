"""``thymus``: the queue of long work, worked by this command, by the screens, or by nobody yet."""

from __future__ import annotations

from typing import Any

import click

from immunos_tui.cli.options import NUMBER, comma_list, group, json_option, pass_setup
from immunos_tui.cli.output import Column, age, emit, emit_items, facts, moment, out, percent, say, table
from immunos_tui.cli.progress import QueueReport
from immunos_tui.cli.results import job_line, print_evaluation, print_scan
from immunos_tui.cli.setup import Setup
from immunos_tui.model.errors import ConflictError
from immunos_tui.model.job import Job, JobKind, JobState
from immunos_tui.model.text import clean, clean_block

RESULTS = ("version", "in_service", "summary")
"""The parts of a training's result that have no table of their own."""


@group("thymus", "Training: the queue of long work. Each job is a process of its own, which outlives a closed program.")
def command() -> None:
    pass


@command.command()
@click.option("--agent", required=True, metavar="NAME")
@click.option("--dataset", required=True, metavar="PATH")
@click.option("--label", metavar="COL", help="The column that says what a row is.")
@click.option("--self", "self_value", metavar="VALUE[,...]", help="The value, or values, of it that mean normal.")
@click.option("--drop", multiple=True, metavar="COL,...", help="Columns to leave out.")
@click.option(
    "--clean",
    "clean_data",
    type=click.Choice(("yes", "no")),
    default="yes",
    help="Whether you vouch that what is called self is normal; where not, the robust preset is used.",
)
@click.option("--seed", type=int, default=0, metavar="N")
@click.option("--notes", default="", metavar="TEXT")
@json_option
@pass_setup
def add(
    setup: Setup, /, agent: str, dataset: str, drop: tuple[str, ...], clean_data: str, as_json: bool, **given: Any
) -> None:
    """Queue the training of an agent and print the job's number."""
    job = setup.house.thymus.add_training(
        agent, dataset, drop=comma_list(drop), clean_data=clean_data == "yes", **given
    )
    if as_json:
        emit(job.as_dict())
    else:
        out(str(job.id))
    if setup.house.thymus.at_work():
        say(f"Follow it: `immunos-tui thymus wait {job.id}`.")
    else:
        say("Nobody works the queue. Run it: `immunos-tui thymus run`, or open the program.")


@command.command("list")
@click.option("--limit", type=click.IntRange(min=0), default=200, metavar="N")
@json_option
@pass_setup
def list_(setup: Setup, /, limit: int, as_json: bool) -> None:
    """List jobs: running, then waiting in order, then ended."""
    found = setup.house.thymus.list(limit)
    if as_json:
        emit_items(job.as_dict() for job in found)
        return
    if not found:
        say("There are no jobs. Add one: `immunos-tui thymus add --agent NAME --dataset PATH`.")
        return
    columns = (
        Column("JOB", right=True), Column("KIND"), Column("AGENT"), Column("STATE"), Column("DONE", right=True),
        Column("STAGE"), Column("AGE", right=True), Column("PATH", flexible=True),
    )  # fmt: skip
    now = setup.house.store.clock()
    table(columns, (_line(job, now) for job in found))


def _line(job: Job, now: int) -> tuple[object, ...]:
    done = percent(job.overall) if job.started_at is not None else ""
    stage = job.stage if job.state is JobState.RUNNING else ""
    return (job.id, job.kind, job.agent, job.state, done, stage, age(job.created_at, now), job.error or job.path)


@command.command()
@click.argument("number", type=NUMBER, metavar="ID")
@json_option
@pass_setup
def show(setup: Setup, /, number: int, as_json: bool) -> None:
    """Show a job with its progress and result."""
    job = setup.house.thymus.get(number)
    if as_json:
        emit(job.as_dict())
    else:
        _print(job)


def _print(job: Job) -> None:
    rows = None
    if job.rows_total or job.rows_done:
        rows = f"{job.rows_done:,}" + (f" of {job.rows_total:,}" if job.rows_total else "")
        rows += f", {job.rate:,.0f} a second" if job.rate else ""
    facts(
        [
            ("job", job.id),
            ("kind", job.kind),
            ("agent", job.agent),
            ("state", job.state),
            ("stage", f"{job.stage} {percent(job.fraction)}" if job.stage else None),
            ("done", percent(job.overall) if job.started_at is not None else None),
            ("note", job.note or None),
            ("rows", rows),
            *((key, _plain(value)) for key, value in job.spec.items() if value not in (None, "", [])),
            ("added", f"{moment(job.created_at)} by {job.created_by}"),
            ("started", moment(job.started_at) or None),
            ("ended", moment(job.ended_at) or None),
            ("error", job.error),
            ("hint", job.hint),
            *((key.replace("_", " "), _plain(job.result[key])) for key in RESULTS if key in job.result),
        ]
    )
    metrics = job.result.get("metrics")
    if metrics:
        out()
        print_evaluation({**metrics, "caveat": job.result.get("caveat")})
    elif job.kind is JobKind.SCAN and "counts" in job.result:
        out()
        print_scan(job.result)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(_plain(item) for item in value) if isinstance(value, (list, tuple)) else str(value)


@command.command()
@click.option("--forever", is_flag=True, help="Go on waiting for jobs until interrupted.")
@pass_setup
def run(setup: Setup, /, forever: bool) -> int:
    """Work the queue until it is empty.

    The exit code is 1 where a job did not end well. Ctrl+C ends this command and not the job.
    """
    thymus = setup.house.thymus
    if setup.loaded.settings.ui.read_only:
        raise ConflictError("The program runs read-only and works no queue.", "Start it without --read-only.")
    report = QueueReport(thymus)
    try:
        thymus.work(report, until_empty=not forever, on_start=report.start)
    finally:
        report.finish()
        if report.running is not None:
            say(f"Job {report.running} goes on by itself; `immunos-tui thymus wait {report.running}` waits for it.")
    if not report.ended:
        say("The queue is empty.")
    return 0 if all(job.state is JobState.DONE for job in report.ended) else 1


@command.command()
@click.argument("number", type=NUMBER, metavar="ID")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="S", help="Give up after so many seconds, with exit code 4."
)
@json_option
@pass_setup
def wait(setup: Setup, /, number: int, timeout: float | None, as_json: bool) -> int:
    """Wait for a job to end.

    The exit code is 0 where it was done, 1 at any other end, 4 where nobody works the queue.
    """
    job = setup.house.thymus.wait(number, timeout)
    if as_json:
        emit(job.as_dict())
    else:
        out(job_line(job))
    return 0 if job.state is JobState.DONE else 1


@command.command()
@click.argument("number", type=NUMBER, metavar="ID")
@json_option
@pass_setup
def cancel(setup: Setup, /, number: int, as_json: bool) -> None:
    """End a job that waits or runs."""
    job = setup.house.thymus.cancel(number)
    if as_json:
        emit(job.as_dict())
    else:
        out(job_line(job))


@command.command()
@click.argument("number", type=NUMBER, metavar="ID")
@pass_setup
def log(setup: Setup, /, number: int) -> None:
    """Print the end of a job's log."""
    job = setup.house.thymus.get(number)
    text = setup.house.thymus.log(number)
    if text:
        out(clean_block(text.rstrip("\n")))
    else:
        say(f"Job {job.id} has written no log; its state is {clean(job.state)}.")


@command.command()
@click.argument("number", type=NUMBER, metavar="RUN")
@json_option
@pass_setup
def reproduce(setup: Setup, /, number: int, as_json: bool) -> int:
    """Train again what a job trained, and compare.

    The exit code is 1 where the artifacts differ.
    """
    found = setup.house.thymus.reproduce(number)
    if as_json:
        emit(found)
    else:
        word = "the same artifact" if found["same"] else "another artifact"
        out(f"job {found['job']}, {found['agent']} version {found['version']}: {word}")
        facts([("recorded", found["recorded"]), ("again", found["again"])])
    return 0 if found["same"] else 1
