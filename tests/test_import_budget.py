"""What is loaded when: imports are the start-up time, and a layer that loads another's libraries is no layer."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import immunos_tui
from tests.terminal.ptyapp import PtyProgram

HEAVY = {"httpx", "numpy", "sqlite_utils", "pygments", "markdown_it", "pydantic"}
DRAWING = {"textual", "rich"}
ROOT = Path(immunos_tui.__file__).parents[1]
FIRST_FRAME = Path(__file__).parent / "terminal" / "firstframe.py"


def loaded(code: str) -> set[str]:
    """The modules that are loaded once ``code`` has run in a process of its own."""
    program = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def modules_of(package: str) -> list[str]:
    """Every module of a package, the package itself first."""
    folder = ROOT / "immunos_tui" / package
    found = pkgutil.walk_packages([str(folder)], f"immunos_tui.{package}.")
    return [f"immunos_tui.{package}", *(module.name for module in found if not module.name.endswith("__main__"))]


@pytest.mark.pty
@pytest.mark.parametrize("tab", ["chat", "spleen"])
def test_nothing_heavy_is_loaded_at_the_first_real_frame(tmp_path: Path, tab: str) -> None:
    listing = tmp_path / "modules"
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    env["IMMUNOS_BASE_PATH"] = str(tmp_path / "base")
    argv = [sys.executable, str(FIRST_FRAME), str(listing), "Spleen", "--tab", tab]
    with PtyProgram(argv, env) as program:
        program.wait_until(listing.exists)
    names = set(listing.read_text().split())
    assert "textual.app" in names
    assert not names & HEAVY


@pytest.mark.parametrize("package", ["model", "store", "immune", "llm", "services"])
def test_nothing_below_messages_loads_textual(package: str) -> None:
    assert not loaded(f"import {', '.join(modules_of(package))}") & DRAWING


@pytest.mark.parametrize("arguments", [["--version"], ["issue", "list"], ["status"]], ids=" ".join)
def test_a_command_that_draws_nothing_loads_neither_textual_nor_numpy(arguments: list[str]) -> None:
    names = loaded(f"from immunos_tui.__main__ import main; main({arguments!r})")
    assert not names & {"textual", "numpy", "httpx", "sqlite_utils"}


def test_the_version_costs_next_to_nothing() -> None:
    names = loaded("from immunos_tui.__main__ import main; main(['--version'])")
    assert not names & (HEAVY | DRAWING | {"click", "psutil", "asyncio"})
