"""Audit: whether the record of every change is whole."""

from __future__ import annotations

from immunos_tui.model.activity import ChainReport
from immunos_tui.store import Store, activity


class Audit:
    """Checks the activity chain of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def verify(self) -> ChainReport:
        """Walk the chain; ``broken`` names the first row that does not hold."""
        remembered = self._store.head.read()
        with self._store.read() as db:
            return activity.verify(db, self._store.key, remembered)

    def head(self) -> tuple[int, str]:
        """The newest row's number and hash."""
        with self._store.read() as db:
            return activity.head(db)

    def accept_restored(self, what: str) -> None:
        """Record that an older copy was put in place, and let the remembered head follow it back."""
        seq, digest = self.head()
        self._store.head.advance(seq, digest, force=True)
        with self._store.write() as tx:
            tx.record("db.restore", "database", None, {"from": what, "head": seq})
