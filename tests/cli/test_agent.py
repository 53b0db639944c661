"""``agent``: templates, new agents, versions, and how an evaluation reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import Done
from tests.houses import trained_agent

Cli = Callable[..., Done]


def test_templates(cli: Cli, base: Path) -> None:
    items = json.loads(cli("agent", "templates", "--json").out)["items"]
    assert {"network", "tabular", "logs", "text"} <= {item["name"] for item in items}
    assert "network" in cli("agent", "templates").out
    assert not base.exists()


def test_new_list_show(cli: Cli) -> None:
    assert cli("agent", "list").out == ""
    done = cli("agent", "new", "net-1", "--template", "network")
    assert (done.code, done.out) == (0, "net-1\n")
    assert "thymus add --agent net-1" in done.err
    body = json.loads(cli("agent", "list", "--json").out)
    assert (body["schema_version"], body["items"][0]["state"]) == (1, "stub")
    assert "net-1" in cli("agent", "list").out
    shown = json.loads(cli("agent", "show", "net-1", "--json").out)
    assert (shown["name"], shown["template"], shown["versions"], shown["in_service"]) == ("net-1", "network", [], None)
    assert json.loads(cli("agent", "new", "b", "--template", "logs", "--json").out)["domain"] == "logs"


@pytest.mark.parametrize(
    ("words", "code", "needle"),
    [
        (("Net 1", "--template", "network"), 2, "cannot name an agent"),
        (("../x", "--template", "network"), 2, "cannot name an agent"),
        (("x", "--template", "netwrk"), 2, "Did you mean network?"),
        (("taken", "--template", "logs"), 4, "already"),
        (("x",), 2, "--template"),
    ],
)
def test_new_refuses(cli: Cli, words: tuple[str, ...], code: int, needle: str) -> None:
    cli("agent", "new", "taken", "--template", "network")
    done = cli("agent", "new", *words)
    assert done.code == code
    assert needle in done.err
    assert len(json.loads(cli("agent", "list", "--json").out)["items"]) == 1


@pytest.mark.parametrize("text", ['preset = "lite"\nproject = "p"\n', '{"preset": "lite", "project": "p"}'])
def test_answers(cli: Cli, tmp_path: Path, text: str) -> None:
    file = tmp_path / "answers"
    file.write_text(text, encoding="utf-8")
    assert cli("agent", "new", "a", "--template", "network", "--answers", file).code == 0
    params = json.loads(cli("agent", "show", "a", "--json").out)["params"]
    assert (params["preset"], params["project"]) == ("lite", "p")


@pytest.mark.parametrize(
    ("text", "code", "needle"),
    [
        ('prest = "lite"', 2, "Did you mean preset?"),
        ('preset = "heavy"', 2, "immune, lite, robust"),
        ("project = 3", 2, "a text"),
        ("= =", 1, "neither TOML nor JSON"),
        (None, 5, "There is no file"),
    ],
)
def test_answers_that_are_wrong(cli: Cli, tmp_path: Path, text: str | None, code: int, needle: str) -> None:
    file = tmp_path / "answers.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    done = cli("agent", "new", "a", "--template", "network", "--answers", file)
    assert done.code == code
    assert needle in done.err
    assert str(file) in done.err


def test_versions_and_promotion(cli: Cli, house: Any) -> None:
    assert cli("agent", "promote", "none").code == 5
    cli("agent", "new", "net-1", "--template", "network")
    assert cli("agent", "promote", "net-1").code == 4
    trained_agent(house)
    trained_agent(house)
    shown = json.loads(cli("agent", "show", "net-1", "--json").out)
    assert [(item["number"], item["state"]) for item in shown["versions"]] == [(2, "candidate"), (1, "in_service")]
    assert (shown["state"], shown["in_service"], shown["version_count"]) == ("active", 1, 2)
    assert cli("agent", "promote", "net-1").out == "net-1 version 2 is in service.\n"
    assert cli("agent", "promote", "net-1", "2").code == 4
    assert json.loads(cli("agent", "promote", "net-1", "1", "--json").out)["number"] == 1
    assert cli("agent", "promote", "net-1", "7").code == 5
    text = cli("agent", "show", "net-1").out
    assert "in_service" in text
    assert "0.9500" in text
    assert "strong" in cli("agent", "list").out


FIGURES: dict[str, Any] = {
    "rows": 100, "self_rows": 60, "auroc": 0.95123, "auroc_interval": [0.94, 0.96], "aupr": 0.9, "aupr_interval": [0.88, 0.92],
    "levels": [{"alpha": 0.01, "threshold": 9.5, "fpr": 0.012, "tpr": 0.8, "accuracy": 0.9, "flagged": 33}],
    "majority_accuracy": 0.6, "grade": "strong", "drift": {"sentence": "about 1 of 60 would be flagged; 30 were \x1b[2J"},
}  # fmt: skip


def test_an_evaluation(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def evaluate(name: str, path: str, **more: Any) -> Any:
        asked.append((name, path, more["label"], more["self_value"], more["drop"]))
        return SimpleNamespace(as_dict=lambda: FIGURES)

    monkeypatch.setattr("immunos_tui.services.house.House.malt", SimpleNamespace(evaluate=evaluate))
    words = (
        "agent",
        "evaluate",
        "net-1",
        "flows.csv",
        "--label",
        "label",
        "--self",
        "normal",
        "--drop",
        "a,b",
        "--drop",
        "c",
    )
    body = json.loads(cli(*words, "--json").out)
    assert body == {"schema_version": 1, **FIGURES}
    assert asked == [("net-1", "flows.csv", "label", "normal", ["a", "b", "c"])]
    text = cli(*words).out
    assert "0.9512 (95 %: 0.9400 to 0.9600)" in text
    assert "0.6000, accuracy without any detector" in text
    assert "about 1 of 60 would be flagged; 30 were \\x1b[2J" in text


def test_an_evaluation_of_one_class_only(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {
        **FIGURES,
        "auroc": None,
        "auroc_interval": None,
        "aupr": None,
        "aupr_interval": None,
        "drift": float("nan"),
    }
    malt = SimpleNamespace(evaluate=lambda *_a, **_k: SimpleNamespace(as_dict=lambda: figures))
    monkeypatch.setattr("immunos_tui.services.house.House.malt", malt)
    words = ("agent", "evaluate", "n", "p", "--label", "l", "--self", "s")
    assert "one of the classes is missing" in cli(*words).out
    assert json.loads(cli(*words, "--json").out)["drift"] is None
