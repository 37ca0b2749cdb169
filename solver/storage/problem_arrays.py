"""What a run file keeps of a problem stated in Python, so that it can be checked, and where possible rebuilt.

Grids, reference measure, initial law, discount and temperature are in every run file; its group ``problem`` has the
arrays that the table of `solver.records.layout` names, among them the compressed rows P(. | s, a) of a kernel.

These rows are kept of transitions that hold them themselves: those given as a tensor or a sparse matrix, and those
integrated over cells.  Such a problem is rebuilt exactly, bit for bit, by ``TabulatedTransition`` of these rows and of
the ``termination`` beside them: what ends is stored, and not read from what a row misses to one.
Interpolated maps, Gauss-Hermite nodes and mixtures hold their rows as stencils and smoothings only, and multiplied out
they may be too many to keep: of these problems the kernel is not stored, and its Python statement remains the source.
"""

from __future__ import annotations

import hashlib

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.transitions import TabulatedTransition
from wpoflow.solver.mdp import GridMDP


def problem_arrays(mdp: GridMDP) -> dict[str, FloatArray | IntArray]:
    """Arrays of a problem by the names they have in a run file; none where a problem file says it all."""
    if mdp.statement:
        return {}
    arrays: dict[str, FloatArray | IntArray] = {"cost": mdp.cost, "initial_policy": mdp.initial_policy}
    if not mdp.counted.all():
        arrays["alive"] = mdp.counted.astype(np.int64)
    for name, kept in (("termination", mdp.transition.termination), ("clamped", mdp.transition.clamped)):
        if kept is not None:
            arrays[name] = kept
    if isinstance(mdp.transition, TabulatedTransition):
        rows = mdp.transition.rows
        arrays["transition_data"] = rows.data
        arrays["transition_indices"] = rows.indices.astype(np.int64)
        arrays["transition_indptr"] = rows.indptr.astype(np.int64)
    return arrays


def problem_digest(mdp: GridMDP) -> str:
    """SHA-256, in hexadecimal, of all numbers of a problem; of its kernel by an expectation of random values."""
    values = np.random.default_rng(0).standard_normal(mdp.states.size)
    axes = [axis.edges for axis in (*mdp.states.axes, *mdp.actions.axes)]
    digest = hashlib.sha256(f"{mdp.discount!r} {mdp.temperature!r} {mdp.states.shape} {mdp.actions.shape}".encode())
    for array in (
        *axes,
        mdp.cost,
        mdp.reference_mass,
        mdp.rho,
        mdp.initial_policy,
        mdp.transition.expect(values),
        mdp.counted,
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
