"""Solvers broken on purpose are caught, and one that is not broken is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tests.validation.cases import small_problem
from tests.variants import slow_but
from wpoflow.solver.mdp import GridMDP
from wpoflow.validation.claims import CLAIMS
from wpoflow.validation.control import Control, as_it_is, caught, run_control
from wpoflow.validation.controls import CONTROLS, RECORDED
from wpoflow.validation.evidence import Evidence
from wpoflow.validation.finding import Verdict

DEAR = {f"{name} 2 % too large" for name in RECORDED} - {f"{name} 2 % too large" for name in ("gap", "clamped_mass")}
"""Series falsified one by one, of which two are enough to see that what is recorded is computed again."""
BROKEN = [control for control in CONTROLS.values() if control.broken not in (None, control.sound)]
"""Those whose solver is broken, and not the record or the evidence."""


def as_sound(controls: Iterable[Control]) -> list[Any]:
    """What is left of them where nothing is broken and the record is as it is: of those that are the same then, one."""
    found: dict[tuple[Any, ...], Control] = {}
    for control in controls:
        sound = replace(control, broken=control.broken and control.sound, falsify=as_it_is)
        key = (sound.broken, sound.change, sound.evidence, sound.how)
        claims = found[key].expected if key in found else {}
        found[key] = replace(found.get(key, sound), expected={**claims, **control.expected})
    return [pytest.param(control, id=control.name) for control in found.values()]


@pytest.fixture(scope="module")
def lqr() -> GridMDP:
    return small_problem("lqr")


@pytest.mark.parametrize("name", slow_but(CONTROLS, *(name for name in CONTROLS if name not in DEAR)))
def test_every_control_is_caught(lqr: GridMDP, name: str) -> None:
    control = CONTROLS[name]
    findings = run_control(control, lqr)
    assert {finding.claim: finding.verdict for finding in findings} == control.expected
    assert caught(control, findings)


@pytest.mark.parametrize("control", as_sound(BROKEN))
def test_the_step_unbroken_is_not_caught(lqr: GridMDP, control: Control) -> None:
    """The same run with the solver's own step: a control can miss, and each claim it names holds."""
    findings = run_control(control, lqr)
    assert {finding.verdict for finding in findings} == {Verdict.HOLDS}
    assert not caught(control, findings)


@pytest.mark.parametrize(
    "control", as_sound(control for control in CONTROLS.values() if control.falsify is not as_it_is)
)
def test_the_record_as_it_is_is_not_caught(lqr: GridMDP, control: Control) -> None:
    assert {finding.verdict for finding in run_control(control, lqr)} == {Verdict.HOLDS}


@pytest.mark.parametrize("name", [name for name in CONTROLS if name.startswith("corrected value")])
def test_the_corrected_value_as_it_is_is_not_caught(lqr: GridMDP, name: str) -> None:
    findings = run_control(replace(CONTROLS[name], evidence=Evidence), lqr)
    assert [finding.verdict for finding in findings] == [Verdict.HOLDS]


def test_a_problem_within_the_hypotheses_is_not_caught(lqr: GridMDP) -> None:
    control = replace(CONTROLS["unreachable states"], change=lambda mdp: mdp)
    findings = run_control(control, lqr)
    assert [finding.verdict for finding in findings] == [Verdict.HOLDS]
    assert not caught(control, findings)


def test_a_control_is_caught_only_by_all_its_claims(lqr: GridMDP) -> None:
    control = CONTROLS["negated potential"]
    findings = run_control(control, lqr)
    assert caught(control, findings)
    assert not caught(control, findings[1:])
    assert not caught(control, [])


def test_controls_name_claims_there_are() -> None:
    def names(control: Control) -> set[str]:
        return set(control.expected)

    assert all(names(control) and names(control) <= set(CLAIMS) for control in CONTROLS.values())
    fails = {
        claim
        for control in CONTROLS.values()
        for claim, verdict in control.expected.items()
        if verdict is Verdict.FAILS
    }
    assert {"structure", "pointwise_descent", "kl_contraction", "decay_weighted", "decay_sup_norm"} <= fails
