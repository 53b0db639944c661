"""Spleen as a list: moving, opening, filtering, ordering, and seeing what others do."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input

from immunos_tui.widgets.lines import LinesView
from tests.houses import detected_issue
from tests.screens.driving import Driver, go_to, open_app


def fill(house: Any, count: int) -> None:
    """Many issues made by hand in one transaction; their activity is not what is looked at here."""
    with house.store.write() as tx:
        rows = [(f"case {number:05}", tx.at, tx.at, tx.at, tx.at) for number in range(count)]
        tx.db.executemany(
            "INSERT INTO issues (title, status, priority, first_seen, last_seen, created_at, updated_at)"
            " VALUES (?, 'new', 'medium', ?, ?, ?, ?)",
            rows,
        )


def top_row(on: Driver) -> str:
    """The first row of the list, as it is drawn."""
    return on.table.render_line(1).text


async def test_moving_and_opening(house: Any) -> None:
    fill(house, 100)
    async with open_app() as on:
        await on.sees("case 00099")
        place = lambda: on.table.cursor  # noqa: E731
        await on.press("j", "j", "down", "k", "up")
        assert place() == 1
        await on.press("G")
        assert place() == 99
        await on.sees("case 00000")
        await on.press("j")
        assert place() == 99, "the list ends"
        await on.press("pageup")
        assert 80 < place() < 99
        await on.press("g", "k")
        assert place() == 0
        await on.press("ctrl+d")
        paged = place()
        await on.press("pagedown", "ctrl+u")
        assert place() == paged > 4
        await on.press("g")
        await on.until(lambda: "#100 medium, new" in on.text, "the detail of the row under the cursor")
        await on.press("enter")
        await on.until(lambda: not on.table.display, "the detail alone")
        await on.sees("case 00099")
        await on.press("escape")
        await on.until(lambda: on.table.display and on.screen.focused is on.table, "the list again")
        await on.press("z")
        await on.until(lambda: not on.table.display)
        await on.press("z")
        await on.until(lambda: on.table.display)


async def test_the_detail_uses_the_width_that_it_gets(house: Any) -> None:
    number = detected_issue(house, 2)
    async with open_app(size=(120, 40)) as on:
        await go_to(on, number)
        detail = on.screen.query_one("#detail", LinesView)
        await on.until(lambda: "serror_rate" in detail.text)
        narrow = detail.text
        await on.press("z")
        await on.until(lambda: "█" in detail.text and detail.text != narrow, "bars where there is room for them")


async def test_the_filter_is_tried_while_it_is_typed(house: Any) -> None:
    house.spleen.new("printer on fire", priority="high")
    house.spleen.new("lost badge")
    house.spleen.new("printer out of paper", owner="op2")
    async with open_app() as on:
        await on.sees("3 of 3")
        await on.press("slash")
        await on.type("printer")
        await on.sees("2 of 3")
        assert on.screen.query_one("#filter-input", Input).has_focus
        await on.type(" prioo:high")
        await on.sees("prioo: is no field of the filter. Did you mean prio:?")
        await on.sees("2 of 3")
        assert "printer on fire" in on.text
        assert house.spleen.new("printer stolen", owner="op2").id
        await on.until(lambda: "printer stolen" not in on.text or "3 of 4" in on.text)
        await on.sees("printer stolen")  # the filter that held last is still kept up to date
        await on.press(*["backspace"] * 6)
        await on.type(":high")
        await on.sees("1 of 4")
        assert "is no field" not in on.text
        await on.press("enter")
        await on.until(lambda: on.screen.focused is on.table)
        await on.sees("is:open printer prio:high")
        await on.press("escape")
        await on.sees("4 of 4")


async def test_letters_are_letters_in_the_filter(house: Any) -> None:
    number = house.spleen.new("printer on fire").id
    async with open_app() as on:
        await on.sees("1 of 1")
        await on.press("slash", *"xdoqu1?:!+-zTFV", "space", "x")
        field = on.screen.query_one("#filter-input", Input)
        assert field.value == "is:open xdoqu1?:!+-zTFV x"
        assert not on.app.screen.is_modal
        assert on.app.is_running
        assert not on.screen.has_class("-zoom")
        await on.press("ctrl+c")
        await on.until(lambda: on.screen.focused is on.table, "the field left")
        assert on.app.is_running
        await on.press("escape")
        await on.sees("1 of 1")
    assert house.spleen.get(number).is_open
    with house.store.read() as db:
        assert db.execute("SELECT count(*) FROM activity").fetchone()[0] == 1


async def test_what_is_typed_ahead_into_a_dialog_is_no_command(house: Any) -> None:
    number = house.spleen.new("printer on fire").id
    async with open_app() as on:
        await go_to(on, number)
        for key in "cxo!Ax":
            on.app.simulate_key(key)  # without a pause between them, as a fast line delivers them
        await on.menu()
        await on.press("escape")
        await on.plain()
    assert house.spleen.get(number).is_open
    with house.store.read() as db:
        assert db.execute("SELECT count(*) FROM activity").fetchone()[0] == 1


async def test_escape_leaves_one_thing_at_a_time(house: Any) -> None:
    for index in range(3):
        house.spleen.new(f"case {index}")
    async with open_app() as on:
        await on.sees("3 of 3")
        await on.press("slash")
        await on.type("case")
        await on.sees("3 of 3")
        await on.press("escape")
        await on.until(lambda: on.screen.focused is on.table, "the field left first")
        await on.sees("is:open case")
        await on.press("space")
        await on.sees("1 marked")
        await on.press("z")
        await on.until(lambda: on.screen.has_class("-zoom"))
        await on.press("d")
        await on.menu()
        await on.press("escape")
        await on.plain()
        assert on.table.marks, "the menu goes before the marks"
        await on.press("escape")
        assert not on.table.marks
        assert on.screen.has_class("-zoom")
        await on.press("escape")
        await on.until(lambda: on.screen._query == "is:open", "the filter goes before the detail")
        assert on.screen.has_class("-zoom")
        await on.press("escape")
        assert not on.screen.has_class("-zoom")
        await on.press("escape")
        assert on.app.is_running


async def test_orders(house: Any) -> None:
    house.spleen.new("aaa", priority="low", owner="zoe")
    house.spleen.new("zzz", priority="high", owner="adam")
    async with open_app() as on:
        await on.sees("2 of 2")
        await on.until(lambda: "zzz" in top_row(on), "the urgent one first")
        await on.press("S")
        await on.sees("by urgency reversed")
        await on.until(lambda: "aaa" in top_row(on))
        await on.press("S", "s")
        await on.sees("by id")
        seen = set()
        for _ in range(20):
            await on.press("s")
            await on.settle()
            seen.add(on.screen._sort)
        assert {"urgency", "title", "owner", "count", "age"} <= seen


async def test_another_process_shows_up_by_itself(house: Any, other: Any) -> None:
    number = house.spleen.new("printer on fire").id
    async with open_app() as on:
        await on.sees("1 of 1")
        other.spleen.comment([number], "seen from another terminal")
        await on.sees("op2, now: seen from another terminal")
        other.spleen.assign([number], "op2")
        await on.until(lambda: "work" in top_row(on), "the row drawn again")
        made = other.spleen.new("made elsewhere", priority="critical").id
        await on.sees("made elsewhere")
        assert on.table.key == number, "the cursor stays on its issue"
        await on.sees("C 1")
        other.spleen.resolve([made])
        await on.clear("made elsewhere")


async def test_thousands_scroll_without_being_fetched(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(house, 5000)
    fetched: list[int] = []
    from immunos_tui.services.spleen import Spleen

    real = Spleen.many
    monkeypatch.setattr(Spleen, "many", lambda self, ids: fetched.extend(ids) or real(self, ids))
    async with open_app() as on:
        await on.sees("5000 of 5000")
        await on.sees("case 04999")
        await on.press("G")
        await on.sees("case 00000")
        for _ in range(5):
            await on.press("pageup")
        await on.sees("case 00030")
        await on.press("g")
        await on.sees("case 04999")
    assert len(set(fetched)) < 600
