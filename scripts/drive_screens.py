"""Opens a full-screen program in a pseudo-terminal, visits its tabs, quits, and says whether it behaved.

Standard library only, since it runs where nothing but the program is installed: ``drive_screens.py COMMAND [ARGUMENT...]``.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

ROWS, COLUMNS = 24, 80
ENTER_SCREEN, LEAVE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
TABS = {b"1": b"Chat", b"2": b"Thymus", b"3": b"Spleen", b"4": b"System", b"5": b"Foundry", b"6": b"KB"}
PATIENCE = 30.0
"""Seconds that any one step may take on a busy machine."""
QUIET = 0.3
"""Seconds without output after which the screen counts as settled."""


class Program:
    """A program in a pseudo-terminal of 80x24, and everything that it has written."""

    def __init__(self, argv: list[str]) -> None:
        self.output = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execvp(argv[0], argv)

    def read(self, seconds: float) -> bool:
        """Take in what is written within so many seconds; False at silence or at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            chunk = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.output += chunk
        return bool(chunk)

    def wait_for(self, text: bytes, since: int = 0) -> None:
        """Read until the text has been written; exit with what was seen instead."""
        end = time.monotonic() + PATIENCE
        while text not in self.output[since:]:
            if time.monotonic() > end or os.waitpid(self.pid, os.WNOHANG) != (0, 0):
                sys.exit(f"never wrote {text!r}; the end of its output: {self.output[-2000:]!r}")
            self.read(0.1)

    def settle(self) -> None:
        """Read until the program pauses."""
        while self.read(QUIET):
            pass

    def press(self, key: bytes) -> int:
        """Send a key; returns where the answer to it begins in the output."""
        begin = len(self.output)
        os.write(self.fd, key)
        return begin

    def wait_exit(self) -> int:
        """Read to the end; returns the exit code."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.read(0.1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self.read(0.1):
                    pass
                return os.waitstatus_to_exitcode(status)
        sys.exit(f"did not quit; the end of its output: {self.output[-2000:]!r}")


def main() -> None:
    program = Program(sys.argv[1:])
    program.wait_for(ENTER_SCREEN)
    program.wait_for(TABS[b"1"])
    program.settle()
    for key, name in TABS.items():
        begin = program.press(key)
        if key != b"1":  # the tab that it opens on has nothing to paint
            program.wait_for(name, begin)
        program.settle()
    program.press(b"q")
    code = program.wait_exit()
    if code != 0:
        sys.exit(f"exit code {code}; the end of its output: {program.output[-2000:]!r}")
    if program.output.rfind(LEAVE_SCREEN) < program.output.rfind(ENTER_SCREEN):
        sys.exit("the alternate screen was not left")
    print(f"{len(TABS)} tabs drawn, {len(program.output)} bytes, quit with 0")


if __name__ == "__main__":
    main()
