"""What every key does on a screen: its own first, then those of every tab, then how to move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text
from textual.binding import ActiveBinding, Binding
from textual.screen import Screen

from immunos_tui.widgets.palette import Palette

SECTIONS = {"app": 1, "tab": 1, "table": 2, "view": 2}
"""The order of bindings by the first part of their id; a screen's own come first."""


def in_order(screen: Screen[Any]) -> list[ActiveBinding]:
    """The bindings of a screen that have an id, the most telling first."""
    named = [active for active in screen.active_bindings.values() if active.binding.id and active.binding.description]
    return sorted(named, key=lambda active: SECTIONS.get((active.binding.id or "").split(".", 1)[0], 0))


def help_lines(screen: Screen[Any], palette: Palette, shown: Any) -> list[Text]:
    """The screen's own words, then a line a binding; ``shown`` writes a key as it stands on screen."""
    lines = [Text(line.strip()) for line in (screen.HELP or "").strip().splitlines()]
    return [*lines, *([Text("")] if lines else []), *_keys(screen, palette, shown)]


def _keys(screen: Screen[Any], palette: Palette, shown: Any) -> Iterator[Text]:
    known: dict[str, tuple[Binding, list[str]]] = {}
    for active in in_order(screen):
        known.setdefault(active.binding.id or "", (active.binding, []))[1].append(shown(active.binding.key))
    for name, (binding, keys) in known.items():
        words = binding.tooltip or binding.description
        yield Text.assemble((f"{' '.join(keys):<10} ", palette.accent), f"{words}  ", (name, palette.muted))
