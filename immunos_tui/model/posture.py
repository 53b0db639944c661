"""The state of the host and of triage at one moment, as the screens show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Posture:
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
        return {**self.__dict__, "minutes": list(self.minutes)}


@dataclass(frozen=True)
class HostSample:
    """One look at the host. Percentages are 0 to 100, sizes bytes."""

    cpu: float
    load: float
    memory: float
    memory_used: int
    memory_total: int
    disk: float
    disk_free: int
    disk_total: int


@dataclass(frozen=True)
class Host:
    """The latest sample and the shares before it, oldest first."""

    now: HostSample | None = None
    cpu_history: tuple[float, ...] = ()
    memory_history: tuple[float, ...] = ()


@dataclass(frozen=True)
class Backend:
    """Whether a language model server answers. ``state`` is ``unknown``, ``up`` or ``down``."""

    url: str = ""
    state: str = "unknown"
    version: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What the monitor knows, published as one value; ``changes`` steps with every commit it notices."""

    changes: int = 0
    posture: Posture = field(default_factory=Posture)
    jobs: Mapping[str, int] = field(default_factory=dict)
    host: Host = field(default_factory=Host)
    ollama: Backend = field(default_factory=Backend)
    egress_refused: int = 0
    trouble: str = ""
