"""Throw problem files at the reader: ``python -m tests.fuzz.problem_files --count 20000 --seed 0``."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from tests.fuzz.problem_judge import prepare, prepare_running
from tests.fuzz.problem_texts import files
from tests.fuzz.table import Tally
from tests.fuzz.worker import Worker, outcomes


def fuzz(count: int, seed: int, keep: Path | None = None, run: bool = False) -> Tally:
    """Judge so many problem files; also run those that can be built, if ``run``."""
    with Worker(prepare_running if run else prepare) as worker:
        return Tally(keep).consume(outcomes(worker, files(random.Random(seed), count)))


def main() -> None:
    """Print a table of outcomes; the status is 1 if there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", action="store_true", help="take three steps of every problem that can be built")
    parser.add_argument("--keep", type=Path, help="folder for inputs that led to a fault")
    options = parser.parse_args()
    tally = fuzz(options.count, options.seed, options.keep, options.run)
    print(tally.text())
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
