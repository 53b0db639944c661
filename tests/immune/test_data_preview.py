"""The preview: cheap, honest about what it read, and a help with labels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from immunos_tui.immune.preview import preview
from immunos_tui.model.errors import DataError


def test_nsl_kdd_is_understood(shared_data: Path) -> None:
    seen = preview(shared_data / "network" / "nslkdd_train20.csv.gz", limit_rows=3000)
    assert seen.rows == pytest.approx(25192, rel=0.2)
    assert (seen.rows_exact, seen.rows_read) == (False, 3000)
    assert (seen.label, seen.self_value) == ("label", "normal")
    assert seen.drop == ("attack",)
    columns = {column.name: column for column in seen.columns}
    assert columns["protocol_type"].kind == "category"
    assert columns["serror_rate"].kind == "number"
    assert (columns["serror_rate"].lowest, columns["serror_rate"].highest) == ("0", "1")


@pytest.mark.parametrize(
    ("path", "label", "self_value"),
    [
        ("text/sms_spam.csv.gz", "label", "ham"),
        ("logs/bgl_2k.csv.gz", "label", "normal"),
        ("code/sven_code.csv.gz", "label", "safe"),
        ("tabular/6_cardio.npz", "y", "0"),
    ],
)
def test_labels_are_suggested(shared_data: Path, path: str, label: str, self_value: str) -> None:
    seen = preview(shared_data / path)
    assert (seen.label, seen.self_value) == (label, self_value)
    assert seen.rows_exact


def test_numpy_is_never_imported(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((5, 2)), y=np.zeros(5))
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2,y\n")
    code = (
        "import sys; from immunos_tui.immune.preview import preview\n"
        "for path in sys.argv[1:]: assert preview(path).rows\n"
        "assert 'numpy' not in sys.modules"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.npz"), str(tmp_path / "a.csv")]
    subprocess.run(command, check=True)


def test_an_estimate_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 2_000_000)
    seen = preview(path, limit_rows=1000)
    assert not seen.rows_exact
    assert seen.rows == pytest.approx(2_000_000, rel=0.2)


def test_problems_of_the_rows_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,n,c\n" + "".join(f"{i},{i % 7},k\n" for i in range(300)) + "300,oops,k\n301,inf\n")
    seen = preview(path)
    said = " ".join(seen.problems)
    for expected in (
        "Line 303 has 2 fields",
        "'oops' in row 301",
        "infinite",
        "Better dropped, they only count rows: id",
    ):
        assert expected in said
    assert "c" in [c.name for c in seen.columns if c.kind == "category"]


def test_dates_are_shown_as_dates(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("when\n2024-01-02\n2024-03-04T05:06:07Z\n")
    column = preview(path).columns[0]
    assert (column.kind, column.note, column.highest) == ("number", "dates", "2024-03-04 05:06:07")


def test_a_fault_in_later_rows_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 600_000 + b"caf\xe9,2\n")
    seen = preview(path, limit_rows=100_000)
    assert any("not UTF-8" in problem for problem in seen.problems)


def test_hostile_text_is_shown_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("na\x1b[31mme,label\n\x1b]0;owned\x07,normal\nx,\u202eattack\n")
    shown = str(preview(path).as_dict())
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n")
    with pytest.raises(DataError, match="no rows"):
        preview(path)
