"""Metrics agree with scikit-learn, intervals cover, and the gate says what the numbers allow."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score, roc_curve

from immunos_tui.immune.evaluation import aupr, auroc, evaluate, grade, ks_uniform, macro_f1

PAIRS = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=80).filter(
    lambda rows: len({own for _, own in rows}) == 2
)


@settings(max_examples=100)
@given(PAIRS)
def test_ranking_agrees_with_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    score = np.array([value for value, _ in rows], dtype=float)
    own = np.array([label for _, label in rows])
    assert auroc(score, own) == pytest.approx(roc_auc_score(~own, score), abs=1e-12)
    assert aupr(score, own) == pytest.approx(average_precision_score(~own, score), abs=1e-12)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=40))
def test_macro_f1_agrees_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    truth, guess = zip(*pairs, strict=True)
    expected = f1_score(truth, guess, average="macro", labels=sorted(set(truth)), zero_division=0)
    assert macro_f1(truth, guess) == pytest.approx(expected)


def drawn(n: int, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    own = rng.random(n) < 0.7
    score = rng.normal(size=n) + shift * ~own
    reference = np.sort(rng.normal(size=2000))
    p = (2000 - np.searchsorted(reference, score) + 1) / 2001
    return score, p, own


def test_levels_count_what_is_flagged() -> None:
    score, p, own = drawn(4000, 2.0, 0)
    found = evaluate(score, p, own)
    for level in found.levels:
        flagged = p <= level.alpha
        assert level.fpr == flagged[own].mean()
        assert level.tpr == flagged[~own].mean()
        assert level.accuracy == (flagged != own).mean()
        assert level.threshold == score[flagged].min()
    assert found.majority_accuracy == max(own.mean(), 1 - own.mean())
    assert found.ks is not None
    assert found.ks < 0.06


def test_the_curve_lies_on_the_full_one() -> None:
    score, p, own = drawn(3000, 1.0, 1)
    roc = evaluate(score, p, own).roc
    fpr, tpr, _ = roc_curve(~own, score, drop_intermediate=False)
    full = set(zip(np.round(fpr, 9), np.round(tpr, 9), strict=True))
    assert len(roc) <= 101
    assert roc[0] == (0, 0)
    assert roc[-1] == (1, 1)
    assert all((round(x, 9), round(y, 9)) in full for x, y in roc)


@pytest.mark.parametrize("n", [400, 70_000])
def test_intervals_cover_the_truth_and_are_repeatable(n: int) -> None:
    truth = 0.7602  # Phi(1 / sqrt 2)
    found = [evaluate(*drawn(n, 1.0, seed)) for seed in range(2 if n > 1000 else 12)]
    covered = [e.auroc_interval is not None and e.auroc_interval[0] <= truth <= e.auroc_interval[1] for e in found]
    assert np.mean(covered) >= 0.75
    assert found[0] == evaluate(*drawn(n, 1.0, 0))


def test_without_other_rows_only_false_alarms_are_told() -> None:
    score, p, _ = drawn(500, 0.0, 2)
    found = evaluate(score, p, np.ones(500, dtype=bool))
    assert (found.auroc, found.aupr, found.auroc_interval, found.grade) == (None, None, None, "unknown")
    assert found.levels[0].tpr is None
    assert found.levels[1].fpr == pytest.approx(0.05, abs=0.03)


def test_shuffled_labels_are_not_usable() -> None:
    score, p, own = drawn(3000, 3.0, 3)
    found = evaluate(score, p, np.random.default_rng(0).permutation(own))
    assert found.auroc == pytest.approx(0.5, abs=0.03)
    assert found.grade == "not usable"


def test_two_perfect_rows_prove_little() -> None:
    score = np.concatenate([np.zeros(500), np.ones(2)])
    found = evaluate(score, 1 - score, score == 0)
    assert found.auroc == 1
    assert found.grade == "not usable"


def test_the_gate() -> None:
    bounds = (0.3, 0.599, 0.6, 0.7499, 0.75, 0.8999, 0.9, 1.0)
    words = ["not usable"] * 2 + ["weak"] * 2 + ["usable"] * 2 + ["strong"] * 2
    assert [grade(bound) for bound in bounds] == words
    assert grade(None) == "unknown"


def test_an_evaluation_is_plain_json() -> None:
    found = evaluate(*drawn(200, 1.0, 4))
    record = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert record["levels"][0]["alpha"] == 0.01
    assert len(record["auroc_interval"]) == 2


def test_uniform_p_values_have_a_small_distance() -> None:
    assert ks_uniform((np.arange(1000) + 0.5) / 1000) == pytest.approx(0.0005)
    assert ks_uniform(np.full(10, 0.01)) == pytest.approx(0.99)


def test_wrong_shapes_and_values_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        evaluate([1.0, 2.0], [0.5], [True, False])
    with pytest.raises(ValueError, match="no rows"):
        evaluate([], [], [])
    with pytest.raises(ValueError, match="not a number"):
        evaluate([np.nan], [0.5], [True])
    with pytest.raises(ValueError, match="both"):
        auroc([1.0], [True])
