"""The cleaner: nothing that comes out of it can steer a terminal or disguise itself."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from immunos_tui.model.text import clean, clean_block, cut, cut_middle, storable

ANYTHING = st.text(st.characters(categories=None), max_size=60)  # lone surrogates too
NASTY = st.text(
    st.sampled_from("\x1b\x9b[]0;m\x07\x08\r\n\t\u202e\u2066\u200b\u200d\ufeff\u00ad\U000e0041\u2028ab\\"), max_size=40
)
INVISIBLE = {"\u00ad", "\u034f", "\u061c", "\u115f", "\u1160", "\u3164", "\ufeff", "\uffa0"}


def harmful(character: str) -> bool:
    """Whether a character is a control, a format or separator character, a surrogate, or takes no room of its own."""
    if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return True
    code = ord(character)
    return (
        character in INVISIBLE
        or 0x200B <= code <= 0x200F
        or 0x202A <= code <= 0x202E
        or 0x2060 <= code <= 0x206F
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0000 <= code <= 0xE0FFF
    )


@given(ANYTHING | NASTY)
@example("\x1b]52;c;aGk=\x07")
@example("a\u202eb")
@example("\ud800")
def test_clean_is_one_harmless_line(text: str) -> None:
    line = clean(text)
    assert not any(harmful(character) for character in line)
    assert clean(line) == line


@given(ANYTHING | NASTY)
def test_clean_block_keeps_lines_and_nothing_harmful(text: str) -> None:
    block = clean_block(text)
    assert not any(harmful(character) for character in block if character != "\n")
    assert block.count("\n") == text.replace("\r\n", "\n").count("\n")
    assert clean_block(block) == block


@given(ANYTHING, st.integers(1, 50))
def test_limits_hold(text: str, limit: int) -> None:
    assert len(clean(text, limit)) <= limit
    assert len(clean_block(text, limit)) <= limit
    assert len(cut(text, limit)) <= limit
    assert len(cut_middle(text, limit)) <= limit
    assert cut(text, len(text)) == text == cut_middle(text, len(text))


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), max_size=60))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text == clean_block(text)


@given(ANYTHING)
def test_storable_text_can_be_encoded(text: str) -> None:
    stored = storable(text)
    stored.encode()
    assert storable(stored) == stored
    assert "\0" not in stored
    if not any(0xD800 <= ord(character) < 0xE000 or character == "\0" for character in text):
        assert stored == text


def test_what_is_made_visible_can_be_read() -> None:
    assert clean("\x1b[2J\u202e\n\tx") == "\\x1b[2J\\u202e  x"
    assert clean_block("a\r\nb\tc\x07") == "a\nb   c\\x07"
    assert clean(None) == "None"
