"""Many programs at once over one database, from an empty folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Done
from tests.torture.killing import ROUNDS, require_sound

PROCESSES = 8
EACH = 500 if ROUNDS >= 100 else 60
CHILD = (
    "import sys\n"
    "from immunos_tui.__main__ import main\n"
    f"for number in range({EACH}):\n"
    "    code = main(['issue', 'new', f'{sys.argv[1]}-{number}'])\n"
    "    if code: sys.exit(code)\n"
)


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_eight_programs_make_their_issues_at_once(base: Path, cli: Callable[..., Done], tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for name in range(PROCESSES)
    ]
    said = [child.communicate(timeout=600) for child in children]
    assert [(child.returncode, err) for child, (_, err) in zip(children, said, strict=True)] == [(0, "")] * PROCESSES
    numbers = [int(line) for out, _ in said for line in out.split()]
    total = PROCESSES * EACH
    assert sorted(numbers) == list(range(1, total + 1))
    items = json.loads(cli("issue", "list", "--json").out)["items"]
    assert len({item["title"] for item in items}) == total
    require_sound(cli)
    assert json.loads(cli("audit", "verify", "--json").out)["rows"] == total
