"""``config``: origins, validation with file, line and key, and paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Done

Cli = Callable[..., Done]


@pytest.fixture
def write(base: Path) -> Callable[[str], Path]:
    """Write the user's settings file."""

    def make(text: str) -> Path:
        file = base / ".immunos" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return make


def origins(cli: Cli, *flags: str) -> dict[str, tuple[object, str]]:
    done = cli(*flags, "config", "show", "--json")
    assert done.code == 0, done.err
    return {item["key"]: (item["value"], item["origin"]) for item in json.loads(done.out)["items"]}


def test_show_names_each_origin(
    cli: Cli, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = write('profile = "full"\n[ui]\n\ntheme = "nord"\nslow = true\n')
    monkeypatch.setenv("IMMUNOS_PROFILE", "lite")
    monkeypatch.setenv("OLLAMA_HOST", "0.0.0.0:9999")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "immunos.toml").write_text("[thymus]\nthreads = 2\n", encoding="utf-8")
    found = origins(cli, "--ascii")
    assert found["ui.theme"] == ("nord", f"{file}:4")
    assert found["profile"] == ("lite", "IMMUNOS_PROFILE")
    assert found["ollama.url"] == ("http://127.0.0.1:9999", "OLLAMA_HOST")
    assert found["thymus.threads"] == (2, f"{tmp_path / 'immunos.toml'}:2")
    assert found["ui.ascii"] == (True, "flag")
    assert found["ui.mouse"] == (True, "default")
    text = cli("config", "show").out
    assert "ui.theme" in text
    assert '"nord"' in text


def test_the_own_variable_wins_over_ollamas(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "1.2.3.4")
    monkeypatch.setenv("IMMUNOS_OLLAMA_URL", "http://127.0.0.1:7777")
    assert origins(cli)["ollama.url"] == ("http://127.0.0.1:7777", "IMMUNOS_OLLAMA_URL")


def test_a_valid_file(cli: Cli, write: Callable[[str], Path]) -> None:
    assert cli("config", "validate").out == "Valid: there is no settings file, so defaults hold.\n"
    file = write('[keys]\n"spleen.ack" = "o"\n[network]\nallow = ["10.0.0.5"]\n')
    done = cli("config", "validate")
    assert done == Done(0, f"Valid: {file}.\n", "")
    assert json.loads(cli("config", "validate", "--json").out) == {
        "schema_version": 1,
        "files": [str(file)],
        "valid": True,
        "errors": [],
        "warnings": [],
    }


def test_an_unknown_key_is_a_warning_with_the_nearest_name(cli: Cli, write: Callable[[str], Path]) -> None:
    file = write('[ui]\n\nthem = "nord"\n')
    done = cli("config", "validate")
    assert done.code == 0
    assert f"{file}:3" in done.err
    assert "Did you mean ui.theme?" in done.err
    assert "Did you mean ui.theme?" in cli("issue", "list").err


@pytest.mark.parametrize(
    ("text", "line", "needle"),
    [
        ("[ui\n", "", "line 1"),
        ('profile = "lite"\nprofile = "full"\n', "", "line 2"),
        ('\n[ui]\nstart_tab = "speen"\n', ":3", "Did you mean spleen?"),
        ("[ui]\nmouse = 1\n", ":2", "ui.mouse takes true or false"),
        ("[thymus]\nnice = -1\n", ":2", "thymus.nice"),
        ("[thymus]\nnice = 1.5\n", ":2", "a whole number"),
        ("[ollama]\npoll_seconds = nan\n", ":2", "ollama.poll_seconds"),
        ("[ollama]\npoll_seconds = inf\n", ":2", "ollama.poll_seconds"),
        ('[ollama]\nurl = "gopher://x"\n', ":2", "no address of an Ollama server"),
        ('[network]\nallow = "10.0.0.5"\n', ":2", "a list of texts"),
        ("keys = 3\n", ":1", "keys takes a table"),
        ("ui = 3\n", ":1", "ui is a section"),
        ("x = " + "[" * 5000 + "\n", "", "config.toml"),
    ],
)
def test_a_wrong_file_is_exit_2_with_file_line_and_key(
    cli: Cli, write: Callable[[str], Path], text: str, line: str, needle: str
) -> None:
    file = write(text)
    for words in (("config", "validate"), ("config", "validate", str(file)), ("issue", "list")):
        done = cli(*words)
        assert done.code == 2, words
        assert f"{file}{line}" in done.err
        assert needle in done.err
    assert cli("--version").code == 0
    assert cli("config", "paths").code == 0


def test_every_error_is_named_at_once(cli: Cli, write: Callable[[str], Path]) -> None:
    write("[ui]\nmouse = 1\nascii = 2\n[thymus]\nthreads = 0\n")
    body = json.loads(cli("config", "validate", "--json").out)
    assert not body["valid"]
    assert len(body["errors"]) == 3


def test_a_wrong_variable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMMUNOS_PROFILE", "medium")
    for words in (("config", "validate"), ("issue", "list")):
        done = cli(*words)
        assert done.code == 2
        assert "IMMUNOS_PROFILE" in done.err


def test_files_that_cannot_be_read(cli: Cli, base: Path, write: Callable[[str], Path]) -> None:
    assert cli("config", "validate", base / "none.toml").code == 5
    file = write("")
    file.write_bytes(b"\xff\xfe")
    assert cli("config", "validate").code == 2
    file.unlink()
    file.mkdir()
    done = cli("issue", "list")
    assert done.code == 2
    assert str(file) in done.err


def test_paths(cli: Cli, base: Path) -> None:
    body = json.loads(cli("config", "paths", "--json").out)
    assert body["database"] == str(base / ".immunos" / "immunos-tui.db")
    assert body["daily"] == str(base / "daily")
    assert "secret_key" in cli("config", "paths").out
    assert not base.exists()
