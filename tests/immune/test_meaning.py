"""Dense vectors of texts as a further view: what they add, and what must hold whatever they are."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from immunos_tui.immune import Column, Dataset, Detector, Table, TrainingResult, train
from immunos_tui.immune.artifact import read_artifact
from immunos_tui.immune.features.dense import DenseClassifier, blend
from immunos_tui.immune.features.meaning import (
    ANTIGENS,
    COMPANY,
    VECTORS,
    DenseSelf,
    MeaningModel,
    has_vectors,
    with_flat_vectors,
    with_vectors,
)
from immunos_tui.model.errors import ArtifactError, DataError

Vectors = NDArray[np.float32]

WIDTH = 24
WORDS = "pump valve tank meter gauge pipe crew shift north south dawn dusk open closed steady normal".split()


def texts_of(count: int, seed: int) -> list[str]:
    """Lines of seven of the same few words."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 7)) for _ in range(count)]


def near(centre: int, count: int, seed: int, spread: float = 0.25) -> Vectors:
    """Vectors around the ``centre``-th axis."""
    rng = np.random.default_rng([seed, centre])
    found = rng.normal(0, spread / np.sqrt(WIDTH), (count, WIDTH))
    found[:, centre] += 1
    return found.astype(np.float32)


def words(values: Sequence[str]) -> Table:
    return Table((Column("text", "text", np.array(values, dtype=object)),))


def lines(values: Sequence[str], vectors: Any) -> Table:
    return with_vectors(words(values), vectors)


SELF = lines(texts_of(200, 1), near(0, 200, 1))
DETECTOR = Detector.fit(SELF, pipeline="text", row_numbers=np.arange(200) * 10)
PLAIN = Detector.fit(SELF.drop([VECTORS]), pipeline="text")
FRESH = lines(texts_of(700, 2), np.concatenate([near(0, 650, 2), near(1, 50, 2)]))


# ---- one class ---------------------------------------------------------------------------------------------------------


def test_vectors_are_two_more_components() -> None:
    assert DETECTOR.model.names == (*PLAIN.model.names, "meaning", "company")
    assert DETECTOR.features == (*PLAIN.features, "meaning")
    assert DETECTOR.columns == ("text", VECTORS)
    assert DETECTOR.kinds == (("text", "text"), (VECTORS, "vector"))
    assert DETECTOR.has_vectors
    assert not PLAIN.has_vectors
    assert DETECTOR.model.evidence(SELF).scores.shape == (200, len(PLAIN.model.names) + 2)


def test_the_wording_says_what_it_says_without_vectors() -> None:
    found = DETECTOR.model.evidence(FRESH).scores[:, :-2]
    assert np.array_equal(found, PLAIN.model.evidence(FRESH.drop([VECTORS])).scores)


def test_another_meaning_in_the_same_words_is_foreign() -> None:
    score, plain = DETECTOR.score(FRESH), PLAIN.score(FRESH.drop([VECTORS]))
    assert (DETECTOR.p_values(FRESH)[650:] <= 0.05).all()
    assert (PLAIN.p_values(FRESH.drop([VECTORS]))[650:] > 0.05).mean() > 0.8
    assert score[650:].min() > np.median(score[:650])
    assert np.isfinite(plain).all()


@pytest.mark.parametrize(("preset", "grouped"), [("immune", False), ("lite", True), ("robust", False)])
def test_fresh_self_is_flagged_at_the_rate_asked_for(preset: str, grouped: bool) -> None:
    groups = np.arange(200) // 4 if grouped else None
    detector = Detector.fit(SELF, preset, pipeline="text", groups=groups)
    flagged = detector.p_values(FRESH.take(np.arange(650))) <= 0.05
    assert flagged.mean() <= 0.10
    assert (detector.p_values(FRESH)[650:] <= 0.05).all()


@settings(max_examples=8)
@given(st.randoms(use_true_random=False), st.integers(1, 400))
def test_scores_do_not_depend_on_the_batch_or_the_order(rng: Any, size: int) -> None:
    order = list(range(FRESH.rows))
    rng.shuffle(order)
    parts = [np.array(order[start : start + size]) for start in range(0, len(order), size)][-3:]
    for part in parts:
        assert np.allclose(DETECTOR.score(FRESH.take(part)), SCORE[part], rtol=0, atol=1e-9)


SCORE = DETECTOR.score(FRESH)


def test_an_exact_copy_of_a_self_row_has_distance_zero() -> None:
    scores = DETECTOR.model.evidence(SELF).scores
    assert (scores[:, 0] == 0).all(), "in its wording"
    assert (scores[:, -2] == 0).all(), "and in its meaning"
    one = DETECTOR.model.evidence(SELF.take([123])).scores
    assert (one[0, 0], one[0, -2]) == (0, 0)


def test_a_rare_line_among_many_copies_stays_self() -> None:
    """A line that self has once is known, however often it has others."""
    rare = 60
    texts = [f"{WORDS[i % 4]} is {WORDS[4 + i % 3]}" for i in range(2 * ANTIGENS)] + texts_of(rare, 5)
    place = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    vectors = np.random.default_rng(5).normal(size=(len(place), WIDTH))
    table = with_vectors(words(texts), vectors, [place[text] for text in texts])
    model = MeaningModel.fit_over(type(PLAIN.model), table, seed=0, preset="immune")
    scores = model.evidence(table.take(np.arange(len(texts) - rare, len(texts)))).scores
    assert (scores[:, 0] == 0).all(), "in its wording"
    assert (scores[:, -2] == 0).all(), "and in its meaning"


def test_saving_and_loading_changes_nothing(tmp_path: Path) -> None:
    twin = Detector.fit(SELF, pipeline="text", row_numbers=np.arange(200) * 10)
    first, second = DETECTOR.save(tmp_path / "a"), twin.save(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes(), "the same training gives the same file"
    again = Detector.load(first)
    assert isinstance(again.model, MeaningModel)
    assert np.array_equal(again.score(FRESH), SCORE)
    assert np.array_equal(again.p_values(FRESH), DETECTOR.p_values(FRESH))
    assert repr(again.explain(FRESH.take([0, 650]))) == repr(DETECTOR.explain(FRESH.take([0, 650])))
    assert again.save(tmp_path / "c").read_bytes() == first.read_bytes()


@pytest.mark.parametrize("gone", ["dense/antigens", "dense/rows", "loo", "loo_rows", "base/loo"])
def test_a_model_that_lacks_a_part_is_refused(tmp_path: Path, gone: str) -> None:
    arrays, meta, _ = read_artifact(DETECTOR.save(tmp_path / "a"))
    arrays = {name.removeprefix("model/"): values for name, values in arrays.items() if name.startswith("model/")}
    del arrays[gone]
    with pytest.raises(ArtifactError, match="lacks a part"):
        MeaningModel.from_state(arrays, meta["model"])


def test_memory_goes_by_the_wording(tmp_path: Path) -> None:
    threat = SELF.take([7])
    taught = DETECTOR.remember(threats=threat, threat_names=["issue 12"])
    judged = taught.judge(threat)
    assert judged.RESULTS[judged.result[0]] == "danger"
    assert "issue 12" in taught.explain(threat)[0].memory
    assert np.array_equal(Detector.load(taught.save(tmp_path / "a")).score(FRESH), taught.score(FRESH))


# ---- explanations ------------------------------------------------------------------------------------------------------


def test_an_ordinary_wording_with_a_far_meaning_is_explained_by_its_meaning() -> None:
    closest = 137
    own = SELF.column(VECTORS).values[closest]
    away = np.zeros(WIDTH, dtype=np.float32)
    away[5] = 1
    row = lines([SELF.column("text").values[9]], (0.3 * own + away)[None, :])
    why = DETECTOR.explain(row)[0]
    assert why.reasons[0].name == "meaning"
    assert why.reasons[0].direction == "below"
    assert why.reasons[0].share > 0.5
    assert why.reasons[0].percentile == 100
    assert "meaning" in why.sentence
    assert set(why.components) == {"meaning", "company"}
    vectors = SELF.column(VECTORS).values
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = unit @ (row.column(VECTORS).values[0] / np.linalg.norm(row.column(VECTORS).values[0]))
    assert why.nearest_row == 10 * int(similar.argmax()), "as the dataset numbers its rows"
    assert why.nearest_row != 90, "not the row whose words it has"
    assert why.nearest_distance == pytest.approx(1 - similar.max(), abs=1e-5)
    assert why.reasons[0].value == f"{similar.max():.0%} like the nearest"
    assert why.margin > 1
    judged = DETECTOR.judge(row)
    assert DETECTOR.features[judged.leading[0]] == "meaning"
    assert judged.direction[0] == 1


def test_a_strange_wording_with_an_ordinary_meaning_is_explained_by_its_words() -> None:
    row = lines(["xyzzy plugh 0x7f frobnicate quux"], near(0, 1, 1)[:1])
    why = DETECTOR.explain(row)[0]
    assert why.reasons[0].name != "meaning"
    assert all(reason.name in DETECTOR.features for reason in why.reasons)
    assert len(why.reasons) <= 5


@settings(max_examples=10)
@given(st.lists(st.integers(0, FRESH.rows - 1), max_size=12))
def test_shares_sum_to_one(rows: list[int]) -> None:
    table = FRESH.take(rows)
    evidence = DETECTOR.model.evidence(table)
    shares, direction = DETECTOR.model.attribution(evidence)
    assert shares.shape == direction.shape == (len(rows), len(DETECTOR.features))
    assert np.allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()
    assert len(DETECTOR.explain(table)) == len(DETECTOR.judge(table)) == len(rows)
    for why in DETECTOR.explain(table):
        told = [reason.share for reason in why.reasons]
        assert told == sorted(told, reverse=True)


def test_no_rows() -> None:
    for none in (FRESH.take([]), with_flat_vectors(words([]), array("f"), 0, [])):
        assert DETECTOR.score(none).shape == (0,)
        assert len(DETECTOR.judge(none)) == 0
        assert DETECTOR.explain(none) == []


@pytest.mark.parametrize("pipeline", ["logs", "code", "emotion"])
def test_every_pipeline_of_texts_takes_vectors(pipeline: str) -> None:
    table = SELF.take(np.arange(50))
    detector = Detector.fit(table, pipeline=pipeline)
    assert detector.model.names[-2:] == ("meaning", "company")
    assert np.isfinite(detector.score(FRESH)).all()
    assert (detector.p_values(FRESH)[650:] <= 0.05).all()


def test_two_threads_agree() -> None:
    found: dict[int, NDArray[np.float64]] = {}
    start = threading.Barrier(2)

    def score(number: int) -> None:
        start.wait()
        found[number] = np.stack([DETECTOR.score(FRESH) for _ in range(3)])

    threads = [threading.Thread(target=score, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], np.stack([SCORE] * 3))


# ---- bad vectors -------------------------------------------------------------------------------------------------------

BAD: dict[str, Any] = {
    "nan": np.full((3, 4), np.nan),
    "infinite": np.full((3, 4), np.inf),
    "one nan": [[1.0, 2.0], [1.0, np.nan], [1.0, 2.0]],
    "one number each": np.ones((3, 1)),
    "no numbers": np.ones((3, 0)),
    "flat": np.ones(3),
    "deep": np.ones((3, 2, 2)),
    "too few": np.ones((2, 4)),
    "ragged": [[1.0, 2.0], [1.0, 2.0, 3.0], [1.0, 2.0]],
    "words": [["a", "b"]] * 3,
    "nothing": [[None, None]] * 3,
}


@pytest.mark.parametrize("vectors", BAD.values(), ids=BAD)
def test_what_is_no_vector_is_refused(vectors: Any) -> None:
    with pytest.raises(DataError):
        with_vectors(words(["a", "b", "c"]), vectors)


def test_numbers_that_no_vector_holds_are_refused() -> None:
    flat = array("f", [1e39, 1.0])
    with pytest.raises(DataError, match="no vectors of texts"):
        with_flat_vectors(words(["a"]), flat, 1, [0])


@pytest.mark.parametrize("width", [WIDTH - 1, WIDTH + 1, 2])
def test_vectors_of_another_length_are_refused(width: int) -> None:
    table = lines(["pump valve"], np.ones((1, width)))
    for ask in (DETECTOR.score, DETECTOR.p_values, DETECTOR.judge, DETECTOR.explain):
        with pytest.raises(DataError) as caught:
            ask(table)
        assert f"{width} numbers" in caught.value.message
        assert str(WIDTH) in caught.value.message
        assert "embedding model" in caught.value.hint


def test_texts_without_vectors_are_refused() -> None:
    with pytest.raises(DataError, match=VECTORS):
        DETECTOR.score(words(["pump valve"]))


@pytest.mark.parametrize(
    "column",
    [Column(VECTORS, "text", np.array(["0.1 0.2"], dtype=object)), Column(VECTORS, "number", np.array([0.1]))],
    ids=["text", "number"],
)
def test_a_column_that_only_has_the_name_of_vectors_is_refused(column: Column) -> None:
    with pytest.raises(DataError, match=VECTORS):
        DETECTOR.score(Table((*words(["pump valve"]).columns, column)))


def test_vectors_that_nobody_asked_for_are_ignored() -> None:
    assert np.array_equal(PLAIN.score(FRESH), PLAIN.score(FRESH.drop([VECTORS])))
    assert PLAIN.notes(FRESH) == (f"1 columns that the detector was not trained on were ignored: {VECTORS}.",)


def test_a_table_may_have_a_column_of_that_name() -> None:
    """A name in somebody's file is no promise of what the column holds."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 2))
    table = Table.from_array(values, ("rate", VECTORS))
    assert not has_vectors(table)
    detector = Detector.fit(table)
    assert np.isfinite(detector.score(table)).all()


# ---- labelled ----------------------------------------------------------------------------------------------------------


def labelled(own: int = 120, each: int = 40, labels: Sequence[str] = ("spam",), seed: int = 3) -> Dataset:
    """Texts whose words do not tell their label; their vectors do."""
    names = ["ham"] * own + [label for label in labels for _ in range(each)]
    vectors = [near(0, own, seed, 0.9), *(near(i + 1, each, seed, 0.9) for i in range(len(labels)))]
    order = np.random.default_rng(seed).permutation(len(names))
    found = np.array(names, dtype=object)[order]
    table = lines(texts_of(len(names), seed), np.concatenate(vectors)[order])
    return Dataset(
        "made.csv", "csv", table, found == "ham", "0" * 64, labels=found, label="label", self_value="ham",
        embedding={"model": "tiny-\x1bembed", "digest": "d" * 64, "dimensions": WIDTH},
    )  # fmt: skip


@pytest.fixture(scope="module")
def taught() -> tuple[Dataset, TrainingResult]:
    """A labelled dataset with vectors, and what was learned from it."""
    data = labelled()
    return data, train(data, role="bcell", pipeline="text")


def test_vectors_that_carry_the_label_beat_words_that_do_not(
    taught: tuple[Dataset, TrainingResult], tmp_path: Path
) -> None:
    data, with_them = taught
    bare = replace(data, table=data.table.drop([VECTORS]), embedding={})
    without = train(bare, role="bcell", pipeline="text")
    assert with_them.metrics["auroc"] > 0.95
    assert without.metrics["auroc"] < 0.7
    assert without.detector.columns == ("text",)
    assert "embedding" not in without.metrics
    assert "embedding" not in without.detector.meta
    detector = with_them.detector
    assert detector.columns == ("text", VECTORS)
    assert with_them.metrics["embedding"] == detector.meta["embedding"] == dict(data.embedding)
    assert r"with vectors of tiny-\x1bembed, learned from" in detector.summary
    again = Detector.load(detector.save(tmp_path / "a"))
    assert np.array_equal(again.score(data.table), detector.score(data.table))
    rows = data.table.take([0, 1, 2])
    assert repr(again.explain(rows)) == repr(detector.explain(rows))
    assert again.meta["embedding"] == dict(data.embedding)


def test_a_labelled_detector_is_the_same_in_any_batch_and_refuses_other_vectors(
    taught: tuple[Dataset, TrainingResult],
) -> None:
    data, detector = taught[0], taught[1].detector
    together = detector.score(data.table)
    alone = np.concatenate([detector.score(data.table.take([i])) for i in range(0, 160, 20)])
    assert np.allclose(together[::20], alone, rtol=0, atol=1e-9)
    with pytest.raises(DataError, match="trained on 24"):
        detector.score(lines(["pump"], np.ones((1, WIDTH + 1))))
    with pytest.raises(DataError, match=VECTORS):
        detector.score(words(["pump"]))
    assert detector.score(data.table.take([])).shape == (0,)


def test_labels_that_only_vectors_tell_apart() -> None:
    metrics = train(labelled(own=60, each=30, labels=("spam", "phish")), role="bcell", pipeline="emotion").metrics
    assert metrics["macro_f1"] > 0.9
    assert metrics["class_accuracy"] > metrics["class_majority_accuracy"]


def test_one_class_training_knows_its_model_too() -> None:
    data = labelled()
    result = train(data, role="nk", pipeline="text")
    assert result.metrics["auroc"] > 0.9
    assert result.detector.meta["embedding"]["dimensions"] == WIDTH
    assert "vectors of" in result.detector.summary


def test_part_of_a_dataset_keeps_its_vectors() -> None:
    data = replace(labelled(), row_numbers=np.arange(160) * 2)
    part = data.take(np.array([5, 1]))
    assert part.rows == 2
    assert np.array_equal(part.table.column(VECTORS).values, data.table.column(VECTORS).values[[5, 1]])
    assert part.row_numbers.tolist() == [10, 2]
    assert part.labels is not None
    assert data.labels is not None
    assert part.labels.tolist() == data.labels[[5, 1]].tolist()
    assert part.embedding == data.embedding


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(0, 100))
def test_probabilities_of_vectors(classes: int, seed: int) -> None:
    vectors = np.concatenate([near(i, 12, seed, 1.5) for i in range(classes)])
    names = [f"class {i}" for i in range(classes) for _ in range(12)]
    model = DenseClassifier.fit(vectors, names)
    found = model.probabilities(vectors)
    assert found.shape == (12 * classes, classes)
    assert np.allclose(found.sum(axis=1), 1)
    assert np.array_equal(found[3:4], model.probabilities(vectors[3:4])), "whatever rows come with it"
    again = DenseClassifier.from_state(model.classes, model.state())
    assert np.array_equal(found, again.probabilities(vectors))
    mixed = blend(found, found[:, ::-1])
    assert np.allclose(mixed.sum(axis=1), 1)
    assert np.allclose(mixed, mixed[:, ::-1])
    assert np.allclose(blend(found, found), found, atol=1e-4)


def test_vectors_that_are_all_alike_tell_nothing() -> None:
    model = DenseClassifier.fit(np.ones((40, 8), dtype=np.float32), ["a", "b"] * 20)
    assert np.allclose(model.probabilities(np.ones((1, 8), dtype=np.float32)), 0.5)
    with pytest.raises(DataError, match="only one class"):
        DenseClassifier.fit(np.ones((4, 8), dtype=np.float32), ["a"] * 4)


# ---- properties --------------------------------------------------------------------------------------------------------

NUMBERS = st.floats(-4, 4, width=32)
ARRAYS = hnp.arrays(np.float32, st.tuples(st.integers(1, 20), st.integers(2, 6)), elements=NUMBERS)


@given(ARRAYS, st.data())
def test_each_row_has_the_vector_that_it_names(vectors: Vectors, data: st.DataObject) -> None:
    which = data.draw(st.lists(st.integers(0, len(vectors) - 1), max_size=30))
    table = words([f"text {i}" for i in range(len(which))])
    found = with_vectors(table, vectors, which)
    assert has_vectors(found)
    assert found.names == ("text", VECTORS)
    assert found.rows == len(which)
    assert np.array_equal(found.column(VECTORS).values, vectors[which])
    flat = with_flat_vectors(table, array("f", vectors.ravel().tolist()), len(vectors), which)
    assert np.array_equal(flat.column(VECTORS).values, vectors[which])
    own = with_vectors(words(["x"] * len(vectors)), vectors)
    assert np.array_equal(own.column(VECTORS).values, vectors)


@settings(max_examples=60)
@given(st.integers(2, 40), st.integers(4, 8), st.integers(0, 1000))
def test_leave_one_out_is_what_the_others_say(rows: int, width: int, seed: int) -> None:
    """Against plain arithmetic."""
    vectors = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    dense = DenseSelf.fit(vectors, seed)
    own = np.arange(rows)
    found, nearest = dense.distances(vectors, own)
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    company = max(1, min(COMPANY, rows - 1))
    assert found[:, 0] == pytest.approx(1 - similar.max(axis=1), abs=2e-6)
    assert found[:, 1] == pytest.approx(1 - np.sort(similar, axis=1)[:, -company:].mean(axis=1), abs=2e-6)
    assert (nearest != own).all(), "no row is its own neighbour"
    assert similar[own, nearest] == pytest.approx(similar.max(axis=1), abs=2e-6)
    whole, at = dense.distances(vectors)
    assert (whole[:, 0] == 0).all()
    assert np.array_equal(at, own)
    assert (whole <= found + 2e-6).all()
    assert (found >= 0).all()
    again = DenseSelf.from_state(dense.state()).distances(vectors, own)
    assert np.array_equal(found, again[0])
    assert np.array_equal(nearest, again[1])


@settings(max_examples=20)
@given(st.integers(14, 30), st.integers(0, 1000))
def test_leave_one_out_is_what_a_model_without_the_row_says(rows: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(rows, 4)).astype(np.float32)
    left_out, _ = DenseSelf.fit(vectors, 0).distances(vectors[:1], np.zeros(1, dtype=np.int64))
    without, _ = DenseSelf.fit(vectors[1:], 0).distances(vectors[:1])
    assert left_out == pytest.approx(without, abs=2e-6)


def test_the_twin_of_a_copy_is_no_stranger_to_it() -> None:
    texts = texts_of(40, 8)
    table = with_vectors(words(texts + texts[:10]), near(0, 40, 8), [*range(40), *range(10)])
    model = MeaningModel.fit_over(type(PLAIN.model), table, seed=0, preset="immune")
    meant = dict(zip(model.loo_rows.tolist(), model.loo_scores()[:, -2], strict=True))
    assert all(meant[row] == 0 for row in (*range(10), *range(40, 50)))
    assert all(meant[row] > 0 for row in range(10, 40))


def test_only_self_rows_leave_themselves_out() -> None:
    vectors = near(0, ANTIGENS + 300, 4)
    dense = DenseSelf.fit(vectors, 0)
    assert len(dense.rows) == ANTIGENS
    own = np.arange(len(vectors))
    left_out, nearest = dense.distances(vectors, own)
    plain, _ = dense.distances(vectors)
    kept = np.isin(own, dense.rows)
    assert np.array_equal(left_out[~kept], plain[~kept])
    assert (plain[kept, 0] == 0).all()
    assert (left_out[kept, 0] > 0).all()
    assert np.isin(nearest, dense.rows).all()
    assert (nearest != own).all()


def test_a_vector_of_zeros_is_far_from_all_and_no_error() -> None:
    vectors = near(0, 20, 6)
    vectors[3] = 0
    dense = DenseSelf.fit(vectors, 0)
    found, _ = dense.distances(np.zeros((1, WIDTH), dtype=np.float32))
    assert np.isfinite(found).all()
    assert found[0, 0] == 1
