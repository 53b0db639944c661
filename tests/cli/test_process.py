"""Commands as processes: signals, pipes, encodings, and what a fault leaves behind."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from immunos_tui.__main__ import main
from tests.conftest import Done

Cli = Callable[..., Done]
Process = Callable[..., subprocess.CompletedProcess[str]]


def test_the_module_is_the_program(process: Process) -> None:
    assert process("issue", "new", "from a process").stdout == "1\n"
    done = process("issue", "list", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["items"][0]["title"] == "from a process"


def wait_until(condition: Callable[[], object], what: str, limit: float = 30.0) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler of its own for a signal."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


@contextmanager
def waiting_command(base: Path, cli: Cli) -> Iterator[subprocess.Popen[str]]:
    """A command that waits for a job which never runs, because somebody who does nothing holds the queue."""
    cli("agent", "new", "net-1", "--template", "network")
    data = base / "flows.csv"
    data.write_text("a,b\n1,2\n", encoding="utf-8")
    cli("thymus", "add", "--agent", "net-1", "--dataset", data)
    lock = base / ".immunos" / "state" / "jobs" / "queue.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        command = [sys.executable, "-m", "immunos_tui", "thymus", "wait", "1"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: catches(child.pid, signal.SIGTERM), "the command to begin")
            yield child
        finally:
            child.kill()
            child.communicate()


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "Interrupted"), (signal.SIGTERM, 143, "Terminated")]
)
def test_signals_end_a_command(base: Path, cli: Cli, number: signal.Signals, code: int, word: str) -> None:
    with waiting_command(base, cli) as child:
        child.send_signal(number)
        out, err = child.communicate(timeout=30)
    assert child.returncode == code
    assert (out, err) == ("", f"immunos-tui: {word}.\n")


def test_a_closed_pipe_is_quiet(process: Process, cli: Cli) -> None:
    cli("issue", "new", "x")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = process("issue", "list", capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_output_is_said(process: Process, cli: Cli) -> None:
    cli("issue", "new", "x")
    with open("/dev/full", "w", encoding="ascii") as full:
        done = process("issue", "list", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "immunos-tui: Cannot write the output: No space left on device.\n"


def test_closed_outputs_do_not_fail(base: Path) -> None:
    command = f"{sys.executable} -m immunos_tui issue new quiet >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0
    assert main(["issue", "show", "1"]) == 0


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_no_character_ends_a_command(process: Process, cli: Cli, locale: str) -> None:
    cli("issue", "new", "naïve 日本 \udcff")
    env = {**os.environ, "LC_ALL": locale, "PYTHONIOENCODING": "latin-1" if "8859" in locale else ""}
    done = process("issue", "list", env=env, text=False)
    assert done.returncode == 0
    assert b"\\udcff" in done.stdout  # type: ignore[comparison-overlap]


def test_a_narrow_terminal_is_never_overrun(base: Path, cli: Cli) -> None:
    import pty

    cli("issue", "new", "a title that is a good deal longer than forty columns allow", "--owner", "somebody")
    main_fd, child_fd = pty.openpty()
    try:
        import termios

        termios.tcsetwinsize(child_fd, (24, 60))
        done = subprocess.Popen(
            [sys.executable, "-m", "immunos_tui", "issue", "list"], stdout=child_fd, stderr=child_fd, stdin=child_fd
        )
        assert done.wait(60) == 0
        text = os.read(main_fd, 65536).decode()
    finally:
        os.close(child_fd)
        os.close(main_fd)
    lines = text.replace("\r\n", "\n").splitlines()
    assert len(lines) == 2
    assert max(len(line) for line in lines) == 60
    assert lines[1].endswith("…")


# Faults ---------------------------------------------------------------------------------------


def test_a_fault_of_the_program_goes_to_the_log(cli: Cli, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_more: Any) -> None:
        secret = "hunter2"  # noqa: F841 - must not be in the log
        raise RuntimeError("boom \x1b[2J")

    monkeypatch.setattr("immunos_tui.services.spleen.Spleen.list", broken)
    done = cli("issue", "list")
    log = base / ".immunos" / "state" / "immunos-tui.log"
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "RuntimeError: boom \\x1b[2J" in done.err
    assert str(log) in done.err
    text = log.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "\x1b" not in text
    assert "hunter2" not in text.replace('secret = "hunter2"', "")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_a_fault_with_no_place_for_the_log(cli: Cli, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("issue", "new", "x")
    log = base / ".immunos" / "state" / "immunos-tui.log"
    log.symlink_to(base / "elsewhere")
    monkeypatch.setattr("immunos_tui.services.spleen.Spleen.list", lambda *_a, **_k: 1 / 0)
    done = cli("issue", "list")
    assert done.code == 1
    assert "could not be written" in done.err
    assert not (base / "elsewhere").exists()


def test_a_large_log_is_put_aside_once(cli: Cli, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("immunos_tui.cli.failure.LOG_LIMIT", 10)
    monkeypatch.setattr("immunos_tui.services.spleen.Spleen.list", lambda *_a, **_k: 1 / 0)
    for _ in range(3):
        assert cli("issue", "list").code == 1
    state = base / ".immunos" / "state"
    assert sorted(path.name for path in state.glob("immunos-tui.log*")) == ["immunos-tui.log", "immunos-tui.log.1"]


def test_everything_is_private(cli: Cli, base: Path) -> None:
    cli("issue", "new", "x")
    cli("db", "backup")
    for path in (base / ".immunos").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, f"{path} is {mode:o}"
