"""Signals and the lost terminal, heard even while the program is busy.

A thread of its own sleeps until a signal or a hang-up wakes it. It asks the program to leave, and where the
program has not left in time, gives the terminal back itself and ends the process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import termios
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Protocol

GRACE = 2.0
"""Seconds that the program has for leaving by itself."""

TERMINAL_CHECK = 1.0
"""Seconds between two looks at the terminal, for hang-ups that poll(2) does not report."""

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


class Restorable(Protocol):
    """What holds the terminal: gives it back from any thread, at most once."""

    def emergency(self) -> None: ...


class Lifelines:
    """Watches over one run of the screens; used as a context manager in the main thread.

    ``on_terminate`` is called in another thread with the number of the signal that ends the program (a lost
    terminal counts as SIGHUP) and must only ask for the end. ``driver`` returns what holds the terminal, or
    None before there is such. A signal that the parent had set to be ignored stays ignored (nohup).
    """

    def __init__(
        self,
        on_terminate: Callable[[int], None],
        driver: Callable[[], Restorable | None],
        *,
        terminal_fd: int = 0,
        grace: float = GRACE,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._on_terminate = on_terminate
        self._driver = driver
        self._terminal_fd = terminal_fd
        self._grace = grace
        self._leave = leave
        self._left = threading.Event()
        self._terminal_lost = False
        self._wake_read = self._wake_write = -1
        self._old_wakeup = -1
        self._old_handlers: dict[signal.Signals, Any] = {}
        self._thread: threading.Thread | None = None
        self.ending = 0

    @property
    def exit_code(self) -> int:
        """128 and the signal's number once a signal has ended the program, else 0."""
        return 128 + self.ending if self.ending else 0

    def start(self) -> None:
        """Take over the signals. Only in the main thread, and with no handlers added to the event loop:
        both would use the one wake-up descriptor that a process has."""
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._old_wakeup = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._old_handlers[number] = signal.signal(number, self._note)
        self._thread = threading.Thread(target=self._watch, name="lifelines", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The program has left: call the watch off and put the signals back."""
        self._left.set()
        signal.set_wakeup_fd(self._old_wakeup, warn_on_full_buffer=False)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        os.write(self._wake_write, b"\0")
        if self._thread is not None:
            self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._wake_read = self._wake_write = -1

    def __enter__(self) -> Lifelines:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def lose_terminal(self) -> None:
        """Told by whoever finds that the terminal is gone; from any thread, any number of times."""
        self._terminal_lost = True
        with contextlib.suppress(OSError):  # the watch is over
            os.write(self._wake_write, b"\0")

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Runs in the main thread, before anything else does there: a stopped program that is to end must
        not be stopped again. The thread hears of the signal by itself."""
        self.ending = self.ending or number

    def _watch(self) -> None:
        poller = select.poll()
        poller.register(self._wake_read, select.POLLIN)
        poller.register(self._terminal_fd, 0)  # a hang-up is reported without being asked for
        while not self._left.is_set():
            ready = dict(poller.poll(TERMINAL_CHECK * 1000))
            heard = os.read(self._wake_read, 512) if self._wake_read in ready else b""
            number = next((byte for byte in heard if byte in self._old_handlers), 0)
            if not number and (self._terminal_lost or self._terminal_fd in ready or self._gone()):
                number = signal.SIGHUP
            if number and not self._left.is_set():
                return self._end(number)

    def _gone(self) -> bool:
        try:
            termios.tcgetattr(self._terminal_fd)
        except termios.error as error:
            return error.args[0] in (errno.EIO, errno.EBADF)
        return False

    def _end(self, number: int) -> None:
        self.ending = self.ending or number
        driver = self._driver()
        if driver is not None:
            with contextlib.suppress(RuntimeError):  # the event loop is closed: it is on its way out
                self._on_terminate(self.ending)
            if self._left.wait(self._grace):
                return
            driver.emergency()
        self._leave(self.exit_code)
