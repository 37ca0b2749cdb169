"""Several processes leave the file that one process leaves, bit for bit, whatever the problem, flow and scheme."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.ranks import needs_mpi, together
from tests.solver.ranks_problems import CASES, SPREAD
from tests.variants import slow_but
from wpoflow.core.slabs import Slab, boxes, slab_of


class Alone:
    """A communicator of one process."""

    rank, size = 0, 1


def _compared(ranks: int, folder: Path, *names: str) -> dict[str, str]:
    status, out, errors = together(ranks, "-m", "tests.solver.ranks_problems", folder, *names)
    assert status == 0, errors
    for rank in range(ranks):  # so many processes of one MPI, not so many runs of one process
        assert f"rank {rank} of {ranks} is done" in out
    return dict(line.rsplit(": ", 1) for line in out.splitlines() if ": " in line)


def _expected(names: tuple[str, ...]) -> dict[str, str]:
    spread = [f"{name}{how}" for how in (", never gathered", ", over pairs") for name in SPREAD if name in names]
    return dict.fromkeys((*names, *spread), "same")


QUICK = {
    2: ("noise",),
    3: ("lopsided", "outcomes", "scheme multistep", "partly noisy", "varying noise that ends", "annealed fisher-rao"),
}


@needs_mpi
@pytest.mark.parametrize("ranks", slow_but(QUICK, 2))
def test_the_file_of_one_process(tmp_path: Path, ranks: int) -> None:
    """Transitions of several kinds, gathered rows, rows that stay where they are, and products over pairs."""
    assert _compared(ranks, tmp_path, *QUICK[ranks]) == _expected(QUICK[ranks])


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_all_problems_flows_and_schemes(tmp_path: Path, ranks: int) -> None:
    """The gallery, every kind of transition, every flow and every scheme."""
    assert _compared(ranks, tmp_path) == _expected(tuple(CASES))


def test_one_process_is_no_slab() -> None:
    """Nothing is copied or sent where there is one process, with a communicator or without."""
    for slab in (slab_of(7, None), slab_of(7, Alone())):  # type: ignore[arg-type]
        assert type(slab) is Slab
        vector = np.arange(7.0)
        assert slab.part(vector) is vector
        assert slab.whole(vector) is vector
        assert isinstance(slab.spread(vector[:, None]), np.ndarray)
        assert slab.largest(1.0, -2.0) == (1.0, -2.0)


@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (2, 1, 3), (1, 4), (3, 2, 2, 2)])
def test_boxes_are_the_states_in_order(shape: tuple[int, ...]) -> None:
    """Any range of states of a grid, as few boxes, whose states are in the order in which the grid numbers them."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    for first in range(numbers.size):
        for last in range(first + 1, numbers.size + 1):
            found = [numbers[box] for box in boxes(shape, first, last)]
            assert len(found) <= max(1, 2 * len(shape) - 1)
            np.testing.assert_array_equal(np.concatenate([np.ravel(part) for part in found]), np.arange(first, last))


REFUSED = """
import wpoflow as wpo
from wpoflow.core.communicator import world

ranks = world()
mdp = wpo.load_problem("lqr", cells={"x": 11, "u": 8}, communicator=ranks)
for refused in (
    lambda: wpo.evolve(mdp, until=1.0),
    lambda: wpo.load_problem("bandit", communicator=ranks),
):
    try:
        refused()
    except ValueError as error:
        with open(f"said-{ranks.rank}", "a") as file:  # lines of several ranks on one stream may run into each other
            print(error, file=file)
"""


@pytest.mark.slow
@needs_mpi
def test_what_one_process_alone_can_do(tmp_path: Path) -> None:
    """It is refused, in words, by all alike, before anything is computed."""
    script = tmp_path / "script.py"
    script.write_text(REFUSED)
    status, _, errors = together(2, script, folder=tmp_path)
    assert status == 0, errors
    for rank in range(2):
        assert (tmp_path / f"said-{rank}").read_text().splitlines() == [
            "output: a run of several processes is kept in a file; name one",
            "bandit (gallery): 2 ranks share 1 states: start at most 1",
        ]
    assert {path.name for path in tmp_path.iterdir()} == {"script.py", "said-0", "said-1"}
