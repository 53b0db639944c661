"""The two ends of the line: bytes that come in, whatever they are, and bytes that go out."""

from __future__ import annotations

import fcntl
import os
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual import events

from immunos_tui.terminal.ascii import to_ascii
from immunos_tui.terminal.driver import InputReader
from immunos_tui.terminal.keyboard import InputDecoder
from immunos_tui.terminal.output import RESTORE, TerminalOutput
from tests.terminal.ptyapp import _MODE

PRINTABLE = st.characters(exclude_categories=["Cc", "Cs", "Cf", "Mn", "Me", "Mc"])


@given(st.text(PRINTABLE))
def test_ascii_output_takes_the_same_cells(text: str) -> None:
    plain = to_ascii(text)
    assert plain.isascii()
    assert len(plain) == sum(cell_len(character) for character in text)


def test_ascii_output_keeps_what_a_picture_is_made_of() -> None:
    assert to_ascii("┌──┐│é Grün│└──┘") == "+--+|e Grun|+--+"
    assert to_ascii("\x1b[31m▁▄█ 日本 → ok\x1b[0m") == "\x1b[31m_=# ???? > ok\x1b[0m"


PIECES = st.sampled_from([b"\x1b", b"\x1b[", b"\x1b[M", b"M", b"a", b"\xc3", b"\xa9", b"\xff", b"\xf0\x9f"])
TERMINAL_BYTES = st.lists(PIECES | st.binary(max_size=4), max_size=20).map(b"".join)


@given(TERMINAL_BYTES, st.lists(st.integers(0, 80), max_size=6))
def test_decoding_does_not_depend_on_how_the_bytes_arrive(data: bytes, cuts: list[int]) -> None:
    at_once, in_pieces, pieces = InputDecoder(), InputDecoder(), []
    marks = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    for begin, end in pairwise(marks):
        pieces.append(in_pieces.feed(data[begin:end]))
    assert "".join(pieces) == at_once.feed(data)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1b")))
def test_text_arrives_as_it_was_typed(text: str) -> None:
    assert InputDecoder().feed(text.encode()) == text


@given(st.lists(st.binary(min_size=3, max_size=3), max_size=5))
def test_old_mouse_reports_are_dropped_and_the_key_after_them_arrives(payloads: list[bytes]) -> None:
    data = b"".join(b"\x1b[M" + payload for payload in payloads) + b"k"
    messages = [message for message in InputReader().feed(data) if isinstance(message, events.Key)]
    assert [message.key for message in messages] == ["k"]


@given(st.lists(TERMINAL_BYTES, max_size=4))
def test_no_input_breaks_the_reader(chunks: list[bytes]) -> None:
    reader = InputReader()
    for chunk in chunks:
        list(reader.feed(chunk))
        list(reader.tick())


def test_a_key_number_beyond_all_characters_does_not_end_the_program() -> None:
    reader = InputReader()
    list(reader.feed(b"\x1b[99999999u"))
    assert [message.key for message in reader.feed(b"j") if isinstance(message, events.Key)] == ["j"]


def test_a_reader_that_goes_away_is_told_once_and_ends_all_writing() -> None:
    read, write = os.pipe()
    os.close(read)
    lost: list[bool] = []
    output = TerminalOutput(write, ascii_only=False, on_lost=lambda: lost.append(True))
    for _ in range(3):
        output.write("text")
        output.flush()
    os.close(write)
    assert lost == [True]
    assert output.lost


def test_a_descriptor_left_non_blocking_by_another_program_loses_nothing() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    capacity = fcntl.fcntl(write, fcntl.F_GETPIPE_SZ)
    output = TerminalOutput(write, ascii_only=False, on_lost=lambda: pytest.fail("not lost"))
    output.write("x" * (3 * capacity))
    writer = threading.Thread(target=output.flush)
    writer.start()
    received = 0
    while received < 3 * capacity:
        received += len(os.read(read, 65536))
    writer.join()
    os.close(read)
    os.close(write)


def test_after_the_farewell_nothing_is_written() -> None:
    read, write = os.pipe()
    output = TerminalOutput(write, ascii_only=False, on_lost=lambda: None)
    output.cut("bye")
    output.write("more")
    output.flush()
    os.close(write)
    assert os.read(read, 99) == b"bye"
    os.close(read)


def test_the_farewell_does_not_wait_for_a_terminal_that_takes_nothing() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    output = TerminalOutput(write, ascii_only=False, on_lost=lambda: None)
    output.write("stuck")
    stuck = threading.Thread(target=output.flush, daemon=True)
    stuck.start()
    output.cut("bye", patience=0.05)
    assert output.cut_off
    os.close(read)
    stuck.join()
    os.close(write)


def test_the_farewell_only_turns_off_what_is_not_there_in_a_fresh_terminal() -> None:
    turned_on = {match[1] for match in _MODE.finditer(RESTORE.encode()) if match[2] == b"h"}
    assert turned_on == {b"7", b"25"}
