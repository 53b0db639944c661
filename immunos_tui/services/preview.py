"""A look at a dataset before it is queued, made in a process of its own so that the screen stays free."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from immunos_tui.model.errors import DataError, ImmunosError

TIMEOUT = 30.0
"""Seconds that a look may take."""


def preview_in_process(path: str | Path) -> dict[str, Any]:
    """Columns, rows, label values and problems of a dataset, as plain values.

    Raises:
        ImmunosError: it cannot be read as a dataset; with the exit code that the command would have.
        DataError: looking took too long.
    """
    command = [sys.executable, "-P", "-m", "immunos_tui.services.preview", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"Looking at {path} took more than {TIMEOUT:.0f} s.", "It can be queued all the same."
        ) from error
    try:
        body: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise DataError(f"Looking at {path} failed.", done.stderr.decode("utf-8", "replace")[-300:]) from error
    if "error" in body:
        problem = ImmunosError(body["error"], body["hint"])
        problem.exit_code = body["exit_code"]
        raise problem
    return body


def main(path: str) -> int:
    """Print the look as one JSON object."""
    from immunos_tui.immune.preview import preview  # noqa: PLC0415 - only the child needs it
    from immunos_tui.services.thymus import check_source  # noqa: PLC0415

    try:
        body = preview(check_source(path, folder=True)).as_dict()
    except ImmunosError as error:
        body = {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}
    json.dump(body, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
