"""Streaming: the training columns by name, whatever the order, in batches of bounded memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from immunos_tui.immune.dataset import read_dataset
from immunos_tui.immune.stream import stream
from immunos_tui.immune.table import concat
from immunos_tui.model.errors import DataError


def test_batches_equal_the_whole(shared_data: Path) -> None:
    path = shared_data / "network" / "nslkdd_test.csv.gz"
    data = read_dataset(path, drop=["attack", "difficulty", "label"])
    batches = list(stream(path, columns=data.columns, batch_rows=1000))
    assert [batch.first_row for batch in batches] == list(range(0, data.rows, 1000))
    whole = concat([batch.table for batch in batches])
    for column in data.table.columns:
        assert np.array_equal(whole.column(column.name).values, column.values, equal_nan=column.kind == "number")
    assert batches[-1].bytes_done == batches[-1].bytes_total == path.stat().st_size
    assert batches[0].samples[0].startswith("0,tcp,private,REJ")


def test_columns_are_found_by_name_and_extra_ones_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("extra,b,a\nz,x,1\nz,y,2\n")
    batches = stream(path, columns=[("a", "number"), ("b", "category")])
    table = next(batches).table
    assert table.names == ("a", "b")
    assert list(table.column("a").values) == [1.0, 2.0]
    assert any("ignored: extra" in problem for problem in batches.problems)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("serror,b\n1,2\n")
    with pytest.raises(DataError, match=r"lacks the column 'serror_rate'.*Did you mean 'serror'"):
        stream(path, columns={"serror_rate": "number"})


def test_kinds_stay_what_training_made_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n,c\n1,7\nfour,8\n2024-01-02,9\n\n,10\n")
    batches = stream(path, columns={"n": "number", "c": "category"}, batch_rows=2)
    whole = concat([batch.table for batch in batches])
    assert np.array_equal(whole.column("n").values, [1, np.nan, 1704153600.0, np.nan], equal_nan=True)
    assert list(whole.column("c").values) == ["7", "8", "9", "10"]
    assert any("'four' in row 2" in problem for problem in batches.problems)


def test_ragged_rows_can_be_padded_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n3\n4,5,6\n")
    with pytest.raises(DataError, match="Line 3"):
        list(stream(path, columns={"a": "number", "b": "number"}))
    batches = stream(path, columns={"a": "number", "b": "number"}, strict=False)
    table = next(batches).table
    assert list(table.column("a").values) == [1, 3, 4]
    assert any("(2 in all)" in problem for problem in batches.problems)


def test_text_lines_serve_any_single_text_column(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("one\ntwo\n")
    batch = next(stream(path, columns={"Content": "text"}, pipeline="logs"))
    assert list(batch.table.column("Content").values) == ["one", "two"]


def test_a_folder_says_where_each_row_is(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    return 1\n")
    batch = next(stream(tmp_path, columns={"code": "text"}, pipeline="code"))
    assert list(batch.origins) == ["a.py:f"]


def test_samples_are_clipped(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,"' + "x" * 9000 + '"\n')
    batch = next(stream(path, columns={"a": "number"}))
    assert len(batch.samples[0]) == 2000
    assert [len(sample) for sample in batch.samples[:1]] == [2000]


def test_npz_streams_by_rows(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(250, 3)).astype(np.float32)
    np.savez_compressed(tmp_path / "a.npz", X=X, y=np.zeros(250))
    columns = {f"x{i}": "number" for i in range(3)}
    batches = list(stream(tmp_path / "a.npz", columns=columns, batch_rows=100))
    assert [batch.rows for batch in batches] == [100, 100, 50]
    assert np.array_equal(concat([batch.table for batch in batches]).numbers(tuple(columns)), X)


BOUNDED = """
import resource, sys
from immunos_tui.immune.stream import stream
columns = {f"c{i}": "number" for i in range(10)}
rows = sum(batch.rows for batch in stream(sys.argv[1], columns=columns))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(rows, before)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    line = ",".join(f"{i}.25" for i in range(10)) + "\n"
    used = []
    for rows in (50_000, 500_000):
        path = tmp_path / f"{rows}.csv"
        with path.open("w") as file:
            file.write(",".join(f"c{i}" for i in range(10)) + "\n")
            for _ in range(rows // 1000):
                file.write(line * 1000)
        done = subprocess.run([sys.executable, "-c", BOUNDED, str(path)], capture_output=True, text=True, check=True)
        found, peak = map(int, done.stdout.split())
        assert found == rows
        used.append(peak)
    assert used[1] - used[0] < 20 * 1024
