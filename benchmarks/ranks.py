"""What a step costs each of several processes: computing, messages, memory.

    mpiexec -n R python -m benchmarks.ranks PROBLEM [--cells AXIS=N ...] [--steps 20] [--scheme NAME] [--step DT]
                                            [--rows]

A line of JSON: of every rank the processor seconds a step outside messages (``computing``) and within them, which is
mostly waiting, those of the optimum before, and the peak of its memory in bytes; of the first rank messages, bytes,
Bellman evaluations and products with P^pi a step, counted, and the bytes by the model of the manual, 8 rows for each
vector over states: one for each evaluation and each product, seven for each trial of the multistep scheme.  With
``--rows`` every step is a row of the series, too: thirteen vectors more, or fourteen where next states are clamped, and
for each transposed product of its occupancy sixteen, over nodes, of which a process sends its share.  Rows of P^pi that
are gathered are counted as such, 8 bytes an entry, once an evaluation, and need no products.  Processor
time counts, for the machine may be shared, and a rank that waits spins.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

import wpoflow as wpo
from benchmarks.machine import load
from benchmarks.one_step import peak_bytes
from wpoflow.core.arrays import AnyArray, FloatArray
from wpoflow.core.communicator import MpiCommunicator, world
from wpoflow.grids.transitions.base import PolicyTransition
from wpoflow.grids.transitions.policy_rows import PolicyRows, PolicySum
from wpoflow.grids.transitions.slab_rows import SlabOperator, SlabTransition
from wpoflow.solver.bellman.optimum import solve_optimum
from wpoflow.solver.flows.flow import as_flow
from wpoflow.solver.registry import AUTOMATIC
from wpoflow.solver.runs.observables import Observer
from wpoflow.solver.schemes.trajectory import FlowState, flow

BLOCKS = 16  # of states, in which a transposed product is summed
ROW_VECTORS = 13  # over states, of a row of the series


class Timed(MpiCommunicator):
    """The communicator of all processes, which notes how long it has been at work."""

    def __init__(self, ranks: MpiCommunicator) -> None:
        super().__init__(ranks.messenger)
        self.busy = 0.0

    def put_together(self, mine: AnyArray, counts: list[int]) -> AnyArray:
        """See `Communicator`."""
        begun = time.process_time()
        found = super().put_together(mine, counts)
        self.busy += time.process_time() - begun
        return found


class CountedProducts:
    """Counts the products of policies' operators that are made of the rows of all ranks.

    Attributes
    ----------
    count : int
    transposed_bytes, gathered_bytes : float
        That the transposed ones send by the model, and rows that are gathered instead.
    """

    def __init__(self, ranks: int) -> None:
        self.count, self.transposed_bytes, self.gathered_bytes = 0, 0.0, 0.0
        product, transposed, made = SlabOperator.matvec, SlabOperator.rmatvec, SlabTransition.under

        def counted(operator: SlabOperator, x: FloatArray) -> FloatArray:
            self.count += 1
            return product(operator, x)

        def counted_transposed(operator: SlabOperator, x: FloatArray) -> FloatArray:
            self.transposed_bytes += 8 * BLOCKS * operator.nodes / ranks
            return transposed(operator, x)

        def counted_rows(transition: SlabTransition, policy: FloatArray) -> PolicyTransition:
            found = made(transition, policy)
            parts = found.parts if isinstance(found, PolicySum) else (found,)
            self.gathered_bytes += sum(8 * part.data.size / ranks for part in parts if isinstance(part, PolicyRows))
            return found

        SlabTransition.under = counted_rows  # type: ignore[assignment, method-assign]
        SlabOperator.matvec = counted  # type: ignore[assignment, method-assign]
        SlabOperator.rmatvec = counted_transposed  # type: ignore[assignment, method-assign]


def measured(
    problem: str, cells: dict[str, int], steps: int, scheme: str, step: float | None, rows: bool
) -> dict[str, Any]:
    """What the module says, of this rank."""
    ranks = Timed(world())
    products = CountedProducts(ranks.size)
    mdp = wpo.load_problem(problem, cells=cells, communicator=ranks)
    begun = time.process_time()
    best = solve_optimum(mdp)
    optimum, ranks.busy = time.process_time() - begun - ranks.busy, 0.0
    states = flow(mdp, scheme=scheme, step=step)
    if rows:
        states = observed(states, Observer(mdp, best, as_flow(mdp, "wasserstein")))
    first = next(islice(states, 2, 3))  # the first steps compile, and fill caches
    begun, busy = time.process_time(), ranks.busy
    messages, sent, made = ranks.messages, ranks.sent_bytes, products.count
    besides = products.transposed_bytes + products.gathered_bytes
    last = next(islice(states, steps - 1, steps))
    computing = time.process_time() - begun - (ranks.busy - busy)
    evaluations = last.bellman_evaluations - first.bellman_evaluations
    trials = last.steps - first.steps + last.rejected_steps - first.rejected_steps
    vectors = evaluations + products.count - made + 7 * trials * hasattr(last.state, "gibbs_value")
    vectors += rows * steps * (ROW_VECTORS + (mdp.transition.clamped is not None))
    besides = products.transposed_bytes + products.gathered_bytes - besides
    return {
        "computing": computing / steps,
        "optimum": optimum,
        "waiting": (ranks.busy - busy) / steps,
        "messages": (ranks.messages - messages) / steps,
        "bytes": (ranks.sent_bytes - sent) / steps,
        "modelled": (8 * mdp.slab.rows * vectors + besides) / steps,
        "evaluations": evaluations / steps,
        "products": (products.count - made) / steps,
        "peak": peak_bytes(),
        "states": mdp.states.size,
        "actions": mdp.actions.size,
    }


def observed(states: Iterator[FlowState], observer: Observer) -> Iterator[FlowState]:
    """States of a flow, of each of which a row of the series is made."""
    for state in states:
        observer.row(state.policy, state.evaluation)
        yield state


def main() -> None:
    """Measure, and print on the first rank."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem")
    parser.add_argument("--cells", action="append", default=[], metavar="AXIS=N")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--scheme", default=AUTOMATIC)
    parser.add_argument("--step", type=float)
    parser.add_argument("--rows", action="store_true", help="make a row of the series of every step")
    asked = parser.parse_args()
    cells = {name: int(number) for name, _, number in (entry.partition("=") for entry in asked.cells)}
    found = measured(asked.problem, cells, asked.steps, asked.scheme, asked.step, asked.rows)
    ranks = world()
    numbers = ("computing", "waiting", "optimum", "peak")
    rows = np.array([found[name] for name in numbers])
    every = ranks.put_together(rows, [rows.size] * ranks.size).reshape(ranks.size, -1)
    if ranks.rank == 0:
        of_ranks = {name: every[:, place].round(5).tolist() for place, name in enumerate(numbers)}
        print(json.dumps({"ranks": ranks.size, **found, **of_ranks, "load": load()}))


if __name__ == "__main__":
    main()
