"""The bandwidth roofline: how fast this machine copies and adds arrays, from cache and from memory.

    python -m benchmarks.roofline [--threads 1] [--json FILE]

    copy   b = a          16 bytes per entry and pass (24 with the line that is read before it is written)
    triad  a = b + s c    24 bytes per entry and pass (32)

Bytes are counted as the program names them, without write-allocation.  A pass over small arrays is repeated inside
the kernel, so that a call costs nothing; the least of many calls counts.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np

from benchmarks.machine import load, machine
from benchmarks.report import RESULTS, write_json
from wpoflow.core.arrays import FloatArray

SIZES = tuple(1 << k for k in range(10, 26, 2))  # entries of one array
CALLS = 15
PASSED = 1 << 22  # entries passed over in one call, at least


@numba.njit(error_model="numpy", parallel=True)
def copy(a: FloatArray, b: FloatArray, passes: int) -> None:
    """b = a, ``passes`` times."""
    for _ in range(passes):
        for i in numba.prange(a.size):
            b[i] = a[i]


@numba.njit(error_model="numpy", parallel=True)
def triad(a: FloatArray, b: FloatArray, c: FloatArray, passes: int) -> None:
    """a = b + s c, ``passes`` times, s another for each pass."""
    for n in range(passes):
        s = 1.0 + n
        for i in numba.prange(a.size):
            a[i] = b[i] + s * c[i]


def roofline() -> list[dict[str, Any]]:
    """Nanoseconds per entry and gigabytes per second of copy and triad at all sizes."""
    rows = []
    for n in SIZES:
        a, b, c = np.ones(n), np.ones(n), np.ones(n)
        passes = max(1, PASSED // n)
        row: dict[str, Any] = {"entries": n}
        for name, run, size in (
            ("copy", lambda a=a, b=b, k=passes: copy(a, b, k), 16),
            ("triad", lambda a=a, b=b, c=c, k=passes: triad(a, b, c, k), 24),
        ):
            run()
            taken = []
            for _ in range(CALLS):
                started = time.perf_counter()
                run()
                taken.append(time.perf_counter() - started)
            nanoseconds = 1e9 * min(taken) / (passes * n)
            row[name] = {"ns_per_entry": nanoseconds, "gigabytes_per_second": size / nanoseconds}
        rows.append(row)
    return rows


def main() -> int:
    """Print and write the roofline."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roofline")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, default=RESULTS / "roofline.json")
    given = parser.parse_args()
    numba.set_num_threads(given.threads)
    before, rows = load(), roofline()
    print(f"{'MB per array':>12s}{'copy ns':>10s}{'GB/s':>8s}{'triad ns':>10s}{'GB/s':>8s}")
    for row in rows:
        cells = "".join(
            f"{row[k]['ns_per_entry']:10.3f}{row[k]['gigabytes_per_second']:8.1f}" for k in ("copy", "triad")
        )
        print(f"{row['entries'] * 8e-6:12.3f}{cells}")
    about = {"machine": machine(), "load_before": before, "load_after": load()}
    write_json(given.json, {f"{given.threads} threads": {**about, "rows": rows}})
    return 0


if __name__ == "__main__":
    sys.exit(main())
