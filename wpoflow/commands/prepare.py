"""From the arguments of a command to a problem that fits into memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wpoflow.exits import CommandError, Exit, warn
from wpoflow.problems.problem_file import ProblemFile

if TYPE_CHECKING:
    from wpoflow.core.communicator import Communicator
    from wpoflow.problems.memory import Estimate
    from wpoflow.solver.mdp import GridMDP


@dataclass(frozen=True, eq=False)
class Prepared:
    """A problem file, what it will take, its grid problem, and what in it was hardly meant so, a line each."""

    problem: ProblemFile
    estimate: Estimate
    mdp: GridMDP
    doubts: tuple[str, ...] = ()

    def tell_doubts(self) -> None:
        """Say them on standard error."""
        for line in self.doubts:
            warn(f"{self.problem.label}: warning: {line}")


def build(problem: ProblemFile, communicator: Communicator | None = None) -> Prepared:
    """Estimate, refuse what cannot fit, and build the grid problem, or of several processes each its slab of it."""
    from wpoflow.problems.load import build_problem, read_statement
    from wpoflow.problems.memory import estimate, refuse_if_too_large
    from wpoflow.problems.seams import unmatched_seams

    statement = read_statement(problem)
    expected = estimate(statement, problem.flow)
    ranks = 1 if communicator is None else communicator.size
    refuse_if_too_large(problem.label, expected.plan, expected.needed, ranks, expected.kept_numbers)
    mdp = build_problem(problem, communicator)
    return Prepared(problem, expected, mdp, (*unmatched_seams(statement), *_without_mass(problem, mdp)))


def _without_mass(problem: ProblemFile, mdp: GridMDP) -> list[str]:
    """That the first policy has no mass in some cells, to which its flow will give none; empty where neither is so."""
    from wpoflow.solver.flows.flow import flow_class

    empty = mdp.initial_policy == 0.0
    if not flow_class(problem.flow.kind).logarithmic or not empty.any():
        return []
    state, cell = (int(index[0]) for index in empty.nonzero())
    state += mdp.slab.start
    place = ", ".join(filter(None, (mdp.states.describe(state), mdp.actions.describe(cell))))
    return [
        f"initial.policy_density has no mass in {int(empty.sum()):,} of {empty.size:,} cells, as in {place}; "
        f"{problem.flow.kind} never gives any to a cell that has none"
    ]


def scheme_used(prepared: Prepared, asked: Mapping[str, Any]) -> str:
    """Name of the time scheme a run will use; raises CommandError if it, or the flow, does not apply."""
    from wpoflow.solver.flows.flow import check_suitable, flow_class, suitable_flows
    from wpoflow.solver.runs.conduct import refuse_too_cold
    from wpoflow.solver.schemes.choice import chosen_scheme

    flow = prepared.problem.flow
    try:
        check_suitable(flow_class(flow.kind), flow.kind, prepared.mdp.actions)
    except ValueError as error:  # it begins with the word flow
        blamed = "--" if "flow" in asked else f"{prepared.problem.label}: "
        hint = "" if "flow" in asked else f", as by --flow {suitable_flows(prepared.mdp.actions)[0]}"
        raise CommandError(Exit.UNUSABLE, f"{blamed}{error}{hint}") from error
    try:
        annealed = flow.anneal is not None
        used = chosen_scheme(prepared.mdp, flow.scheme, flow.step, flow.kind, flow.accuracy, annealed)
        refuse_too_cold(prepared.mdp.temperature, flow)
        return used
    except ValueError as error:  # it begins with the word scheme, or anneal
        option = "scheme" in asked and not str(error).startswith("anneal")
        blamed = "--" if option else f"{prepared.problem.label}: flow."
        raise CommandError(Exit.UNUSABLE, f"{blamed}{error}") from error


def refuse_gap_below_rounding(prepared: Prepared, asked: Mapping[str, Any]) -> None:
    """Raise CommandError if the gap to stop at is certainly out of reach; it blames the option where there is one."""
    from wpoflow.solver.bellman.optimum import least_gap_floor

    gap, floor = prepared.problem.flow.until.gap, least_gap_floor(prepared.mdp)
    if gap is not None and gap < floor:
        where = f"--until gap={gap:g}" if "until" in asked else f"{prepared.problem.label}: flow.until.gap = {gap:g}"
        raise CommandError(
            Exit.UNUSABLE, f"{where}: lies below this problem's rounding floor, which is at least {floor:.2g}"
        )
