"""Counts of outcomes as a table, and the faults one by one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests.fuzz.worker import Outcome

MOST_SHOWN = 20


class Tally:
    """Outcomes by family of inputs.

    Parameters
    ----------
    keep : Path, optional
        Folder in which inputs that led to a fault are kept.
    """

    def __init__(self, keep: Path | None = None) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.faults: list[tuple[str, str, str]] = []
        self.slowest = self.largest = 0.0
        self._keep = keep

    def add(self, family: str, case: Any, outcome: Outcome, name: str = "") -> None:
        """Count one outcome."""
        self.counts.setdefault(family, Counter())[outcome.kind] += 1
        self.slowest = max(self.slowest, outcome.seconds)
        self.largest = max(self.largest, outcome.megabytes)
        if outcome.is_fault:
            shown = name or repr(case)[:200]
            self.faults.append((family, f"{outcome.kind}: {outcome.message}", shown))
            if self._keep is not None:
                self._keep.mkdir(parents=True, exist_ok=True)
                content = case if isinstance(case, bytes) else repr(case).encode()
                (self._keep / f"{len(self.faults):04d}").write_bytes(content)

    def text(self) -> str:
        """The table in Markdown, then a line for each kind of fault."""
        kinds = sorted({kind for counts in self.counts.values() for kind in counts})
        lines = [f"| inputs | {' | '.join(kinds)} | all |", "|---" * (len(kinds) + 2) + "|"]
        total: Counter[str] = sum(self.counts.values(), Counter())
        for family, counts in [*sorted(self.counts.items()), ("all", total)]:
            row = " | ".join(str(counts[kind]) for kind in kinds)
            lines.append(f"| {family} | {row} | {sum(counts.values())} |")
        lines.append(f"\nslowest {self.slowest:.2f} s; memory grew by {self.largest:.0f} MB at most; ")
        lines[-1] += f"{len(self.faults)} faults"
        seen: Counter[str] = Counter(what for _, what, _ in self.faults)
        example = {what: (family, case) for family, what, case in self.faults}
        for what, count in seen.most_common(MOST_SHOWN):
            family, case = example[what]
            lines.append(f"  {count} x {what}\n      {family}: {case}")
        return "\n".join(lines)
