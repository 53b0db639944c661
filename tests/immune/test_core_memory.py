"""What verdicts teach, and what they must never unlearn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from immunos_tui.immune import Detector
from immunos_tui.immune.affinity import SelfSpace
from immunos_tui.model.errors import ConflictError, UsageError


@pytest.fixture(scope="module")
def base() -> Detector:
    return Detector.fit(np.random.default_rng(0).normal(size=(1500, 6)))


def odd(rng: np.random.Generator, n: int, where: float) -> np.ndarray:
    rows = rng.normal(size=(n, 6)) * 0.3
    rows[:, 0] += where
    return rows


def test_remembering_makes_a_new_detector(base: Detector) -> None:
    rng = np.random.default_rng(1)
    asked = rng.normal(size=(100, 6))
    before = base.score(asked)
    taught = base.remember(threats=odd(rng, 3, 6))
    assert taught is not base
    assert len(taught.memory) == 3
    assert len(base.memory) == 0
    assert np.array_equal(base.score(asked), before)


def test_a_confirmed_threat_is_danger_from_now_on(base: Detector) -> None:
    rng = np.random.default_rng(2)
    hidden = rng.normal(size=(5, 6)) * 0.5
    taught = base.remember(threats=hidden, threat_names=[f"issue {i}" for i in range(5)])
    judged = taught.judge(hidden)
    assert (judged.result == judged.RESULTS.index("danger")).all()
    assert (judged.p <= 0.01).all()
    why = taught.explain(hidden)[3]
    assert why.memory == "the same as the confirmed threat issue 3"
    assert why.memory in why.sentence


def test_a_tolerated_sample_and_its_near_twins_stop_alerting(base: Detector) -> None:
    rng = np.random.default_rng(3)
    false = odd(rng, 4, 7)
    assert (base.p_values(false) <= 0.01).all()
    taught = base.remember(tolerate=false)
    twins = false + rng.normal(size=false.shape) * 0.02
    for rows in (false, twins):
        judged = taught.judge(rows)
        assert (judged.result == 0).all()
        assert (judged.memory == 2).all()
    assert "tolerated sample" in taught.explain(twins)[0].memory
    assert (taught.p_values(odd(rng, 20, -9)) <= 0.01).all()


def test_no_confirmed_threat_is_lost_to_tolerance(base: Detector) -> None:
    rng = np.random.default_rng(4)
    threats = odd(rng, 6, 7)
    taught = base.remember(threats=threats)
    near = threats[:1] + 1e-3
    with pytest.raises(ConflictError, match="confirmed threat threat 1"):
        taught.remember(tolerate=near)
    away = odd(rng, 6, 9.5)
    both = taught.remember(tolerate=away)
    assert (both.judge(threats).result == 3).all()
    assert (both.judge(away).result == 0).all()


def test_a_threat_wins_over_an_earlier_tolerance(base: Detector) -> None:
    rng = np.random.default_rng(5)
    row = odd(rng, 1, 7)
    taught = base.remember(tolerate=row).remember(threats=row + 1e-4)
    assert taught.judge(row + 1e-4).result[0] == 3
    assert taught.judge(row).result[0] == 3


def test_both_at_once_refuse_the_collision(base: Detector) -> None:
    row = odd(np.random.default_rng(6), 1, 7)
    with pytest.raises(ConflictError, match="evil"):
        base.remember(threats=row, tolerate=row, threat_names=["evil"])


def test_names_must_match_rows(base: Detector) -> None:
    with pytest.raises(UsageError, match="2 names"):
        base.remember(threats=np.zeros((1, 6)), threat_names=["a", "b"])


def test_self_keeps_its_alert_rate_after_threats(base: Detector) -> None:
    rng = np.random.default_rng(7)
    taught = base.remember(threats=odd(rng, 20, 5))
    p = taught.p_values(rng.normal(size=(4000, 6)))
    assert (p <= 0.05).mean() <= 0.07
    assert (p <= 0.01).mean() <= 0.02


def test_a_few_threats_raise_the_ranking_on_real_sets(shared_data) -> None:
    before, one, five = [], [], []
    for name in ("12_fault", "20_letter", "7_Cardiotocography", "29_Pima", "41_Waveform"):
        with np.load(shared_data / "tabular" / f"{name}.npz") as data:
            X, y = data["X"].astype(float), data["y"]
        rng = np.random.default_rng(0)
        normal, strange = rng.permutation(np.flatnonzero(y == 0)), rng.permutation(np.flatnonzero(y == 1))
        learn, rest = np.split(normal, 2) if len(normal) % 2 == 0 else np.split(normal[1:], 2)
        judge = np.concatenate([rest, strange[5:]])
        detector = Detector.fit(X[learn])
        for found, known in ((before, 0), (one, 1), (five, 5)):
            taught = detector.remember(threats=X[strange[:known]]) if known else detector
            found.append(roc_auc_score(y[judge], taught.score(X[judge])))
    assert np.mean(before) < np.mean(one) < np.mean(five)


def test_the_reference_keeps_at_most_two_thousand_rows() -> None:
    detector = Detector.fit(np.random.default_rng(0).normal(size=(9000, 3)), preset="lite")
    assert detector.meta["reference_rows"] == 2000
    space = SelfSpace(detector._reference[1])
    assert space.loo.shape == (2000,)
