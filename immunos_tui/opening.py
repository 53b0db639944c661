"""Opening the screens: the terminal is looked at and prepared before anything imports Textual."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from typing import Any

from immunos_tui.config import load_settings
from immunos_tui.llm import egress
from immunos_tui.paths import find_paths
from immunos_tui.terminal.environment import Flags, detect, prepare, refusal


def open_screens(flags: Mapping[str, Any]) -> int:
    """Open the program on this terminal and return its exit code.

    Args:
        flags: settings from the command line by dotted key, such as ``ui.start_tab``.

    Raises:
        UsageError: a settings file is faulty.
    """
    paths = find_paths()
    loaded = load_settings(paths, flags=flags)
    settings = loaded.settings
    terminal = detect(os.environ, Flags(settings.ui.ascii, settings.ui.slow, False if not settings.ui.mouse else None))
    sentence = refusal(terminal)
    if sentence:
        from immunos_tui.cli.status import print_status  # noqa: PLC0415 - only where the screens cannot open

        print_status()
        print(f"immunos-tui: {sentence}", file=sys.stderr)
        return 2
    prepare(os.environ, terminal)
    egress.guard(settings.network.offline, settings.network.allow)
    gc.disable()  # collecting while hundreds of modules load finds nothing and costs 5 % of the start
    from immunos_tui.app import ImmunosApp  # noqa: PLC0415 - textual reads its environment when imported
    from immunos_tui.terminal.launch import run_app  # noqa: PLC0415

    if terminal.slow and not settings.ui.slow:
        loaded = load_settings(paths, flags={**flags, "ui.slow": True})
    app = ImmunosApp(paths, loaded, terminal_theme=terminal.theme)
    return run_app(app, terminal, paths.log_file)
