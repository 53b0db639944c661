"""Innate immunity: agents of fixed rules, which scan without any training."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from immunos_tui.immune.datafile import DataFile, sha256_file
from immunos_tui.immune.features.logs import normalise
from immunos_tui.immune.lines import LineBlocks
from immunos_tui.immune.rules import Hit, RulePack, load_pack
from immunos_tui.model.detection import Detection, Result, line_fingerprint
from immunos_tui.model.errors import ArtifactError, DataError
from immunos_tui.model.text import clean
from immunos_tui.services.folding import Folding
from immunos_tui.services.foundry import pack_path

SEVERITY_RESULT = {
    "critical": Result.DANGER,
    "high": Result.NON_SELF,
    "medium": Result.NON_SELF,
    "low": Result.UNCERTAIN,
}
SEVERITY_SCORE = {"critical": 4.0, "high": 3.0, "medium": 2.0, "low": 1.0}
"""A rule has no surprisal; its rank stands in the score."""

BATCH_LINES = 8192

Progress = Callable[[str, float, str], None]


def load_checked(name: str, sha256: str) -> RulePack:
    """The pack that an agent was made with.

    Raises:
        ArtifactError: its file is not the one that it was.
        DataError: it is not valid, with the line of the fault.
    """
    path = pack_path(name)
    if sha256_file(path) != sha256:
        raise ArtifactError(
            f"The rule pack {clean(path)} was changed since the agent was made.", "Make an agent of the new pack."
        )
    return load_pack(path)


class InnateScan:
    """Scans one file, or every file of a folder, with one pack."""

    def __init__(self, pack: RulePack, agent: str, folding: Folding, record: bool, progress: Progress) -> None:
        self._pack = pack
        self._agent = agent
        self._folding = folding
        self._record = record
        self._tell = progress
        self._seen: dict[str, int] = {}
        self.rows = 0
        self.counts: Counter[str] = Counter(dict.fromkeys(Result, 0))
        self.problems: list[str] = []
        self.sources: list[int] = []

    def run(self, source: Path) -> None:
        """Scan; a file of a folder that cannot be read as text is left out, and said."""
        files = [source] if source.is_file() else list(_files(source))
        began = time.monotonic()
        for number, file in enumerate(files, 1):
            try:
                self._file(file)
            except DataError as error:
                if source.is_file():
                    raise
                self.problems.append(str(error))
            rate = self.rows / max(1e-9, time.monotonic() - began)
            self._tell("scan", number / len(files), f"{self.rows} rows, {rate:.0f} rows/s")

    def _file(self, file: Path) -> None:
        source = self._folding.open_source(sha256_file(file), str(file), file.stat().st_size) if self._record else 0
        self.sources.append(source)
        if self._pack.about == "mode":
            self._take(source, file, 0, 1, self._pack.inspect(file))
            return
        with DataFile(file) as data:
            lines = (line for block in LineBlocks(data, tolerant=True) for line in block)
            first = 0
            while part := list(islice(lines, BATCH_LINES)):
                self._take(source, file, first, len(part), list(self._pack.scan(part, first + 1)))
                first += len(part)

    def _take(self, source: int, file: Path, first: int, rows: int, hits: list[Hit]) -> None:
        worst: dict[int, Hit] = {}
        for hit in hits:
            held = worst.get(hit.line)
            if held is None or SEVERITY_SCORE[hit.rule.severity] > SEVERITY_SCORE[held.rule.severity]:
                worst[hit.line] = hit
        found = [self._detection(file, hit) for hit in worst.values()]
        self.rows += rows
        self.counts.update(item.result for item in found)
        self.counts[Result.SELF] += rows - len(found)
        if self._record:
            self._folding.ingest(source, found, first, first + rows - 1)

    def _detection(self, file: Path, hit: Hit) -> Detection:
        rule = hit.rule
        print_ = line_fingerprint(f"{self._agent}/{rule.name}", str(file), normalise(hit.sample))
        kept = self._folding.room(print_, self._seen)
        return Detection(
            row=max(0, hit.line - 1),
            result=SEVERITY_RESULT[rule.severity],
            score=SEVERITY_SCORE[rule.severity],
            p_value=0.0,
            confidence=1.0,
            fingerprint=print_,
            title=clean(f"{rule.name}, {file.name}: {hit.sample}", 160),
            priority=rule.severity,
            explanation=_why(hit) if kept else None,
            sample=hit.sample if kept else None,
        )


def _why(hit: Hit) -> dict[str, Any]:
    rule = hit.rule
    return {
        "sentence": f"The rule {rule.name} ({rule.category}) matches. {rule.advice}",
        "reasons": [],
        "rule": rule.name,
        "pack": rule.pack,
    }


def _files(folder: Path) -> Iterator[Path]:
    """Regular files below a folder in a fixed order; links and hidden folders are not followed."""
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder).parts[:-1]
        if path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in inner):
            yield path
