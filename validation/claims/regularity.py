"""Regularity monitors stay bounded as the grid is refined.

The theorem assumes a sufficiently regular solution.  On three grids of at most 16 000 pairs, all axes refined
together by the square root of two, the suprema over times T/32, T/16, ..., T (past the boundary layer of an
incompatible start; whole steps of a flow that has its own) of

    d pi/d mu, |grad_a ln d pi/d mu|, |grad_a Q|, |grad_a^2 Q|

should tend to limits.  Grids for the last two are in the proportions of the problem's own.  Policies are steeper in the
action than anything is in the state: for the first two the action axes are given more of the pairs (`sharing`).

The supremum of the score is over cells where the policy has a ten thousandth of the uniform density or more. A
controlled step knows p to ``accuracy`` of its progress in the norm with the weight 1/(p + g), so p_k to the part
accuracy/sqrt(p_k) of itself at most: that is one where p_k is a millionth, a ten thousandth of the uniform density of a
hundred cells. ln p of cells with less is its error, whose slope grows as cells shrink. Those cells hold a ten
thousandth of a policy's mass together, at most, and are not left out of what the theorem makes use of, which is the
mean of squared slopes under the policy: the relative Fisher information

    sum over faces of sqrt(p_a p_b) (ln x_a - ln x_b)^2/Delta^2,     x = d pi/d mu,

of whole policies is judged besides, without a threshold; an error of ln p weighs what p does there.

All of them are functions of the action, state by state, so a rough cost is seen the sooner the
finer the action axis.  Therefore density and |grad_a Q| are looked at once more with the action axes alone refined, at
the states of a grid of about twenty, each halving the cells before: for one axis the finest has 800 cells.  A jump in
the action too small to show beside the slopes of the smooth part on 16 000 pairs shows there.  |grad_a^2 Q| is
not: between states V is interpolated linearly, so that Q(s, .) has kinks at the distance of the states, whose
second difference quotients grow with the number of action cells whatever the problem is.  Nor do both directions
alone make up for all axes together: what grows like the reciprocal of the larger spacing is bounded along either.

A monitor that grows by more than a tenth from the middle to the finest grid, and by no less
than half of what it grew before, is growing without a bound that one could see: the regularity is not certified for
the problem.  Growth is evidence against a hypothesis and no failure of the theorem.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from wpoflow.core.arrays import FloatArray, IntArray
from wpoflow.grids.axis import Axis
from wpoflow.solver.records.run import Run
from wpoflow.solver.registry import FLOWS
from wpoflow.studies.refinement.plan import LABELS, RefinedAxis
from wpoflow.studies.refinement.problem_grids import coarsened
from wpoflow.studies.refinement.study import RefinementError, refine
from wpoflow.validation.claims.claim import Judgement, claim
from wpoflow.validation.evidence import Evidence, Family
from wpoflow.validation.finding import Hypothesis, Measurement

SCORE, INFORMATION = "score where the policy is", "relative Fisher information"
OF_POLICY, OF_Q = ("density_max", SCORE, INFORMATION), ("q_slope_max", "q_curvature_max")
AT_STATES = ("density_max", "q_slope_max")
MOST_PAIRS = 16000.0
OF_STATES = 1.5  # how many times as much an action axis weighs as one of states
LEAST_DENSITY = 1e-4  # of the uniform one
FEW_STATES = 20.0
LEVELS = 3
GROWTH = 0.1
CONTRACTION = 0.5
EARLIEST = 5  # halvings of the run's length
ACCURACY = 1e-3


@claim(
    "regularity",
    "monitors of regularity stay bounded under refinement",
    "assumption of the main theorem, Šiška & Zhang, arXiv:2605.22622; theory section 6",
    needs_family=True,
)
def judge(evidence: Evidence) -> Judgement:
    """Suprema on three grids, and on three action grids at a few states."""
    family = evidence.family
    assert family is not None
    only = FLOWS[evidence.flow_name].step if evidence.flow_name in FLOWS else None
    if only is not None:
        words = f"{evidence.flow_name} jumps from policy to policy, and has no solution in time"
        return (Hypothesis("a flow in time", False, words, scope=True),), (), {}
    if evidence.judged_as.kind.parametric:
        words = f"{evidence.judged_as.name} is one of parameters, which need no density to be smooth"
        return (Hypothesis("a flow of p itself", False, words, scope=True),), (), {}
    actions = [axis for axis in family.axes if axis.kind == "action"]
    if actions and all(axis.counted == LABELS for axis in actions):
        words = f"the values of {', '.join(axis.name for axis in actions)} are labels, with nothing between them"
        return (Hypothesis("actions with derivatives", False, words, scope=True),), (), {}
    if not any(axis.points > 1 and axis.counted != LABELS for axis in actions):
        return (Hypothesis("actions with derivatives", False, "there is one action", scope=True),), (), {}
    given = [axis.name for axis in family.axes if axis.by_edges]
    if given:
        words = f"axis {', '.join(given)} is given by edges"
        return (Hypothesis("every axis can be refined", False, words),), (), {}
    if all(axis.fixed for axis in family.axes):
        words = "there are labels, shocks and axes of one point only"
        return (Hypothesis("some axis can be refined", False, words),), (), {}
    try:
        found = _study(evidence, family, sharing(family), "grid", math.sqrt(2.0), OF_POLICY)
        found += _study(evidence, family, family.coarsened(MOST_PAIRS), "grid", math.sqrt(2.0), OF_Q)
        fine = at_few_states(family)
        if fine:
            found += _study(evidence, family, fine, "actions", 2.0, AT_STATES)
    except RefinementError as error:
        return (Hypothesis("every run of the study ends", False, str(error)),), (), {}
    hypotheses, measurements, notes = [], [], {}
    for name, direction, (coarse, middle, fine_value) in found:
        growth = fine_value / middle - 1.0 if middle > 0.0 else 0.0
        before = middle / coarse - 1.0 if coarse > 0.0 else 0.0
        allowed = max(GROWTH, CONTRACTION * before)
        words = "grids" if direction == "grid" else "action grids at a few states"
        notes[f"{name} on three {words}"] = [coarse, middle, fine_value]
        detail = f"{coarse:.4g}, {middle:.4g}, {fine_value:.4g} on three {words}"
        hypotheses.append(Hypothesis(f"{name} does not keep growing", growth <= allowed, detail))
        measurements.append(Measurement(f"growth of {name}", growth, allowed, "<=", f"finest of the {words}"))
    return tuple(hypotheses), tuple(measurements), notes


def sharing(family: Family) -> list[RefinedAxis]:
    """The axes, about `MOST_PAIRS` pairs shared among them: of an action axis n^1.5 points, of a state axis n."""
    of = {axis.name: OF_STATES if axis.kind == "action" else 1.0 for axis in family.axes if axis.points > 1}
    if not of:
        return list(family.axes)
    each = MOST_PAIRS ** (1.0 / sum(of.values()))
    return [replace(axis, points=round(each ** of[axis.name])) if axis.name in of else axis for axis in family.axes]


def at_few_states(family: Family) -> list[RefinedAxis]:
    """The axes with about `FEW_STATES` states, and as many action cells as pairs allow; none without any to refine."""
    states = [axis for axis in family.axes if axis.kind == "state"]
    actions = [axis for axis in family.axes if axis.kind == "action" and not axis.fixed]
    if not actions:
        return []
    few = coarsened(states, FEW_STATES)
    chosen = [replace(axis, points=few.get(axis.name, axis.points)) for axis in states]
    states_kept = max(float(math.prod(axis.points for axis in chosen)), FEW_STATES)
    kept = [axis for axis in family.axes if axis.kind == "action" and axis.fixed]
    pairs = states_kept * math.prod(axis.points for axis in kept)
    cells = round((MOST_PAIRS / pairs) ** (1.0 / len(actions)))
    return [*chosen, *(replace(axis, points=max(axis.points, cells)) for axis in actions), *kept]


def _study(
    evidence: Evidence,
    family: Family,
    axes: Sequence[RefinedAxis],
    direction: str,
    factor: float,
    monitors: Sequence[str],
) -> list[tuple[str, str, tuple[float, ...]]]:
    """The suprema of some monitors on three grids, coarsest first."""
    end, step = float(evidence.run.series["time"][-1]), evidence.own_step
    times = {end * 2.0**-k for k in range(EARLIEST, -1, -1)}
    if step is not None:  # whole steps lead to them
        times = {step * max(1, round(time / step)) for time in times}
    study = refine(
        family.make_mdp,
        axes,
        LEVELS,
        ("value_rho",),
        times=tuple(sorted(times)),
        directions=(direction,),
        factor=factor,
        accuracy=ACCURACY,
        flow=evidence.flow_name,
        parameters=evidence.flow_parameters,
        own_step=step,
        functions={name: _supremum(name) for name in monitors},
    )
    return [(name, direction, tuple(study.find(direction, name).values)) for name in monitors]


def _supremum(name: str) -> Callable[[Run], float]:
    def supremum(run: Run) -> float:
        return float(run.series[name][run.series["time"] > 0.0].max())

    return {SCORE: largest_score, INFORMATION: largest_information}.get(name, supremum)


def largest_score(run: Run) -> float:
    """max |grad_a ln d pi/d mu| over snapshots after the start, between cells of at least `LEAST_DENSITY`."""
    least = LEAST_DENSITY * run.actions.volumes / run.actions.volumes.sum()
    found = [
        float(np.where((here >= floor) & (there >= other), slope, 0.0).max())
        for here, there, slope, floor, other in _faces(run, least)
    ]
    return max(found, default=0.0)


def largest_information(run: Run) -> float:
    """max over states of the relative Fisher information of the policy, over snapshots after the start."""
    return max((float(total.max()) for total in informations(run)), default=0.0)


def informations(run: Run) -> Iterator[FloatArray]:
    """The relative Fisher information of every state, (S,), of one snapshot after the other."""
    shares, total = run.actions.volumes, np.zeros(run.states.size)
    axes = sum(_connected(axis) for axis in run.actions.axes)
    for k, (here, there, slope, _, _) in enumerate(_faces(run, shares)):
        total = total + (np.sqrt(here) * np.sqrt(there) * slope**2).reshape(len(total), -1).sum(axis=1)
        if (k + 1) % axes == 0:
            yield total
            total = np.zeros_like(total)


def _connected(axis: Axis) -> bool:
    return axis.size > 1 and not axis.labels


def _faces(run: Run, shares: FloatArray) -> Iterator[tuple[FloatArray, ...]]:
    """p on both sides of the faces along every axis, |grad ln d pi/d mu| between, and some (A,) on both sides.

    For one snapshot after the start after the other; zero where a cell is empty.
    """
    snapshots, actions = run.snapshots, run.actions
    assert snapshots is not None
    shape = tuple(axis.size for axis in actions.axes)
    for index in np.flatnonzero(snapshots.time > 0.0).tolist():
        policy = snapshots.policy_at(index)
        logs = np.log(np.where(policy > 0.0, policy / run.reference_mass, 1.0))
        for j, axis in enumerate(actions.axes):
            if not _connected(axis):
                continue
            # the last face of a circle leads to the first cell
            faces = axis.size if axis.boundary == "periodic" else axis.size - 1
            sides = [
                [values.reshape(-1, *shape).take(at, axis=j + 1) for at in (np.arange(faces), _next(faces, axis.size))]
                for values in (policy, logs, shares)
            ]
            (here, there), (below, above), (one, other) = sides
            along = [1] * below.ndim
            along[j + 1] = faces
            slope = np.abs(above - below) / axis.distances[:faces].reshape(along)
            yield here, there, np.where((here > 0.0) & (there > 0.0), slope, 0.0), one, other


def _next(faces: int, cells: int) -> IntArray:
    return np.arange(1, faces + 1) % cells
