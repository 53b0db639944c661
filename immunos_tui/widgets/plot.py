"""Small curves in braille dots: two by four to a cell, drawn on the unit square."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text

from immunos_tui.widgets.palette import Palette

Points = Sequence[tuple[float, float]]

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each dot by its column and row in a braille cell."""


def curve(points: Points, width: int, height: int) -> list[str]:
    """The polyline through points of the unit square, in ``height`` lines of ``width`` cells, the origin below."""
    across, up = 2 * width - 1, 4 * height - 1
    cells = [[0] * width for _ in range(height)]
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = max(1, round(max(abs(x1 - x0) * across, abs(y1 - y0) * up)))
        for step in range(steps + 1):
            share = step / steps
            x = round(min(1.0, max(0.0, x0 + (x1 - x0) * share)) * across)
            y = up - round(min(1.0, max(0.0, y0 + (y1 - y0) * share)) * up)
            cells[y // 4][x // 2] |= DOTS[x % 2][y % 4]
    return ["".join(chr(0x2800 + bits) if bits else " " for bits in row) for row in cells]


def pair_of_curves(
    left: tuple[str, Points], right: tuple[str, Points], palette: Palette, width: int = 30, height: int = 8
) -> list[Text]:
    """Two titled curves side by side, each on axes from 0 to 1."""
    drawn = [(title, curve(points, width, height)) for title, points in (left, right) if points]
    if not drawn:
        return []
    lines = [Text("   ".join(f"  {title:<{width}}" for title, _ in drawn), style=palette.muted)]
    for row in range(height):
        parts: list[tuple[str, object]] = []
        for _, rows in drawn:
            edge = "1 " if row == 0 else "  "
            parts += [(edge, palette.muted), ("│", palette.rule), (rows[row], palette.bar), ("  ", palette.text)]
        lines.append(Text.assemble(*parts))  # type: ignore[arg-type]
    lines.append(Text("  ".join("0 └" + "─" * (width - 1) + "1" for _ in drawn), style=palette.rule))
    return lines
