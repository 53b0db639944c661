"""Pieces that the commands share: groups that name the nearest command, issue numbers, the JSON flags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from immunos_tui.cli.setup import Setup
from immunos_tui.model.text import clean, nearest

Command = TypeVar("Command", bound=Callable[..., Any])

pass_setup = click.make_pass_decorator(Setup)
"""Gives a command its ``Setup`` as the first argument."""

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """A group that names the nearest command to a wrong word."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        word = args[0]
        if word not in known and not word.startswith("-"):
            near = nearest(word, known, 0.5)
            best = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
            raise click.UsageError(f"There is no command {clean(word, 60)!r}. {best}", ctx)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class IssueNumber(click.ParamType):
    """An issue's number, written 12 or #12."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"#?(\d{1,18})", str(value).strip())
        if match is None:
            self.fail(f"{clean(value, 40)!r} is no issue number; write it as 12 or #12.", param, ctx)
        return int(match[1])


class Number(click.ParamType):
    """A job's or an activity's number."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"\d{1,18}", str(value).strip()):
            self.fail(f"{clean(value, 40)!r} is no number.", param, ctx)
        return int(value)


ISSUE = IssueNumber()
NUMBER = Number()

issues_argument = click.argument("ids", type=ISSUE, nargs=-1, required=True, metavar="ID...")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
jsonl_option = click.option("--jsonl", "as_lines", is_flag=True, help="Print one JSON object a line.")


def group(name: str, help: str) -> Callable[[Callable[[], None]], click.Group]:
    """A group of commands under one noun."""
    return click.group(name, cls=Commands, help=help, context_settings=HELP)


def comma_list(texts: Iterable[str]) -> list[str]:
    """The names in values such as ``a,b`` that may be given several times."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]
