"""Text novelty on real messages, and what must hold for any text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from immunos_tui.immune.dataset import Dataset, read_dataset
from immunos_tui.immune.detector import Detector
from immunos_tui.immune.evaluation import Evaluation, evaluate
from immunos_tui.immune.features import hashing
from immunos_tui.immune.features.neighbours import TextAntigens
from immunos_tui.immune.features.novelty import unit_length
from immunos_tui.immune.features.text import TextModel
from immunos_tui.immune.table import Column, Table
from immunos_tui.model.errors import ArtifactError, DataError


def texts(*values: str) -> Table:
    return Table((Column("text", "text", np.array(values, dtype=object)),))


def judged(data: Dataset, pipeline: str, share: float, seed: int = 0) -> tuple[Detector, Evaluation, np.ndarray]:
    """A detector of part of self, and its evaluation on the rest with all rows that are not self."""
    rng = np.random.default_rng(seed)
    own = rng.permutation(np.flatnonzero(data.is_self))
    cut = int(share * len(own))
    detector = Detector.fit(data.table.take(own[:cut]), seed=seed, pipeline=pipeline)
    rest = np.concatenate([own[cut:], np.flatnonzero(~data.is_self)])
    found = detector.judge(data.table.take(rest))
    return detector, evaluate(found.score, found.p, data.is_self[rest]), rest


def test_spam_is_foreign_to_ham(shared_data: Path) -> None:
    data = read_dataset(shared_data / "text/sms_spam.csv.gz", label="label", self_value="ham", pipeline="text")
    detector, found, _ = judged(data, "text", 0.8)
    assert found.auroc is not None
    assert found.auroc >= 0.97
    assert found.levels[0].fpr <= 0.03
    why = detector.explain(texts("URGENT! claim your txt prize: call 09061701461 now"))[0]
    assert any("09061701461" in note for note in why.notes)
    assert why.sentence
    assert 0 <= why.nearest_row < data.rows


def test_answers_and_claims_are_not_usable(shared_data: Path) -> None:
    for name, own, text, pipeline in (
        ("truthfulqa_answers", "truthful", "answer", "hallucination"),
        ("scifact_claims", "support", "claim", "research"),
    ):
        path = shared_data / "text" / f"{name}.csv.gz"
        data = read_dataset(path, label="label", self_value=own, pipeline=pipeline, text=text)
        assert judged(data, pipeline, 0.5)[1].grade == "not usable"


SENTENCES = st.lists(st.text(st.sampled_from("ab c1.é"), max_size=25), min_size=1, max_size=12)
SELF = texts(*(f"the {a} of {b} number {i}" for i, (a, b) in enumerate([("cat", "mat"), ("dog", "fog")] * 20)), "")
MODEL = TextModel.fit(SELF, seed=0, preset="immune")


@settings(max_examples=40)
@given(SENTENCES)
def test_scores_do_not_depend_on_the_batch(values: list[str]) -> None:
    together = MODEL.evidence(texts(*values)).scores
    alone = np.concatenate([MODEL.evidence(texts(value)).scores for value in values])
    assert np.array_equal(together, alone)
    assert np.isfinite(together).all()
    assert (together[:, 0] >= 0).all()


@settings(max_examples=30)
@given(SENTENCES)
def test_shares_sum_to_one_and_reasons_are_given(values: list[str]) -> None:
    table = texts(*values)
    evidence = MODEL.evidence(table)
    shares, direction = MODEL.attribution(evidence)
    assert shares.shape == direction.shape == (len(values), len(MODEL.features))
    assert np.allclose(shares.sum(axis=1), 1)
    for why in MODEL.reasons(table, evidence):
        assert len(why.reasons) <= 5
        assert all(reason.name in MODEL.features for reason in why.reasons)


def test_a_copy_of_a_self_text_has_distance_zero() -> None:
    assert (MODEL.evidence(SELF).scores[:, 0] == 0).all()
    assert MODEL.loo_scores().shape == (SELF.rows, 4)


def test_leave_one_out_is_what_a_model_without_the_text_says() -> None:
    values = [f"{a} {b} {a}{b}" for a in "red green blue black".split() for b in "apple pear plum fig".split()]
    model = TextModel.fit(texts(*values), seed=0, preset="immune")
    left_out = TextModel.fit(texts(*values[1:]), seed=0, preset="immune").evidence(texts(values[0])).scores[0]
    assert model.loo_scores()[0] == pytest.approx(left_out, rel=0.1, abs=0.05)


def test_the_nearest_text_is_what_scikit_learn_finds() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(60)]
    values = [" ".join(rng.choice(words, 6)) for _ in range(80)]
    rows, keys = hashing.word_pairs(values)
    bags = hashing.Bags.of(rows, keys, len(values))
    weights = unit_length(bags, bags.counts.astype(float))
    dense = np.zeros((80, 1000))
    _, place = np.unique(bags.keys, return_inverse=True)
    dense[bags.rows, place] = weights
    own, new = bags.take(np.arange(50)), bags.take(np.arange(50, 80))
    index = TextAntigens.of(own, weights[: own.start[-1]])
    distance, antigen = index.nearest(new, weights[own.start[-1] :])
    similar = cosine_similarity(dense[50:], dense[:50])
    assert distance == pytest.approx(1 - similar.max(axis=1))
    assert similar[np.arange(30), antigen] == pytest.approx(similar.max(axis=1))


def test_saving_and_loading_changes_nothing() -> None:
    arrays, meta = MODEL.state()
    again = TextModel.from_state(arrays, meta)
    table = texts("a stranger walks in 123", "the cat of mat number 3")
    assert np.array_equal(again.evidence(table).scores, MODEL.evidence(table).scores)
    assert np.array_equal(again.vectors(table), MODEL.vectors(table))
    del arrays["loo"]
    with pytest.raises(ArtifactError):
        TextModel.from_state(arrays, meta)


def test_near_twins_are_near_as_vectors() -> None:
    table = texts("the cat of mat number 3", "the cat of mat number 4", "completely different words here")
    vectors = MODEL.vectors(table)
    assert np.linalg.norm(vectors[0] - vectors[1]) < np.linalg.norm(vectors[0] - vectors[2])


def test_a_column_without_text_is_refused() -> None:
    with pytest.raises(DataError, match="no column of text"):
        TextModel.fit(Table((Column("n", "number", np.zeros(3)),)), seed=0, preset="immune")
    with pytest.raises(DataError, match="empty"):
        TextModel.fit(texts("", " "), seed=0, preset="immune")


@given(st.lists(st.text(max_size=20), max_size=10))
def test_fragments_are_those_of_each_text_alone(values: list[str]) -> None:
    rows, keys = hashing.gram_pairs(values)
    for place, value in enumerate(values):
        alone = hashing.gram_pairs([value])[1]
        assert sorted(keys[rows == place]) == sorted(alone)
