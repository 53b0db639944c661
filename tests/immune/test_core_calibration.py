"""p-values mean what they say on fresh self; the drift sign says when they no longer do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstest
from sklearn.metrics import roc_auc_score

from immunos_tui.immune import Detector
from immunos_tui.immune.calibration import Surprisal, p_values
from immunos_tui.immune.drift import DriftWatch, drift
from immunos_tui.immune.fitting import folds
from immunos_tui.immune.views import normal_quantile


def flows(rng: np.random.Generator, n: int, d: int = 8) -> np.ndarray:
    base = rng.normal(size=(n, d)) @ np.random.default_rng(99).normal(size=(d, d))
    base[:, 0] = np.exp(base[:, 0])
    base[:, 1] = base[:, 1].round()
    return base


@pytest.mark.parametrize(("rows", "preset"), [(300, "immune"), (1200, "immune"), (6000, "immune"), (6000, "lite")])
def test_p_values_of_fresh_self_are_as_the_reference(rows: int, preset: str) -> None:
    pooled = []
    for seed in range(4):
        rng = np.random.default_rng([seed, rows])
        detector = Detector.fit(flows(rng, rows), preset=preset, seed=seed)
        fresh = detector.score(flows(rng, 2000))
        # The reference itself is a sample: a two-sample test, at a level that four seeds of four cases pass together.
        assert ks_2samp(fresh, detector.calibration.reference).pvalue > 0.001 / 16
        pooled.append(detector.calibration.p_values(fresh))
    p = np.concatenate(pooled)
    assert (p <= 0.01).mean() <= 0.02
    assert (p <= 0.05).mean() <= 0.07


def test_exact_p_values_are_uniform() -> None:
    rng = np.random.default_rng(0)
    p = np.concatenate([p_values(np.sort(rng.normal(size=999)), rng.normal(size=5)) for _ in range(400)])
    assert kstest(p, "uniform").pvalue > 0.001


def test_more_self_keeps_the_rate_under_its_bound() -> None:
    for rows in (500, 2000, 8000):
        rng = np.random.default_rng(rows)
        p = Detector.fit(flows(rng, rows)).p_values(flows(rng, 4000))
        watch = DriftWatch(min(rows, 2000))
        assert (p <= 0.05).mean() <= watch.bound(4000)


def test_shuffled_labels_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(5)
    X = flows(rng, 6000)
    y = rng.integers(0, 2, 6000)
    own = np.flatnonzero(y == 0)
    held, learn = own[::2], own[1::2]
    rows = np.concatenate([held, np.flatnonzero(y == 1)])
    assert roc_auc_score(y[rows], Detector.fit(X[learn]).score(X[rows])) == pytest.approx(0.5, abs=0.03)


@settings(max_examples=60)
@given(
    scores=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), asked=st.lists(st.floats(-1e9, 1e9), min_size=2)
)
def test_surprisal_is_monotone_and_not_negative(scores: list[float], asked: list[float]) -> None:
    nats = Surprisal.fit(np.array(scores))(np.sort(np.array(asked)))
    assert (np.diff(nats) >= 0).all()
    assert (nats >= 0).all()
    assert np.isfinite(nats).all()


def test_surprisal_keeps_order_beyond_the_highest_score_of_self() -> None:
    curve = Surprisal.fit(np.random.default_rng(0).exponential(size=500))
    assert curve(np.array([10.0, 20.0, 40.0])) == pytest.approx(np.sort(curve(np.array([40.0, 10.0, 20.0]))))
    assert curve(np.array([40.0]))[0] > curve(np.array([20.0]))[0] + 1


def test_the_normal_quantile_is_exact_enough() -> None:
    from statistics import NormalDist

    levels = np.array([1e-6, 0.01, 0.02425, 0.3, 0.5, 0.8, 0.99, 1 - 1e-6])
    expected = [NormalDist().inv_cdf(level) for level in levels]
    assert normal_quantile(levels) == pytest.approx(expected, abs=1e-7)


def test_groups_are_never_split_over_folds() -> None:
    groups = np.repeat(np.arange(40), 5)
    parts = folds(200, 3, groups)
    assert sorted(np.concatenate(parts).tolist()) == list(range(200))
    assert all(set(groups[one]).isdisjoint(groups[two]) for one in parts for two in parts if one is not two)


def test_near_copies_are_calibrated_by_group() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(150), 6)
    X = np.repeat(rng.normal(size=(150, 5)), 6, axis=0) + 0.01 * rng.normal(size=(900, 5))
    fresh = rng.normal(size=(1000, 5))
    blind = (Detector.fit(X).p_values(fresh) <= 0.05).mean()
    aware = (Detector.fit(X, groups=groups).p_values(fresh) <= 0.05).mean()
    assert aware <= 0.10 < blind


def test_no_drift_on_self_and_suspicion_on_a_flood() -> None:
    rng = np.random.default_rng(0)
    assert drift(rng.random(5000)).state == "none"
    flood = drift(np.concatenate([rng.random(5000), np.full(5000, 0.001)]))
    assert flood.state == "suspected"
    assert "attack or drift?" in flood.sentence
    assert "10 000" in flood.sentence


def test_only_known_normal_rows_make_the_calibration_void() -> None:
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.random(900), rng.random(300) * 0.05])
    assert drift(p).state == "none"
    assert drift(p, declared_normal=True).state == "void"
    assert "retrain" in drift(p, declared_normal=True).sentence
    is_self = np.arange(1200) < 900
    assert drift(p, is_self=is_self).state == "none"
    assert drift(p, is_self=~is_self).state == "void"


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(1, 999), max_size=6, unique=True), seed=st.integers(0, 99))
def test_a_stream_gives_the_sign_of_the_whole(cuts: list[int], seed: int) -> None:
    p = np.random.default_rng(seed).random(1000) ** 2
    watch = DriftWatch()
    for part in np.split(p, sorted(cuts)):
        watch.add(part)
    assert watch.sign() == drift(p)


def test_an_empty_scan_has_no_drift() -> None:
    assert drift(np.zeros(0)).state == "none"
    assert drift(np.zeros(0)).sentence == "No rows were scanned."
