"""What must hold of every score: no row depends on another, on the columns' order, on a unit, or on a thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.neighbors import NearestNeighbors

from immunos_tui.immune import Column, Detector, Table
from immunos_tui.immune.antigens import Antigens
from immunos_tui.model.errors import DataError, UsageError


def mixed(rng: np.random.Generator, n: int) -> Table:
    """Heavy-tailed, missing, integer, constant and categorical columns, with duplicates among the rows."""
    bytes_ = np.round(np.exp(rng.normal(5, 3, n)))
    rate = rng.beta(0.5, 0.5, n).round(2)
    gap = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))
    service = rng.choice(["http", "smtp", "ftp", "dns"], n, p=[0.7, 0.2, 0.07, 0.03]).astype(object)
    return Table((
        Column("rate", "number", rate),
        Column("service", "category", service),
        Column("bytes", "number", bytes_),
        Column("gap", "number", gap),
        Column("always", "number", np.full(n, 7.0)),
        Column("sum", "number", bytes_ * 0.5 + rng.normal(size=n)),
    ))  # fmt: skip


@pytest.fixture(scope="module", params=["immune", "lite", "robust"])
def trained(request: pytest.FixtureRequest) -> tuple[Detector, Table]:
    rng = np.random.default_rng(4)
    detector = Detector.fit(mixed(rng, 1300), preset=request.param)
    return detector, mixed(rng, 700)


@settings(max_examples=25)
@given(data=st.data())
def test_a_score_is_the_same_in_any_batch_and_order(trained: tuple[Detector, Table], data: st.DataObject) -> None:
    detector, table = trained
    whole = detector.score(table)
    rows = data.draw(st.lists(st.integers(0, table.rows - 1), min_size=1, max_size=300))
    assert np.abs(detector.score(table.take(np.array(rows))) - whole[rows]).max() <= 1e-6


def test_a_row_alone_scores_as_in_company(trained: tuple[Detector, Table]) -> None:
    detector, table = trained
    whole = detector.score(table)
    alone = [detector.score(table.take(np.array([i])))[0] for i in range(20)]
    assert np.abs(np.array(alone) - whole[:20]).max() <= 1e-6


@pytest.mark.parametrize("far", [0.0, 1e4, 1.7e9])
def test_an_exact_copy_of_a_self_row_has_distance_zero(far: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 12)) * 10.0 ** rng.integers(-6, 6, 12) + far
    detector = Detector.fit(X)
    picked = rng.choice(3000, 40, replace=False)
    for row, why in zip(picked, detector.explain(X[picked]), strict=True):
        assert why.nearest_distance == 0
        assert why.nearest_row == row


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 60), spread=st.floats(1e-3, 1e3))
def test_antigens_find_copies_at_exactly_zero(seed: int, k: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    rows = (rng.normal(size=(500, k)) * spread + 50).astype(np.float32)
    found = Antigens(rows, 4).nearest(rows[::7])
    assert (found.distance.min(axis=1) == 0).all()


def test_nearest_distances_agree_with_a_library() -> None:
    rng = np.random.default_rng(1)
    rows, asked = rng.normal(size=(1500, 23)).astype(np.float32), rng.normal(size=(400, 23)).astype(np.float32)
    ours = Antigens(rows, 4).nearest(asked)
    distance, index = NearestNeighbors(n_neighbors=1).fit(rows).kneighbors(asked)
    assert np.allclose(ours.distance.min(axis=1), distance[:, 0], rtol=1e-5)
    nearest = ours.antigen[np.arange(400), ours.distance.argmin(axis=1)]
    assert np.allclose(np.linalg.norm(rows[nearest] - asked, axis=1), distance[:, 0], rtol=1e-5)
    assert (nearest == index[:, 0]).mean() > 0.99


def test_leave_one_out_skips_the_row_itself() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(300, 5)).astype(np.float32)
    ours = Antigens(rows, 1).nearest(rows, np.arange(300)).distance[:, 0]
    distance = NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(rows)[0][:, 1]
    assert np.allclose(ours, distance, rtol=1e-5)


@settings(max_examples=5)
@given(order=st.permutations(["rate", "service", "bytes", "gap", "always", "sum"]))
def test_column_order_is_free(order: list[str]) -> None:
    rng = np.random.default_rng(7)
    own, asked = mixed(rng, 400), mixed(rng, 60)
    expected = Detector.fit(own).score(asked)
    assert np.array_equal(Detector.fit(own.select(order)).score(asked), expected)
    assert np.array_equal(Detector.fit(own).score(asked.select(order)), expected)


@settings(max_examples=6)
@given(power=st.integers(-9, 9), column=st.sampled_from(["rate", "bytes", "gap", "sum"]))
def test_the_unit_of_a_column_does_not_matter(power: int, column: str) -> None:
    rng = np.random.default_rng(8)
    own, asked = mixed(rng, 500), mixed(rng, 300)

    def rescaled(table: Table) -> Table:
        return Table(tuple(
            Column(c.name, c.kind, c.values * 3.7 * 10.0**power if c.name == column else c.values)
            for c in table.columns
        ))  # fmt: skip

    before = Detector.fit(own).score(asked)
    after = Detector.fit(rescaled(own)).score(rescaled(asked))
    assert spearmanr(before, after).statistic >= 0.999


def test_two_threads_at_once_agree(trained: tuple[Detector, Table]) -> None:
    detector, table = trained
    alone = detector.score(table)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: detector.score(table), range(6)))
    assert all(np.array_equal(one, alone) for one in both)


@settings(max_examples=40)
@given(
    value=st.sampled_from([1e308, -1e308, np.inf, -np.inf, np.nan, 0.0, -0.0, 5e-324, 1e-300]),
    place=st.integers(0, 5),
    preset=st.sampled_from(["immune", "lite"]),
)
def test_extreme_values_score_finitely(trained: tuple[Detector, Table], value: float, place: int, preset: str) -> None:
    detector, table = trained
    row = table.take(np.array([3]))
    odd = Table(tuple(
        Column(c.name, c.kind, np.array([value])) if i == place and c.kind == "number" else c
        for i, c in enumerate(row.columns)
    ))  # fmt: skip
    assert np.isfinite(detector.score(odd)).all()
    assert len(detector.explain(odd)) == 1


def test_extreme_values_in_self_do_not_break_training() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    X[0, 0], X[1, 1], X[2, 2], X[3, 3] = 1e308, -np.inf, np.nan, np.inf
    detector = Detector.fit(X)
    assert np.isfinite(detector.score(X)).all()
    assert np.isfinite(detector.score(rng.normal(size=(50, 4)))).all()


def test_an_enormous_value_is_the_most_foreign() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 6))
    asked = rng.normal(size=(100, 6))
    asked[40, 2] = 1e308
    detector = Detector.fit(X)
    assert detector.score(asked).argmax() == 40
    assert detector.judge(asked).result[40] >= 2


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 9, 11, 40])
def test_a_handful_of_rows_is_enough_to_work(rows: int) -> None:
    rng = np.random.default_rng(rows)
    detector = Detector.fit(rng.normal(size=(rows, 3)))
    p = detector.p_values(rng.normal(size=(10, 3)))
    assert ((p > 0) & (p <= 1)).all()
    assert detector.meta["resolution"] == pytest.approx(1 / (rows + 1))


def test_only_constant_columns_flag_what_changes() -> None:
    detector = Detector.fit(np.full((200, 3), 2.0))
    same, other = np.full((1, 3), 2.0), np.array([[2.0, 9.0, 2.0]])
    judged = detector.judge(np.concatenate([same, other]))
    assert judged.RESULTS[judged.result[0]] == "self"
    assert judged.result[1] >= 2
    why = detector.explain(other)[0]
    assert why.reasons[0].name == "x1"
    assert why.reasons[0].direction == "changed"
    assert "always 2" in why.sentence


def test_more_features_than_can_be_learned_is_said() -> None:
    with pytest.raises(DataError, match="4096"):
        Detector.fit(np.zeros((3, 5000)))


@pytest.mark.parametrize("empty", [np.zeros((0, 3)), np.zeros((3, 0))])
def test_nothing_to_learn_from_is_said(empty: np.ndarray) -> None:
    with pytest.raises(DataError, match="nothing to learn"):
        Detector.fit(empty)


def test_an_empty_scan_is_fine() -> None:
    detector = Detector.fit(np.random.default_rng(0).normal(size=(50, 3)))
    judged = detector.judge(np.zeros((0, 3)))
    assert len(judged) == 0
    assert detector.explain(np.zeros((0, 3))) == []


def test_unknown_presets_and_pipelines_name_the_known_ones() -> None:
    with pytest.raises(UsageError, match="lite"):
        Detector.fit(np.zeros((5, 2)), preset="fast")
    with pytest.raises(UsageError, match="tabular"):
        Detector.fit(np.zeros((5, 2)), pipeline="pictures")


def test_dense_embeddings_are_projected_and_stay_batch_independent() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(20, 300))
    X = rng.normal(size=(400, 20)) @ mix + 0.1 * rng.normal(size=(400, 300))
    detector = Detector.fit(X)
    odd = rng.normal(size=(50, 20)) @ rng.normal(size=(20, 300))
    fresh = rng.normal(size=(50, 20)) @ mix + 0.1 * rng.normal(size=(50, 300))
    asked = np.concatenate([fresh, odd])
    score = detector.score(asked)
    assert score[50:].min() > np.median(score[:50])
    alone = np.array([detector.score(row[None])[0] for row in asked[:8]])
    assert np.abs(alone - score[:8]).max() <= 1e-6
    assert detector.explain(odd[:1])[0].reasons
