"""An artifact gives back the same numbers, and any change to either of its files is found."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunos_tui.immune import Column, Detector, Table
from immunos_tui.immune.artifact import paths, read_artifact, read_manifest, write_artifact
from immunos_tui.model.errors import ArtifactError


def some_table(n: int = 300, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    return Table((
        Column("a", "number", rng.normal(size=n)),
        Column("b", "number", np.where(rng.random(n) < 0.2, np.nan, np.exp(rng.normal(0, 4, n)))),
        Column("c", "category", rng.choice(["x", "\x1b[31my", "", "ü\u202e"], n).astype(object)),
        Column("gone", "number", np.full(n, np.nan)),
    ))  # fmt: skip


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    Detector.fit(some_table()).save(tmp_path / "nk", about={"metrics": {"auroc": 0.9}})
    return tmp_path / "nk"


@pytest.mark.parametrize("preset", ["immune", "lite", "robust"])
def test_saving_and_loading_changes_nothing(tmp_path: Path, preset: str) -> None:
    asked = some_table(150, seed=9)
    detector = Detector.fit(some_table(), preset=preset)
    detector = detector.remember(threats=asked.take([0]), tolerate=asked.take([40]))
    detector.save(tmp_path / "nk")
    again = Detector.load(tmp_path / "nk")
    assert again.score(asked).tobytes() == detector.score(asked).tobytes()
    assert again.p_values(asked).tobytes() == detector.p_values(asked).tobytes()
    assert again.explain(asked.take(slice(0, 5))) == detector.explain(asked.take(slice(0, 5)))
    assert again.meta == detector.meta
    assert again.summary == detector.summary
    more = some_table(5, seed=3)
    assert again.remember(threats=more).score(asked).tobytes() == detector.remember(threats=more).score(asked).tobytes()


def test_dense_embeddings_come_back_too(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(120, 300))
    detector = Detector.fit(X)
    detector.save(tmp_path / "dense.npz")
    assert np.array_equal(Detector.load(tmp_path / "dense.json").score(X), detector.score(X))


def test_equal_training_gives_equal_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        Detector.fit(some_table(1200), seed=seed).save(tmp_path / name)
    one, two, other = ((tmp_path / f"{name}.npz").read_bytes() for name in "abc")
    assert one == two
    assert one != other
    assert read_manifest(tmp_path / "a")["npz_sha256"] == read_manifest(tmp_path / "b")["npz_sha256"]


def test_the_manifest_tells_where_it_comes_from(saved: Path) -> None:
    record = read_manifest(saved)
    assert {"npz_sha256", "code_version", "numpy_version", "host", "format"} <= set(record)
    assert record["detector"]["seed"] == 0
    assert record["detector"]["columns"][0] == ["a", "number"]
    assert record["metrics"] == {"auroc": 0.9}


def test_files_are_private_and_no_draft_is_left(saved: Path) -> None:
    assert sorted(os.listdir(saved.parent)) == ["nk.json", "nk.npz"]
    for path in paths(saved):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@settings(max_examples=30)
@given(place=st.floats(0, 1, exclude_max=True), which=st.sampled_from([0, 1]))
def test_one_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, place: float, which: int) -> None:
    folder = tmp_path_factory.mktemp("flip")
    write_artifact(folder / "nk", {"x": np.arange(50.0)}, {"kind": "tabular"}, {"seed": 1})
    path = paths(folder / "nk")[which]
    content = bytearray(path.read_bytes().rstrip())
    content[int(place * len(content))] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ArtifactError):
        read_artifact(folder / "nk")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_cut_file_is_found(saved: Path, which: int, keep: float) -> None:
    path = paths(saved)[which]
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    with pytest.raises(ArtifactError, match=path.name):
        Detector.load(saved)


@pytest.mark.parametrize("which", [0, 1])
def test_a_missing_file_is_named(saved: Path, which: int) -> None:
    path = paths(saved)[which]
    path.unlink()
    with pytest.raises(ArtifactError, match=f"{path.name} is missing"):
        Detector.load(saved)


def test_another_format_or_metric_is_refused(saved: Path) -> None:
    manifest = paths(saved)[1]
    record = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**record, "metrics": {"auroc": 1.0}}))
    with pytest.raises(ArtifactError, match="changed"):
        Detector.load(saved)


def test_a_pickle_inside_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pickle"):
        write_artifact(tmp_path / "nk", {"x": np.array([{}], dtype=object)}, {}, {})
    assert not list(tmp_path.iterdir())


def test_an_archive_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_artifact(tmp_path / "nk", {"rows": np.zeros(1)}, {"kind": "soup"}, {})
    with pytest.raises(ArtifactError, match="soup"):
        Detector.load(tmp_path / "nk")
    write_artifact(tmp_path / "nk", {"rows": np.zeros(1)}, {"kind": "tabular", "model": {}}, {})
    with pytest.raises(ArtifactError, match="lacks a part"):
        Detector.load(tmp_path / "nk")


def test_an_unwritable_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="cannot be written"):
        Detector.fit(np.zeros((5, 2))).save(tmp_path / "file" / "nk")
