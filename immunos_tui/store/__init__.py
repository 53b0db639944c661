"""The only place that knows SQL: connections, migrations, and one module a noun."""

from immunos_tui.store.chain import AuditHead, AuditKey, load_key
from immunos_tui.store.connection import ChangeWatch, Store, Transaction

__all__ = ["AuditHead", "AuditKey", "ChangeWatch", "Store", "Transaction", "load_key"]
