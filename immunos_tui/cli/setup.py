"""What a command works with: settings, paths and services, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from immunos_tui.cli.output import say
from immunos_tui.config import LoadedSettings, load_settings
from immunos_tui.model.text import clean
from immunos_tui.paths import Paths, find_paths

if TYPE_CHECKING:
    from immunos_tui.services.house import House


class Setup:
    """One invocation of the program; ``flags`` are settings from the command line, by dotted key."""

    def __init__(self, flags: Mapping[str, Any] | None = None) -> None:
        self.flags: dict[str, Any] = dict(flags or {})

    @cached_property
    def paths(self) -> Paths:
        return find_paths()

    @cached_property
    def loaded(self) -> LoadedSettings:
        """The settings in force; what is odd about them is said once, on standard error."""
        loaded = load_settings(self.paths, flags=self.flags)
        for warning in loaded.warnings:
            say(f"immunos-tui: warning: {clean(warning)}")
        return loaded

    @cached_property
    def house(self) -> House:
        from immunos_tui.services.house import open_house

        return open_house(self.paths, self.loaded.settings)

    def close(self) -> None:
        """Close what was opened."""
        if "house" in self.__dict__:
            self.house.close()
