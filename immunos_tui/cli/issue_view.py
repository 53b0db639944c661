"""Issues as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from immunos_tui.cli.output import Column, age, facts, moment, one_line, out, plural, table
from immunos_tui.model.issue import STATUS_LETTER, Issue
from immunos_tui.model.text import clean, clean_block, percentile_text

if TYPE_CHECKING:
    from immunos_tui.model.detection import Evidence
    from immunos_tui.services.spleen import IssueDetail

COLUMNS = (
    Column("ID", right=True),
    Column("PRIORITY"),
    Column("STATUS"),
    Column("SEEN", right=True),
    Column("COUNT", right=True),
    Column("OWNER"),
    Column("DOMAIN"),
    Column("TITLE", flexible=True),
)


def print_list(issues: Sequence[Issue], now: int) -> None:
    """One issue a line; ``now`` is in UTC milliseconds."""
    table(COLUMNS, ([*_cells(issue, now)] for issue in issues))


def _cells(issue: Issue, now: int) -> tuple[object, ...]:
    status = STATUS_LETTER[issue.status] + (f" {issue.verdict}" if issue.verdict else "")
    seen = age(issue.last_seen, now)
    return (
        f"#{issue.id}",
        issue.priority,
        status,
        seen,
        issue.count or "",
        clean(issue.owner or "", 16),
        clean(issue.domain or "", 12),
        issue.title,
    )


def step_line(issue: Issue) -> str:
    """An issue after a step, on one line."""
    parts = [issue.status.replace("_", " "), issue.priority]
    parts += [f"verdict {issue.verdict}"] if issue.verdict else []
    parts += [f"owner {clean(issue.owner, 40)}"] if issue.owner else []
    return one_line(f"#{issue.id}  {', '.join(parts)}  {clean(issue.title)}")


def detail_dict(detail: IssueDetail) -> dict[str, Any]:
    """An issue's own fields with its evidence, comments, activity and detections a minute."""
    return {
        **detail.issue.as_dict(),
        "evidence": [item.__dict__ for item in detail.evidence],
        "comments": [item.__dict__ for item in detail.comments],
        "activity": [{**item.__dict__, "payload": dict(item.payload)} for item in detail.activity],
        "minutes": list(detail.minutes),
    }


def print_detail(detail: IssueDetail, now: int) -> None:
    """Everything about an issue, for reading."""
    issue = detail.issue
    out(f"#{issue.id}  {clean(issue.title)}")
    facts(_facts(issue, now))
    if issue.body:
        out()
        out(clean_block(issue.body))
    for title, lines in (
        ("Evidence", [line for item in detail.evidence for line in _evidence(item)]),
        ("Comments", [line for item in detail.comments for line in _comment(item)]),
        ("Activity", [_activity(item, now) for item in detail.activity]),
    ):
        if lines:
            out()
            out(title)
            for line in lines:
                out(one_line(f"  {line}"))


def _facts(issue: Issue, now: int) -> list[tuple[str, object]]:
    verdict = None
    if issue.verdict:
        verdict = f"{issue.verdict} by {issue.verdict_by}, {moment(issue.verdict_at)}"
        verdict += f", of #{issue.duplicate_of}" if issue.duplicate_of else ""
        verdict += f": {issue.verdict_why}" if issue.verdict_why else ""
    seen = f"first {moment(issue.first_seen)}, last {moment(issue.last_seen)} ({age(issue.last_seen, now)} ago)"
    count = plural(issue.count, "detection") + (f" by {issue.agent}" if issue.agent else "")
    return [
        ("status", issue.status),
        ("priority", issue.priority),
        ("owner", issue.owner or "nobody"),
        ("verdict", verdict),
        ("labels", ", ".join(issue.tags) or None),
        ("project", issue.project),
        ("due", issue.due),
        ("domain", issue.domain),
        ("count", count if issue.from_detections else None),
        ("seen", seen if issue.from_detections else None),
        ("made", moment(issue.created_at)),
    ]


def _evidence(item: Evidence) -> list[str]:
    head = (
        f"row {item.row + 1} of {clean(item.source)}: {item.result}, p-value {item.p_value:.4g},"
        f" confidence {item.confidence:.2f}, {clean(item.agent)} version {item.version}"
    )
    why = item.explanation
    lines = [head]
    lines += [f"  {clean(why['sentence'])}"] if why.get("sentence") else []
    lines += [f"  {_reason(reason)}" for reason in why.get("reasons", ()) if isinstance(reason, Mapping)]
    lines += [f"  {line}" for line in _besides(item)]
    lines += [f"  sample: {clean(item.sample, 400)}"] if item.sample else []
    return lines


def _besides(item: Evidence) -> Iterator[str]:
    """What the explanation says beside its reasons: margin, nearest self row, memory, rule and notes."""
    why = item.explanation
    margin, row = why.get("margin"), why.get("nearest_row", -1)
    if isinstance(margin, (int, float)) and margin >= 1:
        yield f"margin: {margin:.2g} times outside the tolerance of the nearest self row"
    if isinstance(row, int) and row >= 0:
        says = f": {clean(why['nearest_text'], 240)}" if why.get("nearest_text") else ""
        yield f"nearest self: row {row + 1} of {clean(item.dataset)}{says}"
    if why.get("memory"):
        yield f"memory: {clean(why['memory'], 200)}"
    if why.get("rule"):
        yield f"rule: {clean(why['rule'], 60)} of {clean(why['pack'], 60)}"
    yield from (f"note: {clean(note, 240)}" for note in why.get("notes", ()))


def _reason(reason: Mapping[str, Any]) -> str:
    share = f"{100 * float(reason.get('share', 0)):3.0f} %"
    place = f", {percentile_text(float(reason['percentile']))} of self" if "percentile" in reason else ""
    self_range = f" (self: {clean(reason['self_range'])})" if reason.get("self_range") else ""
    return f"{share}  {clean(reason.get('name', ''))} = {clean(reason.get('value', ''))}, {reason.get('direction', '')}{place}{self_range}"


def _comment(item: Any) -> list[str]:
    head = f"{clean(item.author)}, {moment(item.at)}"
    return [head, *(f"  {line}" for line in clean_block(item.body).split("\n"))]


def _activity(item: Any, now: int) -> str:
    """One recorded change; its number is what ``issue undo`` takes."""
    moves = [
        f"{name}: {_value(before)} -> {_value(after)}"
        for name, (before, after) in item.payload.get("set", {}).items()
        if name not in ("withdrawn", "verdict_at", "verdict_by")
    ]
    undoes = f" of {item.undoes}" if item.undoes else ""
    return f"{item.seq}  {age(item.at, now)} ago  {clean(item.actor)}  {item.action}{undoes}  {clean('; '.join(moves))}".rstrip()


def _value(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "none"
    return clean(", ".join(map(str, value)) if isinstance(value, list) else value, 60)
