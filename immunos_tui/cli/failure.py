"""How a command ends when something is wrong: one sentence on standard error and the exit code that scripts rely on."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from immunos_tui import __version__
from immunos_tui.cli.output import prepare_streams, say
from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.text import clean, clean_block

INTERRUPTED, TERMINATED, BROKEN_PIPE = 130, 143, 141
"""128 plus the number of the signal, as shells say it."""

LOG_LIMIT = 4_000_000
"""Bytes of the log; a larger one is put aside once, as ``.1``, before more is written."""


class Terminated(BaseException):
    """SIGTERM: unwinds like Ctrl+C, so that transactions are rolled back and files are closed."""


def guarded(run: Callable[[], int]) -> int:
    """Run a command and turn whatever ends it into an exit code, saying why on standard error."""
    prepare_streams()
    try:
        with _sigterm_raises():
            code = run()
            _flush()
        return code
    except ImmunosError as error:
        report(clean(error))
        return error.exit_code
    except KeyboardInterrupt:
        report("Interrupted.")
        return INTERRUPTED
    except Terminated:
        report("Terminated.")
        return TERMINATED
    except BrokenPipeError:
        _silence()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - nobody above could say more than a traceback
        return _unexpected(error)


def report(sentence: str) -> None:
    """Say a sentence under the program's name, after what was printed so far."""
    with suppress(OSError, ValueError):
        _flush()
    with suppress(OSError, ValueError):
        say(f"immunos-tui: {sentence}")


def _unexpected(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT) and not error.filename:
        _silence()
        report(f"Cannot write the output: {error.strerror}.")
        return 1
    place = _logged(error)
    report(f"This is a fault of the program: {type(error).__name__}: {clean(error, 160)}. {place}")
    return 1


def _logged(error: Exception) -> str:
    """Append the traceback to the log file and say where it is."""
    from immunos_tui.paths import find_paths

    try:
        path = find_paths().log_file
        _append(path, error)
    except (OSError, ImmunosError) as problem:
        return f"The details could not be written to the log ({clean(problem, 160)})."
    return f"The details are in {clean(path)}."


def _append(path: Path, error: Exception) -> None:
    from immunos_tui.paths import private_dir

    private_dir(path.parent)
    with suppress(FileNotFoundError):
        if path.lstat().st_size > LOG_LIMIT:
            os.replace(path, path.with_name(path.name + ".1"))
    # Without local variables: among them are keys and the operator's data.
    lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
    head = f"{datetime.now(UTC).isoformat(timespec='seconds')} immunos-tui {__version__}, process {os.getpid()}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as log:
        log.write(clean_block(f"{head}\n{''.join(lines)}") + "\n")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _silence() -> None:
    """Point standard output at nothing, so that what it still holds cannot fail again at exit."""
    with suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not the main thread: whoever runs it there handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
