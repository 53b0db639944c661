"""What all tabs have in common: the frame, help, palette, keys from the settings, small terminals, and the way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.widgets import Input

from immunos_tui.model.issue import Status
from immunos_tui.model.job import JobState
from immunos_tui.screens.base import TABS
from immunos_tui.screens.dialogs import HelpScreen
from immunos_tui.widgets.lines import LinesView
from tests.screens.driving import go_to, house_of, open_app, sample


async def test_the_tabs_by_number_and_back(house: Any) -> None:
    house.spleen.new("printer on fire")
    async with open_app() as on:
        await on.sees("Spleen (triage)")
        for key, head in (
            ("1", "Chat (ask)"),
            ("2", "Thymus (training)"),
            ("4", "System (models, tokens, host)"),
            ("5", "Foundry (agents)"),
            ("6", "KB (knowledge base)"),
            ("3", "Spleen (triage)"),
        ):
            await on.press(key)
            await on.sees(head)
        await on.press("0")
        await on.sees("KB (knowledge base)")
        await on.press("0")
        await on.sees("Spleen (triage)")


@pytest.mark.parametrize("tabs_ahead", [True])
@pytest.mark.parametrize("made", [1, 2, 3, len(TABS)])
async def test_tabs_are_made_ahead_and_leaving_meanwhile_is_no_fault(house: Any, made: int) -> None:
    house.spleen.new("printer on fire")
    async with open_app() as on:
        await on.until(lambda: len([name for name, _ in TABS if name in on.app._screen_stacks]) >= made)
    assert on.app.return_code == 0


async def test_every_tab_says_what_is_true(house: Any) -> None:
    house.spleen.new("printer on fire")
    async with open_app("chat", size=(100, 30)) as on:
        await on.sees("It is not built yet; Spleen (3)")
        await on.press("5")
        await on.sees("design agents from templates. It is not built yet")
        await on.press("4")
        await on.sees("cpu ")
        await on.sees(" free of ")
        await on.sees("nothing listens there; is `ollama serve` running?")
        assert "Ollama down" in on.text
        assert "offline: 0 refused since the start" in on.text


async def test_the_knowledge_base_is_read_by_key(house: Any) -> None:
    house.paths.kb.mkdir(parents=True)
    (house.paths.kb / "01-own-page.md").write_text(
        "# Our own page\n\nCall *Ada* first.\n\n" + "line\n\n" * 60 + "the end"
    )
    house.spleen.new("printer on fire")
    async with open_app("kb") as on:
        await on.sees("Our own page")
        await on.sees("Call Ada first.")
        await on.press("enter", "G")
        await on.sees("the end")
        await on.press("t")
        await on.until(lambda: not on.table.display, "the contents hidden")
        await on.press("escape")
        await on.until(lambda: on.table.display and on.table.has_focus)
        (house.paths.kb / "00-later.md").write_text("# Written later\n")
        await on.press("r")
        await on.sees("Written later")


async def test_help_lists_every_binding_with_its_keys(house: Any) -> None:
    house.spleen.new("printer on fire")
    async with open_app(size=(100, 80)) as on:
        await on.sees("printer on fire")
        expected = {
            binding.id: binding.tooltip or binding.description
            for node in (type(on.screen), type(on.app), type(on.table))
            for binding in node.BINDINGS
        }
        await on.press("question_mark")
        await on.until(lambda: isinstance(on.app.screen, HelpScreen))
        text = on.app.screen.query_one(LinesView).text
        missing = {name for name, words in expected.items() if name not in text or words not in text}
        assert missing == {"app.cancel"}, "Textual's own copying has ctrl+c first"
        assert "? f1 " in text
        assert "k up " in text or "up k " in text
        await on.press("q")
        await on.plain()
        await on.press("f1")
        await on.until(lambda: isinstance(on.app.screen, HelpScreen))
        await on.press("escape")
        await on.plain()


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_palette_runs_a_binding(house: Any, key: str) -> None:
    number = house.spleen.new("printer on fire").id
    async with open_app() as on:
        await go_to(on, number)
        await on.press(key)
        await on.until(lambda: isinstance(on.app.screen, CommandPalette))
        await on.type("acknowl")
        await on.sees("Acknowledge  (o)")
        await on.press("down", "enter") if on.app.screen.query_one(Input).value == "" else await on.press("enter")
        await on.until(lambda: house.spleen.get(number).status is Status.ACKNOWLEDGED)


async def test_keys_come_from_the_settings(house: Any) -> None:
    number = house.spleen.new("printer on fire").id
    house.paths.config.mkdir(parents=True, exist_ok=True)
    house.paths.config_file.write_text('[keys]\n"spleen.ack" = "w,f5"\n"spleen.copy" = "d"\n')
    async with open_app() as on:
        await go_to(on, number)
        await on.sees(" w ack ")
        await on.sees("spleen.verdict: the settings give the key to another action.")
        await on.press("o")
        await on.settle()
        assert house.spleen.get(number).status is Status.NEW
        await on.press("w")
        await on.until(lambda: house.spleen.get(number).status is Status.ACKNOWLEDGED)
        await on.press("question_mark")
        await on.until(lambda: isinstance(on.app.screen, HelpScreen))
        line = next(line for line in on.app.screen.query_one(LinesView).text.splitlines() if "spleen.ack" in line)
        assert line.startswith("w f5 ")


async def test_ctrl_c_cancels_and_does_not_quit(house: Any) -> None:
    number = house.spleen.new("printer on fire").id
    async with open_app() as on:
        await go_to(on, number)
        await on.press("ctrl+c")
        await on.sees("q or ctrl+q quits")
        for key in ("c", "i", "d"):
            await on.press(key)
            await on.menu()
            await on.press("ctrl+c")
            await on.plain()
        assert on.app.is_running
        await on.press("q")
        await on.until(lambda: not on.app.is_running)
    assert on.app.return_code == 0


async def test_quitting_leaves_a_running_job_to_itself(house: Any) -> None:
    house.foundry.new("sms", "text")
    job = house.thymus.add_training("sms", sample("sms_self.csv.gz"), label="label", self_value="ham")
    async with open_app("thymus") as on:
        await on.until(lambda: house.thymus.get(job.id).state is JobState.RUNNING, "the job running")
        await on.press("q")
        await on.until(lambda: not on.app.is_running)
    assert not house.thymus.get(job.id).state.ended
    assert house.thymus.wait(job.id).state is JobState.DONE


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 15)])
async def test_sizes_that_show_the_list(house: Any, size: tuple[int, int]) -> None:
    house.spleen.new("printer on fire")
    async with open_app(size=size) as on:
        await on.sees("printer on")
        for key in "124563":
            await on.press(key)
            await on.settle()
        await on.press("question_mark")
        await on.until(lambda: isinstance(on.app.screen, HelpScreen))
        await on.press("escape")
        await on.plain()
        await on.press("i")
        await on.menu()
        await on.sees("Title")
        await on.press("escape")


@pytest.mark.parametrize("size", [(59, 24), (80, 14), (40, 10), (20, 5), (1, 1)])
async def test_a_smaller_terminal_keeps_one_line_of_posture(house: Any, size: tuple[int, int]) -> None:
    number = house.spleen.new("printer on fire", priority="critical").id
    async with open_app(size=size) as on:
        await on.until(lambda: on.app.snapshot.posture.open == 1)
        if size != (1, 1):
            await on.sees("1 open 1 critical"[: size[0] - 1])
        for key in ("o", "x", "c", "i", "1", "2", "n", "4", "6", "3", "z"):
            await on.press(key)
        await on.settle()
        assert "printer" not in on.text
        assert house.spleen.get(number).status is Status.NEW, "nobody acts on what cannot be seen"
        await on.pilot.resize_terminal(80, 24)
        await on.sees("printer on fire")
        await on.press("o")
        await on.until(lambda: house.spleen.get(number).status is Status.ACKNOWLEDGED)
        await on.pilot.resize_terminal(*size)
        await on.clear("printer")


async def test_a_resize_goes_through_every_shape(house: Any) -> None:
    house.spleen.new("printer on fire")
    async with open_app(size=(120, 40)) as on:
        await on.sees("printer on fire")
        for size in ((80, 24), (60, 15), (20, 5), (200, 60), (30, 40), (110, 30)):
            await on.pilot.resize_terminal(*size)
            await on.settle()
        await on.sees("printer on fire")
        rule = next(line for line in on.text.splitlines() if line.startswith("── #1") or " ── #1" in line)
        assert rule.endswith("──"), "the rule reaches the edge"


async def test_themes_change_while_it_runs(house: Any) -> None:
    house.spleen.new("printer on fire")
    async with open_app() as on:
        await on.sees("printer on fire")
        for name in ("immunos-light", "immunos-contrast", "ansi-dark", "immunos-dark"):
            on.app.theme = name
            await on.until(lambda: on.app.palette == on.screen.app.palette)
            for key in "1243":
                await on.press(key)
        detail = on.screen.query_one("#detail", LinesView)
        await on.until(lambda: detail._source and detail._source[0].style == on.app.palette.strong)


async def test_a_wrong_theme_and_a_warning_are_toasts(house: Any) -> None:
    house.spleen.new("printer on fire")
    house.paths.config.mkdir(parents=True, exist_ok=True)
    house.paths.config_file.write_text('[ui]\ntheme = "no[bold]such"\nthemme = 1\n')
    async with open_app() as on:
        await on.sees("There is no theme no[bold]such")
        await on.sees("Did you mean ui.theme?")


async def test_a_store_that_cannot_be_read_is_said_and_ends_nothing(house: Any) -> None:
    house.spleen.new("printer on fire")
    house.close()
    path: Path = house.paths.database
    for file in path.parent.glob(path.name + "*"):
        file.write_bytes(b"this is no database at all, but it is long enough to be looked at\n" * 100)
    async with open_app() as on:
        await on.sees("store!")
        await on.press("o", "i")
        await on.menu()
        await on.type("lost?")
        await on.press("ctrl+s")
        await on.sees("is not a database")
        await on.press("escape")
        await on.plain()
        for key in "126453":
            await on.press(key)
            await on.settle()
        assert on.app.is_running


async def test_a_key_that_may_not_be_used_is_said_and_ends_nothing(house: Any) -> None:
    house.spleen.new("printer on fire")
    house.paths.secret_key.chmod(0o644)
    async with open_app() as on:
        await on.sees("Others may read the key file")
        await on.press("2", "6", "3", "i")
        await on.menu()
        await on.type("later")
        house.paths.secret_key.chmod(0o600)
        await on.press("ctrl+s")
        await on.plain()
        await on.sees("printer on fire")
    assert len(house.spleen.list().ids) == 2


def test_the_screens_need_no_numpy(house: Any) -> None:
    """Looking at tabs loads no numerics; a process of its own, since the suite has loaded everything."""
    house.spleen.new("printer on fire")
    code = (
        "import asyncio, sys\n"
        "from tests.screens.driving import open_app\n"
        "async def main():\n"
        "    async with open_app() as on:\n"
        "        for key in '124563':\n"
        "            await on.press(key)\n"
        "asyncio.run(main())\n"
        "print([name for name in ('numpy', 'sqlite_utils') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    house_of().close()
