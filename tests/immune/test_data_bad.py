"""Bad input: one sentence with the path and the line or column, the right class, and nothing blocks or fills memory."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from immunos_tui.immune.dataset import read_dataset
from immunos_tui.immune.preview import preview
from immunos_tui.immune.stream import stream
from immunos_tui.model.errors import DataError, ImmunosError, NotFoundError


def spoilt(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + b"garbage" * 10 + data[middle + 70 :]


GOOD = b"a,b,label\n1,x,ok\n2,y,ok\n3,x,bad\n"

CASES = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n\n\n", "is empty"),
    "header.csv": (b"a,b\n", "has a header and no rows"),
    "ragged.csv": (b"a,b\n1,2\n1,2,3\n4,5\n", "Line 3 .*3 fields where 2 are expected"),
    "short.csv": (b"a,b\n1,2\n1\n4,5\n", "Line 3 .*1 field where 2 are expected"),
    "quote.csv": (b'a,b\n1,2\n"x,3\n4,5\n', "Line 3 .*quote"),
    "latin.csv": (b"a,b\n1,caf\xe9\n", r"not UTF-8: byte 9 \(line 2\) is 0xe9"),
    "utf16.csv": ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    "utf16le.csv": ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16"),
    "nul.csv": (b"a,b\n" + b"1,2\n" * 3000 + b"1,\x002\n", "Line 3002 .*NUL"),
    "elf.csv": (b"\x7fELF\x02\x01\x01" + bytes(100), "a program"),
    "noise.csv": (bytes(range(256)) * 20, "binary"),
    "twice.csv": (b"a,b,a\n1,2,3\n", r"'a' twice \(columns 1 and 3\)"),
    "headless.csv": (b"0,1,0,5\n0,1,0,6\n", "looks like data"),
    "wide.csv": (",".join(f"c{i}" for i in range(5000)).encode() + b"\n", "5000 columns"),
    "half.csv.gz": (gzip.compress(GOOD * 5000)[:300], "ends in the middle"),
    "broken.csv.gz": (spoilt(gzip.compress(GOOD * 9000)), "damaged gzip|ends in the middle"),
    "bad.jsonl": (b'{"a": 1}\n{"a": \n', "Line 2 .*not valid JSON"),
    "list.jsonl": (b"[1, 2]\n", "Line 1 .*not a JSON object"),
    "broken.npz": (b"PK\x03\x04 not really", "not a whole npz"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_one_sentence(tmp_path: Path, name: str) -> None:
    content, message = CASES[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_dataset(path)
    assert caught.value.exit_code == 1
    assert name in caught.value.message
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "flows.csv").write_bytes(GOOD)
    for reader in (read_dataset, preview):
        with pytest.raises(NotFoundError, match=r"flow\.csv.*Near it: flows\.csv"):
            reader(tmp_path / "flow.csv")


def test_what_is_no_file_is_refused_without_opening(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    for path, message in ((fifo, "FIFO"), (Path("/dev/zero"), "device"), (tmp_path, "folder")):
        with pytest.raises(DataError, match=message):
            read_dataset(path)
        with pytest.raises(DataError, match=message):
            stream(path, columns={"a": "number"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(GOOD)
    path.chmod(0)
    with pytest.raises(DataError, match="no permission"):
        read_dataset(path)


def test_a_last_line_that_is_cut_off_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b,c\n" + b"1,2,3\n" * 10 + b"1,")
    data = read_dataset(path)
    assert data.rows == 10
    assert any("last line (12) is cut off" in problem for problem in data.problems)
    quoted = tmp_path / "b.csv"
    quoted.write_bytes(b"a,b,c\n" + b'1,"2",3\n' * 10 + b"1,")
    assert read_dataset(quoted).rows == 10


def test_one_row_and_all_self_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,label\n1,ok\n")
    problems = " ".join(read_dataset(path, label="label", self_value="ok").problems)
    assert "only one row" in problems
    assert "Every row is 'ok'" in problems


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="never unpickled"):
        read_dataset(tmp_path / "a.npz")


def test_arrays_of_other_lengths_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((4, 2)), y=np.zeros(3))
    with pytest.raises(DataError, match="'y' has 3 rows, 'X' has 4"):
        read_dataset(tmp_path / "a.npz")


def test_hostile_names_are_shown_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m.csv"
    path.write_bytes(b"a\x1b]0;x\x07,b\n1\n")
    with pytest.raises(DataError) as caught:
        read_dataset(path)
    assert "\x1b" not in str(caught.value)


MEMORY = r"""
import re, sys
from immunos_tui.immune.dataset import read_dataset
from immunos_tui.model.errors import ImmunosError
try:
    data = read_dataset(sys.argv[1], pipeline=sys.argv[2])
    print("rows", data.rows, max(map(len, data.table.columns[0].values)), *data.problems)
except ImmunosError as error:
    print("refused", error)
peak = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])  # ru_maxrss would count the parent's too
assert peak < 300 * 1024, peak
"""


@pytest.mark.parametrize(
    ("name", "pipeline", "expected"),
    [("a.csv", "tabular", "refused Line 2"), ("a.log", "logs", "rows 2 65536 A line longer than 64 KiB was clipped")],
)
def test_a_line_of_a_gigabyte_is_never_held(tmp_path: Path, name: str, pipeline: str, expected: str) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(b"a\n")
        for _ in range(256):
            file.write(b"x" * (1 << 20))
        file.seek(1 << 30)
        file.write(b"\n")
    # The hole that seek left reads as NUL bytes and needs no disk.
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path), pipeline], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_a_change_while_reading_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 1000)
    batches = stream(path, columns={"a": "number"}, batch_rows=100)
    next(batches)
    with path.open("ab") as file:
        file.write(b"3,4\n")
    for _ in batches:
        pass
    assert any("changed while it was read" in problem for problem in batches.problems)


def test_errors_are_of_this_program() -> None:
    assert issubclass(DataError, ImmunosError)
