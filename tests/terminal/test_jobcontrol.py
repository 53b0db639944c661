"""Stopping and continuing, under a real shell, under none, and inside tmux."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.terminal.conftest import real_command
from tests.terminal.ptyapp import PtyProgram, ctrl

pytestmark = pytest.mark.pty
Start = Callable[..., PtyProgram]
PROMPT = "ready% "


@pytest.fixture
def shell(start: Start) -> PtyProgram:
    """An interactive bash at its prompt."""
    program = start(["bash", "--noprofile", "--norc", "-i"], env={"PS1": PROMPT, "HISTFILE": "/dev/null"})
    program.wait_for(PROMPT.strip())
    return program


def run(shell: PtyProgram, command: str, wanted: str) -> list[str]:
    """Type a command at the prompt and wait for a text on the screen."""
    before = len(shell.output)
    shell.send(f"printf '\\033[2J\\033[H'; {command}\r")
    shell.wait_until(lambda: b"\x1b[2J\x1b[H" in shell.output[before:])
    return shell.wait_for(wanted)


def at_prompt(lines: list[str]) -> bool:
    """Whether the last line with anything on it is an empty prompt."""
    return [line for line in lines if line][-1:] == [PROMPT.strip()]


def wait_taken_again(program: PtyProgram, before: int) -> None:
    """Wait until the terminal was taken again after ``before``: keys typed while it is given back are dropped."""
    program.wait_until(lambda: b"press 0" in program.output[before:].partition(b"\x1b[?1049h")[2])


def test_ctrl_z_and_fg(shell: PtyProgram, fault_command: list[str]) -> None:
    run(shell, shlex.join([*fault_command, "--mouse"]), "press 0")
    shell.send("down", "z")
    shell.wait_for("Stopped")
    assert not set(shell.modes_left_on()) - {"bracketed paste"}  # bash's own at its prompt
    run(shell, "stty -a", "icanon")
    run(shell, "fg", "press 1")
    shell.send("down")
    shell.wait_for("press 2")
    shell.send("q")
    shell.wait_for(at_prompt)
    run(shell, "echo status=$?", "status=0")
    assert not set(shell.modes_left_on()) - {"bracketed paste"}


def test_ctrl_z_and_fg_in_the_real_program(triage: int, shell: PtyProgram) -> None:
    run(shell, shlex.join(real_command("--tab", "spleen")), "issue number")
    shell.send(ctrl("z"))
    shell.wait_for("Stopped")
    assert not set(shell.modes_left_on()) - {"bracketed paste"}
    run(shell, "fg", "issue number")
    shell.send("q")
    shell.wait_for(at_prompt)
    run(shell, "echo status=$?", "status=0")
    assert not set(shell.modes_left_on()) - {"bracketed paste"}


def test_started_through_a_wrapper_the_whole_job_stops(shell: PtyProgram, fault_command: list[str]) -> None:
    run(shell, f"sh -c {shlex.quote(shlex.join(fault_command) + '; echo after')}", "press 0")
    shell.send("z")
    shell.wait_for("Stopped")
    run(shell, "fg", "press 0")
    shell.send("q")
    shell.wait_for("after")


def test_started_in_the_background_it_waits_for_the_foreground(shell: PtyProgram, fault_command: list[str]) -> None:
    run(shell, f"{shlex.join(fault_command)} & until jobs -s | grep .; do sleep 0.1; done", "Stopped")
    assert "alternate screen" not in shell.modes_left_on()
    run(shell, "fg", "press 0")
    shell.send("q")
    shell.wait_for(at_prompt)
    run(shell, "echo status=$?", "status=0")


def test_continued_in_the_background_it_leaves_the_terminal_alone(shell: PtyProgram, fault_command: list[str]) -> None:
    run(shell, shlex.join(fault_command), "press 0")
    shell.send("z")
    shell.wait_for("Stopped")
    run(shell, "bg; until jobs -s | grep .; do sleep 0.1; done", "Stopped")
    assert "alternate screen" not in shell.modes_left_on()
    run(shell, "fg", "press 0")
    shell.send("down")
    shell.wait_for("press 1")


@pytest.mark.parametrize(("name", "code"), [("TERM", 143), ("HUP", 129)])
def test_killed_while_stopped_it_ends(shell: PtyProgram, fault_command: list[str], name: str, code: int) -> None:
    run(shell, shlex.join(fault_command), "press 0")
    shell.send("z")
    shell.wait_for("Stopped")
    run(shell, f"kill -{name} %1; until jobs | grep Exit; do sleep 0.1; done", f"Exit {code}")


def test_stopped_by_force_it_repaints_and_still_restores(fault: Start) -> None:
    program = fault("--mouse")
    program.kill(signal.SIGSTOP)
    program.wait_stopped()
    before = len(program.output)
    program.take_foreground()
    wait_taken_again(program, before)
    program.send("down")
    program.wait_for("press 1")
    program.send("q")
    assert program.wait_exit() == 0
    assert program.is_clean()


def test_with_no_shell_to_continue_it_a_stop_is_no_trap(fault: Start) -> None:
    program = fault(leads=True)
    before = len(program.output)
    program.send("z")
    wait_taken_again(program, before)
    program.send("down")
    program.wait_for("press 1")


@pytest.fixture
def tmux(terminal_env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., str]]:
    """A tmux server of its own; the call runs one tmux command and returns its output."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    socket = str(tmp_path / "tmux.sock")

    def command(*arguments: str) -> str:
        argv = ["tmux", "-u", "-S", socket, "-f", "/dev/null", *arguments]
        return subprocess.run(argv, env=terminal_env, capture_output=True, text=True, check=False).stdout

    yield command
    command("kill-server")


def test_in_tmux_without_a_shell(
    tmux: Callable[..., str], fault_command: list[str], start: Start, tmp_path: Path
) -> None:
    command = shlex.join(fault_command)
    client = start(
        ["tmux", "-u", "-S", str(tmp_path / "tmux.sock"), "-f", "/dev/null", "new-session", "exec " + command]
    )
    client.wait_for("press 0")
    assert tmux("show-options", "-gv", "default-terminal").strip() in ("screen", "screen-256color", "tmux-256color")
    client.send("z", "down")
    client.wait_for("press 1")
    assert "┤é" in tmux("capture-pane", "-p")
    pid = int(tmux("list-panes", "-F", "#{pane_pid}"))
    tmux("kill-server")
    client.wait_until(lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
