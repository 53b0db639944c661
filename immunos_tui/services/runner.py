"""The thread that works the queue for as long as the program is open."""

from __future__ import annotations

import threading
from collections.abc import Callable

from immunos_tui.model.errors import ImmunosError
from immunos_tui.services.house import House
from immunos_tui.services.monitor import opened

RETRY_SECONDS = 5.0


class QueueRunner:
    """A daemon thread over ``Thymus.work``: quitting never waits for it, and jobs outlive it."""

    def __init__(self, make: Callable[[], House]) -> None:
        self._make = make
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="queue", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        house = opened(self._make, self._stop)
        if house is None:
            return
        while not self._stop.is_set():
            try:
                house.thymus.work(self._stop.is_set, until_empty=False)
            except (ImmunosError, OSError):  # OSError: no process could be started, or its log not be opened
                self._stop.wait(RETRY_SECONDS)  # the monitor shows what is wrong with the database
        house.close()
