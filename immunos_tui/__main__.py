"""The program's entry: the screens where only their flags are given, else a command.

Kept free of heavy imports: the screens open without click, and commands run without textual.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from immunos_tui import __version__

SWITCHES: dict[str, tuple[str, bool]] = {
    "--read-only": ("ui.read_only", True),
    "--ascii": ("ui.ascii", True),
    "--no-mouse": ("ui.mouse", False),
    "--slow": ("ui.slow", True),
}
"""The flags of the screens that take no value, with the setting that each stands for."""


def screen_flags(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The settings that the arguments ask for, by dotted key, or None where they are more than screen flags."""
    flags: dict[str, Any] = {}
    rest = iter(arguments)
    for word in rest:
        if word in SWITCHES:
            key, value = SWITCHES[word]
            flags[key] = value
        elif word == "--tab" or word.startswith("--tab="):
            name = next(rest, None) if word == "--tab" else word.removeprefix("--tab=")
            if name is None or name.startswith("-"):
                return None
            flags["ui.start_tab"] = name
        else:
            return None
    return flags


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with ``argv`` (by default the process's own) and return its exit code (docs/commands.md)."""
    from immunos_tui.cli.failure import guarded

    arguments = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        from immunos_tui.cli.output import out

        out(f"immunos-tui {__version__}")
        return 0
    flags = screen_flags(arguments)
    if flags is not None:
        from immunos_tui.opening import open_screens

        return open_screens(flags)
    from immunos_tui.cli.root import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
