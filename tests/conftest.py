"""What every test may rely on: a house of its own in an empty folder, and no way out to a network."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

ROOT = Path(__file__).parents[1]
FORGET = ("NO_COLOR", "FORCE_COLOR", "OLLAMA_HOST", "TMUX", "STY", "COLORTERM", "COLUMNS", "LINES", "SUDO_USER")
FORGET_FROM = ("SSH_", "IMMUNOS_", "XDG_", "TEXTUAL", "ANTHROPIC_", "OPENAI_", "OPENROUTER_", "LC_")

hypothesis_settings.register_profile("house", deadline=None, print_blob=True)
hypothesis_settings.load_profile("house")


@dataclass(frozen=True)
class Done:
    """How one command ended, and what it said where."""

    code: int
    out: str
    err: str


def quiet_environment(home: Path) -> dict[str, str]:
    """The variables of a plain login: no colour wishes, no remote line, a home of its own."""
    kept = {
        name: value for name, value in os.environ.items() if name not in FORGET and not name.startswith(FORGET_FROM)
    }
    search = os.pathsep.join(part for part in (str(ROOT), kept.get("PYTHONPATH", "")) if part)
    return {
        **kept, "HOME": str(home), "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "PYTHONPATH": search,
        "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's files or wishes."""
    calm = quiet_environment(tmp_path)
    for name in set(os.environ) - set(calm):
        if name != "PYTEST_CURRENT_TEST" and not name.startswith("IMMUNOS_SHARED_DATA"):
            monkeypatch.delenv(name)
    for name, value in calm.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IMMUNOS_BASE_PATH", str(tmp_path / "base"))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only loopback and sockets in the file system can be connected to."""
    for name in ("connect", "connect_ex"):
        real = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, real: Callable[..., Any] = real) -> Any:
            host = address[0] if isinstance(address, tuple) else ""
            if self.family in (socket.AF_INET, socket.AF_INET6) and host not in ("127.0.0.1", "::1", "localhost"):
                raise AssertionError(f"a test tried to connect to {address}")
            return real(self, address)

        monkeypatch.setattr(socket.socket, name, guarded)


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> None:
    """A suite that runs in a shell's background finds SIGINT ignored, and so would every program that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The empty folder that IMMUNOS_BASE_PATH names; the program makes it when it needs it."""
    return tmp_path / "base"


@pytest.fixture
def house(base: Path) -> Iterator[Any]:
    """Every service over a database of its own."""
    from immunos_tui.config import Settings
    from immunos_tui.paths import find_paths
    from immunos_tui.services.house import open_house

    made = open_house(find_paths(), Settings())
    yield made
    made.close()


@pytest.fixture
def cli(base: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command in this process, as the entry point does."""
    from immunos_tui.__main__ import main

    def run(*words: object) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


@pytest.fixture
def process(base: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a process of its own, for what is about processes."""

    def run(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "immunos_tui", *(str(word) for word in words)]
        given = {
            "capture_output": True,
            "text": True,
            "cwd": tmp_path,
            "stdin": subprocess.DEVNULL,
            **options,
        }
        return subprocess.run(command, check=False, timeout=60, **given)

    return run


@pytest.fixture(scope="module")
def one_server() -> Iterator[Any]:
    from tests.llm.server import FakeOllama

    with FakeOllama() as found:
        yield found


@pytest.fixture
def server(one_server: Any) -> Any:
    """A server that answers like Ollama and can be told to fail, as it is at first."""
    one_server.again()
    return one_server


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real flows, lines and texts: the folder that IMMUNOS_SHARED_DATA names, else the one beside the project."""
    folder = Path(os.environ.get("IMMUNOS_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"there is no folder {folder}; IMMUNOS_SHARED_DATA names another")
    return folder
