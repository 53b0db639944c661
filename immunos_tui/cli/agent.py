"""``agent``: templates, new agents, their versions, and how good they are on labelled data."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

from immunos_tui.cli.options import NUMBER, comma_list, group, json_option, pass_setup
from immunos_tui.cli.output import Column, age, emit, emit_items, facts, figure, moment, out, say, table
from immunos_tui.cli.setup import Setup
from immunos_tui.model.errors import DataError, NotFoundError, UsageError
from immunos_tui.model.text import clean, nearest

ANSWERS = ("preset", "project", "notes", "pack")
"""What an answers file may say about a new agent."""

PRESETS = ("immune", "lite", "robust")


@group("agent", "Make, measure and promote detector agents.")
def command() -> None:
    pass


@command.command()
@json_option
def templates(as_json: bool) -> None:
    """List what a new agent can be made from."""
    from immunos_tui.services.foundry import templates as shipped

    found = shipped()
    if as_json:
        emit_items(item.__dict__ for item in found)
        return
    columns = (Column("NAME"), Column("DOMAIN"), Column("ROLE"), Column("PRESET"), Column("ABOUT", flexible=True))
    table(columns, ((item.name, item.domain, item.role, item.preset, item.about) for item in found))
    out()
    facts((item.name, item.caveat) for item in found if item.caveat)


@command.command()
@click.argument("name")
@click.option("--template", required=True, metavar="T", help="See `agent templates`.")
@click.option(
    "--answers", metavar="FILE", help="A TOML or JSON file with preset, project or notes; - for standard input."
)
@json_option
@pass_setup
def new(setup: Setup, /, name: str, template: str, answers: str | None, as_json: bool) -> None:
    """Make an agent; it is a stub until its first training."""
    params = read_answers(answers) if answers else {}
    made = setup.house.foundry.new(name, template, **params)
    if as_json:
        emit(made.as_dict())
    else:
        out(made.name)
    if made.role == "innate":
        say(f"It needs no training. Scan with it: `immunos-tui scan PATH --agent {made.name}`.")
    else:
        say(f"Train it: `immunos-tui thymus add --agent {made.name} --dataset PATH --label COLUMN --self VALUE`.")


@command.command("list")
@json_option
@pass_setup
def list_(setup: Setup, /, as_json: bool) -> None:
    """List the agents."""
    foundry = setup.house.foundry
    found = foundry.list()
    if as_json:
        emit_items(item.as_dict() for item in found)
        return
    if not found:
        say("There are no agents. Make one: `immunos-tui agent new NAME --template network`.")
        return
    latest = foundry.latest()
    columns = (
        Column("NAME"), Column("STATE"), Column("DOMAIN"), Column("TEMPLATE"), Column("IN SERVICE", right=True),
        Column("VERSIONS", right=True), Column("AUROC", right=True), Column("GRADE"),
    )  # fmt: skip
    table(columns, (_line(item, latest.get(item.name)) for item in found))


def _line(agent: Any, version: Any) -> tuple[object, ...]:
    metrics = version.metrics if version else {}
    grade = version.grade if version else ""
    serving = agent.in_service if agent.in_service is not None else "none"
    return (
        agent.name, agent.state, agent.domain, agent.template, serving, agent.versions, figure(metrics.get("auroc")), grade
    )  # fmt: skip


@command.command()
@click.argument("name")
@json_option
@pass_setup
def show(setup: Setup, /, name: str, as_json: bool) -> None:
    """Show an agent with its versions."""
    from immunos_tui.services.foundry import caveat

    foundry = setup.house.foundry
    agent, versions = foundry.get(name), foundry.versions(name)
    never = caveat(agent.template)
    if as_json:
        listed = [item.as_dict() for item in versions]
        emit({**agent.as_dict(), "caveat": never, "versions": listed, "version_count": agent.versions})
        return
    serving = f"version {agent.in_service}" if agent.in_service is not None else "none"
    facts(
        [
            ("name", agent.name),
            ("state", agent.state),
            ("domain", agent.domain),
            ("role", agent.role),
            ("template", agent.template),
            ("pipeline", agent.pipeline),
            ("caveat", never or None),
            ("in service", serving),
            ("made", moment(agent.created_at)),
            *((key.replace("_", " "), value) for key, value in agent.params.items()),
        ]
    )
    if versions:
        now = setup.house.store.clock()
        out()
        columns = (
            Column("VERSION", right=True), Column("STATE"), Column("AGE", right=True), Column("AUROC", right=True),
            Column("GRADE"), Column("PRESET"), Column("SEED", right=True), Column("DATASET", flexible=True),
        )  # fmt: skip
        table(columns, (_version(item, now) for item in versions))


def _version(item: Any, now: int) -> tuple[object, ...]:
    auroc = figure(item.metrics.get("auroc"))
    return (
        item.number,
        item.state,
        age(item.created_at, now),
        auroc,
        item.grade,
        item.preset,
        item.seed,
        item.dataset_path,
    )


@command.command()
@click.argument("name")
@click.argument("version", type=NUMBER, required=False)
@json_option
@pass_setup
def promote(setup: Setup, /, name: str, version: int | None, as_json: bool) -> None:
    """Put a version in service, by default the newest."""
    chosen = setup.house.foundry.promote(name, version)
    if as_json:
        emit(chosen.as_dict())
    else:
        out(f"{name} version {chosen.number} is in service.")


@command.command()
@click.argument("name")
@click.argument("path")
@click.option("--label", required=True, metavar="COL", help="The column that says what a row is.")
@click.option(
    "--self", "self_value", required=True, metavar="VALUE[,...]", help="The value, or values, of it that mean normal."
)
@click.option("--drop", multiple=True, metavar="COL,...", help="Columns to leave out.")
@json_option
@pass_setup
def evaluate(
    setup: Setup, /, name: str, path: str, label: str, self_value: str, drop: tuple[str, ...], as_json: bool
) -> None:
    """Measure the version in service on a labelled dataset that it was not trained on."""
    from immunos_tui.cli.progress import StageLine
    from immunos_tui.cli.results import print_evaluation

    with StageLine() as progress:
        done = setup.house.malt.evaluate(
            name, path, label=label, self_value=self_value, drop=comma_list(drop), progress=progress
        )
    result = done.as_dict()
    if as_json:
        emit(result)
    else:
        print_evaluation(result)


def read_answers(name: str) -> dict[str, Any]:
    """What a TOML or JSON file says about a new agent.

    Raises:
        NotFoundError: there is no such file.
        DataError: it cannot be read, or is neither TOML nor JSON.
        UsageError: a key or value that is not known, with the nearest one.
    """
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no file {clean(name)}.", "Check the path.") from error
    except OSError as error:
        raise DataError(
            f"Cannot read {clean(name)}: {error.strerror}.", "Check the path and its permissions."
        ) from error
    try:
        text = raw.decode("utf-8")
        body = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{clean(name)} is neither TOML nor JSON: {clean(error, 200)}.", "Mend that place.") from error
    return {key: _answer(name, key, value) for key, value in body.items()}


def _answer(name: str, key: str, value: Any) -> str:
    if key not in ANSWERS:
        near = nearest(key, ANSWERS, 0.5)
        best = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(ANSWERS)}."
        raise UsageError(f"{clean(name)}: {clean(key, 60)} is no answer about an agent.", best)
    if not isinstance(value, str) or (key == "preset" and value not in PRESETS):
        kinds = f"one of {', '.join(PRESETS)}" if key == "preset" else "a text"
        raise UsageError(f"{clean(name)}: {key} cannot be {clean(repr(value), 60)}.", f"It takes {kinds}.")
    return value
