"""Spleen by single keys: each is pressed, and both the screen and the database are looked at."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input

from immunos_tui.model.issue import Priority, Status, VerdictKind
from tests.houses import detected_issue
from tests.screens.driving import Driver, go_to, open_app


def actions(house: Any) -> list[str]:
    with house.store.read() as db:
        return [row["action"] for row in db.execute("SELECT action FROM activity WHERE action LIKE '%' ORDER BY seq")]


async def answer(on: Driver, text: str) -> None:
    """Type into the dialog that has opened, and take it."""
    await on.menu()
    await on.type(text)
    await on.press("enter")
    await on.plain()


async def test_steps_that_ask_nothing(house: Any) -> None:
    number = house.spleen.new("printer on fire").id
    async with open_app() as on:
        await go_to(on, number)
        await on.press("o")
        await on.sees(f"#{number}: acknowledged. u takes it back.")
        assert house.spleen.get(number).status is Status.ACKNOWLEDGED
        await on.until(lambda: " ack " in on.text, "the short word")
        await on.press("A")
        await on.until(lambda: house.spleen.get(number).owner == "op1")
        await on.sees("work")
        await on.press("plus")
        await on.until(lambda: house.spleen.get(number).priority is Priority.HIGH)
        await on.press("minus")
        await on.until(lambda: house.spleen.get(number).priority is Priority.MEDIUM)
        await on.press("exclamation_mark")
        await on.until(lambda: house.spleen.get(number).priority is Priority.CRITICAL)
        await on.press("x")
        await on.until(lambda: house.spleen.get(number).status is Status.RESOLVED)
        await on.sees("0 of 1")
        assert "Nothing matches the filter" in on.text
        await on.press("o")
        await on.sees("There is no issue under the cursor.")
    kinds = ["new", "ack", "assign", "priority", "priority", "edit", "resolve"]
    assert actions(house) == [f"issue.{kind}" for kind in kinds]
    assert house.audit.verify().broken is None


async def test_assign_completes_names_and_hands_back(house: Any) -> None:
    house.spleen.new("first", owner="margarethe")
    number = house.spleen.new("second").id
    async with open_app() as on:
        await go_to(on, number)
        await on.press("a")
        await on.menu()
        await on.sees(f"#{number} medium, second")
        await on.type("mar")
        await on.until(lambda: on.app.screen.query_one(Input)._suggestion == "margarethe", "the completion")
        await on.press("right", "enter")
        await on.until(lambda: house.spleen.get(number).owner == "margarethe")
        await on.plain()
        await on.press("a")
        await answer(on, "")
        await on.until(lambda: house.spleen.get(number).owner is None)
        await on.sees("handed back")
        await on.press("a")
        await on.menu()
        await on.press("escape")
        await on.plain()
    assert actions(house)[-1] == "issue.assign"


async def test_comment_and_label_are_shown_and_stored(house: Any) -> None:
    number = house.spleen.new("printer on fire").id
    async with open_app() as on:
        await go_to(on, number)
        await on.press("c")
        await answer(on, "smoke seen; q d u x are plain letters here")
        await on.sees("op1, now: smoke seen; q d u x are plain letters here")
        await on.press("l")
        await answer(on, "hot")
        await on.sees("labels hot")
        await on.press("l")
        await answer(on, "hot")
        await on.clear("labels hot")
    found = house.spleen.detail(number)
    assert [comment.body for comment in found.comments] == ["smoke seen; q d u x are plain letters here"]
    assert found.issue.tags == ()


async def test_a_comment_that_could_not_be_stored_is_offered_again(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    number = house.spleen.new("printer on fire").id
    monkeypatch.setattr("immunos_tui.store.connection.BUSY_MS", 50)
    async with open_app() as on:
        await go_to(on, number)
        house.store.db.execute("BEGIN IMMEDIATE")
        await on.press("c")
        await answer(on, "written down once")
        await on.sees("locked")
        house.store.db.execute("ROLLBACK")
        await on.press("c")
        await on.menu()
        assert on.app.screen.query_one(Input).value == "written down once"
        await on.press("enter")
        await on.until(lambda: house.spleen.detail(number).comments)


async def test_the_form_of_a_new_issue_keeps_what_was_typed(house: Any) -> None:
    async with open_app() as on:
        await on.until(lambda: on.is_menu, "the offer of the tour")
        await on.press("n")
        await on.plain()
        await on.sees("No issues yet")
        await on.press("i")
        await on.menu()
        await on.press("ctrl+s")
        await on.sees("Title is needed.")
        await on.type("lost badge")
        await on.press("enter")
        await on.type("found near gate 4")
        await on.press("tab")
        await on.press("ctrl+u")
        await on.type("urgent")
        await on.press("ctrl+s")
        await on.sees("Priority takes")
        await on.press("ctrl+u")
        await on.type("high")
        await on.press("down")
        await on.type("o" * 101)
        await on.press("ctrl+s")
        await on.sees("The owner has 101 characters")
        await on.press("ctrl+u")
        await on.type("me")
        await on.press("down")
        await on.type("gate lobby")
        await on.press("enter")
        await on.plain()
        await on.sees("lost badge")
    made = house.spleen.get(1)
    assert (made.title, made.body, made.priority, made.owner) == ("lost badge", "found near gate 4", "high", "op1")
    assert made.tags == ("gate", "lobby")


@pytest.mark.parametrize(
    ("key", "kind", "status"),
    [
        ("t", VerdictKind.THREAT, Status.ACKNOWLEDGED),
        ("f", VerdictKind.FALSE_POSITIVE, Status.RESOLVED),
        ("b", VerdictKind.BENIGN, Status.RESOLVED),
    ],
)
async def test_verdicts(house: Any, key: str, kind: VerdictKind, status: Status) -> None:
    number = detected_issue(house, 3)
    async with open_app() as on:
        await go_to(on, number)
        await on.press("d")
        await on.menu()
        await on.sees(f"Verdict on #{number}")
        await on.press("j", "o", "1")
        assert on.is_menu, "other keys do nothing"
        await on.press(key)
        await on.until(lambda: house.spleen.get(number).verdict is kind)
        assert house.spleen.get(number).status is status


async def test_a_duplicate_takes_a_number(house: Any) -> None:
    target = house.spleen.new("the real one").id
    number = detected_issue(house, 2)
    async with open_app() as on:
        await go_to(on, number)
        for wrong, said in (
            ("²", "no number of an issue"),
            ("99", "There is no issue #99"),
            (str(number), "duplicate of"),
        ):
            on.forget_toasts()
            await on.press("d")
            await on.menu()
            await on.press("u")
            await on.until(lambda: not on.is_menu and on.app.screen.is_modal, "the question for a number")
            await answer(on, wrong)
            await on.sees(said)
        assert house.spleen.get(number).verdict is None
        await on.press("d")
        await on.menu()
        await on.press("u")
        await on.until(lambda: not on.is_menu and on.app.screen.is_modal, "the question for a number")
        await answer(on, f"#{target}")
        await on.until(lambda: house.spleen.get(number).duplicate_of == target)
        await on.press("d")
        await on.menu()
        await on.press("escape")
        await on.plain()


async def test_resolving_what_was_detected_takes_a_verdict(house: Any) -> None:
    number = detected_issue(house, 2)
    async with open_app() as on:
        await go_to(on, number)
        await on.press("x")
        await on.menu()
        await on.sees("resolving it takes a verdict")
        await on.press("t")
        await on.until(lambda: house.spleen.get(number).verdict is VerdictKind.THREAT)
        assert house.spleen.get(number).is_open, "a threat stays open until somebody says that it is dealt with"
        await on.plain()
        await on.press("x")
        await on.until(lambda: not house.spleen.get(number).is_open)
        await on.press("slash")
        await on.press("ctrl+u", "enter")
        await go_to(on, number)
        await on.press("X")
        await on.until(lambda: house.spleen.get(number).is_open)


async def test_undo_and_redo_outlive_the_program(house: Any) -> None:
    number = house.spleen.new("printer on fire").id
    async with open_app() as on:
        await go_to(on, number)
        await on.press("exclamation_mark")
        await on.sees("critical. u takes it back")
        await on.press("o")
        await on.until(lambda: house.spleen.get(number).status is Status.ACKNOWLEDGED)
        await on.press("u")
        await on.sees(f"Undone: acknowledging #{number}.")
    assert house.spleen.get(number).status is Status.NEW
    async with open_app() as on:
        await go_to(on, number)
        await on.press("U")
        await on.sees(f"Redone: acknowledging #{number}.")
        await on.press("u", "u")
        await on.until(lambda: house.spleen.get(number).priority is Priority.MEDIUM)
        on.forget_toasts()
        await on.press("u")
        await on.sees(f"Undone: making #{number}.")
        await on.until(lambda: not on.table.keys)
        await on.press("u")
        await on.sees("There is nothing of yours to undo.")


async def test_undo_names_the_later_action_of_another(house: Any, other: Any) -> None:
    number = house.spleen.new("printer on fire").id
    async with open_app() as on:
        await go_to(on, number)
        await on.press("plus")
        await on.until(lambda: house.spleen.get(number).priority is Priority.HIGH)
        other.spleen.edit([number], {"priority": "low"})
        await on.press("u")
        await on.sees(f"the priority of #{number} was changed since, by activity 3 (issue.edit of op2)")
        await on.sees("issue undo 3")
    assert house.spleen.get(number).priority is Priority.LOW


async def test_a_step_is_for_what_the_dialog_showed(house: Any, other: Any) -> None:
    """Another operator resolves the issue while a comment on it is being written."""
    stays = house.spleen.new("stays").id
    goes = house.spleen.new("goes", priority="critical").id
    async with open_app() as on:
        await go_to(on, goes)
        await on.press("c")
        await on.menu()
        await on.type("about the one that goes")
        other.spleen.resolve([goes])
        await on.until(lambda: on.table.keys == (stays,), "the list without it")
        await on.press("enter")
        await on.until(lambda: house.spleen.detail(goes).comments, "the comment")
    assert not house.spleen.detail(stays).comments


async def test_marks_and_bulk_steps_count_and_list_first(house: Any) -> None:
    numbers = [house.spleen.new(f"case {index}").id for index in range(8)]
    async with open_app() as on:
        await go_to(on, numbers[-1])
        await on.press("space", "space")
        await on.sees("2 marked")
        await on.press("escape")
        await on.until(lambda: "marked" not in on.text)
        await on.press("g", "v", "j", "j", "v")
        await on.sees("3 marked")
        await on.press("o")
        await on.menu()
        await on.sees("3 issues: acknowledged?")
        await on.sees("case")
        await on.press("n")
        await on.plain()
        assert not any(house.spleen.get(number).status is Status.ACKNOWLEDGED for number in numbers)
        await on.press("V")
        await on.sees("8 marked")
        await on.press("o")
        await on.menu()
        await on.sees("8 issues: acknowledged?")
        await on.sees("and 3 more")
        await on.press("y")
        await on.sees("8 issues: acknowledged. u takes it back.")
        await on.clear("marked")
        assert all(house.spleen.get(number).status is Status.ACKNOWLEDGED for number in numbers)
        await on.press("u")
        await on.until(
            lambda: all(house.spleen.get(number).status is Status.NEW for number in numbers), "one undo for all"
        )


async def test_read_only_refuses_and_says_so(house: Any) -> None:
    number = house.spleen.new("printer on fire").id
    async with open_app(flags={"ui.read_only": True}) as on:
        await go_to(on, number)
        assert "read-only" in on.text
        await on.press("o")
        await on.sees("The program runs read-only; nothing was changed.")
        await on.press("c")
        await answer(on, "not stored")
        await on.press("i")
        await on.menu()
        await on.type("not made")
        await on.press("ctrl+s")
        await on.until(lambda: "nothing was changed" in on.text, "the sentence in the form")
        await on.press("escape")
        await on.plain()
    assert actions(house) == ["issue.new"]
    assert house.spleen.get(number).status is Status.NEW
