"""Pictures of every tab: each docstring says what to look at. ``make snap`` makes them anew."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from textual.pilot import Pilot

from immunos_tui.app import ImmunosApp
from immunos_tui.config import load_settings
from immunos_tui.model.job import JobKind, JobState
from immunos_tui.model.posture import Backend, Host, HostSample
from immunos_tui.paths import find_paths
from immunos_tui.screens import spleen, thymus
from immunos_tui.services.thymus import lock_file
from immunos_tui.store import jobs
from tests.houses import detected_issue, trained_agent
from tests.screens.driving import PATIENCE, Driver, house_of

NOW = 1_736_910_764_000
"""2025-01-15 03:12:44 UTC: never today, so that every time is shown with its date."""

MINUTE = 60_000
SIZES = [(80, 24), (120, 40)]
HOST = Host(
    HostSample(31.0, 1.2, 61.0, 15_700_000_000, 25_800_000_000, 78.0, 110_000_000_000, 500_000_000_000),
    tuple(float(value) for value in (5, 9, 20, 14, 31)),
    tuple(float(value) for value in (55, 57, 58, 60, 61)),
)


@pytest.fixture(scope="session")
def report_folder() -> str:
    """Where the snapshot plugin keeps what it reports, taken before a test's environment is emptied."""
    return os.environ.get("TEXTUAL_SNAPSHOT_TEMPDIR", "")


@pytest.fixture(autouse=True)
def _frozen(report_folder: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One moment, one host, no server to ask."""
    monkeypatch.setenv("TEXTUAL_SNAPSHOT_TEMPDIR", report_folder)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(spleen, "now_ms", lambda: NOW)
    monkeypatch.setattr(thymus, "now_ms", lambda: NOW)
    monkeypatch.setattr("immunos_tui.services.monitor.HostSampler.look", lambda _self: HOST)
    down = Backend("http://127.0.0.1:11434", "down", reason="nothing listens there; is `ollama serve` running?")
    monkeypatch.setattr("immunos_tui.services.monitor.OllamaProbe.look", lambda _self: down)
    monkeypatch.setattr(ImmunosApp, "open_house", lambda _self: house_of(origin="screens", clock=lambda: NOW))
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def night(house: Any) -> Iterator[Any]:
    """A night's work: findings of three causes, some by hand, verdicts, an agent, a queue that stands still."""
    with ExitStack() as held:

        def at(minutes_ago: int) -> None:
            house.store.clock = lambda: NOW - minutes_ago * MINUTE

        at(60 * 40)
        trained_agent(house)
        at(130)
        detected_issue(house, 84, "serror_rate")
        at(31)
        detected_issue(house, 3, "count", source="flows-2.csv")
        at(14)
        old = detected_issue(house, 12, "src_bytes", source="flows-3.csv", first=100)
        house.spleen.verdict([old], "threat", why="seen on two hosts")
        at(6)
        hand = house.spleen.new("lost badge at gate 4", body="found by the night guard", priority="low", tags=["gate"])
        house.spleen.assign([hand.id], "me")
        house.spleen.comment([hand.id], "badge is locked")
        at(2)
        detected_issue(house, 9, "dst_host_count", source="flows-4.csv", first=40)
        house.spleen.edit([1], {"priority": "critical"})
        _queue(house, held)
        house.store.clock = lambda: NOW
        yield house


def _queue(house: Any, held: ExitStack) -> None:
    spec = {
        "label": "label",
        "self": "normal",
        "drop": ["attack"],
        "clean": True,
        "preset": "immune",
        "seed": 0,
        "notes": "",
    }
    held.enter_context(lock_file(house.paths.jobs / "queue.lock"))
    with house.store.write() as tx:
        numbers = [
            jobs.insert(tx.db, kind, "net-1", {**spec, "path": f"/data/{name}"}, "op1", NOW - 9 * MINUTE)
            for kind, name in (
                (JobKind.TRAIN, "flows-0310.csv"),
                (JobKind.TRAIN, "flows-0312.csv"),
                (JobKind.SCAN, "flows-0313.csv"),
            )
        ]
        jobs.claim(tx.db, numbers[0], 4711, NOW - 8 * MINUTE)
        metrics = {
            "auroc": 0.957,
            "auroc_interval": [0.953, 0.961],
            "grade": "strong",
            "levels": [{"alpha": 0.01, "fpr": 0.011}],
        }
        jobs.finish(tx.db, numbers[0], JobState.DONE, NOW - 7 * MINUTE, {"metrics": metrics})
        jobs.claim(tx.db, numbers[1], 4712, NOW - MINUTE)
        fields = {
            "stage": "fit",
            "fraction": 0.4,
            "overall": 0.61,
            "note": "2048 antigens",
            "rows_total": 25_192,
            "rate": 1310.0,
        }
        jobs.progress(tx.db, numbers[1], {**fields, "rows_done": 15_000, "progress_at": NOW})
    held.enter_context(lock_file(house.paths.jobs / f"{numbers[1]}.lock"))
    house.thymus.log_path(numbers[1]).write_text("03:11:44 read 25 192 rows\n03:11:46 encode 122 columns\n")


Steps = Callable[[Driver], Awaitable[None]]


@pytest.fixture
def picture(snap_compare: Any) -> Callable[..., None]:
    """Compare a picture: ``picture(tab, size, steps)``, where ``steps`` leads to what is to be seen."""

    def compare(tab: str, size: tuple[int, int], steps: Steps, flags: Mapping[str, Any] | None = None) -> None:
        app = ImmunosApp(find_paths(), load_settings(find_paths(), flags={"ui.start_tab": tab, **(flags or {})}))
        app.host_name = "lab-07"

        async def before(pilot: Pilot[Any]) -> None:
            on = Driver(app, pilot)
            await on.until(lambda: app.snapshot.host.now, "the host")
            await on.until(lambda: app.snapshot.changes, "the database")
            await asyncio.wait_for(steps(on), PATIENCE)
            await on.pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=before)

    return compare


def shows(*texts: str) -> Steps:
    async def steps(on: Driver) -> None:
        for text in texts:
            await on.sees(text)

    return steps


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
class TestTabs:
    """Each tab as a tired person finds it."""

    def test_chat(self, night: Any, picture: Any, size: tuple[int, int]) -> None:
        """One sentence, and the keys that lead elsewhere."""
        picture("chat", size, shows("Here you will ask"))

    def test_thymus(self, night: Any, picture: Any, size: tuple[int, int]) -> None:
        """The agent's grade, a running job with its bar and time left, a waiting and a done one, the job's log."""
        picture("thymus", size, shows("1 running, 1 waiting", "encode 122 columns"))

    def test_spleen(self, night: Any, picture: Any, size: tuple[int, int]) -> None:
        """Posture first; the critical issue on top with its reasons below, or beside it where there is room."""
        picture("spleen", size, shows("5 of 5", "serror_rate is far above self"))

    def test_system(self, night: Any, picture: Any, size: tuple[int, int]) -> None:
        """Bars of the host; Ollama is down, with the reason."""
        picture("system", size, shows("cpu ", "nothing listens there"))

    def test_foundry(self, night: Any, picture: Any, size: tuple[int, int]) -> None:
        """One sentence, and the keys that lead elsewhere."""
        picture("foundry", size, shows("Here you will design"))

    def test_kb(self, night: Any, picture: Any, size: tuple[int, int]) -> None:
        """The contents on the left, the first page on the right."""

        async def steps(on: Driver) -> None:
            await on.until(lambda: on.screen.query_one("#page").text and on.screen._shown[0], "a page")

        picture("kb", size, steps)


def test_spleen_zoomed(night: Any, picture: Any) -> None:
    """The detail alone: reasons with bars, people, samples, history."""

    async def steps(on: Driver) -> None:
        await on.sees("serror_rate is far above self")
        await on.press("z")
        await on.until(lambda: not on.table.display)
        await on.sees("history")
        await on.until(lambda: "█" in on.text, "bars for the width")

    picture("spleen", (80, 24), steps)


def test_verdict_menu(night: Any, picture: Any) -> None:
    """Four kinds, each with what it does, over the list."""

    async def steps(on: Driver) -> None:
        await on.sees("serror_rate is far above self")
        await on.press("d")
        await on.menu()
        await on.sees("Verdict on #1")
        await on.sees("? help")  # the list shines through

    picture("spleen", (80, 24), steps)


def test_training_form(night: Any, picture: Any) -> None:
    """Nine fields, what the one with the focus takes, and the keys, in 24 rows."""

    async def steps(on: Driver) -> None:
        await on.sees("1 running")
        await on.press("n")
        await on.menu()
        await on.sees("Train an agent")
        await on.sees("? help")

    picture("thymus", (80, 24), steps)


def test_help(night: Any, picture: Any) -> None:
    """Keys on the left, what they do, and the name that the settings use."""

    async def steps(on: Driver) -> None:
        await on.sees("serror_rate is far above self")
        await on.press("question_mark")
        await on.menu()
        await on.sees("Keys on this screen")
        await on.sees("? help")

    picture("spleen", (80, 24), steps)


def test_empty_spleen(house: Any, picture: Any) -> None:
    """What would fill the list, and which key does that."""

    async def steps(on: Driver) -> None:
        await on.menu()
        await on.press("n")
        await on.plain()
        await on.sees("No issues yet")

    picture("spleen", (80, 24), steps)


def test_light(night: Any, picture: Any) -> None:
    """Readable on a light ground: severities, the cursor's row, muted columns."""
    picture("spleen", (80, 24), shows("5 of 5", "serror_rate is far above self"), {"ui.theme": "immunos-light"})
