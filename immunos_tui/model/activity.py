"""The append-only record of every change, and the hash chain that makes a change to it show."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GENESIS = "0" * 64
"""What stands for the hash before the first row."""


@dataclass(frozen=True)
class Activity:
    """One recorded change. ``group`` is the first row of an action on several subjects."""

    seq: int
    at: int
    actor: str
    origin: str
    action: str
    subject: str
    subject_id: int | None
    payload: Mapping[str, Any]
    group: int
    undoes: int | None
    key_id: str
    hash: str


@dataclass(frozen=True)
class ChainReport:
    """What ``audit verify`` found: ``broken`` is the first row that does not hold, None if all do."""

    rows: int
    head: str
    broken: int | None = None
    reason: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)


def canonical(payload: Mapping[str, Any]) -> str:
    """The one JSON text of a payload: sorted keys, no spaces."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)


def link(  # noqa: PLR0913 - every field of the row is under its hash
    key: bytes,
    previous: str,
    *,
    seq: int,
    at: int,
    actor: str,
    origin: str,
    action: str,
    subject: str,
    subject_id: int | None,
    payload: str,
    group: int,
    undoes: int | None,
    key_id: str,
) -> str:
    """The hash of a row: HMAC-SHA256 over the hash before it and every field of its own."""
    body = json.dumps(
        [previous, seq, at, actor, origin, action, subject, subject_id, payload, group, undoes, key_id],
        separators=(",", ":"),
    )
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()
