"""The single point where bytes go to the terminal, and the sequence that takes every mode back."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable

from immunos_tui.terminal.ascii import to_ascii

KITTY_OFF = "\x1b[<u"

RESTORE = (
    "\x1b[?2026l"  # synchronized update: else the terminal goes on holding what follows back
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # mouse, all encodings
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # focus reports, bracketed paste, resize reports
    f"{KITTY_OFF}"  # keyboard modes are kept for each screen, so they are popped before the screen is left
    "\x1b[?7h\x1b[0m\x1b[?1049l\x1b[?25h"  # line wrap, colours, alternate screen, cursor
)
"""Everything that a full-screen program here may have turned on, in the order that terminals need."""

AFTERWARDS = "\x1b[?2026l\x1b[?1016l\x1b[?2048l\x1b[0m"
"""The modes of RESTORE that Textual turns on or may leave on and does not take back itself."""

EMPTY = "\x1b[2J\x1b[H"
"""What a console's prompt is given in the end, as it has no alternate screen to leave."""

NOT_FOR_CONSOLES = frozenset({"\x1b[?2026$p", "\x1b[?2048$p", KITTY_OFF})
"""Questions and keyboard modes of whose sequences older consoles print the end."""


class TerminalOutput:
    """A text file on a terminal's descriptor, of the shape that Textual's writer thread wants.

    Writes are whole whatever the terminal takes at once. When the terminal is gone, ``on_lost`` is called
    once and everything written afterwards is dropped, so that nothing spins and nothing raises.
    """

    def __init__(self, descriptor: int, *, ascii_only: bool, on_lost: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._ascii_only = ascii_only
        self._on_lost = on_lost
        self._parts: list[str] = []
        self._lock = threading.Lock()
        self.lost = False
        self.cut_off = False

    def fileno(self) -> int:
        """The terminal's descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Always: it is only made for a terminal."""
        return True

    def write(self, text: str) -> int:
        """Keep ``text`` until the next flush."""
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Send what has been kept; waits while the terminal takes no more."""
        text = "".join(self._parts)
        self._parts.clear()
        if self._ascii_only:
            text = to_ascii(text)
        data = text.encode("utf-8", "replace")
        with self._lock:
            self._send(data)

    def cut(self, farewell: str, patience: float = 0.2) -> None:
        """Send ``farewell`` and nothing ever after; for a terminal that may be stuck or gone.

        Waits at most ``patience`` seconds for another thread's write and as long for room.
        """
        held = self._lock.acquire(timeout=patience)
        self.cut_off = True
        try:
            if self._has_room(patience):
                os.write(self._descriptor, farewell.encode("ascii"))
        except OSError:
            self.lost = True
        finally:
            if held:
                self._lock.release()

    def _send(self, data: bytes) -> None:
        while data and not (self.lost or self.cut_off):
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # somebody else has set the shared descriptor to non-blocking
                self._has_room(1.0)
            except OSError:
                self.lost = True
                self._on_lost()

    def _has_room(self, seconds: float) -> bool:
        poller = select.poll()
        poller.register(self._descriptor, select.POLLOUT)
        return any(events & select.POLLOUT for _, events in poller.poll(seconds * 1000))
