"""What is decided from variables, flags and descriptors before Textual is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immunos_tui.terminal.environment import (
    Colors,
    Flags,
    TerminalEnvironment,
    detect,
    has_utf8,
    prepare,
    refusal,
)

UTF8 = {"LANG": "en_GB.UTF-8"}


def on_terminal(environ: dict[str, str], flags: Flags | None = None) -> TerminalEnvironment:
    """``detect`` on a real pseudo-terminal."""
    master, slave = os.openpty()
    try:
        return detect(environ, flags, input_fd=slave, output_fd=slave)
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"LANG": "C"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LC_CTYPE": "UTF-8"}, True),
        ({"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, False),
        ({"LC_ALL": "", "LC_CTYPE": "", "LANG": "C.UTF-8"}, True),
        ({"LC_CTYPE": "POSIX", "LANG": "C.UTF-8"}, False),
    ],
)
def test_the_locale_is_read_in_the_order_of_posix(environ: dict[str, str], expected: bool) -> None:
    assert has_utf8(environ) is expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color"}, Colors.MANY),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, Colors.TRUE),
        ({"TERM": "xterm-direct"}, Colors.TRUE),
        ({"TERM": "screen-256color"}, Colors.MANY),
        ({"TERM": "screen-256color", "COLORTERM": "truecolor", "STY": "1.pts"}, Colors.MANY),
        ({"TERM": "linux", "COLORTERM": "truecolor"}, Colors.SIXTEEN),
        ({"TERM": "xterm"}, Colors.SIXTEEN),
        ({"TERM": "vt220"}, Colors.NONE),
        ({"TERM": "dumb"}, Colors.NONE),
    ],
)
def test_colours(environ: dict[str, str], expected: Colors) -> None:
    assert on_terminal(environ).colors is expected


@pytest.mark.parametrize(
    ("environ", "flags", "expected"),
    [
        ({"TERM": "xterm", **UTF8}, Flags(), False),
        ({"TERM": "xterm", **UTF8}, Flags(ascii=True), True),
        ({"TERM": "linux", **UTF8}, Flags(), True),
        ({"TERM": "vt100", **UTF8}, Flags(), True),
        ({"TERM": "xterm"}, Flags(), True),
    ],
)
def test_ascii_only(environ: dict[str, str], flags: Flags, expected: bool) -> None:
    assert on_terminal(environ, flags).ascii_only is expected


@pytest.mark.parametrize(
    ("environ", "mouse", "expected"),
    [
        ({"TERM": "xterm"}, None, True),
        ({"TERM": "xterm"}, False, False),
        ({"TERM": "tmux-256color"}, None, False),
        ({"TERM": "xterm", "TMUX": "/tmp/x,1,0"}, None, False),
        ({"TERM": "xterm", "TMUX": "/tmp/x,1,0"}, True, True),
    ],
)
def test_mouse(environ: dict[str, str], mouse: bool | None, expected: bool) -> None:
    assert on_terminal(environ, Flags(mouse=mouse)).mouse is expected


def test_a_slow_line() -> None:
    assert not on_terminal({"TERM": "xterm"}).slow
    assert on_terminal({"TERM": "xterm"}, Flags(slow=True)).slow
    assert on_terminal({"TERM": "xterm", "SSH_CONNECTION": "1 2 3 4"}).slow
    assert on_terminal({"TERM": "xterm", "SSH_TTY": "/dev/pts/1"}).slow


def test_a_size_of_nothing_becomes_80_by_24() -> None:
    env = on_terminal({"TERM": "xterm"})
    assert (env.columns, env.rows) == (80, 24)


def test_no_color_counts_only_when_it_is_not_empty() -> None:
    empty = on_terminal({"TERM": "xterm-256color", "NO_COLOR": ""})
    full = on_terminal({"TERM": "xterm-256color", "NO_COLOR": "1"})
    assert (empty.no_color, empty.theme) == (False, None)
    assert (full.no_color, full.theme) == (True, "ansi-dark")


@pytest.mark.parametrize("term", ["dumb", "", None])
def test_a_dumb_terminal_is_refused_with_what_to_do(term: str | None) -> None:
    environ = {} if term is None else {"TERM": term}
    sentence = refusal(on_terminal(environ))
    assert sentence is not None
    assert "TERM" in sentence
    assert "immunos-tui status" in sentence


def test_a_pipe_is_refused_and_a_terminal_is_not() -> None:
    read, write = os.pipe()
    sentence = refusal(detect({"TERM": "xterm"}, input_fd=read, output_fd=write))
    os.close(read)
    os.close(write)
    assert sentence is not None
    assert "not one" in sentence
    assert refusal(on_terminal({"TERM": "xterm"})) is None


def test_prepare_sets_what_textual_reads_and_leaves_what_the_operator_set() -> None:
    environ = {"TERM": "xterm-256color", "NO_COLOR": "", "COLUMNS": "200", "LINES": "9", **UTF8}
    prepare(environ, on_terminal(environ, Flags(slow=True)))
    assert "NO_COLOR" not in environ
    assert "COLUMNS" not in environ
    assert "LINES" not in environ
    assert environ["TEXTUAL_ANIMATIONS"] == "none"
    assert environ["TEXTUAL_FPS"] == "15"
    assert environ["TEXTUAL_SMOOTH_SCROLL"] == "0"
    assert environ["TEXTUAL_COLOR_SYSTEM"] == "256"
    own = {"TERM": "xterm", "TEXTUAL_FPS": "30", **UTF8}
    prepare(own, on_terminal(own, Flags(slow=True)))
    assert own["TEXTUAL_FPS"] == "30"


def test_prepare_keeps_a_real_no_color_and_sets_it_where_there_are_no_colours() -> None:
    asked = {"TERM": "xterm-256color", "NO_COLOR": "yes"}
    prepare(asked, on_terminal(asked))
    assert asked["NO_COLOR"] == "yes"
    serial = {"TERM": "vt220"}
    prepare(serial, on_terminal(serial))
    assert serial["NO_COLOR"] == "1"


@given(
    st.dictionaries(st.sampled_from(["TERM", "LANG", "LC_ALL", "COLORTERM", "NO_COLOR", "STY"]), st.text(max_size=9))
)
def test_nothing_in_the_variables_makes_it_fail(environ: dict[str, str]) -> None:
    env = detect(environ, input_fd=-1, output_fd=-1)
    assert refusal(env)
    prepare(environ, env)


def test_deciding_does_not_import_textual() -> None:
    code = "import sys, immunos_tui.terminal.environment; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
