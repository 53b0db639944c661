"""What commands print: data to standard output, messages to standard error.

Human output is plain columns, cut to the width of a terminal and never wrapped; JSON is one object
with ``schema_version``, or one object a line.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from immunos_tui.model.text import clean

SCHEMA_VERSION = 1
NARROWEST = 8
"""Characters that the column which gives way keeps at least."""

GAP = "  "


def prepare_streams() -> None:
    """Let no character end a command: what a stream's encoding does not have is written as its escape."""
    from immunos_tui.terminal.environment import has_utf8

    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None:
            continue
        if stream.isatty() and not has_utf8(os.environ):
            reconfigure(encoding="ascii", errors="backslashreplace")
        else:
            reconfigure(errors="backslashreplace")


def out(text: str = "") -> None:
    """One line of data."""
    _write(sys.stdout, text)


def say(text: str) -> None:
    """One line for the operator: what was done, what is wrong, what to run next."""
    _write(sys.stderr, text)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is not None:
        stream.write(text + "\n")


# JSON -----------------------------------------------------------------------------------------


def emit(value: Mapping[str, Any]) -> None:
    """One JSON object."""
    out(_json({"schema_version": SCHEMA_VERSION, **value}))


def emit_items(items: Iterable[Mapping[str, Any]], *, lines: bool = False, **more: Any) -> None:
    """A list as one object with its ``items``, or as one object a line."""
    if lines:
        for item in items:
            out(_json(item))
    else:
        emit({**more, "items": list(items)})


def _json(value: Any) -> str:
    try:
        return json.dumps(value, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), default=str)


def _finite(value: Any) -> Any:
    """The value with null for NaN and the infinities, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return value


# Tables ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A column's title; ``right`` aligns numbers; ``flexible`` gives way where the terminal is narrow."""

    title: str
    right: bool = False
    flexible: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns under their titles. Every cell is cleaned."""
    body = [[clean(cell) for cell in row] for row in rows]
    lines = [[column.title for column in columns], *body]
    widths = [max(cells(line[at]) for line in lines) for at in range(len(columns))]
    room = terminal_width()
    if room:
        spare = room - sum(widths) - len(GAP) * (len(columns) - 1)
        for at, column in enumerate(columns):
            if spare < 0 and column.flexible:
                kept = max(NARROWEST, widths[at] + spare)
                spare += widths[at] - kept
                widths[at] = kept
    for line in lines:
        text = GAP.join(
            fit(cell, width, column.right) for cell, width, column in zip(line, widths, columns, strict=True)
        )
        out(one_line(text.rstrip()))


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names with their values, one a line; a value of None is left out."""
    shown = [(name, value) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        out(one_line(f"{name:<{width}}  {clean(value)}"))


def one_line(text: str) -> str:
    """The text cut to the terminal, whole where the output is no terminal."""
    room = terminal_width()
    return fit(text, room).rstrip() if room and cells(text) > room else text


def terminal_width() -> int:
    """Columns of the terminal that standard output is, 0 where it is none or does not say."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0
    except (OSError, ValueError, AttributeError):
        return 0


def cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # only here: ASCII needs no table of widths

    return cell_len(text)


def fit(text: str, width: int, right: bool = False) -> str:
    """The text in exactly ``width`` columns, padded or cut with a mark."""
    size = cells(text)
    if size <= width:
        return " " * (width - size) + text if right else text + " " * (width - size)
    from rich.cells import set_cell_size

    mark = "~" if (getattr(sys.stdout, "encoding", "") or "").lower() == "ascii" else "…"
    return set_cell_size(text, max(0, width - 1)) + mark


# Words ----------------------------------------------------------------------------------------


def age(at: int | None, now: int) -> str:
    """How long ago, in one unit: 40s, 12m, 3h, 9d. Times are UTC milliseconds."""
    if at is None:
        return ""
    seconds = max(0, now - at) // 1000
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def moment(at: int | None) -> str:
    """A time in UTC milliseconds as local date and time."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def plural(count: int, word: str) -> str:
    """A number with its noun: 1 issue, 2 issues."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def figure(value: Any) -> str:
    """A measured number with four digits; nothing where it was not measured."""
    return f"{value:.4f}" if isinstance(value, (int, float)) else ""
