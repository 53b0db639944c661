"""What is drawn line by line is what would be drawn whole."""

from __future__ import annotations

from typing import Any

import pytest
from textual._compositor import Compositor
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip

from immunos_tui.screens.compositing import LineCompositor
from tests.screens.driving import open_app


def test_textual_still_has_what_it_relies_on() -> None:
    assert isinstance(Screen()._compositor, Compositor)
    for name in ("_get_renders", "_render_chops", "visible_widgets", "size"):
        assert hasattr(Compositor, name) or name in vars(Compositor())


def drawn(compositor: Compositor, crop: Region) -> list[list[Strip | None]]:
    """The pieces of each line of a region."""
    chops = compositor._render_chops(crop, lambda y: y in crop.line_range)
    return [list(chops[y].values()) for y in crop.line_range]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 15)])
@pytest.mark.parametrize("tab", ["spleen", "thymus", "kb"])
async def test_a_part_is_drawn_as_the_whole_would_be(house: Any, size: tuple[int, int], tab: str) -> None:
    for number in range(12):
        house.spleen.new(f"issue number {number} 日本", priority="high")
    async with open_app(tab, size=size) as on:
        await on.settle()
        lean = on.screen._compositor
        assert isinstance(lean, LineCompositor)
        for top in range(0, size[1], 3):
            for height, left in ((1, 0), (2, 7), (size[1] - top, 0)):
                crop = Region(left, top, size[0] - left, min(height, size[1] - top))
                part = drawn(lean, crop)
                lean.__class__ = Compositor
                whole = drawn(lean, crop)
                lean.__class__ = LineCompositor
                assert part == whole
