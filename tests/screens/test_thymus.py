"""Thymus and the intake by keys: a form that looks first, a queue that is true, jobs in processes of their own."""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from immunos_tui.model.job import JobState
from immunos_tui.widgets.lines import LinesView
from tests.houses import trained_agent
from tests.screens.driving import Driver, go_to, open_app, sample


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """The first 300 of the bundled messages: real, and quick to learn."""
    path = tmp_path / "messages" / "first.csv"
    path.parent.mkdir()
    with gzip.open(sample("sms_self.csv.gz"), "rt", encoding="utf-8") as lines:
        path.write_text("".join(line for _, line in zip(range(301), lines, strict=False)))
    return path


async def fill_in(on: Driver, **values: str) -> None:
    """Write into fields of the open form, by name."""
    for name, value in values.items():
        for _ in on.app.screen.query(Input):
            if on.app.focused.id == f"field-{name}":
                break
            await on.press("down")
        await on.press("end", "ctrl+u")
        await on.paste(value)


def field(on: Driver, name: str) -> Input:
    return on.app.screen.query_one(f"#field-{name}", Input)


async def test_train_promote_and_scan_by_keys(house: Any, messages: Path) -> None:
    house.spleen.new("so that no tour is offered")
    async with open_app("thymus", size=(110, 40)) as on:
        await on.sees("The queue is empty. n trains an agent")
        await on.press("n")
        await on.menu()
        path = field(on, "path")
        await on.paste(str(messages.parent) + "/")
        await on.type("fi")
        await on.until(lambda: path._suggestion == str(messages), "the completion of the path")
        await on.press("right", "tab")
        await on.until(lambda: "csv, " in on.app.screen.query_one("#preview", LinesView).text, "the preview")
        await fill_in(on, agent="sms", template="text", label="label", self="ham")
        await on.press("ctrl+s")
        await on.plain()
        await on.sees("Job 1 is queued.")
        await on.until(lambda: house.thymus.get(1).state.ended, "the end of the training")
        assert house.thymus.get(1).state is JobState.DONE, house.thymus.get(1).error
        await on.sees("done")
        await on.sees("in service")
        await on.press("enter")
        await on.until(lambda: not on.table.display, "the log alone")
        await on.sees("by op1")
        await on.press("escape")
        await on.until(lambda: on.table.display)
        await on.press("P")
        await on.sees("Version 1 of sms is in service already.")
        await on.press("3", "F")
        await on.menu()
        await on.paste(str(messages))
        await on.press("ctrl+s")
        await on.sees("Job 2 scans")
        await on.plain()
        await on.until(lambda: house.thymus.get(2).state.ended, "the end of the scan")
        await on.sees("scanned just now")
        trained_agent(house, "sms")
        await on.press("2")
        await on.sees("v2 waits")
        await on.press("P")
        await on.sees("sms v2 is in service.")
    assert house.thymus.get(2).state is JobState.DONE
    assert house.thymus.get(2).result["rows"] == 300
    assert house.foundry.get("sms").in_service


async def test_the_preview_reads_real_flows(house: Any, shared_data: Path) -> None:
    house.spleen.new("so that no tour is offered")
    async with open_app("thymus", size=(100, 40)) as on:
        await on.sees("The queue is empty")
        await on.press("n")
        await on.menu()
        await fill_in(on, path=str(shared_data / "network" / "nslkdd_train20.csv.gz"))
        await on.press("tab")
        await on.sees("Label? ")
        text = on.app.screen.query_one("#preview", LinesView).text
        assert "25 192 rows" in text
        assert re.search(r"Label\? label: normal 1\d \d{3}, ", text)
        assert (field(on, "label").value, field(on, "self").value) == ("label", "normal")
        await on.press("escape")
        await on.plain()
    assert not house.foundry.list()


async def test_a_wrong_form_says_so_and_keeps_what_was_typed(house: Any, messages: Path) -> None:
    house.spleen.new("so that no tour is offered")
    async with open_app("thymus", size=(100, 30)) as on:
        await on.sees("The queue is empty")
        await on.press("n")
        await on.menu()
        await on.press("ctrl+s")
        await on.sees("Dataset is needed.")
        await fill_in(on, path="/nowhere/at/all.csv", agent="sms")
        await on.sees("There is no file /nowhere/at/all.csv")
        await on.press("ctrl+s")
        await on.until(lambda: "There is no file" in str(on.app.screen.query_one("#problem").render()))
        for seed in ("²", "-1", "9" * 30, "x"):
            await fill_in(on, seed=seed)
            await on.press("ctrl+s")
            await on.sees("The seed is a whole number")
        await fill_in(on, seed="7", label="label")
        await on.press("ctrl+s")
        await on.sees("Say which value of label means self.")
        for path, said in (
            ("~nobody-of-that-name/x", "There is no file"),
            ("a\x00b", r"a\x00b"),
            ("/dev/zero", "not a regular file"),
        ):
            await fill_in(on, path=path)
            await on.press("tab")
            await on.sees(said)
        await fill_in(on, path=str(messages), label="", self="", agent="Not A Name!")
        await on.press("ctrl+s")
        await on.until(lambda: "name" in str(on.app.screen.query_one("#problem").render()).lower(), "what a name takes")
        assert not house.foundry.list(), "nothing is made of a form that was refused"
        await fill_in(on, agent="sms")
        assert field(on, "path").value == str(messages)
        assert field(on, "seed").value == "7"
        await on.press("escape")
        await on.plain()
    assert not house.thymus.list()


async def test_a_waiting_and_a_running_job_are_cancelled_after_a_question(house: Any, tmp_path: Path) -> None:
    house.foundry.new("sms", "text")
    long = tmp_path / "long.csv"  # far more than is learned before anybody can press five keys
    with gzip.open(sample("sms_self.csv.gz"), "rt", encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    with long.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("label", "text"), *(("ham", f"{text} {i}") for i in range(20) for text in texts)])
    first, second = (house.thymus.add_training("sms", long, label="label", self_value="ham") for _ in "12")
    async with open_app("thymus") as on:
        await on.until(lambda: house.thymus.get(first.id).state is JobState.RUNNING, "the first job running")
        await on.sees("queue: 1 running, 1 waiting")
        await on.until(lambda: "%" in on.text, "its progress")
        await go_to(on, second.id)
        await on.press("x")
        await on.menu()
        await on.sees(f"Cancel job {second.id}?")
        await on.press("n")
        await on.plain()
        assert house.thymus.get(second.id).state is JobState.QUEUED
        await on.press("x")
        await on.menu()
        await on.press("y")
        await on.until(lambda: house.thymus.get(second.id).state is JobState.CANCELLED)
        await go_to(on, first.id)
        await on.press("x")
        await on.menu()
        await on.press("y")
        await on.until(lambda: house.thymus.get(first.id).state is JobState.CANCELLED)
        await on.sees("queue: 0 running, 0 waiting")
        await on.press("x")
        await on.sees("There is nothing to cancel")


async def test_a_failed_job_says_why(house: Any, messages: Path) -> None:
    house.foundry.new("sms", "text")
    job = house.thymus.add_training("sms", messages, label="label", self_value="ham")
    messages.write_text("label,text\n")
    async with open_app("thymus", size=(100, 30)) as on:
        await on.until(lambda: house.thymus.get(job.id).state is JobState.FAILED, "the failure")
        await on.sees("failed")
        await on.sees(house.thymus.get(job.id).error[:30])
        await on.press("P")
        await on.until(lambda: on.toasts, "why there is nothing to promote")


async def test_scanning_needs_an_agent(house: Any) -> None:
    house.spleen.new("so that no tour is offered")
    async with open_app() as on:
        await on.sees("1 of 1")
        await on.press("F")
        await on.sees("No agent is in service yet.")
