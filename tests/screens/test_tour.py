"""The first run: an empty folder, and the guided tour taken with keys alone."""

from __future__ import annotations

from typing import Any

from immunos_tui.model.issue import VerdictKind
from tests.screens.driving import open_app


async def test_the_tour_ends_on_a_spleen_with_findings(house: Any) -> None:
    async with open_app("chat") as on:
        await on.menu()
        await on.sees("Nothing has been learned or scanned here yet.")
        await on.press("t")
        await on.sees("Thymus (training)")
        await on.until(lambda: house.thymus.list() and house.thymus.get(1).state.ended, "the training")
        await on.sees("Tour 3 of 3")
        await on.sees("Spleen (triage)")
        await on.until(lambda: on.table.keys, "findings")
        number = on.table.key
        await on.press("d")
        await on.menu()
        await on.press("t")
        await on.until(lambda: house.spleen.get(number).verdict is VerdictKind.THREAT)
    found = house.spleen.list().ids
    assert len(found) > 3
    detail = house.spleen.detail(found[-1])
    assert detail.evidence
    assert detail.evidence[0].explanation["sentence"]


async def test_the_tour_is_offered_once_and_may_be_declined(house: Any) -> None:
    async with open_app() as on:
        await on.menu()
        await on.press("escape")
        await on.plain()
        await on.sees("No issues yet. Scan a file with F")
        house.spleen.new("one by hand")
        await on.sees("one by hand")
        assert not on.app.screen.is_modal
    async with open_app() as on:
        await on.sees("one by hand")
        assert not on.app.screen.is_modal
    assert not house.foundry.list()
