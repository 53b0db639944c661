"""Opens the program without a terminal, presses keys, and waits for what they should bring about."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual import events
from textual._context import visible_screen_stack
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.strip import Strip

from immunos_tui.app import ImmunosApp
from immunos_tui.config import Settings, load_settings
from immunos_tui.paths import find_paths
from immunos_tui.screens.dialogs import KeyMenu
from immunos_tui.services.house import House, open_house
from immunos_tui.widgets.table import RowTable

PATIENCE = 20.0
"""Seconds after which a wait fails: far beyond what is ever needed, for a busy machine."""

NAMED = {
    "space": " ", "plus": "+", "minus": "-", "exclamation_mark": "!", "slash": "/", "question_mark": "?", "colon": ":",
}  # fmt: skip
"""The characters of keys that go by a name."""


@dataclass
class Driver:
    """One open program: its app, its keyboard, and what can be seen."""

    app: ImmunosApp
    pilot: Pilot[Any]

    async def press(self, *keys: str) -> None:
        """Press keys one after another, each once the one before has been taken.

        Unlike the pilot's own ``press`` it does not wait for the processor to be idle, which other work may keep busy.
        """
        for key in keys:
            event = events.Key(
                _character_to_key(key) if len(key) == 1 else key, key if len(key) == 1 else NAMED.get(key)
            )
            event.set_sender(self.app)
            self.app._driver.send_message(event)
            await self.settle()

    async def settle(self) -> None:
        """Wait until a key has gone its way, from the app to what has the focus and back up, and all widgets are done."""
        for node in (self.app, *(self.app.focused or self.app.screen).ancestors_with_self):
            taken = asyncio.Event()
            if node.call_later(taken.set):
                await asyncio.wait_for(taken.wait(), PATIENCE)
        await self.pilot._wait_for_screen()

    async def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        await self.press(*text)

    async def paste(self, text: str) -> None:
        """Paste a text, as a terminal with bracketed paste hands it over."""
        self.app.post_message(events.Paste(text))
        await self.settle()

    async def until(self, predicate: Callable[[], object], what: str = "the condition") -> None:
        """Wait until ``predicate`` holds."""
        ends = time.monotonic() + PATIENCE
        while not predicate():
            if time.monotonic() > ends:
                raise AssertionError(f"{what} never held; toasts {self.toasts}; the screen is\n{self.text}")
            await asyncio.sleep(0.01)
            await self.settle()

    async def sees(self, text: str) -> None:
        """Wait until ``text`` is on the screen or in a toast."""
        await self.until(lambda: text in self.text or any(text in toast for toast in self.toasts), f"{text!r}")

    async def clear(self, text: str) -> None:
        """Wait until ``text`` is not on the screen."""
        await self.until(lambda: text not in self.text, f"the end of {text!r}")

    async def menu(self) -> None:
        """Wait until a menu or form is open and may be answered."""
        await self.until(lambda: self.app.screen.is_modal and self.app.screen.is_mounted, "a dialog")
        await self.settle()

    async def plain(self) -> None:
        """Wait until no dialog is open."""
        await self.until(lambda: not self.app.screen.is_modal, "the end of the dialog")

    @property
    def text(self) -> str:
        """What the screen on top shows, line by line."""
        return "\n".join("".join(part.text for part in strip if not part.control).rstrip() for strip in self.strips())

    def strips(self) -> list[Strip]:
        """The lines of the screen on top as the driver would get them, with what shines through from below."""
        visible_screen_stack.set(self.app._background_screens)
        return self.app.screen._compositor.render_strips()

    @property
    def toasts(self) -> list[str]:
        """The title and message of every toast that is still up."""
        return [f"{toast.title} {toast.message}" for toast in self.app._notifications]

    def forget_toasts(self) -> None:
        """Take all toasts down, so that the next one is a new one."""
        self.app.clear_notifications()

    @property
    def table(self) -> RowTable:
        """The first list of the tab on the screen."""
        return self.app.screen_stack[0].query(RowTable).first()

    @property
    def screen(self) -> Any:
        """The tab on the screen, below any dialog."""
        return self.app.screen_stack[0]

    @property
    def is_menu(self) -> bool:
        return isinstance(self.app.screen, KeyMenu)


@asynccontextmanager
async def open_app(
    tab: str = "spleen", size: tuple[int, int] = (80, 24), flags: Mapping[str, Any] | None = None
) -> AsyncIterator[Driver]:
    """The program on the folder that the environment names, open on ``tab``."""
    given = {"ui.start_tab": tab, "ollama.url": "http://127.0.0.1:9", **(flags or {})}
    paths = find_paths()
    app = ImmunosApp(paths, load_settings(paths, flags=given))
    app.host_name = "lab-07"
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, pilot)
        await driver.until(lambda: app.screen_stack and app.screen_stack[0].is_mounted, "the first screen")
        yield driver
        app.exit(0)  # as q does, so that the app winds up in its own task
        while app.is_running:
            await asyncio.sleep(0.01)


def house_of(actor: str = "op1", *, origin: str = "cli", clock: Callable[[], int] | None = None) -> House:
    """Another process's view of the same folder, as ``actor``."""
    house = open_house(find_paths(), Settings(), origin)
    house.store.actor = actor
    house.me = actor
    house.spleen.me = actor
    if clock:
        house.store.clock = clock
    return house


def sample(name: str) -> Path:
    """A file that ships with the program."""
    return Path(__file__).parents[2] / "data" / "samples" / name


async def go_to(on: Driver, number: int) -> None:
    """Put the cursor on a row with the keys that an operator has for it."""
    await on.until(lambda: number in on.table.keys, f"row {number}")
    await on.press("g")
    for _ in range(on.table.keys.index(number)):
        await on.press("j")
    await on.until(lambda: on.table.key == number, f"the cursor on {number}")
