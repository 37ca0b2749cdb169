"""Fuzzing as a table: ``python -m tests.fuzz WHAT --count 20000 --seed 0``; the status is 1 if there are faults."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz import checkpoints, expressions, problem_files, run_files, shown_files

FUZZERS = {
    "problem_files": problem_files.fuzz,
    "expressions": expressions.fuzz,
    "run_files": run_files.fuzz,
    "shown_files": shown_files.fuzz,
    "checkpoints": checkpoints.fuzz,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=FUZZERS)
    parser.add_argument("--count", type=int, default=1000, help="of inputs, or of truncations of each kind of file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for inputs that led to a fault")
    options = parser.parse_args()
    tally = FUZZERS[options.what](options.count, options.seed, options.keep)
    print(tally.text())
    sys.exit(bool(tally.faults))
