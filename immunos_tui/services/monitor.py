"""The one monitor: it watches the database, the host and Ollama, and publishes what it knows as a value.

Each watch finishes, publishes and waits, so that none overlaps with itself. The threads are
daemons, and a slow server never holds up the news from the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from immunos_tui.llm import egress
from immunos_tui.llm.ollama import OllamaProbe
from immunos_tui.model.errors import ImmunosError
from immunos_tui.model.posture import Snapshot
from immunos_tui.services.house import House
from immunos_tui.services.telemetry import HostSampler
from immunos_tui.store import ChangeWatch

DATABASE_SECONDS = 0.5
HOST_SECONDS = 2.0
SWEEP_SECONDS = 10.0


RETRY_SECONDS = 2.0
"""Seconds until a house that could not be opened is tried again."""


def opened(
    make: Callable[[], House], stop: threading.Event, tell: Callable[[str], Any] = lambda trouble: None
) -> House | None:
    """A house for a thread that lives as long as the program; None where that ends before one can be opened.

    Args:
        tell: gets the sentence that says why it cannot be opened, after each try.
    """
    while not stop.is_set():
        try:
            return make()
        except ImmunosError as error:
            tell(str(error))
            stop.wait(RETRY_SECONDS)
    return None


class Monitor:
    """Publishes a ``Snapshot`` whenever something in it has changed.

    Args:
        make: opens a house for the monitor's own thread.
        emit: takes each snapshot; called from the monitor's threads.
        slow: halve the cadence, for a slow line.
    """

    def __init__(self, make: Callable[[], House], emit: Callable[[Snapshot], Any], *, slow: bool = False) -> None:
        self._make = make
        self._emit = emit
        self._pace = 2.0 if slow else 1.0
        self._poke = threading.Event()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._snapshot = Snapshot()

    def start(self) -> None:
        for name, run in (("database", self._watch_database), ("host", self._watch_host)):
            threading.Thread(target=run, name=f"monitor-{name}", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()
        self._poke.set()

    def poke(self) -> None:
        """This program has committed something: look now."""
        self._poke.set()

    def _publish(self, **parts: Any) -> None:
        with self._lock:
            before = self._snapshot
            self._snapshot = before._replace(**parts)
            changed = self._snapshot != before
        if changed and not self._stop.is_set():
            self._emit(self._snapshot)

    def _watch_database(self) -> None:
        house = opened(self._make, self._stop, lambda trouble: self._publish(trouble=trouble))
        if house is None:
            return
        watch = ChangeWatch(house.paths.database)
        changes, minute, swept = 0, 0, 0.0
        while not self._stop.is_set():
            now_minute = int(time.time() // 60)
            changed = watch.changed()
            if changed or minute != now_minute or not changes:
                minute, changes = now_minute, changes + (1 if changed or not changes else 0)
                self._publish(changes=changes, egress_refused=egress.refused(), **self._look(house))
            if time.monotonic() - swept > SWEEP_SECONDS:
                swept = time.monotonic()
                self._sweep(house)
            self._poke.wait(DATABASE_SECONDS * self._pace)
            self._poke.clear()
        watch.close()
        house.close()

    @staticmethod
    def _look(house: House) -> dict[str, Any]:
        try:
            return {
                "posture": house.spleen.posture(),
                "jobs": house.thymus.counts(),
                "work": house.thymus.at_hand(),
                "trouble": "",
            }
        except ImmunosError as error:
            return {"trouble": str(error)}

    @staticmethod
    def _sweep(house: House) -> None:
        try:
            house.thymus.sweep()
        except ImmunosError:
            return  # what is wrong with the database is published by the look above

    def _watch_host(self) -> None:
        house = opened(self._make, self._stop)
        if house is None:
            return
        sampler = HostSampler(house.paths.data)
        probe = OllamaProbe(house.settings.ollama.url)
        every = max(1, round(house.settings.ollama.poll_seconds / HOST_SECONDS))
        turn = 0
        self._stop.wait(1.0)  # the first second belongs to the first frame
        while not self._stop.is_set():
            parts: dict[str, Any] = {"host": sampler.look(), "egress_refused": egress.refused()}
            if turn % every == 0:
                parts["ollama"] = probe.look()
            self._publish(**parts)
            turn += 1
            self._stop.wait(HOST_SECONDS * self._pace)
        probe.close()
