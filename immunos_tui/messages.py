"""The one seam between the services and the screens."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from immunos_tui.model.posture import Snapshot


@dataclass
class SnapshotTaken(Message):
    """The monitor has seen something change. A backlog collapses to the newest."""

    snapshot: Snapshot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotTaken)
