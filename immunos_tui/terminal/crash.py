"""What a crash leaves: the traceback in the log, a sentence on the terminal, and no values of variables.

Textual and Rich print a traceback with local variables, among which are keys and the operator's data.
"""

from __future__ import annotations

import os
import traceback
from datetime import UTC, datetime
from pathlib import Path

from textual.app import App

from immunos_tui import __version__
from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.text import clean, clean_block

MESSAGE_LENGTH = 160
"""Characters of an exception's own message that are shown."""


class CrashSafeApp(App[int]):
    """An app that ends quietly on an unhandled exception; ``launch.run_app`` then says what happened."""

    @property
    def crash(self) -> Exception | None:
        """The exception that ended the app, unwrapped from its worker."""
        error = self._exception
        inner = getattr(error, "error", None)
        return inner if isinstance(inner, Exception) else error

    def _fatal_error(self) -> None:
        """Leave without Textual's traceback, whose locals may be secrets."""
        self._close_messages_no_wait()


def report(error: BaseException, log_path: Path) -> str:
    """Write the traceback of ``error`` to ``log_path`` (0600, appended) and return what to tell the operator."""
    where = f"The details are in {clean(log_path)}."
    try:
        _append(log_path, _details(error))
    except OSError as problem:
        where = f"The details could not be written to {clean(log_path)} ({clean(problem.strerror)})."
    return f"{_summary(error)} {where} What had been confirmed is stored."


def _summary(error: BaseException) -> str:
    if isinstance(error, ImmunosError):
        return f"immunos-tui stopped: {clean(error, 4 * MESSAGE_LENGTH)}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"immunos-tui stopped on an error of its own: {_named(error)}{place}."


def _named(error: BaseException) -> str:
    text = clean(error, MESSAGE_LENGTH)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _details(error: BaseException) -> str:
    lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
    head = f"{datetime.now(UTC).isoformat(timespec='seconds')} immunos-tui {__version__} crashed, process {os.getpid()}"
    return clean_block(f"{head}\n{''.join(lines)}")


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8") as log:
        log.write(text + "\n")
