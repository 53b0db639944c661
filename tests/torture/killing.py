"""Starting a program and killing it with -9 at a random moment, and what must hold afterwards."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.conftest import Done

ROUNDS = int(os.environ.get("IMMUNOS_TORTURE") or 10)
"""How often each kind of work is killed."""


def start(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """A child of this interpreter in a session of its own; what it prints goes to ``log``."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def wait_for(condition: Callable[[], object], child: subprocess.Popen[bytes], limit: float = 60.0) -> bool:
    """Whether ``condition`` came true while the child was alive."""
    end = time.monotonic() + limit
    while child.poll() is None:
        if condition():
            return True
        assert time.monotonic() < end, "waited in vain for the child"
        time.sleep(0.002)
    return False


def kill_within(child: subprocess.Popen[bytes], longest: float, dice: random.Random) -> bool:
    """Let the child work for up to ``longest`` seconds, then kill it; whether it was still alive."""
    try:
        child.wait(dice.random() * longest)
        return False
    except subprocess.TimeoutExpired:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        return True


def require_sound(cli: Callable[..., Done]) -> None:
    """The database and the record of changes are whole."""
    for words in (("db", "check"), ("audit", "verify")):
        done = cli(*words)
        assert done.code == 0, f"{' '.join(words)}: {done.err}"
