"""Reading: every format gives the same columns, kinds and labels; nothing turns text into numbers behind one's back."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from immunos_tui.immune.datafile import sha256_file
from immunos_tui.immune.dataset import read_dataset
from immunos_tui.immune.table import Table
from immunos_tui.model.errors import UsageError

ROWS = [
    ("tcp", "1", "2024-01-02T03:04:05Z", "GET /a, then more", "normal"),
    ("udp", "2.5", "2024-01-02T03:04:06Z", 'say "hi"', "normal"),
    ("tcp", "", "2024-01-02 03:04:07", "two\nlines", "attack"),
    ("tcp", "1e308", "2024/01/02", "None", "normal"),
] * 20
NAMES = ("proto", "size", "when", "what", "label")


def quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"'


def as_csv(rows: list[tuple[str, ...]], delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(map(quoted, row)) for row in [NAMES, *rows]) + "\n"


def as_json(rows: list[tuple[str, ...]]) -> str:
    return "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows)


def write(path: Path, text: str) -> Path:
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def equal(left: Table, right: Table) -> bool:
    def same(name: str) -> bool:
        a, b = left.column(name), right.column(name)
        return a.kind == b.kind and np.array_equal(a.values, b.values, equal_nan=a.kind == "number")

    return left.names == right.names and all(map(same, left.names))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.jsonl", "a.jsonl.gz", "a.ndjson"])
def test_every_format_gives_the_same_table(tmp_path: Path, name: str) -> None:
    text = as_json(ROWS) if "json" in name else as_csv(ROWS, "\t" if "tsv" in name else ",")
    data = read_dataset(write(tmp_path / name, text), label="label", self_value="normal")
    expected = read_dataset(write(tmp_path / "expected.csv", as_csv(ROWS)), label="label", self_value="normal")
    assert equal(data.table, expected.table)
    assert data.sha256 == sha256_file(data.path)
    assert list(data.columns)[:3] == [("proto", "category"), ("size", "number"), ("when", "number")]
    assert data.is_self.sum() == 60
    assert data.table.column("when").values[0] == 1704164645.0
    assert np.isnan(data.table.column("size").values[2])
    assert "None" in data.table.column("what").values


def test_semicolons_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfa;b\r\n1;x\r\n2;y\r\n")
    data = read_dataset(path)
    assert data.columns == (("a", "number"), ("b", "category"))
    assert list(data.table.column("b").values) == ["x", "y"]


def test_markers_are_missing_only_among_numbers(tmp_path: Path) -> None:
    text = "n,t\n" + "1,NA\nNA,None\n-,True\n3,nan\n" * 30
    data = read_dataset(write(tmp_path / "a.csv", text))
    assert data.table.column("n").kind == "number"
    assert np.isnan(data.table.column("n").values).sum() == 60
    assert set(data.table.column("t").values) == {"NA", "None", "True", "nan"}


def test_one_bad_value_in_a_hundred_is_missing_and_said(tmp_path: Path) -> None:
    text = "n\n" + "1\n2\n" * 200 + "oops\n"
    data = read_dataset(write(tmp_path / "a.csv", text))
    assert data.table.column("n").kind == "number"
    assert any("'oops' in row 401" in problem for problem in data.problems)


def test_a_column_that_turns_to_text_after_the_first_rows_is_text(tmp_path: Path) -> None:
    text = "n,m\n" + "1,5\n" * 9000 + "a word here,5\nanother one,5\n" * 500
    data = read_dataset(write(tmp_path / "a.csv", text))
    assert data.table.column("n").kind != "number"
    assert data.table.column("n").values[0] == "1"
    assert data.table.column("m").kind == "number"


def test_a_column_that_is_empty_at_first_can_be_numbers(tmp_path: Path) -> None:
    text = "n,m\n" + ",5\n" * 9000 + "7,5\n" * 100
    data = read_dataset(write(tmp_path / "a.csv", text))
    assert data.table.column("n").kind == "number"
    assert np.nansum(data.table.column("n").values) == 700


def test_infinite_and_constant_columns_are_said(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path / "a.csv", "a,b\n1,5\ninf,5\n-inf,5\n"))
    assert any("infinite" in problem for problem in data.problems)
    assert any("one value throughout: b" in problem for problem in data.problems)


def test_npz_with_y_is_labelled_and_named(tmp_path: Path) -> None:
    X = np.arange(12.0).reshape(6, 2)
    np.savez(tmp_path / "a.npz", X=X, y=np.array([0, 0, 0, 0, 1, 1], dtype=np.int8))
    data = read_dataset(tmp_path / "a.npz")
    assert np.array_equal(data.table.numbers(["x0", "x1"]), X)
    assert list(data.is_self) == [True] * 4 + [False] * 2


def test_npz_in_column_order_with_names_and_text(tmp_path: Path) -> None:
    X = np.asfortranarray(np.arange(12.0).reshape(6, 2))
    np.savez(tmp_path / "a.npz", X=X, feature_names=np.array(["p", "q"]), host=np.array(list("aabbcc")))
    data = read_dataset(tmp_path / "a.npz")
    assert data.table.names == ("p", "q", "host")
    assert np.array_equal(data.table.column("q").values, X[:, 1])
    assert "".join(data.table.column("host").values) == "aabbcc"


def test_several_values_mean_self(tmp_path: Path) -> None:
    path = tmp_path / "moods.csv"
    path.write_text('text,mood\nhi,joy\nwell,"calm, then"\noh,fear\nso,calm\n')

    def own(value: str) -> list[bool]:
        return read_dataset(path, label="mood", self_value=value, pipeline="text").is_self.tolist()

    assert own("joy, calm,") == [True, False, False, True]
    assert own("calm, then") == [False, True, False, False]  # a value that has a comma is one value
    with pytest.raises(UsageError, match="'clam'"):
        own("joy,clam")


def test_rows_without_a_label_are_left_out(tmp_path: Path) -> None:
    data = read_dataset(write(tmp_path / "a.csv", "a,label\n1,ok\n2,\n3,bad\n4,ok\n"), label="label", self_value="ok")
    assert list(data.row_numbers) == [0, 2, 3]
    assert list(data.is_self) == [True, False, True]
    assert any("left out" in problem for problem in data.problems)


def test_a_number_may_be_written_otherwise_as_self_value(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,label\n1,0\n2,1\n3,0\n")
    assert read_dataset(path, label="label", self_value="0.0").is_self.sum() == 2


def test_wrong_columns_and_values_name_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "flows.csv", as_csv(ROWS))
    with pytest.raises(UsageError, match="Did you mean 'label'"):
        read_dataset(path, label="lable", self_value="normal")
    with pytest.raises(UsageError, match=r"Did you mean 'normal'.*'normal' \(60\), 'attack' \(20\)"):
        read_dataset(path, label="label", self_value="Normal")
    with pytest.raises(UsageError, match="needs a self value"):
        read_dataset(path, label="label")
    with pytest.raises(UsageError, match="no column 'sise'"):
        read_dataset(path, drop=["sise"])


def test_text_pipelines_keep_one_column_and_the_rest_as_context(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", as_csv(ROWS))
    data = read_dataset(path, label="label", self_value="normal", pipeline="text", text="what")
    assert data.table.names == ("what",)
    assert data.context.names == ("proto", "size", "when")


def test_lines_are_rows_and_bytes_become_visible(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"first\n\ncaf\xe9 \x00 here\nlast")
    data = read_dataset(path, pipeline="logs")
    assert list(data.table.column("text").values) == ["first", "", "caf\\xe9 \x00 here", "last"]


def test_a_folder_of_code_has_a_row_for_each_function(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.py").write_text(
        "import os\n\nclass A:\n    def f(self):\n        return 1\n\ndef g():\n    pass\n"
    )
    (tmp_path / "b.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "notes.txt").write_text("not code")
    data = read_dataset(tmp_path, pipeline="code")
    assert list(data.context.column("name").values) == ["", "A.f", "g", ""]
    assert list(data.context.column("line").values) == [1, 4, 7, 1]
    assert data.sha256 == read_dataset(tmp_path, pipeline="code").sha256


def test_nsl_kdd(shared_data: Path) -> None:
    path = shared_data / "network" / "nslkdd_train20.csv.gz"
    data = read_dataset(path, label="label", self_value="normal", drop=["attack", "difficulty"])
    assert (data.rows, int(data.is_self.sum())) == (25192, 13449)
    words = [name for name, kind in data.columns if kind != "number"]
    assert words == ["protocol_type", "service", "flag"]
    assert data.context.names == ("attack", "difficulty")


def test_words_that_look_like_missing_values_survive(shared_data: Path) -> None:
    path = shared_data / "text" / "truthfulqa_answers.csv.gz"
    answers = read_dataset(path, label="label", self_value="truthful", pipeline="text", text="answer").table
    assert "" not in set(answers.column("answer").values)
    assert answers.column("answer").kind == "text"
