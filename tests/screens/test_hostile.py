"""Text from anywhere reaches the screen as visible, harmless text, and is never markup."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.text import Text
from textual.widgets import Input

from immunos_tui import screens
from immunos_tui.model.detection import Detection, Result
from immunos_tui.widgets.field import LineInput
from immunos_tui.widgets.lines import LinesView
from immunos_tui.widgets.markdown import markdown_lines
from immunos_tui.widgets.palette import OWN_THEMES, make_palette
from tests.houses import EXPLANATION, folding
from tests.screens.driving import Driver, go_to, open_app

HOSTILE = "a\x1b[31mb\x1b]52;c;ZXZpbA==\x07c[bold]d[@click=app.bell]e[/f]g\u202eh\u200bi\x9b2Jj[link=x]k\x85l\u2066m"
VISIBLE = r"a\x1b[31mb"
INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def is_harmless(text: str) -> bool:
    """No character that steers a terminal, turns text around or hides."""
    return all(unicodedata.category(char) not in INVISIBLE for char in text if char != "\n")


async def look(on: Driver, *, sees: str = VISIBLE) -> None:
    """The hostile text is there, and all of the screen is harmless."""
    await on.until(lambda: sees in on.text, f"{sees!r} on the screen")
    bad = [char for char in on.text if not is_harmless(char)]
    assert not bad, bad


async def test_issues_comments_owners_labels_and_findings(house: Any, other: Any) -> None:
    fold = folding(house)
    source = fold.open_source("0" * 64, f"/data/{HOSTILE}.csv", 10)
    reason = {**EXPLANATION["reasons"][0], "name": HOSTILE, "value": HOSTILE, "self_range": HOSTILE}
    why = {**EXPLANATION, "sentence": HOSTILE, "memory": HOSTILE, "notes": [HOSTILE], "reasons": [reason]}
    found = Detection(0, Result.NON_SELF, 9.0, 0.001, 0.99, "f" * 16, HOSTILE, "high", why, HOSTILE)
    fold.ingest(source, [found], 0, 0)
    number = next(iter(fold.total.touched))
    house.spleen.tag([number], HOSTILE)
    house.spleen.edit([number], {"body": HOSTILE + "\n" + HOSTILE, "project": HOSTILE})
    other.spleen.me = HOSTILE
    other.store.actor = HOSTILE
    other.spleen.comment([number], HOSTILE)
    other.spleen.assign([number], HOSTILE)
    other.spleen.verdict([number], "threat", why=HOSTILE)
    async with open_app(size=(120, 60)) as on:
        await go_to(on, number)
        await look(on)
        await on.press("z")
        await on.until(lambda: "history" in on.text)
        await look(on)
        for key in "adcl":
            await on.press(key)
            await on.menu()
            await look(on)
            await on.press("escape")
            await on.plain()
        await on.press("a")
        await on.menu()
        await on.type("a")
        await on.settle()
        assert not on.app.screen.query_one(Input)._suggestion, "a name that would be shown otherwise is not offered"
        await on.press("escape")
        await on.plain()
        on.app.simulate_key("slash")
        await on.until(lambda: isinstance(on.app.focused, LineInput))
        await on.paste(HOSTILE + "\nsecond line")
        await look(on)
        await on.press("enter")
        await on.until(lambda: on.screen.focused is not on.screen.query_one("#filter-input"))
        await look(on)
        await on.press("ctrl+p")
        await on.settle()
        assert is_harmless(on.text)


async def test_bulk_dialogs_and_toasts(house: Any) -> None:
    for index in range(3):
        house.spleen.new(f"{HOSTILE}{index}", owner=HOSTILE)
    async with open_app() as on:
        await on.sees("3 of 3")
        await on.press("V", "l")
        await on.menu()
        await on.paste("[red]" + HOSTILE)
        await on.press("enter")
        await on.until(lambda: on.is_menu, "the count and list")
        await look(on, sees=r"[red]a\x1b[31mb")
        await on.press("y")
        await on.plain()
        await on.until(lambda: on.toasts)
        await look(on)
        assert all(is_harmless(toast) for toast in on.toasts)
        on.app.notify(HOSTILE, title=HOSTILE, markup=True)
        await on.press("i")
        await on.menu()
        await on.paste(HOSTILE)
        await look(on)
        await on.press("ctrl+s")
        await on.plain()
    assert len(house.spleen.list().ids) == 4


async def test_jobs_files_and_errors(house: Any, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    bad = folder / f"x{HOSTILE.replace('/', '')}.csv"
    bad.write_text(f"label,{HOSTILE}\nham,{HOSTILE}\n")
    house.spleen.new("so that no tour is offered")
    house.foundry.new("sms", "text")
    job = house.thymus.add_training("sms", bad, label=HOSTILE, self_value=HOSTILE, notes=HOSTILE)
    with house.store.write() as tx:
        tx.db.execute(
            "UPDATE jobs SET state = 'failed', error = ?, hint = ?, stage = ? WHERE id = ?", (HOSTILE,) * 3 + (job.id,)
        )
    log = house.thymus.log_path(job.id)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(HOSTILE.encode() + b"\n\xff\xfe\x00\n")
    house.thymus.add_training("sms", bad, label="label", self_value="ham")
    async with open_app("thymus", size=(120, 50)) as on:
        await go_to(on, job.id)
        await look(on)
        await on.press("n")
        await on.menu()
        await on.paste(str(folder) + "/")
        await on.type("x")
        await on.settle()
        assert not on.app.screen.query_one("#field-path", Input)._suggestion
        await on.press("escape")
        await on.plain()


async def test_the_look_at_a_hostile_dataset(house: Any, tmp_path: Path) -> None:
    flows = tmp_path / "flows.csv"
    flows.write_text(f"label,{HOSTILE},n\n" + f"{HOSTILE},{HOSTILE},1\nnormal,{HOSTILE},2\n" * 20)
    house.spleen.new("so that no tour is offered")
    async with open_app("thymus", size=(120, 50)) as on:
        await on.sees("queue is empty")
        await on.press("n")
        await on.menu()
        await on.paste(str(flows))
        await on.press("tab")
        await on.until(lambda: "rows" in on.app.screen.query_one("#preview", LinesView).text, "the preview")
        await look(on)


async def test_pages_of_the_knowledge_base(house: Any) -> None:
    house.paths.kb.mkdir(parents=True)
    entities = "&#x1b;[31m &#x202e;abc &#x200b; &#27; &#13; &#12; &#x9b;"
    page = f"# 00 {HOSTILE}\n\n{HOSTILE}\n\n{entities}\n\n`{HOSTILE}`\n\n```python\n{HOSTILE}\n```\n\n[{HOSTILE}](http://{HOSTILE})\n"
    (house.paths.kb / "00-hostile.md").write_text(page)
    house.spleen.new("so that no tour is offered")
    async with open_app("kb", size=(120, 40)) as on:
        await look(on)
        await on.until(lambda: r"\u202eabc" in on.text, "the entity, visible")
        await look(on)


async def test_an_agent_of_a_hostile_name_is_refused_in_the_form(house: Any, tmp_path: Path) -> None:
    flows = tmp_path / "flows.csv"
    flows.write_text("a,b\n1,2\n")
    house.spleen.new("so that no tour is offered")
    async with open_app("thymus", size=(120, 40)) as on:
        await on.sees("queue is empty")
        await on.press("n")
        await on.menu()
        await on.paste(str(flows))
        await on.press("enter")
        await on.paste(HOSTILE)
        await on.press("ctrl+s")
        await on.until(
            lambda: (
                "\\x1b" in str(on.app.screen.query_one("#problem").render())
                or "name" in str(on.app.screen.query_one("#problem").render())
            )
        )
        assert is_harmless(on.text)
    assert not house.foundry.list()


@pytest.mark.parametrize(
    "text",
    [HOSTILE, "漢字" * 60, "e\u0301" * 200, "👩‍👩‍👧" * 50, "\U000e0041" * 20],
    ids=["hostile", "wide", "combining", "joined", "tags"],
)
async def test_wide_and_strange_titles_keep_the_columns(house: Any, text: str) -> None:
    house.spleen.new(text, owner="名前" * 6, tags=["標識"])
    house.spleen.new("plain", owner="op2")
    async with open_app() as on:
        await on.sees("2 of 2")
        await on.sees("plain")
        widths = {strip.cell_length for strip in on.strips()}
        assert widths == {80}
        assert is_harmless(on.text.replace("\u200d", ""))


@given(st.text(max_size=300))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_page_is_harmless(source: str) -> None:
    lines: list[Text] = markdown_lines(source.encode("utf-8", "replace").decode(), 60, make_palette(OWN_THEMES[0]))
    assert all(is_harmless(line.plain) for line in lines)


def test_no_static_takes_markup() -> None:
    """What a dialog shows is ``Text``, which Textual does not read as markup."""
    root = Path(screens.__file__).parent
    for file in root.glob("*.py"):
        source = file.read_text(encoding="utf-8")
        plain = sum(source.count(f"Static({start}") for start in ("Text", '"",', "\n"))
        assert source.count("Static(") == plain, file
