"""Programs in pseudo-terminals, each in an environment that holds nothing of the developer's."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from immunos_tui.services.house import House
from tests.terminal.ptyapp import PtyProgram

ROOT = Path(__file__).resolve().parents[2]
DAY_OLD = 5 * 86_400_000
"""Milliseconds: ages of a day or more are shown in days, and change once a day."""

REAL = [sys.executable, "-m", "immunos_tui"]
Start = Callable[..., PtyProgram]


@pytest.fixture
def terminal_env(tmp_path: Path) -> dict[str, str]:
    """A UTF-8 xterm and a home of its own."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "IMMUNOS_BASE_PATH": str(tmp_path / "base"),
        "IMMUNOS_OLLAMA_URL": "http://127.0.0.1:9",
    }


@pytest.fixture
def start(terminal_env: dict[str, str]) -> Iterator[Start]:
    """Start a program: ``start(argv, size=..., env={...}, ...)``; an env value of None removes the variable."""
    with ExitStack() as stack:

        def begin(argv: list[str], env: dict[str, str | None] | None = None, **options: Any) -> PtyProgram:
            merged = {**terminal_env, **(env or {})}
            kept = {name: value for name, value in merged.items() if value is not None}
            return stack.enter_context(PtyProgram(argv, kept, **options))

        yield begin


@pytest.fixture
def fault_command(tmp_path: Path) -> list[str]:
    """The command of the small app whose faults are asked for by key; its crash log is ``tmp_path/log/crash``."""
    (tmp_path / "log").mkdir()
    return [sys.executable, str(Path(__file__).with_name("faultapp.py")), str(tmp_path / "log" / "crash")]


@pytest.fixture
def fault(start: Start, fault_command: list[str]) -> Callable[..., PtyProgram]:
    """The small app, started and painted: ``fault("--ascii", size=..., env=...)``."""

    def begin(*arguments: str, **options: Any) -> PtyProgram:
        program = start([*fault_command, *arguments], **options)
        program.wait_for("press 0")
        return program

    return begin


@pytest.fixture
def triage(house: House) -> int:
    """A house with day-old issues, on which nobody is offered the tour; their number."""
    house.store.clock = lambda: int(time.time() * 1000) - DAY_OLD
    for number in range(30):
        house.spleen.new(f"issue number {number} é", priority="high")
    return 30


@pytest.fixture
def real(start: Start, triage: int) -> Callable[..., PtyProgram]:
    """The real program on Spleen with issues, started and painted: ``real(*arguments, size=..., env=...)``."""

    def begin(*arguments: str, **options: Any) -> PtyProgram:
        program = start(real_command("--tab", "spleen", *arguments), **options)
        program.wait_for(lambda lines: sum("issue number" in line for line in lines) > 0)
        return program

    return begin


def real_command(*arguments: str) -> list[str]:
    """The command line of the real program."""
    return [*REAL, *arguments]
