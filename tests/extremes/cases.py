"""Problems with numbers at the edge of what is sensible, or beyond it, on small grids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.problems.test_problem_file import changed

BASE: dict[str, Any] = {
    "problem": {"title": "extreme", "discount": 0.9, "temperature": 0.2},
    "state": {"x": {"bounds": [-2.0, 2.0], "cells": 9, "boundary": "clamp"}},
    "action": {"u": {"bounds": [-2.0, 2.0], "cells": 12, "boundary": "no-flux"}},
    "dynamics": {"x": "0.9*x + 0.3*u"},
    "noise": {"x": 0.25},
    "cost": {"running": "x**2 + 0.5*u**2"},
    "flow": {"until": {"time": 5.0, "steps": 400, "wall": 20.0}},
    "record": {"snapshots": 6},
}


@dataclass(frozen=True)
class Case:
    """A problem, as changes of the base problem by dotted key; None removes a key."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    quick: bool = False

    @property
    def text(self) -> str:
        """The problem as TOML."""
        return changed(self.changes, BASE)


def _each(name: str, key: str, values: tuple[Any, ...], quick: tuple[Any, ...] = ()) -> list[Case]:
    return [Case(f"{name} {value}", {key: value}, value in quick) for value in values]


def _cost(name: str, running: str, quick: bool = False) -> Case:
    return Case(name, {"cost.running": running}, quick)


def _graded(axis: str, ratio: float, quick: bool = False) -> Case:
    changes = {f"{axis}.spacing": "sinh", f"{axis}.focus": 0.3, f"{axis}.ratio": ratio}
    return Case(f"{axis} graded by {ratio:g}", changes, quick)


def _fixed(scheme: str, step: float) -> Case:
    return Case(f"{scheme}, steps of {step:g}", {"flow.scheme": scheme, "flow.step": step, "flow.until": {"steps": 5}})


_BANDIT: dict[str, Any] = {"state": {}, "dynamics": {}, "noise": {}, "cost.running": "(u**2 - 1)**2 + 0.1*u"}
_TWO_ACTIONS = {"action.w": {"bounds": [0.0, 1.0], "cells": 5, "boundary": "periodic"}, "cost.running": "x**2 + u*w"}

CASES: list[Case] = [
    Case("base", quick=True),
    *_each("tau", "problem.temperature", (1e-8, 1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6), (1e-8, 1e6)),
    *_each("tau", "problem.temperature", (1e-300, 5e-324, 1e300)),
    *_each("gamma", "problem.discount", (1e-300, 1e-6, 0.5, 0.99, 0.999, 0.9999, 0.99999), (1e-6, 0.99999)),
    *_each("gamma", "problem.discount", (0.9999999999, 0.9999999999999999)),
    *(
        _cost(f"costs of {scale:g}", f"{scale!r}*(x**2 + 0.5*u**2)", scale in (1e-12, 1e12))
        for scale in (1e-300, 1e-12, 1e-6, 1e3, 1e6, 1e12, 1e100, 1e300, 1.7e308)
    ),
    _cost("costs around 1e12", "1e12 + x**2 + u**2"),
    _cost("costs around -1e12", "-1e12 + x**2 + u**2"),
    _cost("no cost", "0", quick=True),
    _cost("cost not finite", "log(u)", quick=True),
    _cost("infinite cost", "1/(u - u)"),
    *(
        Case(
            f"tau {tau:g}, costs of {scale:g}",
            {"cost.running": f"{scale!r}*(x**2 + 0.5*u**2)", "problem.temperature": tau},
        )
        for tau, scale in ((1e-8, 1e12), (1e-8, 1e-12), (1e6, 1e-12), (1e6, 1e12))
    ),
    Case("tau 1e-8, gamma 0.99999", {"problem.temperature": 1e-8, "problem.discount": 0.99999}),
    Case("tau 1e6, gamma 0.99999", {"problem.temperature": 1e6, "problem.discount": 0.99999}),
    *_each("state cells", "state.x.cells", (1, 2, 3), (1,)),
    *_each("action cells", "action.u.cells", (1, 2, 3), (1, 2)),
    Case("one state, one action", {"state.x.cells": 1, "action.u.cells": 1}, quick=True),
    *(
        Case(f"{cells} periodic action cells", {"action.u.cells": cells, "action.u.boundary": "periodic"}, cells == 2)
        for cells in (1, 2, 3)
    ),
    *(
        Case(f"{cells} {boundary} state cells", {"state.x.cells": cells, "state.x.boundary": boundary})
        for boundary in ("periodic", "reflect")
        for cells in (1, 2, 3)
    ),
    *(
        _graded(axis, ratio, quick=ratio == 1e6)
        for axis in ("state.x", "action.u")
        for ratio in (1.0, 1e2, 1e4, 1e6, 1e10, 1e16, 1e300)
    ),
    Case("cells from 1e-9 to 1", {"action.u": {"edges": [0.0, 1e-9, 1e-3, 1.0, 2.0]}}),
    Case("an action box of 1e-6", {"action.u.bounds": [-1e-6, 1e-6]}, quick=True),
    Case("an action box of 1e6", {"action.u.bounds": [-1e6, 1e6]}),
    Case("an action box of 1e150", {"action.u.bounds": [-1e150, 1e150]}),
    Case("an action box of 1e-160", {"action.u.bounds": [0.0, 1e-160]}),
    Case("an action box around 1e6", {"action.u.bounds": [1e6, 1e6 + 1.0]}),
    Case("an action box of few floats", {"action.u.bounds": [1.0, 1.0 + 2e-15]}, quick=True),
    Case("a state box of 1e-6", {"state.x.bounds": [-1e-6, 1e-6]}),
    Case("a state box of 1e150", {"state.x.bounds": [-1e150, 1e150]}),
    *_each("potential", "reference.potential", ("170*u**2", "1000*u**2"), ("170*u**2", "1000*u**2")),
    *_each("potential", "reference.potential", ("10*u**2", "-170*u**2")),
    *_each("potential", "reference.potential", ("log(u)", "1e308*u", "where(u > 0, 0, 600)", "1/0")),
    *_each("pi_0", "initial.policy_density", ("u > 0", "(0.1 < u)*(u < 0.4)", "exp(-1000*(u - 1)**2)"), ("u > 0",)),
    *_each("pi_0", "initial.policy_density", ("where(x > 0, u > 0, u < 0)", "u > x + 3.5")),
    *_each("pi_0", "initial.policy_density", ("1e300", "1e-300", "0", "-1")),
    *_each("rho", "initial.state_density", ("x > 0", "abs(x) < 0.1", "0", "exp(-1e4*x**2)"), ("x > 0",)),
    Case("no noise", {"noise": {}}),
    Case("all states lead to one", {"noise": {}, "dynamics.x": "0"}, quick=True),
    Case("unreachable states, rho at one", {"noise": {}, "dynamics.x": "-2", "initial.state_density": "x < -1.7"}),
    Case("nobody moves", {"noise": {}, "dynamics.x": "x"}),
    *_each("noise", "noise.x", (1e-300, 1e-12, 1e-3, 1e3, 1e300), (1e-12,)),
    *_each("noise", "noise.x", ("1e-9 + 0*u", "0.1*abs(u)", "1e6*(1 + u**2)", "u"), ("0.1*abs(u)",)),
    *_each("dynamics", "dynamics.x", ("1e300*u", "1e-300*u", "1/u", "x + 1e-17*u"), ("1e300*u",)),
    _cost("a jump in the action", "x**2 + where(u > 0.1, 1, 0)", quick=True),
    _cost("a jump of 1e6 in the action", "where(u > 0.1, 1e6, 0)"),
    _cost("a jump of 1e12 in the action", "where(u > 0.1, 1e12, 0)"),
    _cost("a jump of 1e6 in the state", "where(x > 0, 1e6, 0) + u**2"),
    _cost("a cost like a comb", "1e3*(floor(8*u) % 2)"),
    Case("the end everywhere", {"cost.terminal_set": "x > -10"}),
    Case("the end on one side", {"cost.terminal_set": "x > 1", "cost.terminal_cost": "-1e6"}, quick=True),
    Case("the end nowhere", {"cost.terminal_set": "x > 10"}),
    Case("the end at once", {"cost.terminal_set": "x >= -2", "dynamics.x": "5"}),
    Case("bandit", _BANDIT, quick=True),
    *(Case(f"bandit, tau {tau:g}", {**_BANDIT, "problem.temperature": tau}) for tau in (1e-8, 1e-3, 1e6)),
    Case("bandit of one action", {**_BANDIT, "action.u.cells": 1}),
    Case("two action axes", _TWO_ACTIONS),
    *(Case(f"two action axes, tau {tau:g}", {**_TWO_ACTIONS, "problem.temperature": tau}) for tau in (1e-8, 1e6)),
    Case("two action axes, one of one cell", {**_TWO_ACTIONS, "action.w.cells": 1}),
    *(_fixed(scheme, step) for scheme in ("euler", "extrapolated") for step in (1e-300, 1e-12, 1e12, 1e300)),
    *(Case(f"accuracy {tol:g}", {"flow.accuracy": tol}) for tol in (1e-15, 1e-12, 0.9)),
    *(Case(f"until {time:g}", {"flow.until.time": time}) for time in (5e-324, 1e-300, 1e-12, 1e12, 1e300)),
    *(
        Case(
            f"outcomes of probability {chance}",
            {"dynamics": {}, "noise": {}, "outcome": [
                {"probability": chance, "dynamics": {"x": "x + u"}},
                {"probability": f"1 - {chance}", "dynamics": {"x": "0"}, "noise": {"x": 0.1}},
            ]},
        )
        for chance in ("0", "1e-300", "0.5", "1")
    ),
]  # fmt: skip
