"""What training, evaluation and scans found, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from immunos_tui.cli.output import Column, facts, figure, out, plural, say, table
from immunos_tui.model.job import Job, JobKind, JobState
from immunos_tui.model.text import clean


def job_line(job: Job) -> str:
    """How a job stands or has ended, on one line."""
    told = f": {clean(job.error)} {clean(job.hint or '')}".rstrip() if job.error else ""
    if job.state is JobState.DONE:
        told = _trained(job.result) if job.kind is JobKind.TRAIN else _scanned(job.result)
    return f"{job.id}  {job.state}  {job.kind} {job.agent}{told}"


def _trained(result: Mapping[str, Any]) -> str:
    metrics = result.get("metrics") or {}
    if "version" not in result:
        return ""
    serving = "in service" if result.get("in_service") else "a candidate"
    measured = (
        f", AUROC {_with_interval(metrics, 'auroc')}, {metrics.get('grade')}"
        if metrics.get("auroc") is not None
        else ""
    )
    return f": version {result['version']} is {serving}{measured}"


def _scanned(result: Mapping[str, Any]) -> str:
    if "rows" not in result:
        return ""
    made, reopened = len(result.get("issues_made", ())), len(result.get("issues_reopened", ()))
    return f": {result['rows']:,} rows, {plural(made, 'issue')} made, {reopened} reopened"


def print_evaluation(result: dict[str, Any]) -> None:
    """The figures of an evaluation, and what they do not say."""
    rows, own = result.get("rows"), result.get("self_rows")
    facts(
        [
            ("rows", f"{rows:,}, of them {own:,} self" if rows is not None and own is not None else rows),
            ("AUROC", _with_interval(result, "auroc")),
            ("AUPR", _with_interval(result, "aupr")),
            ("majority class", _share(result.get("majority_accuracy"), "accuracy without any detector")),
            ("macro F1", _share(result.get("macro_f1"), f"the mean over {len(result.get('labels') or ())} labels")),
            ("grade", result.get("grade")),
            ("caveat", result.get("caveat") or None),
        ]
    )
    levels = result.get("levels") or ()
    if levels:
        out()
        columns = [Column(title, right=True) for title in ("LEVEL", "THRESHOLD", "FPR", "TPR", "ACCURACY", "FLAGGED")]
        table(columns, (_level(level) for level in levels))
    sentence = _sentence(result.get("drift"))
    if sentence:
        out()
        out(clean(sentence))
    for problem in result.get("problems") or ():
        say(clean(f"Note: {problem}"))


def _level(level: dict[str, Any]) -> tuple[object, ...]:
    return (
        f"{100 * level['alpha']:g} %", figure(level.get("threshold")), figure(level.get("fpr")), figure(level.get("tpr")),
        figure(level.get("accuracy")), level.get("flagged", ""),
    )  # fmt: skip


def _with_interval(result: dict[str, Any], name: str) -> str | None:
    value, interval = result.get(name), result.get(f"{name}_interval")
    if value is None:
        return "not measured: one of the classes is missing" if name == "auroc" else None
    return figure(value) + (f" (95 %: {figure(interval[0])} to {figure(interval[1])})" if interval else "")


def _share(value: float | None, what: str) -> str | None:
    return None if value is None else f"{figure(value)}, {what}"


def _sentence(drift: Any) -> str:
    """The honest line about drift, from a text or from a sign with its sentence."""
    return str(drift.get("sentence", "")) if isinstance(drift, dict) else str(drift or "")


def print_scan(result: Mapping[str, Any]) -> None:
    """What a scan saw and did, and what drift may have to do with it."""
    made, reopened = len(result["issues_made"]), len(result["issues_reopened"])
    facts(
        [
            ("agent", f"{result['agent']} version {result['version']}"),
            ("rows", f"{result['rows']:,}, {result['rows_per_second']:,.0f} a second"),
            *((name, f"{count:,}") for name, count in result["counts"].items()),
            ("recorded", plural(result["recorded"], "new detection")),
            ("issues", f"{made} made, {reopened} reopened, {result['issues_touched']} in all"),
            ("caveat", result.get("caveat") or None),
        ]
    )
    if result.get("refused"):
        out(clean(result["refused"]))
    if result["drift"].get("sentence"):
        out(clean(result["drift"]["sentence"]))
    for problem in result["problems"]:
        say(clean(f"Note: {problem}"))
