"""Text for terminals that only take ASCII: the same picture, cell for cell, in 95 characters.

The driver runs every frame through ``to_ascii``, so that no widget needs a second set of glyphs.
"""

from __future__ import annotations

# One ASCII character for each glyph of one cell: box drawing, blocks, sparks, arrows, punctuation.
_PAIRS = (
    ("-", "─━┄┅┈┉╌╍╴╶╸╺╼╾═‐‑‒–—―−⎯⎺⎻⎼⎽"),
    ("|", "│┃┆┇┊┋╎╏╵╷╹╻╽╿║▏▎▍▌▊▐▕❘⎸⎹"),
    ("+", "┌┍┎┏┐┑┒┓└┕┖┗┘┙┚┛├┝┞┟┠┡┢┣┤┥┦┧┨┩┪┫┬┭┮┯┰┱┲┳┴┵┶┷┸┹┺┻┼┽┾┿╀╁╂╃╄╅╆╇╈╉╊╋"),
    ("+", "╒╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡╢╣╤╥╦╧╨╩╪╫╬╭╮╯╰"),
    ("#", "█▉▋▇■▓▙▛▜▟"),
    ("%", "▆▒"),
    ("*", "▅•●★☆✦✱∗"),
    ("=", "▄"),
    ("-", "▃▬"),
    (".", "▂░·…⋯∙"),
    ("_", "▁▖▗"),
    ('"', "▀▔“”„″▘▝"),
    ("'", "‘’‚′`"),
    ("/", "╱▞⁄"),
    ("\\", "╲▚"),
    ("X", "╳✗✘☒"),
    ("x", "×✕✖"),
    (">", "→▶▸►❯›⟩⇒↦⏵"),
    ("<", "←◀◂◄❮‹⟨⇐⏴"),
    ("^", "↑▲▴⇑⏶"),
    ("v", "↓▼▾⇓⏷✓✔☑"),
    ("o", "○◯◌◦□☐°"),
    ("~", "±≈∼"),
    ("u", "µμ"),
    ("E", "€∑"),
    (" ", "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"),
)
_DOTS = " .:-=+*%#"


class _Table(dict[int, str]):
    """Translations by code point; those that are not drawn above are worked out once, when met."""

    def __missing__(self, code: int) -> str:
        if code < 0x80:
            made = chr(code)
        elif 0x2800 <= code <= 0x28FF:
            made = _DOTS[(code - 0x2800).bit_count()]
        else:
            made = _plain(chr(code))
        self[code] = made
        return made


def _plain(character: str) -> str:
    """The letter under an accent, else one '?' for each cell that the character takes."""
    import unicodedata  # 1 MB of tables: only where there is something to look up

    from rich.cells import cell_len

    cells = cell_len(character)
    base = "".join(part for part in unicodedata.normalize("NFKD", character) if " " <= part <= "~")
    return base if base and len(base) == cells else "?" * cells


_TABLE = _Table({ord(glyph): plain for plain, glyphs in _PAIRS for glyph in glyphs})


def to_ascii(text: str) -> str:
    """``text`` with every character beyond ASCII replaced; it takes the same number of cells."""
    return text if text.isascii() else text.translate(_TABLE)
