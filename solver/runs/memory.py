"""How much memory a run will need, before anything is allocated, and how much there is.

    bytes = process + transition + 8 pairs x arrays + Bellman matrices

The process is what Python, NumPy, SciPy, numba and the loaded kernels occupy.  Arrays are those of
state-action pairs alive at once: cost, first policy, optimal Q and policy, Q before and after a step,
and the buffers of the time scheme.  Bellman matrices are the compressed rows of P^pi of two
policies and, with the dense solver, of P^pi, its factors, and the factors of the policy before; where values
are smoothed P^pi is multiplied out from one more matrix.  The Krylov solver keeps its basis and, for rows of few
entries, incomplete factors.
"""

from __future__ import annotations

from pathlib import Path

import psutil

from wpoflow.solver.bellman.gmres import MOST_VECTORS
from wpoflow.solver.bellman.ilu import LEAST_STATES, MOST_ROW_ENTRIES

PROCESS_BYTES = 222_000_000
PAIR_ARRAYS = {"euler": (10, 13), "extrapolated": (15, 16), "multistep": (20, 20), "exponential": (12, 12)}
"""Arrays alive at once with a fixed step, and with one controlled by an accuracy."""
INCOMPLETE_ENTRY_BYTES, INCOMPLETE_STATE_BYTES = 12, 24  # incomplete factors
KRYLOV_STATE_BYTES = 8 * (MOST_VECTORS + 1)
ROW_ENTRY_BYTES = 20  # column index once, two generations of values
DENSE_MATRICES = 3

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_CGROUP_USED = ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")


def estimate_bytes(
    n_states: int,
    n_actions: int,
    *,
    transition_bytes: int,
    row_entries: float,
    scheme: str,
    controlled: bool = True,
    solver: str,
    smoothed: bool = False,
    kept_snapshots: int = 0,
) -> int:
    """Peak memory of a run, in bytes.

    Parameters
    ----------
    n_states, n_actions : int
    transition_bytes : int
        Bytes the transition holds.
    row_entries : float
        Mean number of entries in a row of P^pi.
    scheme : str
        Time scheme, not the automatic one but the one it chooses.
    controlled : bool
        Whether its step is controlled by an accuracy.
    solver : str
        Linear solver of the Bellman equations, as `solver.bellman.linear_solver.choose_linear_solver` gives it.
    smoothed : bool
        Whether P^pi is a product with a smoothing of values.
    kept_snapshots : int
        Snapshots kept in memory; none where a run file is written.
    """
    arrays = PAIR_ARRAYS.get(scheme, max(PAIR_ARRAYS.values()))[int(controlled)] + kept_snapshots
    matrices = ROW_ENTRY_BYTES * n_states * row_entries
    if solver == "dense":
        matrices += (DENSE_MATRICES + smoothed) * 8 * n_states**2
    if n_states >= LEAST_STATES and row_entries <= MOST_ROW_ENTRIES and solver == "krylov":
        matrices += (INCOMPLETE_ENTRY_BYTES * row_entries + INCOMPLETE_STATE_BYTES) * n_states
    if solver == "krylov":
        matrices += KRYLOV_STATE_BYTES * n_states
    return int(PROCESS_BYTES + transition_bytes + 8 * n_states * n_actions * arrays + matrices)


def available_bytes() -> int:
    """Memory this process may still take: of the machine, or of its control group if that is less."""
    available = int(psutil.virtual_memory().available)
    for limit_path, used_path in zip(_CGROUP_LIMITS, _CGROUP_USED, strict=True):
        limit, used = _number(limit_path), _number(used_path)
        if limit is not None and used is not None:
            available = min(available, max(0, limit - used))
    return available


def _number(path: str) -> int | None:
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
