"""Jobs and agents as rows and lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.style import Style
from rich.text import Text

from immunos_tui.model.agent import Agent, AgentVersion
from immunos_tui.model.job import Job, JobKind, JobState, seconds_left
from immunos_tui.model.text import clean, cut_middle
from immunos_tui.model.when import ago, clock, many, span
from immunos_tui.widgets.palette import Palette, gauge
from immunos_tui.widgets.plot import pair_of_curves
from immunos_tui.widgets.table import Cell, Column

JOB_COLUMNS = (
    Column("id", "ID", 4, right=True),
    Column("kind", "Job", 5),
    Column("agent", "Agent", 10, middle=True),
    Column("path", "Dataset", 0, middle=True),
    Column("rows", "Rows", 9, right=True, from_width=96),
    Column("state", "State", 11),
    Column("progress", "Progress", 21),
    Column("left", "Left", 5, right=True),
)


def job_cells(job: Job, now: int) -> tuple[Cell, ...]:
    """The cells of one job, in the order of ``JOB_COLUMNS``."""
    running = job.state is JobState.RUNNING
    left = span(seconds_left(job, now)) if running else "" if job.state is JobState.QUEUED else ago(job.ended_at, now)
    word = "waiting" if job.state is JobState.QUEUED else job.state.value
    ink = {"running": "high", "done": "ok", "failed": "critical", "interrupted": "critical"}.get(
        job.state.value, "muted"
    )
    return (
        (str(job.id), "muted"),
        (job.kind.value[:5], "text"),
        (clean(job.agent, 40), "strong" if running else "text"),
        (clean(job.path.rsplit("/", 1)[-1], 80), "text"),
        (many(job.rows_total or job.rows_done) if job.rows_total or job.rows_done else "", "muted"),
        (word, ink),
        (_progress(job), "bar" if running else "text"),
        (left, "muted"),
    )


def _progress(job: Job) -> str:
    if job.state is JobState.RUNNING:
        return f"{clean(job.stage, 9):<9} {gauge(job.overall, 6)} {job.overall:4.0%}"
    if job.state is JobState.DONE:
        return result_words(job.kind, job.result)
    return clean(job.error or "", 60)


def result_words(kind: JobKind, result: Mapping[str, Any]) -> str:
    """A job's result in two figures."""
    if kind is JobKind.TRAIN:
        metrics = result.get("metrics", {})
        auroc, fpr = metrics.get("auroc"), level_fpr(metrics)
        return ", ".join(
            part
            for part in (f"AUROC {auroc:.3f}" if auroc is not None else "", f"FPR {fpr:.1%}" if fpr is not None else "")
            if part
        )
    made = (
        len(result.get("issues_made", ()))
        if isinstance(result.get("issues_made"), list)
        else result.get("issues_made", 0)
    )
    return f"{many(result.get('recorded', 0))} found, {made} new" if kind is JobKind.SCAN else ""


def level_fpr(metrics: Mapping[str, Any], alpha: float = 0.01) -> float | None:
    """The measured false-positive rate at an alert level."""
    for level in metrics.get("levels", ()):
        if abs(level.get("alpha", 0) - alpha) < 1e-9:
            return float(level["fpr"])
    return None


def agent_line(agent: Agent, version: AgentVersion | None, now: int, palette: Palette) -> Text:
    """One agent on one line: how good, how fresh, in service or not."""
    head = (f" {cut_middle(clean(agent.name), 12):<12} ", palette.strong)
    if version is None:
        return Text.assemble(head, (f"{agent.pipeline}: not trained yet, n trains it", palette.muted))
    metrics = version.metrics
    auroc, interval = metrics.get("auroc"), tuple(metrics.get("auroc_interval") or (0.0, 0.0))
    score = (
        f"{auroc:.3f} ±{(interval[1] - interval[0]) / 2:.3f}".replace("0.", ".") if auroc is not None else "AUROC -    "
    )
    fpr = level_fpr(metrics)
    return Text.assemble(
        head,
        (f"{clean(version.grade, 14):<12} ", palette.state(version.grade)),
        (f"{score:<12}  ", palette.text),
        (f"FPR {fpr:5.1%}  " if fpr is not None else "           ", palette.text),
        (f"v{version.number} {version.state.replace('_', ' '):<10}  ", palette.text),
        (f"{ago(version.created_at, now):>4}  ", palette.muted),
        _runs(agent, version, palette),
    )


def _runs(agent: Agent, version: AgentVersion, palette: Palette) -> tuple[str, Style]:
    """How often it was trained, or that a newer version waits to be put in service."""
    if agent.in_service is not None and agent.versions > version.number:
        return f"v{agent.versions} waits", palette.high
    return f"{agent.versions} run{'s' if agent.versions > 1 else ''}", palette.muted


def agent_lines(agent: Agent, version: AgentVersion | None, now: int, palette: Palette, caveat: str = "") -> list[Text]:
    """One agent, and under its grade what its results never mean."""
    line = agent_line(agent, version, now, palette)
    return [line, Text(f"{'':14}{clean(caveat)}", style=palette.high)] if caveat and version else [line]


def job_lines(job: Job, log: str, palette: Palette) -> list[Text]:
    """A job's detail: what it is, how it went, the end of its log."""
    spec = job.spec
    facts = [f"{job.kind} {clean(job.agent)}", f"by {clean(job.created_by)}", f"added {clock(job.created_at)}"]
    if job.started_at:
        end = job.ended_at or job.progress_at or job.started_at
        facts.append(f"took {span((end - job.started_at) / 1000)}")
    lines = [Text(clean(job.path), style=palette.strong), Text("  ".join(facts), style=palette.muted)]
    options = [
        f"{name} {clean(_words(spec[name]), 60)}"
        for name in ("label", "self", "drop", "preset", "seed", "notes")
        if spec.get(name) not in (None, "", [])
    ]
    if options:
        lines.append(Text("  ".join(options), style=palette.muted))
    if job.state is JobState.RUNNING:
        lines.append(
            Text(
                f"{job.stage} {job.fraction:.0%}  {clean(job.note)}"
                + (f"  {many(job.rate)} rows/s" if job.rate else ""),
                style=palette.high,
            )
        )
    if job.error:
        lines.append(Text(clean(f"{job.error} {job.hint or ''}"), style=palette.critical))
    lines += _result_lines(job, palette)
    lines += [Text(clean(line), style=palette.muted) for line in log.strip().splitlines()[-200:]]
    return lines


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _result_lines(job: Job, palette: Palette) -> list[Text]:
    result = job.result
    metrics = result.get("metrics", result)
    lines = []
    if metrics.get("auroc") is not None:
        low, high = metrics.get("auroc_interval") or (None, None)
        between = f", 95 % interval {low:.3f} to {high:.3f}" if low is not None else ""
        lines.append(
            Text(f"Held-out AUROC {metrics['auroc']:.3f}{between}: {metrics.get('grade', '')}", style=palette.strong)
        )
    if result.get("caveat"):
        lines.append(Text(clean(result["caveat"]), style=palette.high))
    if metrics.get("macro_f1") is not None:
        told, by_chance = metrics["class_accuracy"], metrics["class_majority_accuracy"]
        words = f"Macro F1 {metrics['macro_f1']:.3f} over {len(metrics['labels'])} labels"
        lines.append(
            Text(f"{words}, accuracy {told:.1%}, {by_chance:.1%} by guessing the commonest", style=palette.text)
        )
    for level in metrics.get("levels", ()):
        tpr = f", finds {level['tpr']:.1%} of what is foreign" if level.get("tpr") is not None else ""
        lines.append(
            Text(f"At the {level['alpha']:.0%} level {level['fpr']:.1%} of self is flagged{tpr}", style=palette.text)
        )
    if metrics.get("roc"):
        share = "flagged of self, by level asked for"
        lines += pair_of_curves(
            ("finds, by share of self flagged", metrics["roc"]), (share, metrics.get("calibration", ())), palette
        )
    lines += [Text(f"Note: {clean(problem)}", style=palette.muted) for problem in metrics.get("problems", ())]
    if result.get("refused"):
        lines.append(Text(clean(result["refused"]), style=palette.critical))
    drift = result.get("drift") or {}
    if isinstance(drift, Mapping) and drift.get("sentence"):
        lines.append(
            Text(clean(drift["sentence"]), style=palette.high if drift.get("state") != "none" else palette.muted)
        )
    return lines
