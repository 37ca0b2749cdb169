"""What validation says where actions are labels: nothing is guaranteed of transport, and what does apply holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wpoflow as wpo
from tests.problems.test_label_actions import MIXED, built
from tests.variants import slow
from wpoflow.validation.constants.coefficients import curvatures, slopes
from wpoflow.validation.constants.generators import Generators
from wpoflow.validation.constants.log_sobolev import minimise_log_sobolev
from wpoflow.validation.constants.lower_bounds import lower_bounds
from wpoflow.validation.constants.spectral_gap import slow_modes, spectral_gap
from wpoflow.validation.constants.verified_gap import verified_spectral_gap
from wpoflow.validation.finding import Verdict
from wpoflow.validation.independent.generator import Geometry


@pytest.mark.parametrize("changes", [slow({}), MIXED], ids=["labels", "labels and a force"])
def test_no_mass_moves_between_labels(changes: dict[str, Any]) -> None:
    """The generator of the other axes has as many zero eigenvalues as there are labels; all constants are zero."""
    mdp = built(changes)
    q = wpo.solve_optimum(mdp).q
    generators = Generators.of(mdp, q)
    assert generators.severed
    assert not generators.is_path
    rates, faces = generators.rates, generators.faces
    dense = np.zeros((mdp.actions.size, mdp.actions.size))
    np.add.at(dense, (faces.there, faces.here), rates.right[0])
    np.add.at(dense, (faces.here, faces.there), rates.left[0])
    dense -= np.diag(dense.sum(axis=0))
    assert np.count_nonzero(np.abs(np.linalg.eigvals(dense)) < 1e-9) == 3
    for found in (
        spectral_gap(generators),
        slow_modes(generators, 1)[0],
        verified_spectral_gap(generators),
        minimise_log_sobolev(generators),
        lower_bounds(generators).best,
        lower_bounds(generators, "full").best,
    ):
        np.testing.assert_array_equal(found, np.zeros(mdp.states.size))
    assert not slopes(q, mdp.actions)[:, 0].any()
    assert not np.array(curvatures(q, mdp.actions))[:, :, 0].any()
    geometry = Geometry.of(mdp.actions)
    assert geometry.here.size == faces.here.size
    assert not geometry.at_end.reshape(3, -1)[:, 1:-1].any()


@pytest.mark.parametrize("changes", [{}, MIXED], ids=["labels", "labels and a force"])
def test_claims_that_apply_hold_and_others_are_not_made(changes: dict[str, Any]) -> None:
    """Of the grid problem the flow that suits is followed, without being asked for."""
    result = wpo.validate_problem(built(changes))
    verdicts = {found.claim: found.verdict for found in result.findings}
    assert Verdict.FAILS not in verdicts.values()
    for name in ("structure", "recomputed", "identities", "pointwise_descent", "dissipation_identity"):
        assert verdicts[name] is Verdict.HOLDS, name
    for name in ("constants_ordered", "static_inequality", "decay_weighted", "decay_sup_norm", "certificate"):
        assert verdicts[name] is Verdict.NOT_CERTIFIED, name
    (case,) = result.cases.values()
    assert not any(case["rates"]["guaranteed"])
    assert case["constants"]["spectral_gap_largest"] == 0.0
    assert case["rates"]["sharp"] == pytest.approx(0.4)  # 2 tau


def test_a_file_whose_flow_does_not_suit_is_told_by_its_name() -> None:
    with pytest.raises(
        wpo.ProblemError, match=r"grid_world \(gallery\): flow 'wasserstein' moves mass .* fisher-rao, mirror or"
    ):
        wpo.validate_problem("grid_world", set={"flow.kind": '"wasserstein"'})
