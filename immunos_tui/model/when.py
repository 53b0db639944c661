"""Times and sizes as people say them: ages, clock times, bytes, counts."""

from __future__ import annotations

import time


def now_ms() -> int:
    """The wall clock in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def ago(then: int | None, now: int) -> str:
    """How long ago, in one or two figures and a unit; both in UTC milliseconds.

    Steps once a minute at the most, so that a list at rest does not repaint.
    """
    if then is None:
        return "-"
    minutes = (now - then) // 60_000
    if minutes < -1:
        return "ahead"
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes}m"
    if minutes < 48 * 60:
        return f"{minutes // 60}h"
    days = minutes // 1440
    return f"{days}d" if days < 100 else f"{days // 7}w" if days < 700 else f"{days // 365}y"


def clock(then: int | None) -> str:
    """Local date and time; only the time where it is of today."""
    if then is None:
        return "-"
    local = time.localtime(then / 1000)
    today = time.localtime()[:3] == local[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M", local)


def span(seconds: float | None) -> str:
    """A length of time as m:ss or h:mm:ss."""
    if seconds is None:
        return ""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def size(count: float) -> str:
    """Bytes with a unit, in powers of 1024."""
    for unit in ("B", "K", "M", "G", "T"):
        if abs(count) < 1000 or unit == "T":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return ""


def many(count: float) -> str:
    """A whole number with thin groups of three."""
    return f"{round(count):,}".replace(",", " ")
