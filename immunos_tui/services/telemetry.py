"""Telemetry: samples of the host, kept as shares over time."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from immunos_tui.model.posture import Host, HostSample

HISTORY = 60
"""Samples kept for the sparklines."""


class HostSampler:
    """Looks at CPU, memory and the disk that holds the data."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._cpu: deque[float] = deque(maxlen=HISTORY)
        self._memory: deque[float] = deque(maxlen=HISTORY)

    def look(self) -> Host:
        """One more sample; the CPU share is since the look before it."""
        import psutil  # noqa: PLC0415 - not needed before the first frame

        memory = psutil.virtual_memory()
        place = next((path for path in (self._data, *self._data.parents) if path.exists()), Path("/"))
        disk = psutil.disk_usage(str(place))
        sample = HostSample(
            cpu=float(psutil.cpu_percent()),
            load=os.getloadavg()[0],
            memory=float(memory.percent),
            memory_used=int(memory.total - memory.available),
            memory_total=int(memory.total),
            disk=float(disk.percent),
            disk_free=int(disk.free),
            disk_total=int(disk.total),
        )
        self._cpu.append(sample.cpu)
        self._memory.append(sample.memory)
        return Host(sample, tuple(self._cpu), tuple(self._memory))
