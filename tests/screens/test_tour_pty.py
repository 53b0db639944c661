"""The first run in a real terminal, with keys alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.terminal.ptyapp import PtyProgram

ROOT = Path(__file__).parents[2]


@pytest.mark.pty
@pytest.mark.slow
def test_a_newcomer_takes_the_tour(house: Any, base: Path, tmp_path: Path) -> None:
    """t on the offer, and a minute later the first verdict; q leaves the terminal as it was found."""
    env = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "IMMUNOS_BASE_PATH": str(base),
        "IMMUNOS_OLLAMA_URL": "http://127.0.0.1:9",
    }
    with PtyProgram([sys.executable, "-m", "immunos_tui"], env) as program:
        program.wait_for("take the tour", timeout=60)
        program.send("t")
        program.wait_for("Thymus (training)", timeout=60)
        program.wait_for("Tour 3 of 3", timeout=90)
        program.wait_for(lambda lines: any("Spleen (triage)" in line for line in lines))
        program.wait_for(lambda lines: any(line.startswith("▌") and " new " in line for line in lines))
        program.send("d")
        program.wait_for("Verdict on #")
        program.send("b")
        program.wait_until(lambda: bool(house.spleen.list("verdict:benign").ids))
        program.send("q")
        assert program.wait_exit() == 0
        assert program.is_clean(), program.modes_left_on()
    assert len(house.spleen.list("is:open").ids) > 2
    assert house.audit.verify().broken is None
