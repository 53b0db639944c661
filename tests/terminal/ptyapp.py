"""Drives a program in a pseudo-terminal and sees what a person at it would see.

``with PtyProgram([...], env) as program`` starts it; ``send`` types, ``wait_for`` waits until a text or a predicate
over the screen's lines holds, ``screen`` gives the lines, ``modes_left_on`` and ``is_cooked`` tell whether the
terminal is as it was found. A thread drains the terminal all the time, so the program never waits for a reader.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

KEYS = {
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "pgup": "\x1b[5~",
    "pgdn": "\x1b[6~",
    "enter": "\r",
    "tab": "\t",
    "esc": "\x1b",
    "backspace": "\x7f",
    "f1": "\x1bOP",
}
"""What an xterm sends for keys that have a name; a control key is ``ctrl("q")``."""

PATIENCE = 15.0
"""Seconds after which a wait fails: far beyond what is ever needed, for a busy machine."""

MODES = {
    "1": "application cursor",
    "9": "mouse X10",
    "1000": "mouse",
    "1002": "mouse drag",
    "1003": "mouse motion",
    "1004": "focus",
    "1005": "mouse UTF-8",
    "1006": "mouse SGR",
    "1015": "mouse urxvt",
    "1016": "mouse pixels",
    "1049": "alternate screen",
    "2004": "bracketed paste",
    "2026": "synchronized update",
    "2048": "resize reports",
}
_MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])|\x1b\[([<>])\d*u")
_ALTERNATE = re.compile(rb"\x1b\[\?1049[hl]")
_NOT_FOR_PYTE = re.compile(
    rb"\x1b\[[<=>][0-?]*[ -/]*[@-~]|\x1b\[\?[0-9;]*\$p|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP[^\x1b]*\x1b\\"
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?)?\Z")
_QUERY = re.compile(rb"\x1b\[\?(\d+)\$p")
END_MARK = b"\x1b]9999;ended\x07"
"""What leader.py writes to the terminal after the program's last byte."""

_LEADER = Path(__file__).with_name("leader.py")


def ctrl(letter: str) -> str:
    """The character that ctrl and ``letter`` send."""
    return chr(ord(letter.upper()) & 0x1F)


class PtyProgram:
    """One program in one pseudo-terminal, as a foreground job in a session that outlives it.

    ``env`` is the program's whole environment (TERM defaults to xterm-256color), ``size`` is columns and rows.
    ``ignore`` are signals that the program finds ignored, as under nohup. ``modes`` are the modes that the terminal
    says it knows when it is asked. With ``leads`` the program leads the session itself, as a command given to tmux
    does: nobody could then continue it after a stop.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        size: tuple[int, int] = (80, 24),
        *,
        ignore: Sequence[int] = (),
        modes: Sequence[int] = (2026,),
        leads: bool = False,
    ) -> None:
        self.output = bytearray()
        self.pid = 0
        self.exit_code: int | None = None
        self.stops = 0
        self.continues = 0
        self._fed = 0
        self._modes = set(modes)
        self._leads = leads
        self._stalled = False
        self._changed = threading.Condition()
        self._terminal = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._terminal)
        self._master, self._slave = os.openpty()
        self.resize(size)
        self._reports, report = os.pipe()
        command = list(argv)
        if not leads:
            ignored = ",".join(str(int(number)) for number in ignore)
            command = [sys.executable, "-ISE", str(_LEADER), str(report), ignored, *argv]
        self._leader = subprocess.Popen(
            command,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={"TERM": "xterm-256color", **env},
            pass_fds=[report],
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(report)
        if leads:
            self.pid = self._leader.pid
        self._closing, self._close = os.pipe()
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()
        self._wait(lambda: self.pid > 0, "no process")

    def __enter__(self) -> PtyProgram:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, *keys: str) -> None:
        """Type ``keys``: names of KEYS, or text as it is."""
        for key in keys:
            os.write(self._master, KEYS.get(key, key).encode())

    def send_bytes(self, data: bytes) -> None:
        """Send raw bytes, such as a damaged mouse report."""
        os.write(self._master, data)

    def wait_for(self, wanted: str | Callable[[list[str]], bool], timeout: float = PATIENCE) -> list[str]:
        """Wait until a line holds the text, or the predicate is true of the lines; returns the lines."""
        holds = wanted if callable(wanted) else lambda lines: any(wanted in line for line in lines)
        self._wait(lambda: holds(self._lines()), f"never on the screen: {wanted!r}", timeout)
        return self.screen()

    def wait_until(self, condition: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until ``condition`` holds; it is looked at after each output or report, and now and then."""
        self._wait(condition, "the condition never held", timeout)

    def screen(self) -> list[str]:
        """The lines on the screen, without spaces at their ends."""
        with self._changed:
            return self._lines()

    def resize(self, *sizes: tuple[int, int]) -> None:
        """Give the terminal each of the sizes, columns and rows, as fast as it goes; the program gets SIGWINCH."""
        with self._changed:
            self._lines()
            for columns, rows in sizes:
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            self._terminal.resize(sizes[-1][1], sizes[-1][0])

    def kill(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        os.kill(self.pid, number)

    def wait_stopped(self, times: int = 1) -> None:
        """Wait until the program has been stopped that many times in all."""
        self._wait(lambda: self.stops >= times, "never stopped")

    def wait_exit(self, timeout: float = PATIENCE) -> int:
        """Wait for the end and for all output; the exit code, or -N for death by signal N."""
        self._wait(lambda: self.exit_code is not None and self._drained(), "still running", timeout)
        assert self.exit_code is not None
        return self.exit_code

    def hang_up(self) -> None:
        """Take the terminal away, as a broken SSH connection does."""
        os.write(self._close, b"x")
        self._wait(lambda: self._master < 0, "the terminal is still there")

    def stall(self) -> None:
        """Take no more output, as a broken line does that nobody has noticed yet."""
        os.write(self._close, b"s")
        self._wait(lambda: self._stalled, "the terminal is still read")

    def is_stuck(self) -> bool:
        """Whether the terminal has no room for more output."""
        poller = select.poll()
        poller.register(self._slave, select.POLLOUT)
        return not poller.poll(0)

    def take_foreground(self) -> None:
        """Make this program the foreground job again and continue it, as ``fg`` in a shell does."""
        os.kill(self.pid, signal.SIGCONT)

    def modes_left_on(self) -> list[str]:
        """The names of the terminal's modes that differ from those of a terminal just opened."""
        on, kitty = {"25", "7"}, 0
        for match in _MODE.finditer(self.output):
            if match[3]:
                kitty = max(0, kitty + (1 if match[3] == b">" else -1))
                continue
            for mode in match[1].decode().split(";"):
                (on.add if match[2] == b"h" else on.discard)(mode)
        missing = [name for mode, name in (("25", "cursor hidden"), ("7", "no line wrap")) if mode not in on]
        return sorted(MODES[mode] for mode in on & MODES.keys()) + missing + ["kitty keyboard"] * bool(kitty)

    def is_cooked(self) -> bool:
        """Whether the terminal reads lines and echoes, as a shell expects."""
        flags = termios.tcgetattr(self._master)
        local = termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN
        return flags[3] & local == local and bool(flags[0] & termios.ICRNL)

    def is_clean(self) -> bool:
        """Nothing is left on and the terminal is cooked."""
        return not self.modes_left_on() and self.is_cooked()

    def close(self) -> None:
        """End the program and everything in its session that still runs."""
        for pid in {self.pid if self.exit_code is None else 0, self._leader.pid} - {0}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.write(self._close, b"x")
        self._thread.join()
        self._leader.wait()
        for descriptor in (self._master, self._slave, self._reports, self._closing, self._close):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _wait(self, condition: Callable[[], bool], problem: str, timeout: float = PATIENCE) -> None:
        ends = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = ends - time.monotonic()
                if left <= 0:
                    picture = "\n".join(self._lines())
                    raise AssertionError(f"{problem}; exit code {self.exit_code}; the screen is\n{picture}")
                self._changed.wait(min(left, 0.05))

    def _drained(self) -> bool:
        return END_MARK in self.output or self._master < 0 or self._leads or self._stalled

    def _lines(self) -> list[str]:
        data = bytes(self.output[self._fed :])
        tail = _UNFINISHED.search(data)
        data = data[: tail.start()] if tail else data
        self._fed += len(data)
        start = 0
        for switch in _ALTERNATE.finditer(data):
            self._stream.feed(_NOT_FOR_PYTE.sub(b"", data[start : switch.start()]))
            self._terminal.erase_in_display(2)
            self._terminal.cursor_position()
            start = switch.end()
        self._stream.feed(_NOT_FOR_PYTE.sub(b"", data[start:]))
        return [line.rstrip() for line in self._terminal.display]

    def _drain(self) -> None:
        watched = {self._master, self._reports, self._closing}
        while self._master in watched or self._reports in watched:
            for descriptor in select.select(watched, [], [])[0]:
                data = b""
                with contextlib.suppress(OSError):  # EIO: nobody has the terminal open any more
                    data = os.read(descriptor, 65536)
                with self._changed:
                    self._take(descriptor, data)
                    if not data or (data == b"x" and descriptor == self._closing):
                        watched.discard(descriptor)
                    if descriptor == self._closing:
                        watched.discard(self._master)
                        self._stop_reading(data)
                    self._changed.notify_all()

    def _take(self, descriptor: int, data: bytes) -> None:
        if descriptor == self._master:
            self.output += data
            for query in _QUERY.finditer(data):
                known = 2 if int(query[1]) in self._modes else 0
                with contextlib.suppress(OSError):
                    os.write(self._master, b"\x1b[?%s;%d$y" % (query[1], known))
        elif descriptor == self._reports and self._leads:
            self.exit_code = self._leader.wait()
        elif descriptor == self._reports:
            for line in data.decode().splitlines():
                self._report(*line.split())

    def _report(self, what: str, number: str) -> None:
        if what == "pid":
            self.pid = int(number)
        elif what == "stopped":
            self.stops += 1
        elif what == "continued":
            self.continues += 1
        else:
            self.exit_code = int(number)

    def _stop_reading(self, command: bytes) -> None:
        self._stalled = True
        if command == b"x" and self._master >= 0:
            os.close(self._master)
            self._master = -1
