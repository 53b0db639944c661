"""The state of the host and of triage at one moment, as the screens show it.

Named tuples: they are on the way to the first frame, and cost a fifth of what a dataclass does to define.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Posture(NamedTuple):
    """Open issues by priority, the day so far, and flagged detections a minute, oldest first."""

    open: int = 0
    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0
    new: int = 0
    total: int = 0
    opened_today: int = 0
    resolved_today: int = 0
    minutes: tuple[int, ...] = ()
    last_scan: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "minutes": list(self.minutes)}


class HostSample(NamedTuple):
    """One look at the host. Percentages are 0 to 100, sizes bytes."""

    cpu: float
    load: float
    memory: float
    memory_used: int
    memory_total: int
    disk: float
    disk_free: int
    disk_total: int


class Host(NamedTuple):
    """The latest sample and the shares before it, oldest first."""

    now: HostSample | None = None
    cpu_history: tuple[float, ...] = ()
    memory_history: tuple[float, ...] = ()


class Backend(NamedTuple):
    """Whether a language model server answers. ``state`` is ``unknown``, ``up`` or ``down``."""

    url: str = ""
    state: str = "unknown"
    version: str = ""
    reason: str = ""


class Snapshot(NamedTuple):
    """What the monitor knows, published as one value; ``changes`` steps with every commit it notices."""

    changes: int = 0
    posture: Posture = Posture()
    jobs: Mapping[str, int] = MappingProxyType({})
    work: str = ""
    """The running job in a few words, with how far it is."""
    host: Host = Host()
    ollama: Backend = Backend()
    egress_refused: int = 0
    trouble: str = ""
