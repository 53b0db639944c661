"""Errors that a person reads: one sentence of what happened and where, one of what to do next.

Each class carries the exit code that the command line ends with (an API, see docs/commands.md).
"""

from __future__ import annotations


class ImmunosError(Exception):
    """Something the operator can act on.

    ``message`` names the path, line, key or address; ``hint`` says what to do next (may be empty).
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class DataError(ImmunosError):
    """A dataset or source cannot be read as what it claims to be."""


class ArtifactError(ImmunosError):
    """A trained artifact is missing a part, was changed, or belongs to another version."""


class StoreError(ImmunosError):
    """The database cannot be opened, read or written."""


class UsageError(ImmunosError):
    """A command, setting or form field was given a value it does not take."""

    exit_code = 2


class UnreachableError(ImmunosError):
    """A back end does not answer; trying again later may work."""

    exit_code = 3


class ConflictError(ImmunosError):
    """Somebody else holds it, or changed it since; nothing was written."""

    exit_code = 4


class NotFoundError(ImmunosError):
    """No such thing under that name, number or path."""

    exit_code = 5
