"""Explanations name the feature that is wrong, in words, and columns are matched by name."""

from __future__ import annotations

import numpy as np
import pytest

from immunos_tui.immune import Column, Detector, Table
from immunos_tui.immune.components import leading
from immunos_tui.immune.table import concat
from immunos_tui.model.errors import DataError
from immunos_tui.model.explanation import Explanation


def flows(n: int, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    return Table((
        Column("serror_rate", "number", rng.beta(0.3, 30, n)),
        Column("src_bytes", "number", np.round(np.exp(rng.normal(6, 2, n)))),
        Column("count", "number", rng.integers(1, 40, n).astype(float)),
        Column("service", "category", rng.choice(["http", "smtp", "dns"], n, p=[0.6, 0.3, 0.1]).astype(object)),
        Column("delay", "number", np.where(rng.random(n) < 0.3, np.nan, rng.normal(10, 2, n))),
    ))  # fmt: skip


def changed(table: Table, name: str, value: object) -> Table:
    return Table(tuple(
        Column(c.name, c.kind, np.array([value] * table.rows, dtype=c.values.dtype)) if c.name == name else c
        for c in table.columns
    ))  # fmt: skip


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.fit(flows(2000))


@pytest.mark.parametrize(
    ("name", "value", "direction", "words"),
    [
        ("serror_rate", 1.0, "above", "serror_rate 1, self is up to"),
        ("src_bytes", 1e9, "above", "src_bytes 1000000000, self is up to"),
        ("count", -50.0, "below", "or more"),
        ("service", "irc", "unseen", "service irc was never seen, self is http"),
    ],
)
def test_the_wrong_value_leads(detector: Detector, name: str, value: object, direction: str, words: str) -> None:
    row = changed(flows(1, seed=5), name, value)
    why = detector.explain(row)[0]
    assert why.reasons[0].name == name
    assert why.reasons[0].direction == direction
    assert why.reasons[0].percentile == (0 if direction == "below" else 100)
    assert words in why.sentence
    assert len(why.reasons) <= 5
    assert sum(reason.share for reason in why.reasons) <= 1 + 1e-9
    judged = detector.judge(row)
    assert judged.result[0] >= 2
    assert detector.features[judged.leading[0]] == name
    assert judged.direction[0] == {"above": 1, "below": -1, "unseen": 0}[direction]
    assert Explanation.from_dict(why.as_dict()) == why


def test_hostile_values_are_shown_harmlessly(detector: Detector) -> None:
    why = detector.explain(changed(flows(1), "service", "\x1b[2J\u202eevil" + "x" * 500))[0]
    assert "\x1b" not in why.sentence
    assert "\u202e" not in why.sentence
    assert len(why.sentence) < 400


def test_a_broken_correlation_is_found_and_explained() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=3000)
    X = np.stack([first, first + 0.05 * rng.normal(size=3000), rng.normal(size=3000)], axis=1)
    detector = Detector.fit(X)
    row = np.array([[1.2, -1.2, 0.0]])
    assert detector.p_values(row)[0] <= 0.01
    assert {reason.name for reason in detector.explain(row)[0].reasons[:2]} == {"x0", "x1"}


def test_shares_sum_to_one_and_self_rows_have_no_leading_feature(detector: Detector) -> None:
    table = concat([flows(300, seed=7), changed(flows(20, seed=8), "serror_rate", 0.9)])
    evidence = detector.model.evidence(table)
    shares, direction = detector.model.attribution(evidence)
    assert np.allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()
    assert direction.shape == shares.shape
    assert leading(shares, direction)[0].shape == (320,)
    judged = detector.judge(table)
    assert (judged.leading[judged.result == 0] == -1).all()
    assert (judged.leading[judged.result >= 2] >= 0).all()
    assert sum(judged.counts().values()) == 320


def test_another_seed_keeps_the_leading_feature() -> None:
    own, asked = flows(3000), concat([changed(flows(60, seed=i), n, v) for i, (n, v) in enumerate(
        [("serror_rate", 0.8), ("count", 400.0), ("service", "irc")]
    )])  # fmt: skip
    one, two = (Detector.fit(own, seed=seed).judge(asked) for seed in (0, 1))
    same = (one.leading == two.leading) & (one.direction == two.direction)
    assert same.mean() >= 0.95


def test_columns_are_matched_by_name(detector: Detector) -> None:
    table = flows(30, seed=3)
    more = Table((Column("extra", "number", np.zeros(30)), *reversed(table.columns)))
    assert np.array_equal(detector.score(more), detector.score(table))
    assert "extra" in detector.judge(more).notes[0]
    assert detector.judge(table).notes == ()
    with pytest.raises(DataError, match="'count' is missing"):
        detector.score(table.drop(["count"]))
    with pytest.raises(DataError, match="7 columns"):
        detector.score(np.zeros((2, 7)))


def test_a_column_of_another_kind_is_read_as_it_was_trained(detector: Detector) -> None:
    table = flows(20, seed=4)
    words = Column("count", "category", np.array([f"{v:g}" for v in table.column("count").values], dtype=object))
    as_words = Table(tuple(words if c.name == "count" else c for c in table.columns))
    assert np.array_equal(detector.score(as_words), detector.score(table))
    unreadable = changed(as_words, "count", "many")
    assert (detector.p_values(unreadable) <= 0.05).all()


def test_a_missing_value_that_self_never_had_is_told(detector: Detector) -> None:
    why = detector.explain(changed(flows(1), "count", np.nan))[0]
    assert (why.reasons[0].name, why.reasons[0].value) == ("count", "missing")
    usual = changed(flows(20, seed=1), "delay", np.nan)
    assert np.median(detector.p_values(usual)) > 0.05


def test_progress_names_stages_and_fractions() -> None:
    seen: list[tuple[str, float, str]] = []
    Detector.fit(flows(600), preset="robust", progress=lambda *told: seen.append(told))
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages == ["sieve", "encode", "fit", "calibrate"]
    assert all(0 <= fraction <= 1 for _, fraction, _ in seen)
    assert seen[-1][0] == "calibrate"


def test_the_summary_says_what_was_learned(detector: Detector) -> None:
    assert "2 000 rows of self" in detector.summary
    small = Detector.fit(flows(30))
    assert "too few for the 1 % level" in small.summary
