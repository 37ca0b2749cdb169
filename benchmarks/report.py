"""Tables of the benchmarks, and the JSON they leave behind."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.ladder import Ladder

RESULTS = Path(__file__).parent / "results"


def finite(number: float) -> float | None:
    """The number, or None where JSON has no word for it."""
    return number if math.isfinite(number) else None


def ladder_rows(ladders: Sequence[Ladder], errors: Sequence[float]) -> list[dict[str, Any]]:
    """One record for each method: all rungs, and seconds at each error, interpolated and of the least rung."""
    return [
        {
            "method": ladder.method.name,
            "ours": ladder.method.ours,
            "note": ladder.method.note,
            "failure": ladder.failure,
            "first_call_seconds": finite(ladder.compile_seconds),
            "seconds_at": {f"{e:g}": finite(ladder.time_at(e)) for e in errors},
            "least_seconds_at": {f"{e:g}": finite(ladder.least_time(e)) for e in errors},
            "rungs": [
                {"tolerance": r.tolerance, "error": r.error, **r.details, "median": r.median, "seconds": r.seconds}
                for r in ladder.rungs
                if r.seconds
            ],
        }
        for ladder in ladders
    ]


def ratios(ladders: Sequence[Ladder], errors: Sequence[float], peers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Least seconds of the named peers over least seconds of ours, at each error, both interpolated."""
    found = {}
    for error in errors:
        ours = min((x.time_at(error) for x in ladders if x.method.ours), default=math.inf)
        best = min((x for x in ladders if x.method.name in peers), key=lambda x: x.time_at(error), default=None)
        if best is None:
            continue
        theirs = best.time_at(error)
        known = math.isfinite(ours) and math.isfinite(theirs)
        found[f"{error:g}"] = {
            "ours": finite(ours), "best_peer": best.method.name, "peer": finite(theirs),
            "ratio": theirs / ours if known else None,
        }  # fmt: skip
    return found


def print_ladders(title: str, ladders: Sequence[Ladder], errors: Sequence[float]) -> None:
    """CPU seconds at equal error; a dash where no rung is as exact."""
    print(f"\n{title}: CPU seconds at error")
    print(f"{'':36s}" + "".join(f"{e:>11.0e}" for e in errors) + f"{'best error':>12s}")
    for ladder in ladders:
        times = (ladder.time_at(e) for e in errors)
        best = min((r.error for r in ladder.rungs if r.seconds), default=math.nan)
        cells = "".join(f"{t:11.4f}" if math.isfinite(t) else f"{'-':>11s}" for t in times)
        print(f"{ladder.method.name:36s}{cells}{best:12.1e}  {ladder.failure or ladder.method.note}")


def print_ratios(found: dict[str, dict[str, Any]], against: str) -> None:
    """How many times less CPU ours took, error by error."""
    for error, record in found.items():
        if record["ratio"] is None:
            unable = "ours" if record["ours"] is None else f"the best ({against})"
            print(f"  at {error}: no ratio, not reached by {unable}")
        else:
            print(f"  at {error}: {record['ratio']:.1f} times less CPU than {record['best_peer']} ({against})")


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record, made parents included; sections of an earlier file that are not measured anew are kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**kept, **record}, indent=1, allow_nan=False) + "\n", encoding="utf-8")
