"""Vectors of texts through the real commands: asked for where they are wanted, and a server that fails loses nothing."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from immunos_tui.__main__ import main
from immunos_tui.config import OllamaSettings, Settings
from immunos_tui.immune.dataset import read_dataset
from immunos_tui.immune.features.meaning import VECTORS
from immunos_tui.immune.table import Column, Table
from immunos_tui.model.errors import ConflictError, DataError, UnreachableError
from immunos_tui.services import meaning as organ
from immunos_tui.services.meaning import Meaning
from tests.conftest import Done, quiet_environment
from tests.flows import write_flows
from tests.llm.server import DIGEST, DIMENSIONS, MODEL, FakeOllama, Fault, altered, instead, vector_of

Cli = Callable[..., Done]

WORDS = "pump valve tank meter gauge pipe crew shift north south dawn dusk open closed steady normal".split()
STRANGE = "intruder exfiltrates credentials through forged certificate chain".split()
LABELS = ("--label", "label", "--self", "calm")


def lines(count: int, seed: int, words: Sequence[str] = WORDS) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(words, k=7)) for _ in range(count)]


def write_lines(path: Path, calm: Sequence[str], other: Sequence[str] = ()) -> Path:
    """A CSV of labelled lines, the others spread among the calm ones."""
    rows = [("calm", text) for text in calm] + [("alarm", text) for text in other]
    random.Random(len(rows)).shuffle(rows)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("label", "text"), *rows])
    return path


def configure(base: Path, url: str, profile: str = "full", model: str = MODEL) -> None:
    """The settings file of a house; "" leaves a setting out."""
    folder = base / ".immunos"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = f'profile = "{profile}"\n' if profile else ""
    text += f'[ollama]\nurl = "{url}"\n' + (f'embed_model = "{model}"\n' if model else "")
    (folder / "config.toml").write_text(text)


def queue(cli: Cli, path: Path, *, agent: str, template: str = "text", labels: Sequence[str] = LABELS) -> None:
    assert cli("agent", "new", agent, "--template", template).code == 0
    added = cli("thymus", "add", "--agent", agent, "--dataset", path, *labels)
    assert added.code == 0, added.err


def recorded(base: Path) -> list[tuple[int, str]]:
    """Row and result of each detection that the database holds."""
    with closing(sqlite3.connect(base / ".immunos" / "immunos-tui.db")) as db:
        return list(db.execute('SELECT "row", result FROM detections ORDER BY "row"'))


@pytest.fixture(scope="module")
def trained_once(one_server: FakeOllama, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A house whose agent ``a-1`` was trained with vectors, and the texts that the server was asked about."""
    folder = tmp_path_factory.mktemp("trained")
    base, calm = folder / "base", lines(130, 1)
    path = write_lines(folder / "lines.csv", calm + calm[:20], lines(14, 2, STRANGE))
    one_server.again()
    configure(base, one_server.url)
    with pytest.MonkeyPatch.context() as patch:
        own = {**quiet_environment(folder), "IMMUNOS_BASE_PATH": str(base)}
        for name in set(os.environ) - set(own):
            patch.delenv(name)
        for name, value in own.items():
            patch.setenv(name, value)
        for command in (
            ("agent", "new", "a-1", "--template", "text"),
            ("thymus", "add", "--agent", "a-1", "--dataset", str(path), *LABELS),
            ("thymus", "run"),
        ):
            assert main(list(command)) == 0
    return base, list(one_server.texts)


@pytest.fixture
def trained(trained_once: tuple[Path, list[str]], server: FakeOllama, base: Path) -> Path:
    """A copy of that house, for the test alone; the server is as new."""
    shutil.copytree(trained_once[0], base)
    return base


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """Lines that no training has seen; one in ten is foreign."""
    return write_lines(tmp_path / "fresh.csv", lines(90, 3), lines(10, 4, STRANGE))


# ---- what goes right ---------------------------------------------------------------------------------------------------


def test_a_training_asks_for_each_text_once_and_names_the_model(
    trained: Path, trained_once: tuple[Path, list[str]], cli: Cli
) -> None:
    asked = trained_once[1]
    assert len(asked) == len(set(asked)) == 144, "of 164 rows twenty are copies"
    assert f"with vectors of {MODEL}, learned from" in cli("thymus", "show", "1").out
    job = json.loads(cli("thymus", "show", "1", "--json").out)
    about = {"model": MODEL, "digest": DIGEST, "dimensions": DIMENSIONS}
    assert job["result"]["metrics"]["embedding"] == about
    assert job["overall"] == 1
    version = json.loads(cli("agent", "show", "a-1", "--json").out)["versions"][0]
    assert version["metrics"]["embedding"] == about
    assert version["metrics"]["auroc"] > 0.95
    assert " embed " in cli("thymus", "log", "1").out


def test_a_scan_asks_for_the_vectors_of_its_texts(trained: Path, server: FakeOllama, cli: Cli, fresh: Path) -> None:
    scores = fresh.with_name("scores.csv")
    done = cli("scan", fresh, "--agent", "a-1", "--scores", scores, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["rows"] == 100
    assert report["counts"]["non_self"] + report["counts"]["danger"] >= 10
    assert report["issues_made"]
    assert report["recorded"] == len(recorded(trained))
    assert len(scores.read_text().splitlines()) == 101
    assert Counter(server.texts) == Counter(line.split(",")[1] for line in fresh.read_text().splitlines()[1:])
    assert [item.path for item in server.asked].count("/api/tags") == 1
    again = json.loads(cli("scan", fresh, "--agent", "a-1", "--json").out)
    assert (again["recorded"], again["counts"]) == (0, report["counts"])
    assert cli("db", "check").code == 0


def test_a_plain_file_of_lines(trained: Path, server: FakeOllama, cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("\n".join([*lines(30, 5), "", WORDS[0], *lines(1, 6, STRANGE)]) + "\n", encoding="utf-8")
    done = cli("scan", path, "--agent", "a-1", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["issues_made"]
    assert all(server.texts)


def test_ordinary_words_with_another_meaning_are_found(
    trained: Path, server: FakeOllama, cli: Cli, tmp_path: Path
) -> None:
    texts = lines(60, 7)
    server.meant = {text: " ".join(STRANGE) for text in texts[:3]}
    done = cli("scan", write_lines(tmp_path / "meant.csv", texts), "--agent", "a-1", "--json")
    assert done.code == 0, done.err
    found = {}
    for number in json.loads(done.out)["issues_made"]:
        shown = json.loads(cli("issue", "show", number, "--json").out)
        for item in shown["evidence"]:
            found[item["sample"]] = item["explanation"]
    assert set(texts[:3]) <= set(found)
    for text in texts[:3]:
        assert found[text]["reasons"][0]["name"] == "meaning"
        assert "like the nearest" in found[text]["reasons"][0]["value"]


def test_an_evaluation_asks_too(trained: Path, server: FakeOllama, cli: Cli, fresh: Path) -> None:
    done = cli("agent", "evaluate", "a-1", fresh, *LABELS, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["auroc"] > 0.95
    assert len(server.texts) == 100


def test_an_evaluation_of_texts_that_look_like_events(
    trained: Path, server: FakeOllama, cli: Cli, tmp_path: Path
) -> None:
    """The agent was trained with vectors, so it needs them whatever the texts look like."""
    path = write_lines(tmp_path / "events.csv", ["E5 E22 E5", "E22 E9"] * 5, ["E1 E2 E3"] * 4)
    done = cli("agent", "evaluate", "a-1", path, *LABELS, "--json")
    assert done.code == 0, done.err
    assert len(server.texts) == 3


def test_a_training_can_be_reproduced(trained: Path, server: FakeOllama, cli: Cli) -> None:
    done = cli("thymus", "reproduce", "1")
    assert done.code == 0, done.out + done.err
    assert "the same artifact" in done.out
    assert len(server.texts) == 144


# ---- where no vectors are wanted ---------------------------------------------------------------------------------------


def artifacts(cli: Cli, *agents: str) -> list[str]:
    """What the first version of each agent was stored as."""
    return [json.loads(cli("agent", "show", name, "--json").out)["versions"][0]["sha256"] for name in agents]


def test_the_profile_lite_leaves_everything_as_it_was(
    server: FakeOllama, cli: Cli, base: Path, tmp_path: Path, fresh: Path
) -> None:
    path = write_lines(tmp_path / "lines.csv", lines(60, 1), lines(6, 2, STRANGE))
    found = {}
    for agent, profile, model in (("a-1", "lite", MODEL), ("a-2", "", "")):
        configure(base, server.url, profile, model)
        queue(cli, path, agent=agent)
        assert cli("thymus", "run").code == 0
        found[agent] = json.loads(cli("scan", fresh, "--agent", agent, "--no-record", "--json").out)["counts"]
        assert "vectors" not in cli("agent", "show", agent).out
    assert len(set(artifacts(cli, *found))) == 1
    assert found["a-1"] == found["a-2"]
    configure(base, server.url)
    scanned = cli("scan", fresh, "--agent", "a-1", "--no-record", "--json")
    assert json.loads(scanned.out)["counts"] == found["a-1"], "an agent keeps to what it was trained with"
    assert server.asked == []


def test_tables_and_event_sequences_are_never_sent(server: FakeOllama, cli: Cli, base: Path, tmp_path: Path) -> None:
    configure(base, server.url)
    flows = write_flows(tmp_path / "flows.csv", 150, foreign=0.1)
    rng = random.Random(1)
    events = write_lines(
        tmp_path / "events.csv",
        [" ".join(["E5", "E22", *rng.choices(["E5", "E22", "E11"], k=4), "E9"]) for _ in range(80)],
        [" ".join(["E9", *rng.choices(["E30", "E31"], k=4)]) for _ in range(8)],
    )
    queue(cli, flows, agent="net-1", template="network", labels=("--label", "label", "--self", "normal"))
    queue(cli, events, agent="log-1", template="logs")
    assert cli("thymus", "run").code == 0
    for agent, path in (("net-1", flows), ("log-1", events)):
        done = cli("scan", path, "--agent", agent, "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["counts"]["self"]
        version = json.loads(cli("agent", "show", agent, "--json").out)["versions"][0]
        assert "embedding" not in version["metrics"]
    assert cli("agent", "evaluate", "log-1", events, *LABELS).code == 0
    assert server.asked == []


# ---- what goes wrong ---------------------------------------------------------------------------------------------------


def everything(cli: Cli, fresh: Path) -> Iterator[Done]:
    """Each command that needs the vectors of an agent that was trained with them."""
    yield cli("scan", fresh, "--agent", "a-1", "--scores", fresh.with_name("scores.csv"))
    yield cli("scan", fresh, "--agent", "a-1", "--no-record")
    yield cli("agent", "evaluate", "a-1", fresh, *LABELS)


def assert_refused(cli: Cli, base: Path, fresh: Path, code: int, *words: str) -> None:
    """All of them end alike, say why, and record nothing."""
    for done in everything(cli, fresh):
        assert done.code == code, done.err
        assert done.out == ""
        for word in words:
            assert word in done.err
    assert recorded(base) == []
    assert json.loads(cli("issue", "list", "--json").out)["items"] == []
    assert not fresh.with_name("scores.csv").exists()
    assert not list(fresh.parent.glob(".*.tmp"))
    assert cli("db", "check").code == 0


def test_the_profile_lite_loads_no_model(trained: Path, server: FakeOllama, cli: Cli, fresh: Path) -> None:
    configure(trained, server.url, "lite")
    assert_refused(cli, trained, fresh, 4, f"trained with vectors of {MODEL}", "profile lite", 'profile = "full"')
    assert server.asked == []


def test_no_server(trained: Path, server: FakeOllama, cli: Cli, fresh: Path) -> None:
    server.stop()
    assert_refused(cli, trained, fresh, 3, f"No Ollama server answers at {server.url}", "ollama serve")


def test_another_model_of_the_same_name(trained: Path, server: FakeOllama, cli: Cli, fresh: Path) -> None:
    server.models[f"{MODEL}:latest"] = "e" * 64
    assert_refused(cli, trained, fresh, 4, repr(MODEL), "its content has changed", "train the agent again")
    assert server.texts == []


def test_the_model_is_gone(trained: Path, server: FakeOllama, cli: Cli, fresh: Path) -> None:
    del server.models[f"{MODEL}:latest"]
    assert_refused(cli, trained, fresh, 5, f"has no model '{MODEL}'", "it has tiny-script:latest", server.url)


@pytest.mark.parametrize(
    "fault",
    [
        altered(lambda body: {"embeddings": [*body["embeddings"][:-1], [0.1] * (DIMENSIONS - 1)]}, path="/api/embed"),
        altered(
            lambda body: {"embeddings": [[float("nan")] * DIMENSIONS] * len(body["embeddings"])}, path="/api/embed"
        ),
        instead("200 OK", "<html>Sign in</html>", "text/html"),
    ],
    ids=["ragged", "nan", "captive portal"],
)
def test_a_server_that_does_not_answer_like_ollama(
    trained: Path, server: FakeOllama, cli: Cli, fresh: Path, fault: Fault
) -> None:
    server.faults = [replace(fault)]
    assert_refused(cli, trained, fresh, 3, server.url)


def test_a_model_that_makes_no_vectors(trained: Path, server: FakeOllama, cli: Cli, fresh: Path) -> None:
    server.faults = [
        instead("501 Not Implemented", '{"error":"this model does not support embeddings"}', path="/api/embed")
    ]
    assert_refused(cli, trained, fresh, 1, repr(MODEL), "makes no vectors")


def test_vectors_of_another_length(trained: Path, server: FakeOllama, cli: Cli, fresh: Path) -> None:
    """Under the same digest, as where a proxy speaks for several servers."""
    cut = altered(lambda body: {"embeddings": [vector[:8] for vector in body["embeddings"]]}, path="/api/embed")
    server.faults = [cut]
    assert_refused(cli, trained, fresh, 1, "8 numbers", str(DIMENSIONS), "embedding model")


def test_the_server_dies_in_the_middle_of_a_scan(trained: Path, server: FakeOllama, cli: Cli, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "long.csv", lines(1000, 8), lines(100, 9, STRANGE))
    rows = 1100
    assert rows > organ.SCAN_ROWS * 2
    each = -(-organ.SCAN_ROWS // 64)
    server.faults = [Fault(path="/api/embed", skip=each + 3, die=True)]
    broken = cli("scan", path, "--agent", "a-1", "--json")
    assert broken.code == 3
    assert f"No Ollama server answers at {server.url}" in broken.err
    kept = recorded(trained)
    assert kept
    assert max(row for row, _ in kept) < organ.SCAN_ROWS
    assert cli("db", "check").code == 0
    server.again()
    done = cli("scan", path, "--agent", "a-1", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    whole = recorded(trained)
    assert whole[: len(kept)] == kept
    assert report["recorded"] == len(whole) - len(kept)
    assert report["rows"] == rows
    assert sum(report["counts"].values()) - report["counts"]["self"] == len(whole) == len({row for row, _ in whole})
    issues = json.loads(cli("issue", "list", "--limit", "1000", "--json").out)["items"]
    assert sum(issue["count"] for issue in issues) == sum(result != "uncertain" for _, result in whole)
    assert json.loads(cli("scan", path, "--agent", "a-1", "--json").out)["recorded"] == 0
    assert recorded(trained) == whole
    assert cli("db", "check").code == 0


def failed(cli: Cli, number: int) -> dict[str, Any]:
    """A training that did not end well, which made no version."""
    assert cli("thymus", "run").code == 1
    job: dict[str, Any] = json.loads(cli("thymus", "show", number, "--json").out)
    assert job["state"] == "failed"
    assert "error of the program" not in job["error"]
    assert json.loads(cli("agent", "show", job["agent"], "--json").out)["versions"] == []
    return job


def test_trainings_that_cannot_have_the_model(server: FakeOllama, cli: Cli, base: Path, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "lines.csv", lines(40, 1), lines(4, 2, STRANGE))
    configure(base, server.url)
    server.stop()
    queue(cli, path, agent="a-1")
    job = failed(cli, 1)
    assert job["error"] == f"No Ollama server answers at {server.url}."
    assert 'profile = "lite"' in job["hint"]
    assert job["error"] in cli("thymus", "show", "1").out
    server.again()
    server.models = {"tiny-script:latest": "c" * 64, "all-minilm:latest": "d" * 64}
    queue(cli, path, agent="a-2")
    job = failed(cli, 2)
    assert f"has no model '{MODEL}'; it has tiny-script:latest, all-minilm:latest." in job["error"]
    assert "ollama pull" in job["hint"]
    server.again()
    server.faults = [Fault(path="/api/embed", die=True)]
    queue(cli, path, agent="a-3")
    assert failed(cli, 3)["error"] == f"No Ollama server answers at {server.url}."
    assert not list((base / ".immunos" / "agents").glob("*/*"))


def test_a_reproduction_that_cannot_have_the_model(trained: Path, server: FakeOllama, cli: Cli) -> None:
    server.stop()
    done = cli("thymus", "reproduce", "1")
    assert "No Ollama server answers" in done.err
    assert done.code == 3


def test_offline_mode_sends_nothing_elsewhere(trained: Path, process: Callable[..., Any], fresh: Path) -> None:
    configure(trained, "http://192.0.2.1:11434")
    done = process("scan", fresh, "--agent", "a-1")
    assert done.returncode == 3, done.stderr
    assert "Offline mode refuses a connection to 192.0.2.1; network.allow" in done.stderr
    assert "Traceback" not in done.stderr
    assert recorded(trained) == []


# ---- the organ itself --------------------------------------------------------------------------------------------------


def settings_for(url: str, profile: str = "full", model: str = MODEL) -> Settings:
    return Settings(profile=profile, ollama=OllamaSettings(url=url, embed_model=model))


@pytest.fixture
def asks(server: FakeOllama) -> Iterator[Meaning]:
    with closing(Meaning(settings_for(server.url), MODEL)) as found:
        yield found


def words(*values: str) -> Table:
    return Table((Column("text", "text", np.array(values, dtype=object)),))


def silent(_stage: str, _fraction: float, _note: str) -> None:
    """Progress that nobody looks at."""


def test_who_asks_for_vectors(server: FakeOllama) -> None:
    full = settings_for(server.url)
    for pipeline in ("text", "logs", "code", "emotion", "hallucination", "research"):
        assert Meaning.for_training(full, pipeline) is not None
    for pipeline in ("tabular", "network", "rules"):
        assert Meaning.for_training(full, pipeline) is None
    assert Meaning.for_training(settings_for(server.url, "lite"), "text") is None
    assert Meaning.for_training(settings_for(server.url, model=""), "text") is None
    assert Meaning.as_trained(full, None) is None
    assert Meaning.as_trained(full, {}) is None
    with pytest.raises(ConflictError, match=r"vectors of evil\\x1b\[2J"):
        Meaning.as_trained(settings_for(server.url, "lite"), {"model": "evil\x1b[2J", "digest": DIGEST})
    assert server.asked == []


def test_the_same_text_is_asked_for_once(server: FakeOllama, asks: Meaning) -> None:
    table = asks.of_table(words("a b", "c", "a b", "", "c"))
    expected = np.array([vector_of(text) for text in ("a b", "c", "a b", " ", "c")], dtype=np.float32)
    assert np.array_equal(table.column(VECTORS).values, expected)
    assert server.texts == ["a b", "c", " "]
    again = asks.of_table(words("d", "c"))
    assert np.array_equal(again.column(VECTORS).values, np.array([vector_of("d"), vector_of("c")], dtype=np.float32))
    assert server.texts == ["a b", "c", " ", "d"]
    assert [item.path for item in server.asked].count("/api/tags") == 1
    assert asks.about == {"model": MODEL, "digest": DIGEST, "dimensions": DIMENSIONS}


def test_no_rows_ask_for_nothing(server: FakeOllama, asks: Meaning) -> None:
    assert asks.of_table(words()).rows == 0
    assert server.asked == []


def test_only_so_many_vectors_are_kept(server: FakeOllama, asks: Meaning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(organ, "KEPT_NUMBERS", 5 * DIMENSIONS)
    rng = random.Random(3)
    for _ in range(12):
        texts = [f"text {rng.randrange(9)}" for _ in range(rng.randrange(1, 9))]
        found = asks.of_table(words(*texts)).column(VECTORS).values
        assert np.array_equal(found, np.array([vector_of(text) for text in texts], dtype=np.float32))
        assert len(asks._known) <= 5


def test_a_large_dataset_is_sampled_evenly(
    server: FakeOllama, asks: Meaning, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(organ, "MOST_TEXTS", 50)
    path = write_lines(tmp_path / "lines.csv", lines(180, 1), lines(20, 2, STRANGE))
    dataset = read_dataset(path, label="label", self_value="calm", pipeline="text")
    told: list[tuple[str, float]] = []
    found = asks.of_dataset(dataset, lambda stage, done, _note: told.append((stage, done)))
    assert found.rows == 50
    assert found.labels is not None
    assert found.table.column("text").values.tolist() == dataset.table.column("text").values[found.row_numbers].tolist()
    assert np.diff(found.row_numbers).min() >= 3
    assert found.problems[-1].startswith("Of 200 texts 50, evenly spaced, were used")
    assert found.embedding == asks.about
    assert len(server.texts) == 50
    assert told[-1] == ("embed", 1.0)


def test_event_sequences_stay_as_they_are(server: FakeOllama, asks: Meaning, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "events.csv", ["E5 E22 E5", "E5 E5 E9"] * 10, ["E1 E2"] * 3)
    dataset = read_dataset(path, label="label", self_value="calm", pipeline="logs")
    assert asks.of_dataset(dataset, silent) is dataset
    assert server.asked == []


def test_vectors_that_change_their_length_are_refused(server: FakeOllama, asks: Meaning) -> None:
    asks.of_table(words("a", "b"))
    server.dimensions = 16
    try:
        with pytest.raises(UnreachableError, match=r"32.*16"):
            asks.of_table(words("c"))
    finally:
        server.dimensions = DIMENSIONS


def test_numbers_that_no_vector_holds_are_refused(server: FakeOllama, asks: Meaning) -> None:
    server.faults = [
        altered(lambda body: {"embeddings": [[1e39] * DIMENSIONS] * len(body["embeddings"])}, path="/api/embed")
    ]
    with pytest.raises((UnreachableError, DataError), match="vectors"):
        asks.of_table(words("a"))
