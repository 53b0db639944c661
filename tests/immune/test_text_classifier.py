"""The B-cell of text on real labels, and what must hold for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from immunos_tui.immune.dataset import read_dataset
from immunos_tui.immune.evaluation import auroc, evaluate, macro_f1
from immunos_tui.immune.features.classifier import TextClassifier
from immunos_tui.immune.features.code import CODE_PASSES, code_words
from immunos_tui.model.errors import ArtifactError, DataError

NEGATIVE = ("anger", "disgust", "fear", "sadness")


def test_spam_with_labels(shared_data: Path) -> None:
    data = read_dataset(shared_data / "text/sms_spam.csv.gz", label="label", self_value="ham", pipeline="text")
    texts = data.table.column("text").values
    held = np.random.default_rng(0).permutation(data.rows) < data.rows // 5
    model = TextClassifier.fit(list(texts[~held]), list(data.labels[~held]))
    assert auroc(model.foreign(list(texts[held]), ["ham"]), data.is_self[held]) >= 0.985
    assert model.telling("Txt WIN to claim a prize", "spam")[0][0] in ("txt", "claim", "win", "prize")


def test_emotions(shared_data: Path) -> None:
    path = shared_data / "text/goemotions_ekman.csv.gz"
    data = read_dataset(path, label="label", self_value="joy", pipeline="emotion")
    train = data.context.column("split").values == "train"
    texts, labels = data.table.column("text").values, data.labels.astype(str)
    some = np.flatnonzero(train)[:6000]
    model = TextClassifier.fit(list(texts[some]), list(labels[some]), passes=4)
    found = model.probabilities(list(texts[~train]))
    guess = np.array(model.classes)[found.argmax(axis=1)]
    assert macro_f1(labels[~train], guess) >= 0.42
    negative = found[:, np.isin(model.classes, NEGATIVE)].sum(axis=1)
    assert auroc(negative, ~np.isin(labels[~train], NEGATIVE)) >= 0.78


def test_code_by_repository_is_weak(shared_data: Path) -> None:
    data = read_dataset(shared_data / "code/sven_code.csv.gz", label="label", self_value="safe", pipeline="code")
    repositories = data.context.column("repo").values.astype(str)
    chosen = np.random.default_rng(0).permutation(np.unique(repositories))
    train = np.isin(repositories, chosen[: int(0.65 * len(chosen))])
    codes = data.table.column("code").values
    how = {"fragments": False, "passes": CODE_PASSES, "tokenize": code_words}
    model = TextClassifier.fit(list(codes[train]), list(data.labels[train]), **how)
    score = model.foreign(list(codes[~train]), ["safe"])
    found = evaluate(score, np.full(len(score), 0.5), data.is_self[~train])
    assert found.auroc is not None
    assert found.auroc >= 0.6
    assert found.grade in ("weak", "not usable")


TEXTS = ["red apple", "green pear", "red plum", "green fig"] * 10
LABELS = ["warm", "cold"] * 20


def test_probabilities_sum_to_one_and_do_not_depend_on_the_batch() -> None:
    model = TextClassifier.fit(TEXTS, LABELS)
    found = model.probabilities(["red", "", "something else entirely", "green green"])
    assert np.allclose(found.sum(axis=1), 1)
    alone = np.concatenate(
        [model.probabilities([text]) for text in ("red", "", "something else entirely", "green green")]
    )
    assert np.array_equal(found, alone)
    assert model.predict(["red grape", "green grape"]) == ["warm", "cold"]


def test_the_same_seed_gives_the_same_weights_and_a_copy_equals_its_model() -> None:
    model, other = TextClassifier.fit(TEXTS, LABELS, seed=3), TextClassifier.fit(TEXTS, LABELS, seed=3)
    assert np.array_equal(model.weights, other.weights)
    arrays, meta = model.state()
    again = TextClassifier.from_state(arrays, meta)
    assert np.array_equal(again.probabilities(TEXTS), model.probabilities(TEXTS))
    del arrays["bias"]
    with pytest.raises(ArtifactError):
        TextClassifier.from_state(arrays, meta)


def test_shuffled_labels_teach_nothing() -> None:
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(50)]
    texts = [" ".join(rng.choice(words, 8)) for _ in range(1500)]
    labels = rng.choice(["a", "b"], 1500)
    model = TextClassifier.fit(texts[:750], list(labels[:750]), passes=4)
    assert auroc(model.foreign(texts[750:], ["a"]), labels[750:] == "a") == pytest.approx(0.5, abs=0.06)


def test_one_class_is_refused() -> None:
    with pytest.raises(DataError, match="only one class"):
        TextClassifier.fit(["a", "b"], ["x", "x"])
