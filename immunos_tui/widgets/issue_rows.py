"""An issue as a row of the list: short words, relative times, clean text."""

from __future__ import annotations

from immunos_tui.model.issue import STATUS_LETTER, Issue, Status
from immunos_tui.model.text import clean
from immunos_tui.model.when import ago
from immunos_tui.widgets.table import Cell, Column

ISSUE_COLUMNS = (
    Column("id", "#", 5, right=True),
    Column("priority", "P", 1),
    Column("status", "Status", 6),
    Column("age", "Age", 4, right=True),
    Column("count", "Seen", 6, right=True),
    Column("domain", "Domain", 8, from_width=76),
    Column("title", "Title"),
    Column("owner", "Owner", 8, from_width=56),
)

VERDICT_SHORT = {"threat": "threat", "false_positive": "fp", "benign": "benign", "duplicate": "dup"}


def issue_cells(issue: Issue, now: int) -> tuple[Cell, ...]:
    """The cells of one issue, in the order of ``ISSUE_COLUMNS``."""
    resolved = issue.status is Status.RESOLVED
    word = STATUS_LETTER[issue.status]
    if resolved and issue.verdict:
        word = VERDICT_SHORT[issue.verdict]
    ink = "muted" if resolved else "strong" if issue.status is Status.NEW else "text"
    priority = "muted" if resolved else issue.priority.value
    return (
        (str(issue.id), "muted"),
        (issue.priority.value[0].upper(), priority),
        (word, "muted" if resolved else "text"),
        (ago(issue.last_seen, now), "muted"),
        (str(issue.count) if issue.from_detections else "-", "text" if issue.count > 1 else "muted"),
        (clean(issue.domain or "-", 20), "muted"),
        (clean(issue.title, 300), ink),
        (clean(issue.owner or "-", 20), "muted"),
    )
