"""What the tests of the screens rely on: one operator's name and host, whoever runs them and wherever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from immunos_tui.app import ImmunosApp
from tests.screens.driving import house_of


@pytest.fixture
def tabs_ahead() -> bool:
    """Whether tabs are made while the program is idle: they are made on the way there in most tests, to save time."""
    return False


@pytest.fixture(autouse=True)
def _one_operator(tabs_ahead: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is op1 on lab-07."""
    monkeypatch.setattr("immunos_tui.services.house.who", lambda _environ: ("op1", "op1"))
    if not tabs_ahead:
        monkeypatch.setattr(ImmunosApp, "_build_ahead", lambda _self: None)


@pytest.fixture
def house() -> Iterator[Any]:
    """The services over the folder that the program under test opens too."""
    made = house_of()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Any]:
    """The same folder as another operator, op2, has it open."""
    made = house_of("op2")
    yield made
    made.close()
