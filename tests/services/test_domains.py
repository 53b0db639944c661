"""Each domain trained from the command line on its own data, with the grade that it honestly gets."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from immunos_tui.resources import resource
from immunos_tui.services.foundry import caveat, templates
from immunos_tui.widgets.job_rows import agent_lines
from immunos_tui.widgets.palette import OWN_THEMES, make_palette
from tests.conftest import Done
from tests.houses import trained_agent

Cli = Callable[..., Done]
STYLE = ("emotion", "hallucination", "research", "code-labelled")

csv.field_size_limit(1 << 27)


def sampled(source: Path, target: Path, rows: int | None = None, shuffle: str = "", seed: int = 0) -> Path:
    """Some rows of a data set in their order; ``shuffle`` names a column whose values are dealt out anew."""
    rng = random.Random(seed)
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    if rows is not None and rows < len(found):
        found = [found[i] for i in sorted(rng.sample(range(len(found)), rows))]
    if shuffle:
        values = [row[shuffle] for row in found]
        rng.shuffle(values)
        found = [{**row, shuffle: value} for row, value in zip(found, values, strict=True)]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    return target


def trained(cli: Cli, template: str, path: Path, own: str, *more: str) -> dict[str, Any]:
    """The metrics of an agent of a template that was trained by command."""
    assert cli("agent", "new", "a-1", "--template", template).code == 0
    added = cli("thymus", "add", "--agent", "a-1", "--dataset", path, "--label", "label", "--self", own, *more)
    assert added.code == 0, added.err
    ran = cli("thymus", "run")
    assert ran.code == 0, ran.out
    shown = json.loads(cli("agent", "show", "a-1", "--json").out)
    assert shown["caveat"] == caveat(template)
    metrics: dict[str, Any] = shown["versions"][0]["metrics"]
    assert metrics["majority_accuracy"] >= 0.5
    return metrics


def test_network(cli: Cli, shared_data: Path, tmp_path: Path) -> None:
    flows = sampled(shared_data / "network/nslkdd_train20.csv.gz", tmp_path / "flows.csv", 6000)
    metrics = trained(cli, "network", flows, "normal", "--drop", "attack,difficulty")
    assert metrics["grade"] == "strong"
    assert metrics["auroc"] >= 0.95
    test = sampled(shared_data / "network/nslkdd_test.csv.gz", tmp_path / "test.csv", 3000)
    labels = ("--label", "label", "--self", "normal", "--drop", "attack,difficulty")
    figures = json.loads(cli("agent", "evaluate", "a-1", test, *labels, "--json").out)
    assert figures["auroc"] >= 0.93
    assert figures["caveat"] == ""


def test_known_threats_in_a_table(cli: Cli, shared_data: Path, tmp_path: Path) -> None:
    flows = sampled(shared_data / "network/nslkdd_train20.csv.gz", tmp_path / "flows.csv", 4000)
    metrics = trained(cli, "threats", flows, "normal", "--drop", "attack,difficulty")
    assert metrics["grade"] == "strong"


def test_log_lines_in_time_order(cli: Cli, shared_data: Path) -> None:
    others = "LineId,Timestamp,Node,Type,Component,Level,EventId,alert_tag"
    metrics = trained(cli, "logs", shared_data / "logs/bgl_2k.csv.gz", "normal", "--drop", others)
    assert metrics["held_out"] == "the latest fifth by Timestamp"
    assert metrics["grade"] in ("weak", "usable", "strong")
    assert metrics["levels"][0]["fpr"] > 0.1, "normal lines of later days are new: the rate has to say so"


def test_event_sequences(cli: Cli, shared_data: Path) -> None:
    metrics = trained(cli, "logs", shared_data / "logs/hdfs_sequences.csv.gz", "normal")
    assert metrics["grade"] == "strong"
    assert metrics["auroc"] >= 0.99


def test_messages_with_labels(cli: Cli, shared_data: Path, tmp_path: Path) -> None:
    path = sampled(shared_data / "text/sms_spam.csv.gz", tmp_path / "sms.csv", 2400)
    metrics = trained(cli, "messages", path, "ham")
    assert metrics["grade"] == "strong"
    assert metrics["auroc"] >= 0.985
    assert metrics["levels"][0]["fpr"] <= 0.03
    scan = json.loads(cli("scan", path, "--agent", "a-1", "--json").out)
    assert scan["issues_made"]
    detail = json.loads(cli("issue", "show", scan["issues_made"][0], "--json").out)
    assert "word of spam" in detail["evidence"][0]["explanation"]["sentence"]
    again = cli("thymus", "reproduce", "1")
    assert again.code == 0, again.out


def test_shuffled_labels_are_refused_and_a_scan_gives_no_verdicts(cli: Cli, shared_data: Path, tmp_path: Path) -> None:
    path = sampled(shared_data / "text/sms_spam.csv.gz", tmp_path / "sms.csv", 2200, shuffle="label", seed=1)
    metrics = trained(cli, "messages", path, "ham")
    assert metrics["grade"] == "not usable"
    assert metrics["auroc"] == pytest.approx(0.5, abs=0.12)
    done = cli("scan", path, "--agent", "a-1", "--json", "--scores", tmp_path / "scores.csv")
    scan = json.loads(done.out)
    assert scan["counts"] == {"unjudged": 2200}
    assert (scan["recorded"], scan["issues_made"]) == (0, [])
    assert "not usable" in scan["refused"]
    assert "no verdicts, only a ranking" in cli("scan", path, "--agent", "a-1").out
    assert json.loads(cli("issue", "list", "--json").out)["items"] == []


def test_claims_without_evidence(cli: Cli, shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "text/scifact_claims.csv.gz"
    metrics = trained(cli, "research", path, "support", "--drop", "id,split")
    assert metrics["grade"] == "not usable"
    said = caveat("research")
    assert said in cli("thymus", "show", "1").out
    assert said in cli("agent", "show", "a-1").out
    labels = ("--label", "label", "--self", "support", "--drop", "id,split")
    assert said in cli("agent", "evaluate", "a-1", path, *labels).out
    scanned = cli("scan", path, "--agent", "a-1").out
    assert said in scanned
    assert "not usable" in scanned
    assert "unjudged" in scanned


def test_answers(cli: Cli, shared_data: Path) -> None:
    path = shared_data / "text/truthfulqa_answers.csv.gz"
    metrics = trained(cli, "hallucination", path, "truthful", "--drop", "qid,category,question")
    assert metrics["held_out"] == "a fifth of the rows, in whole groups of question"
    assert 0.7 <= metrics["auroc"] <= 0.9
    assert metrics["grade"] in ("weak", "usable")


@pytest.mark.slow
def test_emotions(cli: Cli, shared_data: Path, tmp_path: Path) -> None:
    path = sampled(shared_data / "text/goemotions_ekman.csv.gz", tmp_path / "comments.csv", 4000)
    metrics = trained(cli, "emotion", path, "neutral", "--drop", "id,split")
    assert metrics["grade"] in ("weak", "usable")
    assert metrics["macro_f1"] >= 0.3
    assert len(metrics["labels"]) == 7
    assert metrics["class_accuracy"] > metrics["class_majority_accuracy"]
    assert "macro F1" in cli("thymus", "show", "1").out


@pytest.mark.slow
def test_functions_by_repository(cli: Cli, shared_data: Path) -> None:
    path = shared_data / "code/sven_code.csv.gz"
    metrics = trained(cli, "code-labelled", path, "safe", "--drop", "pair,cwe,repo,lang")
    assert metrics["held_out"] == "each fifth of the rows in turn, in whole groups of repo"
    assert metrics["grade"] == "weak"
    assert 0.65 <= metrics["auroc"] <= 0.82


def test_a_labelled_agent_needs_labels_of_both_kinds(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("label,text\n" + "".join(f"ham,good morning number {i}\n" for i in range(40)))
    cli("agent", "new", "m-1", "--template", "messages")
    refused = cli("thymus", "add", "--agent", "m-1", "--dataset", path)
    assert refused.code == 2
    assert "learns from labels" in refused.err
    cli("thymus", "add", "--agent", "m-1", "--dataset", path, "--label", "label", "--self", "ham")
    ran = cli("thymus", "run")
    assert ran.code == 1
    assert "a labelled agent needs both" in ran.out


def test_caveats_belong_to_the_templates(cli: Cli) -> None:
    assert {item.name for item in templates() if item.caveat} == set(STYLE)
    assert {item.name for item in templates() if item.role == "bcell"} == {*STYLE, "threats", "messages"}
    assert all(item.caveat.startswith("a style prior: ") for item in templates() if item.caveat)
    assert len(templates()) == len(list(resource("templates").glob("*.toml")))
    told = cli("agent", "templates").out
    assert all(caveat(name) in told for name in STYLE)
    assert caveat("gone") == ""


def test_the_screen_says_the_caveat_under_the_grade(house: Any) -> None:
    trained_agent(house)
    agent, version = house.foundry.in_service("net-1")
    palette = make_palette(OWN_THEMES[0])
    lines = agent_lines(agent, version, 0, palette, caveat("hallucination"))
    assert "strong" in lines[0].plain
    assert lines[1].plain.strip() == caveat("hallucination")
    assert len(agent_lines(agent, version, 0, palette)) == 1
