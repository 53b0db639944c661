"""No silent network: an audit hook that refuses every connection and look-up but the allowed ones.

It covers this process's own sockets. It cannot be taken out again, which is what it is for.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from typing import Any

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})

_allowed: set[str] = set()
_state = {"installed": False, "offline": False, "refused": 0}


class EgressRefused(PermissionError):
    """A connection that offline mode does not allow."""


def guard(offline: bool, allow: Iterable[str] = ()) -> None:
    """Start guarding this process. Later calls change what is allowed."""
    _allowed.clear()
    _allowed.update(_host(item) for item in allow)
    _state["offline"] = offline
    if not _state["installed"]:
        _state["installed"] = True
        sys.addaudithook(_hook)


def refusal(error: BaseException) -> EgressRefused | None:
    """The refusal that a library's own error was raised for, if it was one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, EgressRefused):
        cause = cause.__cause__ or cause.__context__
    return cause


def refused() -> int:
    """How many attempts have been refused since the start."""
    return int(_state["refused"])


def is_allowed(host: str) -> bool:
    """Whether offline mode lets this host or address through."""
    name = host.strip("[]").split("%")[0].lower()
    if name in _allowed or name in LOOPBACK_NAMES:
        return True
    import ipaddress  # noqa: PLC0415 - only when something is to be contacted

    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _host(item: str) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415 - only where something is allowed

    parts = urlsplit(item if "//" in item else f"//{item}")
    return (parts.hostname or item).lower()


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _state["offline"]:
        return
    host: Any = None
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        sock, address = args[0], args[1] if len(args) > 1 else None
        if getattr(sock, "family", None) in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
            host = address[0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0]
    if isinstance(host, bytes):
        host = host.decode("idna", "replace")
    if isinstance(host, str) and host and not is_allowed(host):
        _state["refused"] = int(_state["refused"]) + 1
        raise EgressRefused(
            f"Offline mode refuses a connection to {host}; network.allow in the settings would allow it."
        )
