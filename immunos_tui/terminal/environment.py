"""What the terminal can do, decided before Textual is imported. Standard library only.

``detect`` looks, ``refusal`` says whether the screens can be opened at all, and ``prepare`` sets what
Textual reads from the environment when it is imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from enum import StrEnum
from typing import NamedTuple

DEFAULT_SIZE = (80, 24)
"""Columns and rows where the terminal does not say, as on a serial line."""

SLOW_FRAMES = 15
"""Frames a second at most on a slow line."""

_UTF8 = re.compile(r"utf-?8", re.IGNORECASE)
_DUMB = frozenset({"", "dumb", "unknown"})
_MULTIPLEXED = re.compile(r"(?:screen|tmux)\b")
_SERIAL = re.compile(r"vt\d")


class Colors(StrEnum):
    """How many colours the terminal shows."""

    NONE = "none"
    SIXTEEN = "16"
    MANY = "256"
    TRUE = "truecolor"


_COLOR_SYSTEMS = {Colors.SIXTEEN: "standard", Colors.MANY: "256", Colors.TRUE: "truecolor"}


class Flags(NamedTuple):
    """What the operator asked for; ``mouse`` is None where the program is to decide."""

    ascii: bool = False
    slow: bool = False
    mouse: bool | None = None


class TerminalEnvironment(NamedTuple):
    """One terminal as the program found it at start; ``columns`` and ``rows`` are in cells.

    A named tuple, since it is made before the first frame and a frozen dataclass costs 1 ms to define.
    """

    term: str
    is_tty: bool
    dumb: bool
    utf8: bool
    ascii_only: bool
    colors: Colors
    no_color: bool
    slow: bool
    mouse: bool
    columns: int
    rows: int

    @property
    def console(self) -> bool:
        """Whether it is a text console or a serial terminal: no alternate screen, few glyphs, old control sequences."""
        return _is_console(self.term)

    @property
    def theme(self) -> str | None:
        """The theme this terminal needs, or None where any will do.

        Textual drops colour for NO_COLOR only in an ANSI theme, others become grey 24-bit colour.
        """
        few = self.no_color or self.colors in (Colors.NONE, Colors.SIXTEEN)
        return "ansi-dark" if few else None


def detect(
    environ: Mapping[str, str], flags: Flags | None = None, *, input_fd: int = 0, output_fd: int = 1
) -> TerminalEnvironment:
    """Look at the variables and the two file descriptors; asks the terminal nothing and never fails."""
    flags = flags or Flags()
    term = environ.get("TERM", "").strip().lower()
    utf8 = has_utf8(environ)
    columns, rows = _size(output_fd)
    return TerminalEnvironment(
        term=term,
        is_tty=os.isatty(input_fd) and os.isatty(output_fd),
        dumb=term in _DUMB,
        utf8=utf8,
        ascii_only=flags.ascii or not utf8 or _is_console(term),
        colors=_colors(environ, term),
        no_color=bool(environ.get("NO_COLOR")),
        slow=flags.slow or bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY")),
        mouse=_mouse(environ, term) if flags.mouse is None else flags.mouse,
        columns=columns,
        rows=rows,
    )


def refusal(env: TerminalEnvironment) -> str | None:
    """Why the screens cannot be opened here and what to do instead, or None where they can."""
    if not env.is_tty:
        return (
            "The screens need a terminal, and standard input or output is not one. "
            "Use 'immunos-tui status', 'issue list' or another command in scripts."
        )
    if env.dumb:
        name = f"TERM={env.term}" if env.term else "TERM is not set and so it"
        return (
            f"{name} says that this terminal cannot place text on the screen. "
            "Set TERM to what it is (for example TERM=xterm-256color), or use 'immunos-tui status'."
        )
    return None


def prepare(environ: MutableMapping[str, str], env: TerminalEnvironment) -> None:
    """Set what Textual reads when it is imported; a value that the operator has set himself stays."""
    if not environ.get("NO_COLOR"):
        environ.pop("NO_COLOR", None)  # Textual takes an empty one as set, no-color.org does not
    if env.colors is Colors.NONE:
        environ["NO_COLOR"] = "1"
    environ.setdefault("TEXTUAL_COLOR_SYSTEM", _COLOR_SYSTEMS.get(env.colors, "standard"))
    if env.theme:
        environ.setdefault("TEXTUAL_THEME", env.theme)  # its colour filter depends on the theme it begins with
    environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    if env.slow:
        environ.setdefault("TEXTUAL_FPS", str(SLOW_FRAMES))
        environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    if env.console:
        environ["TEXTUAL_DISABLE_KITTY_KEY"] = "1"  # older ones print the sequence's end
    if env.is_tty:
        for name in ("COLUMNS", "LINES"):
            environ.pop(name, None)  # an exported one would freeze the size: resizing would do nothing


def has_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the locale says that the terminal takes UTF-8.

    Python cannot be asked: it says utf-8 in the C locale too (PEP 540), and where no locale is set it puts an
    LC_CTYPE of its own into ``os.environ`` (PEP 538). POSIX gives the order.
    """
    if environ is os.environ and _locale_was_coerced(environ):
        return False
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if environ.get(name):
            return bool(_UTF8.search(environ[name]))
    return False


def _is_console(term: str) -> bool:
    return term == "linux" or bool(_SERIAL.match(term))


def _locale_was_coerced(environ: Mapping[str, str]) -> bool:
    """Whether Python itself put LC_CTYPE there; the kernel keeps the environment that the process began with."""
    if environ.get("LC_ALL") or "LC_CTYPE" not in environ:
        return False
    try:
        with open("/proc/self/environ", "rb") as given:
            return not any(entry.startswith(b"LC_CTYPE=") for entry in given.read().split(b"\0"))
    except OSError:
        return False


def _colors(environ: Mapping[str, str], term: str) -> Colors:
    if term in _DUMB or _SERIAL.match(term):
        return Colors.NONE
    gnu_screen = bool(environ.get("STY")) and term.startswith("screen")
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") and not gnu_screen and term != "linux":
        return Colors.TRUE  # GNU screen takes the numbers of a 24-bit colour for blink and underline
    if term.endswith("-direct"):
        return Colors.TRUE
    return Colors.MANY if "256color" in term or term == "xterm-kitty" else Colors.SIXTEEN


def _mouse(environ: Mapping[str, str], term: str) -> bool:
    """Off inside tmux and screen, whose own selection and copy mode the mouse belongs to.

    Whether their mouse is on would take a process to find out, and no action here needs a mouse.
    """
    return not (environ.get("TMUX") or environ.get("STY") or _MULTIPLEXED.match(term) or _is_console(term))


def _size(output_fd: int) -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(output_fd)
    except OSError:
        return DEFAULT_SIZE
    return columns or DEFAULT_SIZE[0], rows or DEFAULT_SIZE[1]
