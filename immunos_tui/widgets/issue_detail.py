"""An issue in words: why it fired, how sure that is, where it was seen, who did what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.text import Text

from immunos_tui.model.text import clean, clean_block, cut, cut_middle, percentile_text
from immunos_tui.model.when import ago, clock, many
from immunos_tui.widgets.lines import RULE
from immunos_tui.widgets.palette import Palette, gauge, spark

if TYPE_CHECKING:
    from immunos_tui.model.activity import Activity
    from immunos_tui.model.detection import Evidence
    from immunos_tui.model.issue import Comment, Issue

BAR = 10
"""Cells of a feature's share bar."""
LEAST_RANGE = 8
"""Cells that self's range needs to say anything."""
PLACE = 6
"""Cells of where a value lies among self."""


def detail_title(issue: Issue) -> str:
    """The rule above the detail: number, urgency, state."""
    state = str(issue.status) if issue.verdict is None else f"{issue.status}, verdict {issue.verdict}"
    return f"#{issue.id} {issue.priority}, {state}"


def seen_note(issue: Issue) -> str:
    """How often and when, for the rule's right end."""
    if not issue.from_detections:
        return f"made {clock(issue.created_at)}"
    return f"{many(issue.count)} seen, first {clock(issue.first_seen)}, last {clock(issue.last_seen)}"


def detail_lines(
    issue: Issue,
    evidence: tuple[Evidence, ...],
    comments: tuple[Comment, ...],
    activity: tuple[Activity, ...],
    minutes: tuple[int, ...],
    storm_per_minute: int,
    now: int,
    palette: Palette,
    width: int = 80,
) -> list[Text]:
    """Everything that is known of an issue, the most telling first, for a view of ``width`` cells."""
    lines = [Text(clean(issue.title), style=palette.strong)]
    lines += list(_storm(minutes, storm_per_minute, palette))
    if evidence:
        lines += list(_why(evidence[0], palette, width))
    lines += list(_people(issue, now, palette))
    if issue.body:
        lines += [Text(line, style=palette.text) for line in clean_block(issue.body).split("\n")]
    for comment in comments:
        lines.append(
            Text.assemble(
                (f"{clean(comment.author, 30)}, {ago(comment.at, now)}: ", palette.accent), clean(comment.body)
            )
        )
    if evidence:
        lines += list(_rows(evidence, palette, width))
    if activity:
        lines.append(_rule("history", palette))
        lines += [_history(row, palette) for row in activity]
    return lines


def _rule(title: str, palette: Palette) -> Text:
    return Text(RULE + title, style=palette.rule)


def _storm(minutes: tuple[int, ...], limit: int, palette: Palette) -> Iterator[Text]:
    top = max(minutes, default=0)
    if sum(minutes) > 1:
        word = "storm, " if top > limit else ""
        yield Text.assemble(
            (f"{word}at most {many(top)} a minute  ", palette.high if word else palette.muted),
            (spark(minutes, len(minutes)), palette.bar),
        )


def _why(item: Evidence, palette: Palette, width: int) -> Iterator[Text]:
    why = item.explanation
    if why.get("sentence"):
        yield Text(clean(why["sentence"]), style=palette.text)
    reasons = [reason for reason in why.get("reasons", ()) if reason.get("share", 0) >= 0.005][:5]
    bar = BAR if width >= 70 else 0
    name_room = min(
        max(12, width // (3 if bar else 2)), max((len(str(reason["name"])) for reason in reasons), default=0)
    )
    value_room = min(max(12, width // 5), max((len(str(reason["value"])) for reason in reasons), default=0))
    range_room = width - 6 - name_room - value_room - 2 - bar - 6 - (PLACE if bar else 0)
    if range_room < LEAST_RANGE:  # a stub of self's range says nothing: the value may have its room
        value_room, range_room = value_room + max(0, range_room - 1), 0
    for number, reason in enumerate(reasons):
        yield _reason(reason, "Why   " if not number else "      ", (name_room, value_room, range_room, bar), palette)
    if why.get("rule"):
        agent = f"   {clean(item.agent, 40)} v{item.version}"
        yield Text.assemble(
            (f"rule {clean(why['rule'], 60)} of {clean(why['pack'], 60)}", palette.strong), (agent, palette.muted)
        )
        return
    yield Text.assemble(
        (f"{_margin(why)}p {p_text(item.p_value)}  confidence {min(item.confidence, 0.999):.1%}", palette.strong),
        (f"  {clean(item.agent, 40)} v{item.version}", palette.muted),
    )
    nearest = why.get("nearest_row", -1)
    if isinstance(nearest, int) and nearest >= 0:
        place = cut_middle(clean(item.dataset.rsplit("/", 1)[-1]), 40)
        yield Text(f"Near  row {nearest + 1} of {place}", style=palette.muted)
        if why.get("nearest_text"):
            yield Text(f"      {cut(clean(why['nearest_text']), max(80, 2 * width - 20))}", style=palette.text)
    if why.get("memory"):
        yield Text(f"Like  {clean(why['memory'])}", style=palette.high)
    for note in why.get("notes", ())[:3]:
        yield Text(f"Note  {clean(note)}", style=palette.muted)


def _margin(why: Mapping[str, Any]) -> str:
    margin = why.get("margin")
    if not isinstance(margin, (int, float)) or not margin >= 1:
        return ""
    return f"{margin:.0f}x outside tolerance  " if margin >= 10 else f"{margin:.1f}x outside tolerance  "


def p_text(p: float) -> str:
    """A p-value with two figures, without an exponent where that is readable."""
    return f"{p:.2g}" if p >= 0.0001 else f"{p:.0e}"


def _reason(reason: Mapping[str, Any], lead: str, rooms: tuple[int, int, int, int], palette: Palette) -> Text:
    share, (name_room, value_room, range_room, bar) = float(reason["share"]), rooms
    bounds = clean(reason["self_range"], 80)
    bounds = f"self {bounds}" if bar else bounds.split(": ", 1)[-1]
    usual = cut(bounds, range_room - 2) if range_room > 6 else ""
    return Text.assemble(
        (lead, palette.muted),
        (cut_middle(clean(reason["name"]), name_room).ljust(name_room), palette.text),
        (" " + cut(clean(reason["value"]), value_room).ljust(value_room), palette.strong),
        (f" {usual}".ljust(max(0, range_room)), palette.muted),
        (percentile_text(float(reason.get("percentile", 100.0))).ljust(PLACE) if bar else "", palette.muted),
        (gauge(share, bar).replace("░", " ") if bar else "", palette.bar),
        (f" {share:4.0%}", palette.text),
    )


def _people(issue: Issue, now: int, palette: Palette) -> Iterator[Text]:
    facts = []
    if issue.owner:
        facts.append(f"owner {clean(issue.owner, 40)}")
    if issue.verdict:
        of = f" of #{issue.duplicate_of}" if issue.duplicate_of else ""
        why = f": {clean(issue.verdict_why, 200)}" if issue.verdict_why else ""
        facts.append(
            f"verdict {issue.verdict}{of} by {clean(issue.verdict_by or '', 40)}, {ago(issue.verdict_at, now)}{why}"
        )
    facts += [
        f"{name} {clean(value, 60)}"
        for name, value in (("domain", issue.domain), ("project", issue.project), ("due", issue.due))
        if value
    ]
    if issue.tags:
        facts.append("labels " + " ".join(clean(tag, 40) for tag in issue.tags))
    if facts:
        yield Text("  ".join(facts), style=palette.muted)


def _rows(evidence: tuple[Evidence, ...], palette: Palette, width: int) -> Iterator[Text]:
    yield _rule("samples", palette)
    for item in evidence:
        place = f"row {item.row + 1} of {cut_middle(clean(item.source.rsplit('/', 1)[-1]), 32)}"
        yield Text.assemble(
            (f"{place}, p {p_text(item.p_value)}  ", palette.muted),
            (clean(item.sample or "", max(60, 2 * width - 60)), palette.text),
        )


def _history(row: Activity, palette: Palette) -> Text:
    moved = row.payload.get("set", {})
    words = ", ".join(
        f"{name} {_value(before)} to {_value(after)}" for name, (before, after) in moved.items() if name != "verdict_at"
    )
    if "body" in row.payload:
        words = cut(clean(row.payload["body"]), 60)
    undoes = f" of {row.undoes}" if row.undoes else ""
    what = row.action.removeprefix("issue.")
    return Text.assemble(
        (f"{row.seq:>5} {clock(row.at):<16} {clean(row.actor, 30):<10} ", palette.muted),
        (f"{what}{undoes}  ", palette.text),
        (words, palette.muted),
    )


def _value(value: Any) -> str:
    return (
        "nothing"
        if value is None
        else clean(" ".join(map(str, value)), 120)
        if isinstance(value, list)
        else cut(clean(value), 40)
    )
