"""Training is judged on rows that the trial detector has not seen, and real flows reach the targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from immunos_tui.immune import Column, Dataset, Detector, Table, evaluate, read_dataset, train
from immunos_tui.immune.training import split_self
from immunos_tui.model.errors import DataError


def dataset(n: int = 900, odd: int = 60, context: Table | None = None) -> Dataset:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + odd, 5))
    X[n:, 0] += 5
    own = np.arange(n + odd) < n
    table = Table.from_array(X, [f"f{i}" for i in range(5)])
    return Dataset("made.csv", "csv", table, own, "0" * 64, context=context or Table(()))


def test_training_reports_honest_numbers_and_keeps_all_of_self() -> None:
    told: list[str] = []
    result = train(dataset(), seed=1, progress=lambda stage, fraction, note: told.append(stage))
    assert result.detector.meta["rows"] == 900
    assert result.evaluation.auroc is not None
    assert result.evaluation.auroc > 0.95
    assert result.metrics["held_out"] == "a random fifth of self"
    assert result.metrics["learned_self_rows"] == 900
    assert result.metrics["drift"]["state"] == "none"
    assert {"evaluate", "encode", "fit", "calibrate"} <= set(told)


def test_a_labelled_detector_remembers_its_threats() -> None:
    result = train(dataset(), role="bcell")
    assert len(result.detector.memory.threats) == 60
    assert result.evaluation.rows == 180 + 12


def test_explanations_name_the_row_of_the_file() -> None:
    data = dataset(n=50)
    numbered = replace(data, row_numbers=np.arange(data.rows) * 3 + 7)
    why = train(numbered).detector.explain(data.table.take([4]))[0]
    assert (why.nearest_row, why.nearest_distance) == (19, 0.0)


def test_without_self_there_is_nothing_to_train() -> None:
    data = dataset(odd=5)
    none = Dataset(data.path, "csv", data.table, np.zeros(data.rows, dtype=bool), data.sha256)
    with pytest.raises(DataError, match="no rows of self"):
        train(none)


def test_only_self_gives_a_rate_and_no_ranking() -> None:
    result = train(dataset(odd=0))
    assert result.evaluation.auroc is None
    assert result.evaluation.levels[1].fpr <= 0.12


def test_groups_and_times_are_respected_when_holding_out() -> None:
    own = np.arange(1000)
    group = Table((Column("session", "category", np.array([f"s{i // 20}" for i in range(1000)], dtype=object)),))
    split = split_self(group, own, 0)
    sessions = group.column("session").values
    assert set(sessions[split.learn]).isdisjoint(sessions[split.held])
    assert 0.15 <= len(split.held) / 1000 <= 0.25
    time = Table((Column("Timestamp", "number", np.arange(1000.0)[::-1].copy()),))
    split = split_self(time, own, 0)
    assert time.column("Timestamp").values[split.held].min() > time.column("Timestamp").values[split.learn].max()
    assert "latest" in split.how
    one = split_self(Table(()), np.array([4]), 0)
    assert one.learn.tolist() == [4]


def test_training_by_group_calibrates_by_group() -> None:
    sessions = Table((Column("session", "category", np.array([f"s{i // 10}" for i in range(960)], dtype=object)),))
    result = train(dataset(context=sessions))
    assert "groups of session" in result.metrics["held_out"]
    assert "cross-conformal" in result.detector.meta["calibration"]


def test_real_flows_reach_the_targets(shared_data: Path) -> None:
    options = {"label": "label", "self_value": "normal", "drop": ["attack", "difficulty"]}
    own = read_dataset(shared_data / "network" / "nslkdd_train20.csv.gz", **options)
    test = read_dataset(shared_data / "network" / "nslkdd_test.csv.gz", **options)
    found = []
    for seed in (0, 1):
        detector = Detector.fit(own.table.take(own.is_self), seed=seed, pipeline="network")
        judged = detector.judge(test.table)
        metrics = evaluate(judged.score, judged.p, test.is_self)
        assert metrics.auroc is not None
        assert metrics.auroc >= 0.94
        assert metrics.levels[1].accuracy >= 0.88
        flagged = np.flatnonzero(judged.p <= 0.01)
        found.append({int(i): (detector.features[judged.leading[i]], int(judged.direction[i])) for i in flagged})
    first, second = found
    assert np.mean([first[i] == second.get(i) for i in first]) >= 0.85
    assert 10 <= len(set(first.values())) <= 99


@pytest.mark.parametrize(
    ("name", "least"), [("20_letter", 0.91), ("6_cardio", 0.94), ("40_vowels", 0.96), ("42_WBC", 0.93)]
)
def test_standard_sets_are_ranked_as_well_as_by_neighbours(shared_data: Path, name: str, least: float) -> None:
    with np.load(shared_data / "tabular" / f"{name}.npz") as data:
        X, y = data["X"].astype(float), data["y"]
    normal = np.random.default_rng(0).permutation(np.flatnonzero(y == 0))
    learn, rest = normal[: len(normal) // 2], normal[len(normal) // 2 :]
    judge = np.concatenate([rest, np.flatnonzero(y == 1)])
    detector = Detector.fit(X[learn])
    result = evaluate(detector.score(X[judge]), detector.p_values(X[judge]), y[judge] == 0)
    assert result.auroc is not None
    assert result.auroc >= least


def test_dirty_self_is_learned_from_by_the_robust_preset() -> None:
    rng = np.random.default_rng(0)
    own = rng.normal(size=(1000, 6))
    odd = rng.normal(size=(60, 6)) * 0.2 + np.array([5, -4, 0, 0, 3, 0])
    learned = np.concatenate([own, odd[:30]])
    asked = np.concatenate([rng.normal(size=(500, 6)), odd[30:]])
    detector = Detector.fit(learned, preset="robust")
    p = detector.p_values(asked)
    assert (p[500:] <= 0.05).mean() > 0.9
    assert (p[:500] <= 0.05).mean() <= 0.08
    assert detector.meta["set_aside"] == 257
