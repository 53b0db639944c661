"""A hasty operator: works through commands without end, and writes down each one before and after it.

``python -m tests.torture.operator LOG SEED``. A line ``done`` is written only after exit code 0, so everything
that has one must be in the database, whatever happens to this process.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sys
from typing import Any

from immunos_tui.__main__ import main


def run(*words: object) -> str:
    """Run a command in this process; its output, once it has ended with exit code 0."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main([str(word) for word in words])
    if code:
        raise SystemExit(f"exit code {code} of {words}")
    return out.getvalue()


class Operator:
    """Does random steps on issues of its own."""

    def __init__(self, log: int, seed: int) -> None:
        self.log = log
        self.dice = random.Random(seed)
        self.name = f"{os.getpid()}-{seed}"
        self.count = 0
        self.mine: list[int] = []

    def note(self, **line: Any) -> None:
        os.write(self.log, json.dumps(line).encode() + b"\n")

    def step(self) -> None:
        self.count += 1
        token = f"{self.name}-{self.count}"
        if not self.mine or self.dice.random() < 0.3:
            self.note(do="new", token=token)
            number = int(run("issue", "new", token))
            self.mine.append(number)
            self.note(done="new", token=token, id=number)
            return
        number = self.dice.choice(self.mine)
        getattr(self, self.dice.choice(["priority", "comment", "assign", "judge"]))(number, token)

    def priority(self, number: int, _token: str) -> None:
        self.set(
            number,
            "priority",
            self.dice.choice(["critical", "high", "medium", "low"]),
            "issue",
            "edit",
            number,
            "--priority",
        )

    def assign(self, number: int, token: str) -> None:
        run("issue", "edit", number, "--body", "x")
        self.set(number, "project", token, "issue", "edit", number, "--project")

    def set(self, number: int, field: str, value: str, *words: object) -> None:
        self.note(do="set", id=number, field=field, value=value)
        run(*words, value)
        self.note(done="set", id=number, field=field, value=value)

    def comment(self, number: int, token: str) -> None:
        """A comment, which every other time is taken back."""
        self.note(do="comment", id=number, token=token)
        run("issue", "comment", number, token)
        self.note(done="comment", id=number, token=token)
        if self.dice.random() < 0.5:
            self.note(do="uncomment", id=number, token=token)
            run("issue", "undo")
            self.note(done="uncomment", id=number, token=token)

    def judge(self, number: int, token: str) -> None:
        """A verdict that resolves, and then the issue is opened again, so that it can go on."""
        self.note(do="set", id=number, field="verdict", value="benign")
        run("issue", "verdict", number, "benign", "--why", token)
        self.note(done="set", id=number, field="verdict", value="benign")
        self.note(do="set", id=number, field="verdict", value=None)
        run("issue", "reopen", number)
        self.note(done="set", id=number, field="verdict", value=None)


def work(path: str, seed: int) -> None:
    operator = Operator(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), seed)
    while True:
        operator.step()


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]))
