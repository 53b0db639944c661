"""Bytes from the terminal to text for Textual's parser, whatever the bytes are."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder

_OLD_MOUSE = re.compile(rb"\x1b\[M[\x00-\xff]{0,3}")
_PAYLOAD = 3


class InputDecoder:
    """Decodes UTF-8 that arrives in pieces and does not trip over what is none.

    Mouse reports in the X10 encoding carry three raw bytes, which tmux and old terminals send even when
    asked for SGR; they would break the decoder or swallow the next key, so they are made harmless here
    (Textual ignores such reports). Any other byte that is not UTF-8 becomes U+FFFD.
    """

    def __init__(self) -> None:
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._payload_due = 0
        self._opening = b""

    def feed(self, data: bytes) -> str:
        """The text of the next ``data``; empty while a character is incomplete."""
        due = min(self._payload_due, len(data))
        self._payload_due -= due
        rest = data[due:]
        joined = self._opening + rest
        if b"\x1b[M" in joined:
            joined = _OLD_MOUSE.sub(self._blank, joined)
            rest = joined[len(self._opening) :]
        if rest:
            ends = next((end for end in (b"\x1b[", b"\x1b") if joined.endswith(end)), b"")
            self._opening = b"" if self._payload_due else ends
        return self._decode(b"!" * due + rest)

    def _blank(self, match: re.Match[bytes]) -> bytes:
        length = len(match.group()) - 3
        self._payload_due = _PAYLOAD - length  # more than 0 only for a report cut off by the end of the data
        return b"\x1b[M" + b"!" * length
