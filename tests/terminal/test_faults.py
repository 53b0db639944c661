"""A program that is interrupted in every way there is leaves its terminal as it found it."""

from __future__ import annotations

import re
import signal
import stat
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

from tests.terminal.ptyapp import PtyProgram

pytestmark = pytest.mark.pty
Fault = Callable[..., PtyProgram]


def wait_busy(program: PtyProgram, tmp_path: Path) -> None:
    program.wait_until((tmp_path / "log" / "busy").exists)


def test_the_private_names_that_the_driver_relies_on_exist() -> None:
    for name in ("_get_terminal_size", "_sigtstp_application", "_sigcont_application"):
        assert callable(getattr(LinuxDriver, name))
    names = set(LinuxDriver.__init__.__code__.co_names) | set(Driver.__init__.__code__.co_names)
    assert {"_file", "_writer_thread", "_must_signal_resume", "_in_band_window_resize"} <= names
    assert {"_auto_restart", "_app", "_loop", "_mouse"} <= names


def test_the_harness_sees_a_terminal_that_was_left_dirty(fault: Fault) -> None:
    program = fault("--mouse")
    program.kill(signal.SIGKILL)
    assert program.wait_exit() == -signal.SIGKILL
    assert {"alternate screen", "mouse", "bracketed paste", "cursor hidden"} <= set(program.modes_left_on())
    assert not program.is_cooked()


def test_quit(fault: Fault) -> None:
    program = fault("--mouse")
    program.wait_for("é…█→")
    program.send("q")
    assert program.wait_exit() == 0
    assert program.is_clean()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_cleanly(fault: Fault, number: signal.Signals) -> None:
    program = fault("--mouse")
    program.kill(number)
    assert program.wait_exit() == 128 + number
    assert program.is_clean()


@pytest.mark.parametrize(("key", "number"), [("b", signal.SIGTERM), ("s", signal.SIGHUP)])
def test_a_signal_ends_it_cleanly_while_it_is_busy(
    fault: Fault, tmp_path: Path, key: str, number: signal.Signals
) -> None:
    program = fault("--mouse")
    program.send(key)
    wait_busy(program, tmp_path)
    program.kill(number)
    assert program.wait_exit() == 128 + number
    assert program.is_clean()


@pytest.mark.parametrize("ignore", [[], [signal.SIGHUP]], ids=["plain", "nohup"])
def test_a_lost_terminal_ends_it(fault: Fault, ignore: list[int]) -> None:
    program = fault(ignore=ignore)
    program.hang_up()
    assert program.wait_exit() == 128 + signal.SIGHUP


def test_a_lost_terminal_ends_it_while_it_is_busy(fault: Fault, tmp_path: Path) -> None:
    program = fault(ignore=[signal.SIGHUP])
    program.send("b")
    wait_busy(program, tmp_path)
    program.hang_up()
    assert program.wait_exit() == 128 + signal.SIGHUP


def test_a_signal_ends_it_while_the_terminal_takes_nothing(fault: Fault) -> None:
    program = fault("--mouse")
    program.stall()
    columns = count(80)

    def full() -> bool:
        program.resize((next(columns), 24))
        return program.is_stuck()

    program.wait_until(full)
    program.kill(signal.SIGTERM)
    assert program.wait_exit() == 128 + signal.SIGTERM
    assert program.is_cooked()


def test_a_signal_that_was_ignored_stays_ignored(fault: Fault) -> None:
    program = fault(ignore=[signal.SIGHUP])
    program.kill(signal.SIGHUP)
    program.send("down")
    program.wait_for("press 1")


@pytest.mark.parametrize(("key", "name"), [("c", "ValueError: broken \\x1b[31m8"), ("w", "LookupError: in a worker")])
def test_a_crash_leaves_a_sentence_and_a_log_without_values(fault: Fault, tmp_path: Path, key: str, name: str) -> None:
    program = fault("--mouse")
    program.send(key)
    assert program.wait_exit() == 1
    assert program.is_clean()
    log = tmp_path / "log" / "crash"
    shown = "".join(line.ljust(80) for line in program.screen())
    assert name in shown
    assert "faultapp.py:" in shown
    assert str(log) in shown
    assert "Traceback" not in shown
    written = log.read_text()
    assert "Traceback" in written
    assert "\x1b" not in written
    assert "hunter2" not in written.replace('secret = "hunter2"', "")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_crash_in_a_thread_does_not_reach_the_screen(fault: Fault) -> None:
    program = fault()
    program.send("x", "down")
    assert not any("ZeroDivision" in line for line in program.wait_for("press 1"))
    program.send("q")
    assert program.wait_exit() == 0


def test_old_mouse_bytes_and_broken_utf8_are_no_end(fault: Fault) -> None:
    program = fault("--mouse")
    program.send_bytes(b"\x1b[M\xe0\xff\xfe\x1b[M !\xc3\xff\xfe\xc3\x28\x1b[99999999u\x1b[")
    program.send("down")
    program.send("down")
    program.wait_for(lambda lines: "press" in lines[1] and "press 0" not in lines[1])


def test_a_lone_escape_is_a_key(fault: Fault) -> None:
    program = fault()
    program.send("esc")
    program.wait_for("key escape")


def test_a_paste_is_one_event_and_no_key(fault: Fault) -> None:
    program = fault()
    text = "q" * 10_000
    program.send_bytes(b"\x1b[200~" + text.encode() + b"\x1b[201~")
    program.wait_for("pasted 10000")


def test_an_editor_has_the_terminal_to_itself(fault: Fault) -> None:
    program = fault("--mouse")
    program.send("v")
    program.wait_for("in the editor")
    assert program.is_clean()
    program.send("hello\r")
    program.wait_for("press 0")
    program.send("down")
    program.wait_for("press 1")
    program.send("q")
    assert program.wait_exit() == 0
    assert program.is_clean()


def test_a_storm_of_resizes_is_thinned_out_and_ends_at_the_last_size(fault: Fault) -> None:
    program = fault()
    program.resize(*((40 + step % 60, 8 + step % 30) for step in range(300)), (90, 20))
    lines = program.wait_for(lambda lines: "90x20" in lines[1] and len(lines[0]) == 90)
    found = re.search(r"resizes (\d+)", "\n".join(lines))
    assert found is not None
    assert int(found[1]) < 50


def test_resizes_that_the_terminal_reports_in_its_input_count_and_are_turned_off(fault: Fault) -> None:
    program = fault("--mouse", modes=[2026, 2048])
    program.wait_until(lambda: "resize reports" in program.modes_left_on())
    program.resize((100, 30))
    program.send_bytes(b"\x1b[48;30;100;480;800t")
    program.wait_for("100x30")
    program.send("q")
    assert program.wait_exit() == 0
    assert program.is_clean()


def test_an_exported_columns_does_not_freeze_the_size(fault: Fault) -> None:
    program = fault(env={"COLUMNS": "33", "LINES": "7"})
    program.wait_for("80x24")
    program.resize((70, 20))
    program.wait_for("70x20")


@pytest.mark.parametrize("env", [{"LANG": "C.UTF-8", "LC_ALL": "C"}, {"TERM": "vt220"}])
def test_only_ascii_goes_to_a_terminal_that_takes_no_more(fault: Fault, env: dict[str, str | None]) -> None:
    program = fault(env=env)
    program.wait_for("+e.#>????_-#+")
    program.send("q")
    program.wait_exit()
    assert program.output.isascii()
    assert b"\\u" not in program.output
    assert program.is_clean()


@pytest.mark.parametrize("how", ["q", "b"])
def test_a_console_without_alternate_screen_gets_an_empty_one_back(fault: Fault, tmp_path: Path, how: str) -> None:
    program = fault(env={"TERM": "linux"})
    program.send(how)
    if how == "b":
        wait_busy(program, tmp_path)
        program.kill(signal.SIGTERM)
    program.wait_exit()
    assert program.is_clean()
    assert b"\x1b[2J\x1b[H" in program.output[-100:]
    for asked in (b"$p", b"u"):
        assert not re.search(rb"\x1b\[[?<>]?\d*" + re.escape(asked), program.output)


def test_an_empty_no_color_is_none(fault: Fault) -> None:
    program = fault(env={"NO_COLOR": ""})
    assert re.search(rb"\x1b\[[\d;]*38;[25];", program.output)


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": None}])
def test_a_dumb_terminal_gets_a_sentence_and_no_control_sequence(
    start: Fault, fault_command: list[str], env: dict[str, str | None]
) -> None:
    program = start(fault_command, env={**env} if env["TERM"] else {"TERM": ""})
    assert program.wait_exit() == 2
    assert "TERM" in program.screen()[0]
    assert b"\x1b[" not in program.output


def test_at_rest_it_writes_nothing_and_hardly_wakes(fault: Fault) -> None:
    program = fault("--mouse")
    program.send("esc")
    program.wait_for("key escape")
    before = -1
    while before != len(program.output):  # the frame of that key may come in parts
        before = len(program.output)
        with suppress(AssertionError):
            program.wait_until(lambda seen=before: len(program.output) > seen, timeout=0.3)

    def wakes() -> int:
        tasks = Path(f"/proc/{program.pid}/task").iterdir()
        return sum(int(re.search(r"\nvoluntary\S+\s+(\d+)", (task / "status").read_text())[1]) for task in tasks)

    first = wakes()
    with pytest.raises(AssertionError, match="never held"):
        program.wait_until(lambda: len(program.output) > before, timeout=2.0)
    assert wakes() - first <= 8
