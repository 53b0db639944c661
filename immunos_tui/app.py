"""The screens' application: modes, themes, the snapshot, and the way in and out."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding
from textual.command import Provider
from textual.notifications import SeverityLevel
from textual.reactive import reactive
from textual.screen import Screen

from immunos_tui.config import LoadedSettings, Settings
from immunos_tui.messages import SnapshotTaken
from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.posture import Snapshot
from immunos_tui.model.text import clean, clean_block
from immunos_tui.paths import Paths
from immunos_tui.screens.base import TABS, TabScreen, shown_key
from immunos_tui.services.lanes import Lane
from immunos_tui.terminal.crash import CrashSafeApp
from immunos_tui.widgets.chrome import HeadLine, Piece
from immunos_tui.widgets.palette import OWN_THEMES, Palette, make_palette

if TYPE_CHECKING:
    from immunos_tui.services.house import House
    from immunos_tui.services.monitor import Monitor
    from immunos_tui.services.runner import QueueRunner


def _mode(name: str) -> Callable[[], Screen[Any]]:
    """A factory that imports a tab's module when the tab is first made."""

    def make() -> Screen[Any]:
        from importlib import import_module  # noqa: PLC0415 - a tab costs nothing until it is made

        screen: TabScreen = import_module(f"immunos_tui.screens.{name}").TAB_SCREEN()
        return screen.data_bind(ImmunosApp.snapshot)

    return make


def _commands() -> type[Provider]:
    from immunos_tui.commands import BindingCommands  # noqa: PLC0415 - only when the palette opens

    return BindingCommands


class ImmunosApp(CrashSafeApp):
    """Six tabs over one house of services."""

    TITLE = "immunos-tui"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    MODES: ClassVar[dict[str, Any]] = {name: _mode(name) for name, _ in TABS}
    COMMANDS = {_commands}
    BINDINGS = [
        *(
            Binding(str(number), f"tab('{name}')", title, show=False, id=f"tab.{name}", tooltip=f"Go to {title}.")
            for number, (name, title) in enumerate(TABS, 1)
        ),
        Binding("0", "last_tab", "Last tab", show=False, id="tab.last", tooltip="Go back to the tab before."),
        Binding(
            "question_mark,f1", "keys_help", "Help", show=False, id="app.help", tooltip="What every key does here."
        ),
        Binding(
            "colon,ctrl+p",
            "command_palette",
            "Palette",
            show=False,
            id="app.palette",
            tooltip="Find any action by name.",
        ),
        Binding("q,ctrl+q", "leave", "Quit", show=False, id="app.quit", tooltip="Leave the program; jobs go on."),
        Binding(
            "ctrl+c", "cancel", "Cancel", show=False, id="app.cancel", tooltip="Cancel; does not quit.", priority=False
        ),
        Binding(
            "ctrl+z",
            "suspend_process",
            "Suspend",
            show=False,
            id="app.suspend",
            tooltip="Back to the shell; fg returns.",
        ),
        Binding("r", "refresh_tab", "Refresh", show=False, id="app.refresh", tooltip="Look again now."),
    ]

    snapshot: reactive[Snapshot] = reactive(Snapshot(), init=False, repaint=False)

    def __init__(self, paths: Paths, loaded: LoadedSettings, *, terminal_theme: str | None = None) -> None:
        self.palette: Palette = make_palette(OWN_THEMES[0])
        # The first screen is the start tab itself: Textual's empty default screen would be styled first.
        self.DEFAULT_MODE = loaded.settings.ui.start_tab  # type: ignore[misc]
        super().__init__()
        self._paths = paths
        self._loaded = loaded
        self._last_tab = ""
        self._tab = loaded.settings.ui.start_tab
        self._lost_keys: set[str] = set()
        self.key_changes: dict[str, str] = dict(loaded.settings.keys)
        self.host_name = clean(os.uname().nodename.split(".")[0], 20)
        for theme in OWN_THEMES:
            self.register_theme(theme)
        self._choose_theme(terminal_theme or loaded.settings.ui.theme)
        self.monitor: Monitor | None = None
        self.runner: QueueRunner | None = None
        self.reading = Lane("reading", self.open_house)
        self.writing = Lane("writing", self.open_house)
        self.looking = Lane("looking", self.open_house)

    @property
    def settings(self) -> Settings:
        return self._loaded.settings

    def open_house(self) -> House:
        """The services, for a thread of its own."""
        from immunos_tui.services.house import open_house  # noqa: PLC0415 - loads SQLite; not before the first frame

        return open_house(self._paths, self.settings, "screens")

    def _publish(self, snapshot: Snapshot) -> None:
        with suppress(RuntimeError):  # the loop has closed: the program is leaving
            self.post_message(SnapshotTaken(snapshot))

    # Coming and going ---------------------------------------------------------------------

    async def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, lambda theme: self._use_palette())
        if self.key_changes:
            self.set_keymap(self.key_changes)
            if isinstance(self.screen, TabScreen):
                self.call_after_refresh(self.screen.find_lost_keys)
        self.call_after_refresh(self._after_first_frame)

    def _after_first_frame(self) -> None:
        gc.freeze()
        gc.enable()
        self._start_watching()
        warnings = list(self._loaded.warnings[:3])
        if self._unknown_theme:
            warnings.append(f"There is no theme {self._unknown_theme}; ui.theme in the settings names it.")
        for warning in warnings:
            self.notify(warning, title="Settings", severity="warning", markup=False)
        self.set_timer(0.3, self._build_ahead)

    def _start_watching(self) -> None:
        from immunos_tui.services.monitor import Monitor  # noqa: PLC0415 - not before the first frame
        from immunos_tui.services.runner import QueueRunner  # noqa: PLC0415

        self.monitor = Monitor(self.open_house, self._publish, slow=self.settings.ui.slow)
        self.monitor.start()
        if not self.settings.ui.read_only:
            self.runner = QueueRunner(self.open_house)
            self.runner.start()

    def look_again(self) -> None:
        """Something was committed: let the monitor see it now."""
        if self.monitor is not None:
            self.monitor.poke()

    async def _build_ahead(self) -> None:
        """Make one more tab while the program is idle, so that going there later is quick."""
        missing = next((name for name, _ in TABS if name not in self._screen_stacks), None)
        if missing is not None:
            await self._init_mode(missing)
            self.set_timer(0.15, self._build_ahead)

    def on_unmount(self) -> None:
        for watcher in (self.monitor, self.runner):
            if watcher is not None:
                watcher.stop()
        for lane in (self.reading, self.writing, self.looking):
            lane.close()

    def delay_update(self, delay: float = 0.05) -> None:
        """Paint a tab as soon as it is laid out: every one is built ahead, so there is nothing to mask."""
        super().delay_update(0.001)

    # Looks --------------------------------------------------------------------------------

    def _choose_theme(self, name: str) -> None:
        """Take a theme before anything is styled, so that the style sheet is read once."""
        self._unknown_theme = "" if name in self.available_themes else name
        self.set_reactive(ImmunosApp.theme, OWN_THEMES[0].name if self._unknown_theme else name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.palette = make_palette(self.current_theme)

    def _use_palette(self) -> None:
        self.palette = make_palette(self.current_theme)
        for stack in self._screen_stacks.values():
            if stack and isinstance(stack[0], TabScreen):
                stack[0].restyle()
        self.screen.refresh(layout=False)

    def head_pieces(self, now: Snapshot) -> list[Piece]:
        """What stands at the right end of the top line: read-only, connectivity, what needs a human."""
        pieces: list[Piece] = [("read-only ", "high")] if self.settings.ui.read_only else []
        refused = f"offline {now.egress_refused}" if self.settings.network.offline else "online"
        pieces.append((f" {refused} ", "muted" if not now.egress_refused else "high"))
        if now.trouble:
            pieces.append((" store! ", "critical"))
        waiting = now.posture.open
        pieces.append(
            (
                f" {waiting}! " if waiting else " 0 open ",
                "critical" if now.posture.critical else "high" if waiting else "muted",
            )
        )
        return pieces

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A toast, whose text is made harmless and is never markup."""
        super().notify(
            clean_block(message, 600), title=clean(title, 400), severity=severity, timeout=timeout, markup=False
        )

    def complain(self, error: ImmunosError) -> None:
        """Say what went wrong, and what to do next."""
        self.notify(
            clean(error.hint, 400) or " ", title=clean(error.message, 400), severity="error", markup=False, timeout=8
        )

    # Actions ------------------------------------------------------------------------------

    def action_tab(self, name: str) -> None:
        if name != self._tab:
            self._last_tab, self._tab = self._tab, name
            self.switch_mode(name)

    def action_last_tab(self) -> None:
        if self._last_tab:
            self.action_tab(self._last_tab)

    @on(HeadLine.TabClicked)
    def go_to_clicked(self, event: HeadLine.TabClicked) -> None:
        self.action_tab(event.tab)

    def action_leave(self) -> None:
        self.exit(0)

    def action_cancel(self) -> None:
        self.notify("ctrl+c cancels what is open; q or ctrl+q quits.", markup=False)

    def action_help_quit(self) -> None:
        self.action_cancel()

    def action_refresh_tab(self) -> None:
        self.look_again()
        if isinstance(self.screen, TabScreen):
            self.screen.snapshot_changed(None, self.snapshot)

    def action_keys_help(self) -> None:
        from immunos_tui.screens.dialogs import HelpScreen  # noqa: PLC0415 - only when asked for
        from immunos_tui.screens.help import help_lines  # noqa: PLC0415

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen("Keys on this screen", help_lines(self.screen, self.palette, shown_key)))

    def say_lost_keys(self, names: set[str]) -> None:
        """Say, once for each, which actions have no key left because the settings gave it to another."""
        fresh = sorted(names - self._lost_keys)
        if fresh:
            self._lost_keys |= set(fresh)
            self.notify(
                f"{', '.join(fresh)}: the settings give the key to another action. Give it a key of its own under keys.",
                title="Settings",
                severity="warning",
            )

    @on(SnapshotTaken)
    def take_snapshot(self, event: SnapshotTaken) -> None:
        first = not self.snapshot.changes
        self.snapshot = event.snapshot
        if first and event.snapshot.changes and not event.snapshot.posture.total and not self.settings.ui.read_only:
            from immunos_tui.screens.tour import offer_tour  # noqa: PLC0415 - only on a database without issues

            self.run_worker(offer_tour(self), group="tour")
