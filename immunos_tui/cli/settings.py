"""``config``: the settings with where each came from, whether they are right, and where files live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from immunos_tui.cli.failure import report
from immunos_tui.cli.options import group, json_option, pass_setup
from immunos_tui.cli.output import Column, emit, emit_items, facts, out, say, table
from immunos_tui.cli.setup import Setup
from immunos_tui.config import check_file, config_files, load_settings, setting_fields
from immunos_tui.model.errors import NotFoundError, UsageError
from immunos_tui.model.text import clean


@group("config", "Show and check the settings, and where files live.")
def command() -> None:
    pass


@command.command()
@json_option
@pass_setup
def show(setup: Setup, /, as_json: bool) -> None:
    """Show every setting in force with where its value came from."""
    loaded = setup.loaded
    items = [
        {
            "key": key,
            "value": _value(loaded.settings, key),
            "origin": loaded.origins[key],
            "default": loaded.origins[key] == "default",
            "about": spec.metadata["help"],
        }
        for key, spec in setting_fields().items()
    ]
    if as_json:
        emit_items(items)
        return
    columns = (Column("KEY"), Column("VALUE", flexible=True), Column("FROM", flexible=True))
    table(columns, ((item["key"], _toml(item["value"]), item["origin"]) for item in items))


def _value(settings: Any, key: str) -> Any:
    for part in key.split("."):
        settings = getattr(settings, part)
    return list(settings) if isinstance(settings, tuple) else dict(settings) if isinstance(settings, dict) else settings


def _toml(value: Any) -> str:
    """A value as the settings file would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    return str(value)


@command.command()
@click.argument("file", required=False)
@json_option
@pass_setup
def validate(setup: Setup, /, file: str | None, as_json: bool) -> int:
    """Check the settings files, or FILE: exit code 2 where one is wrong; an unknown key is a warning."""
    if file:
        files = [Path(file).expanduser()]
        if not files[0].exists():
            raise NotFoundError(f"There is no settings file {clean(file)}.", "Check the path.")
    else:
        files = [path for path in config_files(setup.paths) if path.exists()]
    errors: list[str] = []
    warnings: list[str] = []
    for path in files:
        wrong, odd = check_file(path)
        errors += wrong
        warnings += odd
    if not errors and not file:
        errors += _other_errors(setup)
    if as_json:
        emit({"files": [str(path) for path in files], "valid": not errors, "errors": errors, "warnings": warnings})
    elif not errors:
        out(
            f"Valid: {', '.join(clean(path) for path in files) if files else 'there is no settings file, so defaults hold'}."
        )
    for warning in warnings:
        say(f"immunos-tui: warning: {clean(warning)}")
    for error in errors:
        report(clean(error))
    return 2 if errors else 0


def _other_errors(setup: Setup) -> list[str]:
    """What is wrong in the environment or on the command line, once every file is right."""
    try:
        load_settings(setup.paths, flags=setup.flags)
    except UsageError as error:
        return [str(error)]
    return []


@command.command()
@json_option
@pass_setup
def paths(setup: Setup, /, as_json: bool) -> None:
    """Print where every file lives."""
    items = {name: str(path) for name, path in setup.paths.items().items()}
    if as_json:
        emit(items)
    else:
        facts(items.items())
