"""Textual's Linux driver, made to leave at once, to survive bad input and to give the terminal back always.

It relies on these names of Textual 8.2.8 that are not public, and a test asserts that they exist:
``LinuxDriver._file``, ``_writer_thread``, ``_auto_restart``, ``_must_signal_resume``, ``_in_band_window_resize``,
``_get_terminal_size``, ``_sigtstp_application``, ``_sigcont_application``, ``Driver._app``, ``_loop``, ``_mouse``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import select
import signal
import termios
import threading
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from typing import Any, ClassVar, cast

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

from immunos_tui.terminal.environment import TerminalEnvironment
from immunos_tui.terminal.keyboard import InputDecoder
from immunos_tui.terminal.lifelines import Lifelines
from immunos_tui.terminal.output import AFTERWARDS, EMPTY, KITTY_OFF, NOT_FOR_CONSOLES, RESTORE, TerminalOutput

RESIZE_INTERVAL = 0.05
"""Seconds between two resizes that are passed on in a storm of them; the first and the last always are."""

BACKGROUND_CHECK = 0.3
"""Seconds until a program that was put in the background, and could not be stopped there, looks again."""

_PIECES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[^\x1b]*|[^\x1b]+")
"""A control sequence, or text up to the next escape: what is lost where the parser fails."""

_POINTER = "\x1b]22;"
_ARROW = "\x1b]22;default\x07"
"""The mouse pointer's shape in terminals that let a program set it, and the one they begin with."""


class TerminalDriver(LinuxDriver):
    """Draws on standard output and reads standard input; made by ``driver_class`` below."""

    environment: ClassVar[TerminalEnvironment]
    lifelines: ClassVar[Lifelines]

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.output = TerminalOutput(1, ascii_only=self.environment.ascii_only, on_lost=self.lifelines.lose_terminal)
        self._file = cast("TextIOWrapper", self.output)
        self.is_painting = False
        self._pointer = _ARROW
        self._stopping = False
        self._stop_read = self._stop_write = -1
        self._pending_resize: events.Resize | None = None
        self._resize_timer: asyncio.TimerHandle | None = None
        self._given_back = threading.Lock()

    def ask_to_exit(self, return_code: int) -> None:
        """From any thread: let the app leave in its own time. RuntimeError where its loop is closed."""
        self._loop.call_soon_threadsafe(self._app.exit, None, return_code)

    # Output

    def write(self, data: str) -> None:
        """Queue ``data`` for the terminal; dropped while the terminal is not ours."""
        if self.environment.console and data in NOT_FOR_CONSOLES:
            return
        if data.startswith(_POINTER) and not self._changes_pointer(data):
            return
        if self.is_painting and not self.output.lost:
            super().write(data)

    def _changes_pointer(self, sequence: str) -> bool:
        """Textual repeats the pointer's shape with every screen it makes, also where no mouse is in use."""
        changes = self._mouse and sequence != self._pointer
        self._pointer = sequence
        return changes

    def start_application_mode(self) -> None:
        """Take the terminal; waits, stopped, while it belongs to another job of the shell."""
        if not self._in_foreground():
            _stop_by(signal.SIGTTOU)
        self._stop_read, self._stop_write = os.pipe()
        self.is_painting = True
        super().start_application_mode()
        if self._writer_thread is None or not self._writer_thread.is_alive():  # the terminal went away meanwhile
            self.is_painting = False
            return self.lifelines.lose_terminal()
        signal.signal(signal.SIGWINCH, self._on_window_change)

    def stop_application_mode(self) -> None:
        """Give the terminal back; a second call does nothing."""
        if not self.is_painting:
            return
        super().stop_application_mode()
        self.write(AFTERWARDS + EMPTY if self.environment.console else AFTERWARDS)
        self.write(_ARROW)
        self.is_painting = False

    def emergency(self) -> None:
        """Give the terminal back at once from any thread, whatever the others are doing; at most once."""
        if not self.is_painting or not self._given_back.acquire(blocking=False):
            return
        self.is_painting = False
        self.output.cut(RESTORE.replace(KITTY_OFF, "") + EMPTY if self.environment.console else RESTORE)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})  # allowed from the background then
        with contextlib.suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    # Input

    def disable_input(self) -> None:
        """Stop reading at once: Textual alone waits up to 0.2 s for its reader to look up."""
        if self._stop_write >= 0:
            os.write(self._stop_write, b"\0")
            super().disable_input()
            os.close(self._stop_read)
            os.close(self._stop_write)
            self._stop_read = self._stop_write = -1

    def run_input_thread(self) -> None:
        """Read the terminal until told to stop; sleeps for as long as nothing comes."""
        stop, poller, reader = self._stop_read, select.poll(), InputReader()
        poller.register(self.fileno, select.POLLIN)
        poller.register(stop, select.POLLIN)
        wait: float | None = None
        while True:
            ready = dict(poller.poll(wait))
            if stop in ready:
                return
            data = self._read_input() if self.fileno in ready else b""
            if data is None:
                return self.lifelines.lose_terminal()
            # A lone escape is told from the start of a sequence by silence, for which one look back is enough.
            wait = constants.ESCAPE_DELAY * 1000 + 5 if data else None
            for message in reader.feed(data) if data else reader.tick():
                self.process_message(message)

    def _read_input(self) -> bytes | None:
        """What has been typed, or None where the terminal is gone."""
        try:
            return os.read(self.fileno, 4096) or None
        except BlockingIOError:  # another program has taken it, and left the descriptor non-blocking
            return b""
        except OSError:
            return None

    def send_message(self, message: Message) -> None:
        """Hand ``message`` to the app; the same as Textual's without a task for each key."""
        self._app.post_message(message)

    # Size

    def _get_terminal_size(self) -> tuple[int, int]:
        """The terminal's own answer first: the standard library believes COLUMNS and LINES before it."""
        with contextlib.suppress(OSError):
            columns, rows = os.get_terminal_size(self.output.fileno())
            if columns and rows:
                return columns, rows
        return super()._get_terminal_size()

    def process_message(self, message: Message) -> None:
        """As Textual's; resizes that the terminal reports in its input are thinned out too."""
        if isinstance(message, events.Resize):
            self._loop.call_soon_threadsafe(self._offer_resize, message)
        else:
            super().process_message(message)

    def _on_window_change(self, *_: object) -> None:
        if not self._in_band_window_resize:
            self._loop.call_soon_threadsafe(self._offer_resize, None)

    def _offer_resize(self, event: events.Resize | None) -> None:
        if event is None:
            size = Size(*self._get_terminal_size())
            event = events.Resize(size, size)
        self._pending_resize = event
        if self._resize_timer is None:
            self._deliver_resize()

    def _deliver_resize(self) -> None:
        event, self._pending_resize, self._resize_timer = self._pending_resize, None, None
        if event is not None:
            self.send_message(event)
            self._resize_timer = self._loop.call_later(RESIZE_INTERVAL, self._deliver_resize)

    # Job control

    def _sigtstp_application(self, *_: object) -> None:
        """SIGTSTP, also sent by ctrl+z: left to the event loop, as the signal may come in mid-write."""
        if self._auto_restart and self.is_painting:
            self._loop.call_soon_threadsafe(self._suspend)
        elif not self._stopping:
            self._stop_process()

    def _sigcont_application(self, *_: object) -> None:
        """SIGCONT after a SIGSTOP that nobody could catch: another program may have used the terminal."""
        if self._auto_restart and self.is_painting and not self._stopping:
            self._loop.call_soon_threadsafe(self._take_over_again)

    def _suspend(self) -> None:
        if self.is_painting:
            self.suspend_application_mode()
            self._stop_process()
            self._return_when_in_front()

    def _stop_process(self) -> None:
        """Stop the whole job, so that a shell sees it stopped also where make or a wrapper started it.

        SIGTSTP and not SIGSTOP: the system ignores it where no shell could wake the program again.
        """
        self._stopping = True
        _stop_by(signal.SIGTSTP, os.getpgrp())
        signal.signal(signal.SIGTSTP, self._sigtstp_application)
        self._stopping = False

    def _return_when_in_front(self) -> None:
        if self.lifelines.ending:
            return
        if self._in_foreground():
            self._must_signal_resume = True
            self.resume_application_mode()
            self._app.call_later(self._app.refresh, layout=True)
        else:
            self._stopping = True
            _stop_by(signal.SIGTTOU)
            self._stopping = False
            self._loop.call_later(BACKGROUND_CHECK, self._return_when_in_front)

    def _take_over_again(self) -> None:
        if self.is_painting:
            self.suspend_application_mode()
            self._return_when_in_front()

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self.fileno) == os.getpgrp()
        except OSError:  # not our controlling terminal, or none any more: there is no job control
            return True


class InputReader:
    """Bytes to Textual's messages; a sequence that its parser fails on is dropped, not fatal."""

    def __init__(self) -> None:
        self._decoder = InputDecoder()
        self._parser = XTermParser()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages in ``data``, which may end in the middle of one."""
        for piece in _PIECES.findall(self._decoder.feed(data)):
            yield from self._guarded(self._parser.feed(piece))

    def tick(self) -> Iterator[Message]:
        """The messages that only silence completes, such as a lone escape."""
        return self._guarded(self._parser.tick())

    def _guarded(self, messages: Iterable[Message]) -> Iterator[Message]:
        try:
            yield from messages
        except Exception:  # noqa: BLE001 - a number too large for a character: input is never a reason to end
            self._parser = XTermParser()


def _stop_by(number: signal.Signals, group: int = 0) -> None:
    """Stop by the default action of ``number``: this process, or a process group; returns when continued."""
    signal.signal(number, signal.SIG_DFL)
    if group:
        os.killpg(group, number)
    else:
        os.kill(os.getpid(), number)


def driver_class(environment: TerminalEnvironment, lifelines: Lifelines) -> type[TerminalDriver]:
    """The driver for one terminal, for ``App.driver_class``: Textual makes the instance itself."""
    return type("BoundDriver", (TerminalDriver,), {"environment": environment, "lifelines": lifelines})
