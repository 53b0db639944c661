"""Log lines and event sequences on real logs; masks that hide values and nothing else."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from immunos_tui.immune.dataset import read_dataset
from immunos_tui.immune.features.logs import LogModel, are_sequences, normalise, template
from immunos_tui.immune.table import Column, Table
from immunos_tui.model.errors import ArtifactError
from immunos_tui.model.text import clean
from tests.immune.test_text_novelty import judged, texts


def test_alerts_of_a_supercomputer(shared_data: Path) -> None:
    path = shared_data / "logs/bgl_2k.csv.gz"
    data = read_dataset(path, label="label", self_value="normal", pipeline="logs", text="Content")
    detector, found, _ = judged(data, "logs", 0.5)
    assert found.auroc is not None
    assert found.auroc >= 0.98
    why = detector.explain(Table((Column("Content", "text", ["rts panic! - stopping execution"]),)))[0]
    assert any("panic" in note for note in why.notes)


def test_event_sequences(shared_data: Path) -> None:
    path = shared_data / "logs/hdfs_sequences.csv.gz"
    data = read_dataset(path, label="label", self_value="normal", pipeline="logs")
    detector, found, rest = judged(data, "logs", 0.5)
    assert found.auroc is not None
    assert found.auroc >= 0.99
    assert found.levels[0].tpr is not None
    assert found.levels[0].tpr >= 0.9
    other = rest[~data.is_self[rest]][:1]
    assert detector.explain(data.table.take(other))[0].reasons[0].name.startswith(("event", "length", "new", "unknown"))


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("Jan  2 03:04:05 web1 sshd[77]: Failed password for root from 10.0.0.1 port 22", None),
        ("2024-05-06T07:08:09.123Z took 12ms", "<time> took <num>ms"),
        ("2005-06-03-15.42.50.675872 R02-M1-N0", "<time> R<num>-M<num>-N<num>"),
        ("read /var/log/app-7.log:44 failed", "read <path>:<num> failed"),
        ("open C:\\Users\\x\\a.txt", "open <path>"),
        ("id 123e4567-e89b-12d3-a456-426614174000 at 0xdeadbeef", "id <id> at <hex>"),
        ("peer fe80::1ff:fe23:4567:890a up", "peer <ip> up"),
        ("eth0 aa:bb:cc:dd:ee:ff", "eth<num> <mac>"),
        ("GET https://a.example/x?y=1 by bob@a.example", "GET <url> by <mail>"),
        ("digest d41d8cd98f00b204e9800998ecf8427e", "digest <hex>"),
        ("and/or is no path", "and/or is no path"),
        ("  many   spaces\there ", "many spaces here"),
    ],
)
def test_values_are_masked(line: str, masked: str | None) -> None:
    expected = masked or "<time> <time> web<num> sshd[<num>]: Failed password for root from <ip> port <num>"
    assert normalise(line) == expected


NUMBER = st.integers(0, 10**9)
DATES = st.datetimes(datetime(1990, 1, 1))


@given(NUMBER, NUMBER, st.ip_addresses(v=4), st.ip_addresses(v=4), DATES, DATES)
def test_lines_that_differ_in_values_only_are_one(
    a: int, b: int, one: object, other: object, then: object, now: object
) -> None:
    line = "{:%Y-%m-%d %H:%M:%S} host={} worker[{}]: took {} ms at /srv/{}/x.py:{}"
    assert normalise(line.format(then, one, a, a, a, a)) == normalise(line.format(now, other, b, b, b, b))


@given(st.text(max_size=120))
def test_what_is_masked_once_stays(line: str) -> None:
    once = normalise(line)
    assert clean(once) == once
    assert "  " not in once
    assert "\\" in once or not any(character in "0123456789" for character in once)


@given(st.text(max_size=200))
def test_templates_never_fail(line: str) -> None:
    assert isinstance(template(line), str)


def test_a_long_line_is_cut() -> None:
    assert len(normalise("a b " * 100_000)) <= 4000


def test_paths_keep_their_words_for_the_detector() -> None:
    assert template("open /etc/shadow 17") == "open /etc/shadow <num>"
    assert normalise("open /etc/shadow 17") == "open <path> <num>"


def test_sequences_are_told_from_lines() -> None:
    assert are_sequences(["5 5 22", "E11 E9 E11"])
    assert not are_sequences(["connection from 5", "5 5 22"])
    assert not are_sequences(["1", "2", "3"])
    assert not are_sequences([])


def test_an_unknown_event_and_a_new_step_are_seen() -> None:
    own = texts(*["1 2 3 3 4", "1 2 3 4", "1 2 2 3 4"] * 40)
    model = LogModel.fit(own, seed=0, preset="immune")
    assert model.reads_sequences
    fresh = model.inner.counts(texts("1 2 3 4", "4 3 2 1", "1 2 99 4"))
    assert list(fresh.column("unknown events").values) == [0, 0, 1]
    assert list(fresh.column("new steps").values) == [0, 5, 2]
    with pytest.raises(ArtifactError):
        LogModel.from_state({}, {"form": "events", "model": {}})


def test_both_forms_survive_saving() -> None:
    for own in (texts(*["1 2 3 3 4", "1 2 3 4", "1 2 2 3 4"] * 40), texts(*(f"user {i} logged in" for i in range(50)))):
        model = LogModel.fit(own, seed=0, preset="immune")
        again = LogModel.from_state(*model.state())
        assert np.array_equal(again.evidence(own).scores, model.evidence(own).scores)
