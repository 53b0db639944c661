"""The labelled B-cell of texts as a detector: honest splits, calibration, reasons, memory and a way back from disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunos_tui.immune import Column, Dataset, Detector, Table, evaluate, read_dataset, train
from immunos_tui.immune.artifact import read_artifact
from immunos_tui.immune.features.labelled import ClassifierModel, reading_name
from immunos_tui.immune.labelled import REST, Corpus, fit_labelled
from immunos_tui.immune.splits import splits_labelled
from immunos_tui.model.errors import ArtifactError, ConflictError, DataError, UsageError

OWN = ("meeting", "lunch", "report", "thanks", "tomorrow", "office", "family", "train", "garden", "dinner")
FOREIGN = {"spam": ("prize", "winner", "claim", "cash"), "phish": ("password", "account", "verify", "login")}


def messages(own: int = 300, each: int = 60, labels: tuple[str, ...] = ("spam", "phish"), seed: int = 0) -> Dataset:
    """Messages that share most words; a foreign one has two of its label's words besides."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(OWN, 7)) for _ in range(own)]
    found = ["ham"] * own
    for label in labels:
        texts += [" ".join([*rng.choice(OWN, 5), *rng.choice(FOREIGN[label], 2)]) for _ in range(each)]
        found += [label] * each
    table = Table((Column("text", "text", np.array(texts, dtype=object)),))
    named = np.array(found, dtype=object)
    return Dataset("made.csv", "csv", table, named == "ham", "0" * 64, labels=named, label="label", self_value="ham")


def fitted(data: Dataset, pipeline: str = "text") -> Detector:
    corpus = Corpus.read(data, pipeline)
    return fit_labelled(corpus, np.arange(data.rows), seed=0, preset="immune", pipeline=pipeline)


def test_training_is_measured_on_rows_that_nothing_has_seen() -> None:
    told: list[tuple[str, float]] = []
    data = messages()
    result = train(data, role="bcell", pipeline="text", progress=lambda stage, done, note: told.append((stage, done)))
    metrics = result.metrics
    assert metrics["held_out"] == "each fifth of the rows in turn, drawn at random"
    assert metrics["rows"] == data.rows
    assert metrics["auroc"] > 0.99
    assert metrics["labels"] == {"ham": 300, "phish": 60, "spam": 60}
    assert metrics["macro_f1"] > 0.9
    assert metrics["class_majority_accuracy"] == pytest.approx(300 / 420)
    assert "labelled detector that tells 3 labels apart" in result.detector.summary
    assert all(0 <= done <= 1 for _, done in told)
    done = [part for stage, part in told if stage == "evaluate"]
    assert done == sorted(done), "progress never goes back"


def test_two_labels_have_no_macro_f1() -> None:
    metrics = train(messages(labels=("spam",)), role="bcell", pipeline="emotion").metrics
    assert "macro_f1" not in metrics
    assert metrics["majority_accuracy"] == pytest.approx(300 / 360)


@pytest.mark.parametrize("own", [400, 1400])
def test_fresh_self_is_flagged_at_the_rate_asked_for(own: int) -> None:
    detector = fitted(messages(own=own))
    assert detector.meta["calibration"] == ("held-out fifth" if own >= 1000 else "3-fold cross-conformal")
    fresh = messages(own=3000, each=300, seed=9)
    judged = detector.judge(fresh.table)
    found = evaluate(judged.score, judged.p, fresh.is_self)
    assert found.levels[1].fpr <= 0.10
    assert found.levels[1].tpr is not None
    assert found.levels[1].tpr >= 0.95


def test_the_same_training_gives_the_same_file_and_a_copy_equals_its_model(tmp_path: Path) -> None:
    data = messages()
    detector, twin = fitted(data), fitted(data)
    detector, twin = (item.remember(threats=data.table.take([310])) for item in (detector, twin))
    first, second = detector.save(tmp_path / "a"), twin.save(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    again = Detector.load(first)
    assert isinstance(again.model, ClassifierModel)
    assert np.array_equal(again.score(data.table), detector.score(data.table))
    assert np.array_equal(again.p_values(data.table), detector.p_values(data.table))
    rows = data.table.take([0, 305, 400])
    assert repr(again.explain(rows)) == repr(detector.explain(rows))


def test_a_model_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    arrays, meta, _ = read_artifact(fitted(messages()).save(tmp_path / "a"))
    arrays = {name.removeprefix("model/"): array for name, array in arrays.items() if name.startswith("model/")}
    with pytest.raises(ArtifactError):
        ClassifierModel.from_state(arrays, {**meta["model"], "reading": "braille"})
    del arrays["near/start"]
    with pytest.raises(ArtifactError, match="lacks a part"):
        ClassifierModel.from_state(arrays, meta["model"])


@settings(max_examples=25)
@given(st.lists(st.one_of(st.text(max_size=60), st.sampled_from(["claim your prize", "lunch tomorrow"])), max_size=9))
def test_no_score_depends_on_the_batch(texts: list[str]) -> None:
    table = Table((Column("text", "text", np.array(texts, dtype=object)),))
    together = SHARED.score(table)
    alone = [SHARED.score(table.take([i]))[0] for i in range(len(texts))]
    assert np.allclose(together, alone, atol=1e-9)
    shares, _ = SHARED.model.attribution(SHARED.model.evidence(table))
    assert np.allclose(shares.sum(axis=1), 1)
    assert len(SHARED.explain(table)) == len(texts)


SHARED = fitted(messages())


def test_reasons_are_the_words_that_told_most_and_the_nearest_self_row() -> None:
    data = replace(messages(), row_numbers=np.arange(420) * 2)
    detector = fitted(data)
    spam, copy = detector.explain(
        Table((Column("text", "text", np.array(["lunch claim your cash prize", data.table.columns[0].values[7]])),))
    )
    assert {reason.value for reason in spam.reasons[:3]} == {"claim", "cash", "prize"}
    assert all(reason.name == "word of spam" and reason.self_range == "100 %: without it" for reason in spam.reasons)
    assert spam.sentence.startswith("word of spam ")
    assert "self is without it (100 %)" in spam.sentence
    assert "like spam" in spam.notes[0]
    assert copy.nearest_row % 2 == 0
    assert copy.nearest_distance == 0.0
    assert data.table.columns[0].values[copy.nearest_row // 2] == data.table.columns[0].values[7]


def test_hostile_labels_and_words_come_out_clean() -> None:
    data = messages(labels=("spam",))
    named = np.where(data.is_self, "ham", "\x1b[2Jspam").astype(object)
    detector = fitted(replace(data, labels=named))
    assert "\x1b" not in repr([detector.features, *detector.explain(data.table.take([310]))])


def test_verdicts_are_remembered() -> None:
    detector = SHARED
    odd = Table(
        (
            Column(
                "text", "text", np.array(["lunch garden dinner train office family report", "claim cash prize winner"])
            ),
        )
    )
    before = detector.judge(odd)
    threat = detector.remember(threats=odd.take([0]), threat_names=["issue 1"])
    assert before.p[0] > 0.05
    assert threat.p_values(odd)[0] <= 0.01
    assert "issue 1" in threat.explain(odd)[0].memory
    calm = detector.remember(tolerate=odd.take([1]))
    assert before.p[1] <= 0.01
    assert calm.p_values(odd)[1] > 0.05
    with pytest.raises(ConflictError, match="issue 1"):
        threat.remember(tolerate=odd.take([0]))


def test_labels_of_both_kinds_are_needed() -> None:
    data = messages(labels=())
    for pipeline in ("text", "tabular", "code"):
        with pytest.raises(DataError, match="a labelled agent needs both"):
            train(data, role="bcell", pipeline=pipeline)
    with pytest.raises(DataError, match="too few labelled rows"):
        Corpus.read(messages(own=1, each=1, labels=("spam",)), "text").splits(0)
    assert (
        train(messages(own=30, each=1, labels=("spam",)), role="bcell", pipeline="text").metrics["grade"] == "unknown"
    )
    with pytest.raises(UsageError, match="self alone"):
        ClassifierModel.fit(data.table, seed=0, preset="immune")


def test_many_labels_become_one_class() -> None:
    data = messages(own=100, each=80)
    named = np.array(["ham"] * 100 + [f"kind {i % 40}" for i in range(160)], dtype=object)
    corpus = Corpus.read(replace(data, labels=named), "text")
    assert len(set(corpus.classes)) == 13
    assert REST in corpus.classes


def test_logs_are_read_as_lines_or_as_sequences(shared_data: Path) -> None:
    assert reading_name("logs", ["5 5 22 11", "22 5 5 9"]) == "sequences"
    assert reading_name("logs", ["disk sda failed", "link up"]) == "lines"
    assert reading_name("research", ["5 5 22 11", "22 5 5 9"]) == "text"
    path = shared_data / "logs/hdfs_sequences.csv.gz"
    data = read_dataset(path, label="label", self_value="normal", pipeline="logs")
    assert train(data, role="bcell", pipeline="logs").metrics["grade"] == "strong"


# How rows are held out -----------------------------------------------------------------------


def test_no_group_and_no_copy_is_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    for rows in (600, 2500):
        own = rng.random(rows) < 0.7
        copies = rng.integers(0, rows // 3, rows)
        repo = Table((Column("repo", "category", np.array([f"r{i % 40}" for i in range(rows)], dtype=object)),))
        for context, unit in ((Table(()), copies), (repo, repo.column("repo").values if rows else copies)):
            found = splits_labelled(context, own, copies, 0)
            assert len(found) == (5 if rows < 2000 else 1)
            for split in found:
                assert set(unit[split.learn]).isdisjoint(unit[split.held])
                assert 0 < own[split.held].mean() < 1
                assert 0.1 <= len(split.held) / rows <= 0.3
            held = np.concatenate([split.held for split in found])
            assert len(np.unique(held)) == len(held)


def test_the_latest_rows_are_held_out_where_a_time_is_known() -> None:
    own, copies = np.arange(100) % 4 > 0, np.arange(100)
    time = Table((Column("time", "number", np.arange(100.0)[::-1].copy()),))
    (split,) = splits_labelled(time, own, copies, 0)
    assert split.held.tolist() == list(range(20))
    assert split.how == "the latest fifth by time"
    early = np.arange(100) < 90
    (split,) = splits_labelled(Table((Column("ts", "number", np.arange(100.0)[::-1].copy()),)), early, copies, 0)
    assert split.how == "the latest fifth of self and of the rest by ts"
    assert (early[split.held].sum(), (~early[split.held]).sum()) == (18, 2)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5))
def test_what_is_left_to_learn_from_has_both_kinds(own: int, other: int, seed: int) -> None:
    is_self = np.arange(own + other) < own
    for split in splits_labelled(Table(()), is_self, np.arange(own + other), seed):
        assert len(split.held)
        assert 0 < is_self[split.learn].mean() < 1
        assert len(split.learn) + len(split.held) == own + other


# Data that nobody vouches for ----------------------------------------------------------------


def test_foreign_texts_in_self_are_set_aside(shared_data: Path) -> None:
    data = read_dataset(shared_data / "text/sms_spam.csv.gz", label="label", self_value="ham", pipeline="text")
    own, other = np.flatnonzero(data.is_self)[:1500], np.flatnonzero(~data.is_self)
    dirty = data.table.take(np.concatenate([own[:1000], other[:60]]))
    asked = np.concatenate([own[1000:], other[60:]])
    robust = Detector.fit(dirty, "robust", pipeline="text")
    assert robust.meta["set_aside"] == 265
    found = {}
    for detector in (robust, Detector.fit(dirty, pipeline="text")):
        judged = detector.judge(data.table.take(asked))
        found[detector.meta["preset"]] = evaluate(judged.score, judged.p, data.is_self[asked])
    better, plain = found["robust"].auroc, found["immune"].auroc
    assert better is not None
    assert plain is not None
    assert better >= plain + 0.01
    assert found["robust"].levels[1].fpr <= 0.08


def test_where_nothing_is_set_aside_it_is_said() -> None:
    lines = [f"link {i} is up on port {i % 7}" for i in range(300)]
    table = Table((Column("line", "text", np.array(lines, dtype=object)),))
    plain = Dataset("made.log", "lines", table, np.ones(300, dtype=bool), "0" * 64)
    assert train(plain, preset="robust", pipeline="logs").detector.meta["set_aside"] == 0
    for result in (
        train(plain, preset="robust", pipeline="logs"),
        train(messages(), preset="robust", pipeline="text", role="bcell"),
    ):
        assert any("has set no rows aside" in problem for problem in result.metrics["problems"])
    assert not train(plain, pipeline="logs").metrics["problems"]
