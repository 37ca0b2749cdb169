"""What a run file keeps of a problem: its head, and of one stated in Python what it can be checked or rebuilt by.

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
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.grid import Grid
from wpoflow.grids.transitions import TabulatedTransition
from wpoflow.solver.mdp import GridMDP
from wpoflow.solver.records.layout import Variable, check_axis_names, standing_attributes, variables
from wpoflow.solver.records.run import Attributes, axis_arrays


class Head(NamedTuple):
    """What a run file begins with: the table of data sets it may have, attributes, and the arrays at its root."""

    table: dict[str, Variable]
    attributes: Attributes
    arrays: Mapping[str, FloatArray | IntArray]


def head_of(
    states: Grid,
    actions: Grid,
    reference_mass: FloatArray,
    rho: FloatArray,
    attributes: Attributes | None = None,
    lengths: Mapping[str, int] | None = None,
) -> Head:
    """The head of a file about grids, arrays (A,) and (S,), and what is known further: title, discount ...

    Raises
    ------
    ValueError
        Two axes of one name, or a name that the file has for something else.
    """
    check_axis_names([axis.name for axis in (*states.axes, *actions.axes)])
    return Head(
        variables(states, actions, lengths),
        {**standing_attributes(states, actions), **(attributes or {})},
        axis_arrays(states, actions) | {"reference_mass": reference_mass, "rho": rho},
    )


def problem_head(mdp: GridMDP, attributes: Attributes, lengths: Mapping[str, int] | None = None) -> Head:
    """`head_of` a problem, with further attributes, and the lengths of dimensions that its grids do not have."""
    known: Attributes = {
        "title": mdp.title,
        "discount": mdp.discount,
        "temperature": mdp.temperature,
        "transition": mdp.transition_in_words,
        "objective": mdp.objective,
    }
    stated = {"problem": mdp.statement} if mdp.statement else {}
    return head_of(mdp.states, mdp.actions, mdp.reference_mass, mdp.rho, {**known, **attributes, **stated}, lengths)


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
    """SHA-256, in hexadecimal, of all numbers of a problem, and of the labels of actions.

    Of its kernel by an expectation of random values.
    """
    values = np.random.default_rng(0).standard_normal(mdp.states.size)
    axes = [axis.edges for axis in (*mdp.states.axes, *mdp.actions.axes)]
    digest = hashlib.sha256(f"{mdp.discount!r} {mdp.temperature!r} {mdp.states.shape} {mdp.actions.shape}".encode())
    for axis in mdp.actions.axes:
        digest.update("\0".join(axis.labels).encode())
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
