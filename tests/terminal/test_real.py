"""The real program in a pseudo-terminal: what it shows on every kind of terminal, and how it leaves it."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.terminal.conftest import ROOT, real_command
from tests.terminal.ptyapp import PtyProgram, ctrl

pytestmark = pytest.mark.pty
Program = Callable[..., PtyProgram]
COLOR = re.compile(rb"\x1b\[(?:[\d;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[\d;]*)?m")


def leave(program: PtyProgram) -> None:
    """Quit by key; the terminal is as it was found."""
    program.send("q")
    assert program.wait_exit() == 0
    assert program.is_clean()


def test_quit(real: Program) -> None:
    program = real("--read-only")
    program.send(ctrl("q"))
    assert program.wait_exit() == 0
    assert program.is_clean()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(real: Program, number: signal.Signals) -> None:
    program = real()
    program.kill(number)
    assert program.wait_exit() == 128 + number
    assert program.is_clean()


def test_a_lost_terminal_ends_it_also_where_the_signal_for_it_is_ignored(real: Program) -> None:
    program = real(ignore=[signal.SIGHUP])
    program.hang_up()
    assert program.wait_exit() == 128 + signal.SIGHUP


def test_a_dumb_terminal_gets_the_posture_as_text(start: Program, triage: int) -> None:
    program = start(real_command(), env={"TERM": "dumb"})
    assert program.wait_exit() == 2
    shown = " ".join(program.screen())
    assert "TERM" in shown
    assert str(triage) in shown
    assert b"\x1b[" not in program.output


def test_a_pipe_gets_the_posture_as_text(terminal_env: dict[str, str], triage: int) -> None:
    done = subprocess.run(
        real_command(), env=terminal_env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert str(triage) in done.stdout
    assert "immunos-tui status" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("env", [{"TERM": "linux"}, {"LANG": None}])
def test_only_ascii_goes_to_a_terminal_that_takes_no_more(real: Program, env: dict[str, str | None]) -> None:
    program = real(env=env)
    program.wait_for("issue number 29 e")
    leave(program)
    assert program.output.isascii()
    assert b"\\u" not in program.output


@pytest.mark.parametrize("term", ["screen-256color", "linux"])
def test_no_terminal_is_sent_more_colours_than_it_has(real: Program, term: str) -> None:
    program = real(env={"TERM": term})
    program.send("down", "?")
    program.wait_for(lambda lines: sum("issue number" in line for line in lines) < 20)
    assert COLOR.search(program.output)
    assert not re.search(rb"\x1b\[[\d;]*[34]8;2;", program.output)
    assert term != "linux" or not re.search(rb"\x1b\[[\d;]*[34]8;5;", program.output)


def test_no_color_sends_no_colour_and_still_shows_where_the_cursor_is(real: Program) -> None:
    program = real(env={"NO_COLOR": "1"})
    before = len(program.output)
    program.send("down")
    program.wait_until(lambda: len(program.output) > before)
    leave(program)
    assert not COLOR.search(program.output)


def test_the_list_is_usable_in_a_small_pane(real: Program) -> None:
    program = real(size=(60, 15))
    for size in ((60, 15), (80, 24)):
        program.resize(size)
        lines = program.wait_for(lambda lines: any("Spleen" in line for line in lines))
        assert sum("issue number" in line for line in lines) >= 3
        program.send("1")
        program.wait_for(lambda lines: not any("issue number" in line for line in lines))
        program.send("3")
        program.wait_for("issue number")
    leave(program)


def test_a_terminal_that_is_too_small_shows_what_fits_and_is_no_end(real: Program, triage: int) -> None:
    program = real()
    for size in ((50, 12), (20, 5), (8, 2), (1, 1)):
        program.resize(size)
        if size[0] >= 20:
            program.wait_for(str(triage))
    program.resize((80, 24))
    program.wait_for(lambda lines: sum("issue number" in line for line in lines) >= 3)
    leave(program)


def test_started_in_a_terminal_that_is_too_small_it_shows_what_is_waiting(start: Program, triage: int) -> None:
    program = start(real_command("--tab", "spleen"), size=(20, 5))
    program.wait_for(str(triage))
    leave(program)


def test_a_storm_of_resizes_ends_in_the_picture_that_was_there_before(real: Program) -> None:
    program = real()
    before = settled(program)
    program.resize(*((20 + 3 * step, 4 + step % 40) for step in range(60)), (80, 24))
    program.wait_for(lambda lines: lines == before)
    leave(program)


def test_at_rest_on_day_old_issues_it_writes_nothing(real: Program) -> None:
    program = real("--slow", "--no-mouse")
    settled(program)
    assert b"\x1b[?1000h" not in program.output
    before = len(program.output)
    with pytest.raises(AssertionError, match="never held"):
        program.wait_until(lambda: len(program.output) > before, timeout=2.0)


def settled(program: PtyProgram) -> list[str]:
    """The picture once nothing has been written for a second: every tab is built by then."""
    seen = -1
    while seen != len(program.output):
        seen = len(program.output)
        try:
            program.wait_until(lambda seen=seen: len(program.output) > seen, timeout=1.0)
        except AssertionError:
            break
    return program.screen()


def test_the_crash_log_is_where_the_sentence_says(start: Program, tmp_path: Path, triage: int) -> None:
    script = tmp_path / "crash.py"
    script.write_text(
        "import sys\n"
        "import immunos_tui.widgets.table as table\n"
        "def broken(*_, **__):\n"
        "    raise KeyError('a column')\n"
        "table.RowTable.render_line = broken\n"
        "from immunos_tui.__main__ import main\n"
        "sys.exit(main(['--tab', 'spleen']))\n"
    )
    program = start([real_command()[0], str(script)], env={"PYTHONPATH": str(ROOT)})
    assert program.wait_exit() == 1
    assert program.is_clean()
    shown = "".join(line.ljust(80) for line in program.screen())
    found = re.search(r"details are in (\S+)\.", shown)
    assert found is not None, shown
    assert "KeyError" in Path(found[1]).read_text()
