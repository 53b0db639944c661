"""Threads of the program's own for whatever may wait for a disk.

They are daemons: asyncio's pool is shared with Textual and is joined when the program quits, so a
query that waits for a lock would hold up the way out.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from immunos_tui.services.house import House

T = TypeVar("T")


class Lane:
    """One thread with a house of its own, which runs what it is given in order; started by the first piece of work."""

    def __init__(self, name: str, make: Callable[[], House]) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[House], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._make = make
        self._name = name
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[House], T]) -> Future[T]:
        """Run ``work`` in the lane; its errors are the future's."""
        future: Future[T] = Future()
        self._work.put((work, future))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"lane-{self._name}", daemon=True)
            self._thread.start()
        return future

    def close(self) -> None:
        """End the thread once what it was given is done; does not wait."""
        self._work.put(None)

    def _run(self) -> None:
        house: House | None = None
        while (item := self._work.get()) is not None:
            work, future = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                house = house or self._make()
                future.set_result(work(house))
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
                future.set_exception(error)
        if house is not None:
            house.close()
