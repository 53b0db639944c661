"""What helps an operator to name a dataset: paths that exist, templates that fit."""

from __future__ import annotations

import os
from pathlib import Path

from immunos_tui.model.text import clean
from immunos_tui.services.foundry import templates

LOOK_AT = 5_000
"""Entries of a folder that are looked at for a completion."""


def complete_path(text: str) -> str | None:
    """The first path that begins with ``text``; a folder ends with a slash.

    A name with characters that could steer the terminal is never offered: a field would show it as it is.
    """
    typed = Path(os.path.expanduser(text))
    folder, start = (typed, "") if text.endswith("/") else (typed.parent, typed.name)
    try:
        with os.scandir(folder) as entries:
            found = [entry for _, entry in zip(range(LOOK_AT), entries, strict=False) if entry.name.startswith(start)]
    except (OSError, ValueError):
        return None
    visible = [
        entry
        for entry in found
        if (start.startswith(".") or not entry.name.startswith(".")) and clean(entry.name) == entry.name
    ]
    if not visible:
        return None
    best = min(visible, key=lambda entry: entry.name)
    head = text[: len(text) - len(start)] if start else text
    return head + best.name + ("/" if best.is_dir() else "")


def suggested() -> tuple[str, ...]:
    """The names of the templates."""
    return tuple(item.name for item in templates())
