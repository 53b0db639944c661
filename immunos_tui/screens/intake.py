"""The intake: forms that queue a training or a scan, with path completion and a look at the dataset first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rich.text import Text
from textual.suggester import Suggester

from immunos_tui.model.agent import Agent
from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.text import clean
from immunos_tui.model.when import many, size
from immunos_tui.screens.base import TabScreen
from immunos_tui.screens.dialogs import Field, Form, ListSuggester
from immunos_tui.services.intake import complete_path, suggested
from immunos_tui.services.preview import preview_in_process
from immunos_tui.services.thymus import check_source
from immunos_tui.widgets.palette import Palette


class PathSuggester(Suggester):
    """Completes a path, looking at the disk off the event loop."""

    def __init__(self, screen: TabScreen) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._screen = screen

    async def get_suggestion(self, value: str) -> str | None:
        return await self._screen.look_at(lambda _house: complete_path(value)) if value else None


async def ask_scan(screen: TabScreen) -> None:
    """Queue the scan of a file."""
    agents: list[Agent] = [agent for agent in await screen.read(lambda house: house.foundry.list()) if agent.in_service]
    if not agents:
        screen.app.notify(
            "No agent is in service yet. Train one in Thymus with n, or run `immunos-tui tour`.",
            markup=False,
            severity="warning",
        )
        return
    names = tuple(agent.name for agent in agents)
    fields = (
        Field(
            "path", "File", required=True, suggester=PathSuggester(screen), about="the file to scan; right completes"
        ),
        Field("agent", "Agent", names[0], choices=names, required=True, strict=True),
    )

    async def take(values: dict[str, str]) -> None:
        job = await screen.write(lambda house: house.thymus.add_scan(values["agent"], values["path"]))
        screen.app.notify(f"Job {job.id} scans {clean(job.path)}. Thymus shows how far it is.", markup=False)

    await screen.app.push_screen_wait(Form("Scan a file", fields, take=take))


async def ask_training(screen: TabScreen) -> None:
    """Queue a training, making the agent where it is new."""
    agents, templates = await screen.read(lambda house: (list(house.foundry.list()), suggested()))
    names = tuple(agent.name for agent in agents)
    fields = (
        Field(
            "path",
            "Dataset",
            required=True,
            suggester=PathSuggester(screen),
            about="CSV, JSONL, NPZ or lines; right completes",
        ),
        Field(
            "agent",
            "Agent",
            names[0] if names else "",
            suggester=ListSuggester(names),
            required=True,
            about=" ".join(names) or "a new name",
        ),
        Field("template", "Template, if it is new", templates[0] if not names else "", choices=templates, strict=True),
        Field("label", "Label column", about="empty: every row is self"),
        Field("self", "Value that means self", about="such as normal; several with commas"),
        Field("drop", "Columns to leave out", about="separated by commas"),
        Field(
            "clean",
            "Known to be normal?",
            "yes",
            choices=("yes", "no"),
            strict=True,
            about="yes: you vouch for what is called self; no: the robust preset, which bears some dirt",
        ),
        Field("seed", "Seed", "0"),
        Field("notes", "Notes"),
    )

    async def take(values: dict[str, str]) -> None:
        job = await screen.write(lambda house: _queue(house, values, names))
        screen.app.notify(f"Job {job.id} is queued.", markup=False, timeout=3)

    await screen.app.push_screen_wait(
        Form("Train an agent", fields, check=_check(names), take=take, preview=("path", _looker(screen)))
    )


def _check(names: tuple[str, ...]) -> Callable[[dict[str, str]], str]:
    def check(values: dict[str, str]) -> str:
        if values["label"] and not values["self"]:
            return f"Say which value of {values['label']} means self."
        if not re.fullmatch(r"[0-9]{1,18}", values["seed"]):
            return "The seed is a whole number from 0 on."
        if values["agent"] not in names and not values["template"]:
            return f"{values['agent']} is new: choose its template."
        return ""

    return check


def _queue(house: Any, values: Mapping[str, str], names: tuple[str, ...]) -> Any:
    check_source(values["path"], folder=True)  # before an agent is made for a file that is not there
    if values["agent"] not in names:
        house.foundry.new(values["agent"], values["template"])
    return house.thymus.add_training(
        values["agent"],
        values["path"],
        label=values["label"] or None,
        self_value=values["self"] or None,
        drop=values["drop"].split(",") if values["drop"] else (),
        clean_data=values["clean"] != "no",
        seed=int(values["seed"]),
        notes=values["notes"],
    )


def _looker(screen: TabScreen) -> Callable[[str], Any]:
    async def look(path: str) -> tuple[list[Text], dict[str, str]]:
        palette = screen.app.palette
        try:
            seen = await screen.look_at(lambda _house: preview_in_process(path))
        except ImmunosError as error:
            return [
                Text(clean(error.message), style=palette.critical),
                Text(clean(error.hint), style=palette.muted),
            ], {}
        found = (
            {"label": seen["label"], "self": seen["self_value"], "drop": ",".join(seen["drop"])}
            if seen["label"]
            else {}
        )
        return preview_lines(seen, palette), found

    return look


def preview_lines(seen: Mapping[str, Any], palette: Palette) -> list[Text]:
    """What a dataset holds: size, problems, label values, columns."""
    about = "" if seen["rows_exact"] else "about "
    lines = [
        Text(
            f"{seen['format']}, {size(seen['bytes'])}, {about}{many(seen['rows'])} rows, {len(seen['columns'])} columns",
            style=palette.strong,
        )
    ]
    lines += [Text(f"Problem: {clean(problem)}", style=palette.high) for problem in seen["problems"]]
    for label in seen["labels"][:3]:
        values = ", ".join(f"{clean(value, 30)} {many(count)}" for value, count in list(label["values"].items())[:6])
        lines.append(Text(f"Label? {clean(label['column'], 40)}: {values}", style=palette.accent))
    for column in seen["columns"]:
        ends = f"{column['lowest']} to {column['highest']}" if column["lowest"] else f"such as {column['example']}"
        missing = f", {many(column['missing'])} missing" if column["missing"] else ""
        lines.append(
            Text(
                f"{clean(column['name'], 28):<28} {column['kind']:<9} {clean(ends, 60)}{missing} {clean(column['note'], 60)}",
                style=palette.muted,
            )
        )
    return lines
