"""Certificates on many random problems; ends with status 1 if one was violated."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from tests.validation.certificate.random_runs import SCHEMES, outcome

WHOLE = 11


def judged(seed: int) -> tuple[int, str, bool, float]:
    """One problem by one scheme, one in `WHOLE` to its end."""
    scheme = SCHEMES[seed % len(SCHEMES)]
    found = outcome(seed, scheme, briefly=seed % WHOLE > 0)
    return seed, scheme, found.violated, found.share


def main(count: int, first: int = 0, workers: int = 2) -> int:
    """Judge ``count`` problems, print what was found."""
    with ProcessPoolExecutor(workers) as pool:
        found = []
        for entry in pool.map(judged, range(first, first + count), chunksize=50):
            found.append(entry)
            if entry[2] or len(found) % 500 == 0:
                print(f"{len(found)} done{f'; seed {entry[0]} violated' if entry[2] else ''}", flush=True)
    for scheme in SCHEMES:
        entries = [entry for entry in found if entry[1] == scheme]
        shares = np.array([entry[3] for entry in entries])
        broken = [entry[0] for entry in entries if entry[2]]
        print(
            f"{scheme:<13} {len(entries)} problems, {len(broken)} violated {broken[:5]}; certified in the end over "
            f"twice the least gap: median {np.median(shares):.4f}, largest {shares.max():.6f}"
        )
    return int(any(entry[2] for entry in found))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
