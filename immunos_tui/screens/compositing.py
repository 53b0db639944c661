"""Draws the lines that have changed, and nothing beside them.

Textual's compositor asks every widget of the screen for all of its lines to change one: a third of what drawing a moved cursor costs. It
relies on these names of Textual 8.2.8 that are not public, and a test asserts that they exist: ``Screen._compositor``,
``Compositor._get_renders``, ``Compositor.visible_widgets``.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual._compositor import Compositor
from textual.geometry import Region
from textual.strip import Strip


class LineCompositor(Compositor):
    """Renders those lines of those widgets that lie in what is to be drawn."""

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        # Whole lines: a line is put together from pieces that begin and end where widgets do.
        band = self.size.region if crop is None else Region(0, crop.y, self.size.width, crop.height)
        for widget, (region, clip) in self.visible_widgets.items():
            seen = clip.intersection(band)
            shown = region.intersection(seen)
            if shown:
                yield region, seen, widget.render_lines(shown.translate(-region.offset))
