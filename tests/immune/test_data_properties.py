"""Properties of the readers, for any text that a file may hold."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from immunos_tui.immune import kinds
from immunos_tui.immune.datafile import DataFile
from immunos_tui.immune.dataset import read_dataset
from immunos_tui.immune.lines import LineBlocks
from immunos_tui.immune.preview import preview
from immunos_tui.immune.records import file_format
from immunos_tui.immune.stream import stream
from immunos_tui.model.errors import ImmunosError

FIELD = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
TABLES = st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[FIELD] * width), min_size=1, max_size=12))


def written(rows: list[tuple[str, ...]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([f"c{i}" for i in range(len(rows[0]))])
    writer.writerows(rows)
    return out.getvalue().encode()


@settings(max_examples=60)
@given(TABLES, st.integers(1, 5))
def test_what_the_csv_module_writes_is_read_back(rows: list[tuple[str, ...]], batch: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(written(rows))
        columns = {f"c{i}": "text" for i in range(len(rows[0]))}
        found = [
            tuple(row)
            for part in stream(path, columns=columns, batch_rows=batch)
            for row in zip(*(column.values for column in part.table.columns), strict=True)
        ]
    # A carriage return before a line feed is a line end, also inside a field.
    assert found == [tuple(field.replace("\r\n", "\n") for field in row) for row in rows]


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), FIELD, min_size=1), min_size=1, max_size=10))
def test_json_lines_are_read_back(records: list[dict[str, str]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.jsonl")
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        names = list(dict.fromkeys(key for record in records for key in record))
        part = next(stream(path, columns=dict.fromkeys(names, "text")))
    for name in names:
        assert list(part.table.column(name).values) == [record.get(name, "") for record in records]


@settings(max_examples=80)
@given(st.binary(max_size=400), st.sampled_from(["a.csv", "a.jsonl", "a.log", "a.npz", "a.csv.gz", "a", "a.tsv"]))
def test_any_bytes_are_read_or_refused_in_words(content: bytes, name: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        for reader in (read_dataset, preview):
            try:
                reader(path)
            except ImmunosError as error:
                assert str(error).isprintable()


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_log_lines_never_fail_and_keep_their_number(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.log")
        path.write_bytes(b"text\n" + content.replace(b"\r", b"") + b"\nlast")
        with DataFile(path) as file:
            try:
                lines = [line for block in LineBlocks(file, tolerant=True) for line in block]
            except ImmunosError:
                return
    assert len(lines) == content.replace(b"\r", b"").count(b"\n") + 3
    assert (lines[0], lines[-1]) == ("text", "last")


@given(st.floats(allow_nan=False))
def test_every_number_that_python_writes_is_a_number(value: float) -> None:
    assert kinds.number(repr(value)) == value


@given(st.datetimes())
def test_every_iso_date_is_seconds(moment: object) -> None:
    assert kinds.seconds(str(moment)) is not None


@given(st.lists(st.sampled_from(["1", "2.5", "", "NA", "-", "x", "2024-01-02"]), min_size=1, max_size=40))
def test_a_tally_counts_every_value_once(values: list[str]) -> None:
    tally = kinds.Tally()
    floats = tally.slow(values, 0)
    assert tally.numbers + tally.dates + tally.missing + tally.bad == len(values)
    assert sum(map(math.isnan, floats)) == tally.missing + tally.bad


@given(st.text(max_size=30), st.binary(max_size=50))
def test_every_file_has_a_format(name: str, head: bytes) -> None:
    assert file_format(name, head) in ("csv", "tsv", "jsonl", "npz", "lines")


@settings(max_examples=30)
@given(st.permutations(["a", "b", "c"]), st.lists(st.tuples(*[st.floats(allow_nan=False)] * 3), min_size=1, max_size=8))
def test_column_order_does_not_matter(order: list[str], rows: list[tuple[float, ...]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        lines = [",".join(repr(row["abc".index(name)]) for name in order) for row in rows]
        path.write_text("\n".join([",".join(order), *lines]) + "\n")
        part = next(stream(path, columns=dict.fromkeys("abc", "number")))
    assert np.array_equal(part.table.numbers(["a", "b", "c"]), np.array(rows))
