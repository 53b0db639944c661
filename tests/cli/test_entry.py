"""The entry: which arguments open the screens, and what the others cost."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from immunos_tui import __version__
from immunos_tui.__main__ import main, screen_flags
from tests.conftest import Done

Cli = Callable[..., Done]
Process = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The flags of each time that the screens were opened, without opening any."""
    calls: list[dict[str, Any]] = []
    stub = types.ModuleType("immunos_tui.opening")

    def open_screens(flags: dict[str, Any]) -> int:
        calls.append(dict(flags))
        return 0

    stub.open_screens = open_screens  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "immunos_tui.opening", stub)
    monkeypatch.setattr("immunos_tui.opening", stub, raising=False)
    return calls


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ([], {}),
        (["--tab", "spleen"], {"ui.start_tab": "spleen"}),
        (["--tab=kb", "--read-only"], {"ui.start_tab": "kb", "ui.read_only": True}),
        (["--ascii", "--no-mouse", "--slow"], {"ui.ascii": True, "ui.mouse": False, "ui.slow": True}),
        (["--tab"], None),
        (["--tab", "--slow"], None),
        (["--read-only", "issue", "list"], None),
        (["--help"], None),
        (["--colour"], None),
    ],
)
def test_screen_flags(words: list[str], flags: dict[str, Any] | None) -> None:
    assert screen_flags(words) == flags


def test_flags_alone_open_the_screens(opened: list[dict[str, Any]]) -> None:
    assert main([]) == 0
    assert main(["--tab=spleen", "--no-mouse"]) == 0
    assert opened == [{}, {"ui.start_tab": "spleen", "ui.mouse": False}]


def test_version(cli: Cli, opened: list[dict[str, Any]]) -> None:
    assert cli("--version") == Done(0, f"immunos-tui {__version__}\n", "")
    assert cli("--read-only", "--version") == Done(0, f"immunos-tui {__version__}\n", "")
    assert not opened


@pytest.mark.parametrize("word", ["-h", "--help"])
@pytest.mark.parametrize(
    "command",
    ["", "issue", "issue new", "agent", "thymus add", "scan", "tour", "status", "kb", "audit", "db", "config"],
)
def test_help(cli: Cli, command: str, word: str) -> None:
    done = cli(*command.split(), word)
    assert done.code == 0
    assert done.out.startswith(f"Usage: immunos-tui {command}".rstrip())
    assert done.err == ""


def test_help_lists_every_command(cli: Cli) -> None:
    from immunos_tui.cli.root import COMMANDS

    text = cli("--help").out
    assert all(f"\n  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        (("isue",), "Did you mean issue?"),
        (("issue", "lst"), "Did you mean list?"),
        (("thymus", "ad"), "Did you mean add?"),
        (("xyzzy",), "There are issue, agent"),
        (("--tabb", "x"), "--tab"),
        (("issue", "list", "--qurey", "x"), "--query"),
        (("--tab",), "requires an argument"),
        (("thymus", "show", "one"), "'one' is no number"),
        (("scan", "x"), "--agent"),
        (("thymus", "add", "--agent", "a", "--dataset", "b", "--clean", "maybe"), "'yes', 'no'"),
    ],
)
def test_usage_errors(cli: Cli, words: tuple[str, ...], needle: str) -> None:
    done = cli(*words)
    assert done.code == 2
    assert needle in done.err
    assert done.err.startswith("immunos-tui: ")
    assert done.err.count("\n") == 1


def test_a_group_alone_shows_its_help(cli: Cli) -> None:
    done = cli("issue")
    assert (done.code, done.out) == (2, "")
    assert "ack" in done.err


def test_a_wrong_tab_names_the_nearest(process: Process) -> None:
    done = process("--tab", "speen")
    assert done.returncode == 2
    assert "Did you mean spleen?" in done.stderr


def test_no_terminal_no_screens(process: Process) -> None:
    done = process()
    assert done.returncode == 2
    assert done.stdout.startswith("OK nothing yet")
    assert "need a terminal" in done.stderr


def imported(words: str, *, first: str = "--version") -> set[str]:
    """The modules that a command has imported by its end, in a fresh process."""
    program = (
        "import sys, json, contextlib, io\n"
        "from immunos_tui.__main__ import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        f"    code = main({first.split()!r}) or main({words.split()!r})\n"
        "assert code == 0, code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


HEAVY = {"textual", "numpy", "httpx", "sqlite_utils", "psutil", "pygments", "markdown_it", "asyncio"}


@pytest.mark.parametrize(
    "words",
    [
        "issue list",
        "issue new title",
        "issue list --json",
        "status",
        "thymus list",
        "agent list",
        "audit verify",
        "db check",
        "kb list",
    ],
)
def test_commands_stay_light(words: str) -> None:
    assert not imported(words, first="issue new one") & HEAVY


def test_version_needs_nothing() -> None:
    assert not imported("--version") & (HEAVY | {"click", "rich", "sqlite3", "dataclasses_json"})
