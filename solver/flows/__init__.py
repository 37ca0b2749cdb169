"""Flows: what a policy descends along, each with its step and its own dissipation.

This is the only list of them: options, problem files, checks and the manual take names from here.  A new flow is a file
beside this one with a subclass of `solver.flows.flow.Flow`, and one line here.
"""

from __future__ import annotations

FLOWS: dict[str, str] = {
    "wasserstein": "wpoflow.solver.flows.wasserstein:WassersteinFlow",
}
"""Where each flow is defined, by its name; imported only when it is used (`core.registry.load`)."""
