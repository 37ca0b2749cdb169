"""Which flow a run followed and how: what its attributes say of flow, temperature and steps."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

import numpy as np

from wpoflow.solver.arithmetic.annealing import Annealing
from wpoflow.solver.flows.flow import Flow
from wpoflow.solver.records.run import Run
from wpoflow.solver.registry import FLOWS, own_step_flows
from wpoflow.validation.judged_flow import WASSERSTEIN, JudgedFlow


class FollowedFlow:
    """Of a run, and perhaps of a flow that is judged in its place."""

    run: Run
    flow: Flow | None

    def number(self, name: str) -> float:
        """A numerical attribute of the run."""
        return float(self.run.attributes[name])

    @property
    def temperature(self) -> float:
        """tau."""
        return self.number("temperature")

    @property
    def discount(self) -> float:
        """gamma."""
        return self.number("discount")

    @property
    def split(self) -> bool:
        """Whether a step is split between several action axes."""
        return sum(axis.size > 1 for axis in self.run.actions.axes) > 1

    @cached_property
    def judged_as(self) -> JudgedFlow:
        """The flow whose theorems the run is held to: its own, or that of the flow that is judged in its place."""
        recorded = {name: value for name, value in self._recorded.items() if name != "anneal"}
        name, parameters = self.flow_name, recorded
        if self.flow is not None:
            # one that the registry does not know is judged as if it were the Wasserstein flow
            name = self.flow.name if self.flow.name in FLOWS else WASSERSTEIN
            parameters = {**recorded, **self.flow.parameters}
            if self.flow.own_step:
                parameters["step"] = self.number("step")
        return JudgedFlow(name, parameters, self.temperature)

    @property
    def wasserstein(self) -> bool:
        """Whether it is judged as the Wasserstein flow, at a constant temperature, of which that flow's claims are."""
        return self.judged_as.wasserstein and self.annealing is None

    @property
    def transports(self) -> bool:
        """Whether it is judged as a flow that dissipates at least as much, at a constant temperature."""
        return self.judged_as.transports and self.annealing is None

    @cached_property
    def annealing(self) -> Annealing | None:
        """How the temperature fell; None if it was constant."""
        stated = self._recorded.get("anneal")
        return None if stated is None else Annealing(stated["schedule"], stated["rate"], self.temperature)

    @property
    def _recorded(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(str(self.run.attributes.get("flow_parameters", "{}")))
        return found

    @property
    def contracts(self) -> bool:
        """Whether an unsplit backward Euler step is all of a step, or is followed by one that lowers KL(p|g) more.

        Then it contracts KL(p|g) by 1/(1 + 2 alpha dt).
        """
        return self.transports and not self.split

    @property
    def flow_name(self) -> str:
        """The flow that the run followed."""
        return str(self.run.attributes.get("flow", "wasserstein"))

    @property
    def flow_parameters(self) -> dict[str, Any]:
        """What the flow of the run was made with."""
        known = FLOWS[self.flow_name].own if self.flow_name in FLOWS else ()
        return {name: value for name, value in self.judged_as.parameters.items() if name in known}

    @property
    def own_step(self) -> float | None:
        """The step of the run, where it belongs to its flow."""
        return self.number("step") if self.flow_name in own_step_flows() else None

    @property
    def dissipates(self) -> bool:
        """Whether the flow of the run states its dissipation."""
        return not bool(np.all(np.isnan(self.run.series["dissipation"])))

    @property
    def euler_steps(self) -> bool:
        """Whether the run was made of unsplit backward Euler steps of fixed size alone, with Q exact at each."""
        fixed_euler = self.run.attributes.get("scheme") == "euler" and self.accuracy is None
        return fixed_euler and self.contracts

    @property
    def accuracy(self) -> float | None:
        """Error control of the run; None for fixed steps."""
        found = self.run.attributes.get("accuracy")
        return None if found is None else float(found)
